internal import BerthContent
internal import BerthOCI
internal import BerthReactor

/// Another registry's repositories, each thing kept when it is first asked for.
///
/// What a tag names is asked there each time, so that it is never old; where that registry cannot be reached, what was kept last is given. What is named by a
/// digest is given from here. Blobs come whole before they are handed on.
struct PullThrough: RegistryReading {
    let store: RegistryStore
    /// The repository of the other registry.
    let upstream: @Sendable (RepositoryPath) async throws(TransferError) -> any ContentSource

    func repositoryPaths() async throws(RegistryFailure) -> [RepositoryPath] { store.paths }
    func contents(of path: RepositoryPath) async throws(RegistryFailure) -> RepositoryRecord? { store.record(of: path) }

    func findManifest(_ reference: ManifestReference, in path: RepositoryPath) async throws(RegistryFailure) -> ManifestRecord? {
        let kept = store.manifest(reference, in: path)
        if case .digest = reference, let kept { return kept }
        do throws(TransferError) {
            let source = try await upstream(path)
            if let kept, try await source.descriptor(of: reference).digest == kept.digest { return kept }
            return try await keep(try await source.manifest(reference), reference, path)
        } catch {
            if let kept, Self.isAbsence(error) { return kept }
            throw Self.failure(error)
        }
    }

    private func keep(
        _ fetched: FetchedManifest, _ reference: ManifestReference, _ path: RepositoryPath
    ) async throws(TransferError) -> ManifestRecord {
        do throws(RegistryFailure) {
            let manifest = try ReceivedManifest(fetched.bytes, contentType: fetched.descriptor.mediaType.rawValue)
            var tags: [String] = []
            if case .tag(let tag) = reference { tags.append(tag) }
            try await store.put(manifest, as: fetched.descriptor.digest, tags: tags, in: path, isSparse: true)
            return manifest.record(named: fetched.descriptor.digest)
        } catch { throw TransferError(error.status >= 500 ? .storage : .badAnswer, "a manifest cannot be kept: \(error.message)") }
    }

    func findBlob(_ digest: Digest, in path: RepositoryPath) async throws(RegistryFailure) -> UInt64? {
        if let byteCount = store.blob(digest, in: path) { return byteCount }
        return try await descriptor(of: digest, in: path)?.byteCount
    }

    /// Only what a manifest that was asked for names is fetched: nobody makes the cache ask for anything else.
    private func descriptor(of digest: Digest, in path: RepositoryPath) async throws(RegistryFailure) -> Descriptor? {
        guard let naming = store.record(of: path)?.manifests.values.first(where: { $0.blobs.contains(digest) }) else { return nil }
        let manifest = try ReceivedManifest(try await store.read(naming), contentType: naming.mediaType.rawValue)
        return manifest.sizes[digest].map { Descriptor(mediaType: .layer, digest: digest, byteCount: $0) }
    }

    func open(_ digest: Digest, in path: RepositoryPath) async throws(RegistryFailure) -> OpenedBlob {
        if store.blob(digest, in: path) != nil { return try await store.open(digest, in: path) }
        guard let blob = try await descriptor(of: digest, in: path) else { throw .blobUnknown(digest) }
        let lease = store.content.leases.begin()
        defer { _ = lease.end() }
        do throws(TransferError) {
            try await upstream(path).fetch(blob, into: store.content, for: lease, in: store.blobLane)
        } catch { throw Self.failure(error) }
        store.grace.touch(digest)
        try await store.change(path) { $0.add(blob: digest, byteCount: blob.byteCount) }
        return try await store.open(digest, in: path)
    }

    func read(_ manifest: ManifestRecord) async throws(RegistryFailure) -> [UInt8] { try await store.read(manifest) }

    /// Whether the other registry said nothing, rather than no.
    private static func isAbsence(_ error: TransferError) -> Bool {
        [.unreachable, .unavailable, .timedOut, .tooManyRequests, .offline].contains(error.code)
    }

    private static func failure(_ error: TransferError) -> RegistryFailure {
        switch error.code {
        case .notFound: RegistryFailure(404, .manifestUnknown, "the registry behind this one has nothing of that name")
        // It is this registry that is not let in there, and nothing that its client could log in with.
        case .unauthorized, .denied: RegistryFailure(404, .nameUnknown, "the registry behind this one does not let this one read that")
        case .tooManyRequests: .tooMany("the registry behind this one asks to come back later", retryAfterSeconds: 30)
        case .busy: .tooMany(error.description, retryAfterSeconds: 1)
        case .noSpace: RegistryFailure(507, .unknown, error.description)
        default: RegistryFailure(502, .unknown, error.description)
        }
    }
}
