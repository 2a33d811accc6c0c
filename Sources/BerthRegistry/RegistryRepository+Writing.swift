internal import AsyncHTTPClient
public import BerthContent
public import BerthLinux
public import BerthOCI
internal import NIOCore
internal import NIOHTTP1

extension RegistryRepository: ContentDestination {
    /// Whether the repository has a blob already.
    public func contains(_ blob: Descriptor) async throws(TransferError) -> Bool {
        let conversation = try await writing()
        let ask = conversation.ask(
            .HEAD, .repository("blobs/\(blob.digest)"), "cannot ask for blob \(blob.digest) of '\(name)'", [200, 404])
        return try await conversation.answer(to: ask).status.code == 200
    }

    /// Asks the registry to take a blob from another of its repositories. Who may not read that one, or whose registry does not do this, gets `false`.
    public func mount(_ blob: Descriptor, from repository: RepositoryName) async throws(TransferError) -> Bool {
        guard repository.registry == name.registry else { return false }
        if repository == name { return try await contains(blob) }
        let conversation = try await writing()
        let query = PercentText.form([("mount", blob.digest.description), ("from", repository.path)])
        let ask = conversation.ask(
            .POST, .repository("blobs/uploads/?\(query)"), "cannot mount blob \(blob.digest) in '\(name)'", [201, 202],
            alsoReading: repository.path)
        let response: HTTPClientResponse
        do throws(TransferError) { response = try await conversation.answer(to: ask) } catch {
            if [.unauthorized, .denied, .notFound, .unsupported, .refused].contains(error.code) { return false }
            throw error
        }
        if response.status.code == 201 { return true }
        // It has begun an upload instead, which nobody will end. If it cannot be told so, it forgets it by itself.
        if let session = try? conversation.location(response, from: ask.target) {
            _ = try? await conversation.once(
                conversation.ask(.DELETE, .url(session), "cannot end an upload to '\(name)'", [200, 202, 204, 404]))
        }
        return false
    }

    /// Brings a blob (OCI distribution specification, *Pushing blobs*): in one piece, and going on where that breaks; in pieces where the configuration says so.
    public func upload(
        _ blob: Descriptor, from file: consuming OwnedDescriptor, progress: @escaping @Sendable (_ byteCount: UInt64) -> Void
    ) async throws(TransferError) {
        let body = try FileBody(file, core.lane, progress)
        guard body.byteCount == blob.byteCount else {
            throw TransferError(
                .sizeMismatch, "blob \(blob.digest) has \(blob.byteCount) bytes, and what is to be uploaded has \(body.byteCount)",
                digest: blob.digest)
        }
        try await core.uploads.withSlot { () throws(TransferError) in
            try await writing().upload(blob, body, name.description)
        }
    }

    /// Puts a manifest or an index (OCI distribution specification, *Pushing Manifests*), under each tag, or without any by its digest alone. One that names
    /// a `subject` is listed among its referrers, also where the registry does not do that by itself (*Pushing Manifests with Subject*).
    public func put(_ manifest: FetchedManifest, tags: [String]) async throws(TransferError) {
        let conversation = try await writing()
        let references = tags.isEmpty ? [ManifestReference.digest(manifest.descriptor.digest)] : tags.map { .tag($0) }
        var isListed = true
        for reference in references { isListed = try await conversation.put(manifest, reference, shown(reference)) }
        if !isListed { try await list(manifest) }
    }
}

extension Conversation {
    /// - Returns: whether the registry has taken note of its subject.
    @discardableResult
    func put(_ manifest: FetchedManifest, _ reference: ManifestReference, _ name: String) async throws(TransferError) -> Bool {
        let bytes = ByteBuffer(bytes: manifest.bytes)
        let ask = ask(
            .PUT, .repository("manifests/\(reference)"), "cannot put the manifest of '\(name)'", [200, 201, 202],
            headers: [("Content-Type", manifest.descriptor.mediaType.rawValue)]
        ) { .bytes(bytes) }
        let response = try await answer(to: ask)
        if let text = response.headers.first(name: "Docker-Content-Digest"), let digest = try? Digest(parsing: text),
            digest.algorithm == manifest.descriptor.digest.algorithm, digest != manifest.descriptor.digest
        {
            throw TransferError(
                .digestMismatch,
                "the manifest of '\(name)' has the digest \(manifest.descriptor.digest), and the registry \(endpoint.registry) took it as \(digest)",
                request: shown(ask), digest: manifest.descriptor.digest)
        }
        return response.headers.contains(name: "OCI-Subject")
    }
}
