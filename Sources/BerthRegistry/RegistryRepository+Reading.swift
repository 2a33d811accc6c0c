internal import AsyncHTTPClient
public import BerthContent
internal import BerthCredentials
public import BerthOCI
internal import NIOCore
internal import NIOHTTP1

extension RegistryRepository: ContentSource {
    /// The repository's name.
    public var repository: RepositoryName? { name }

    /// Says what a tag or a digest names now (OCI distribution specification, *Checking if content exists in the registry*). Docker Hub does not count it as
    /// a pull.
    public func descriptor(of reference: ManifestReference) async throws(TransferError) -> Descriptor {
        try await reading { (conversation) throws(TransferError) in
            let ask = conversation.askForManifest(.HEAD, reference, shown(reference))
            let response = try await conversation.answer(to: ask)
            let request = conversation.shown(ask)
            let type = ManifestLook.mediaType(header: response.headers.first(name: "Content-Type"))
            if let type { try ManifestLook.refuseSchema1(type.rawValue, shown(reference), request) }
            guard let type, ManifestLook.accepted.contains(type),
                let size = response.headers.first(name: "Content-Length").flatMap(UInt64.init),
                let digest = try conversation.digest(response, reference, request)
            else {
                // What the head does not say, the body does.
                return try await conversation.manifest(reference, shown(reference)).descriptor
            }
            return Descriptor(mediaType: type, digest: digest, byteCount: size)
        }
    }

    /// Gives the manifest or index that a tag or a digest names now (OCI distribution specification, *Pulling manifests*).
    public func manifest(_ reference: ManifestReference) async throws(TransferError) -> FetchedManifest {
        try await reading { (conversation) throws(TransferError) in try await conversation.manifest(reference, shown(reference)) }
    }

    /// Gives the bytes of a blob (OCI distribution specification, *Pulling blobs*), by ranges where a connection broke. A registry that does not know
    /// ranges sends everything again, and what is there is passed over.
    public func fetch(
        _ blob: Descriptor, from offset: UInt64, into sink: @escaping @Sendable (_ bytes: borrowing RawSpan) throws(TransferError) -> Void
    ) async throws(TransferError) {
        let kind = blob.mediaType.rawValue
        guard !kind.contains(".foreign.") && !kind.contains(".nondistributable.") else {
            throw TransferError(
                .unsupported, "blob \(blob.digest) of '\(name)' is a layer that may not be distributed (\(kind)), which is not supported",
                digest: blob.digest)
        }
        guard offset <= blob.byteCount else {
            throw TransferError(
                .sizeMismatch, "blob \(blob.digest) has \(blob.byteCount) bytes, and \(offset) are there already", digest: blob.digest)
        }
        guard offset < blob.byteCount else { return }
        let taker = BlobTaker(blob, from: offset, core.lane, sink)
        try await core.downloads.withSlot { () throws(TransferError) in
            try await reading { (conversation) throws(TransferError) in
                try await conversation.download(taker, name.description)
            }
        }
    }
}

extension Conversation {
    fileprivate func askForManifest(_ method: HTTPMethod, _ reference: ManifestReference, _ name: String) -> Ask {
        Ask(
            method: method, target: .repository("manifests/\(reference)"), headers: ManifestLook.acceptHeaders,
            scopes: [.repository(endpoint.repositoryPath, ["pull"])], what: "cannot read the manifest of '\(name)'", accepted: [200])
    }

    func shown(_ ask: Ask) -> String {
        // It has been asked: its address is one.
        (try? url(of: ask.target)).map { Call(method: ask.method, url: $0).shown } ?? ask.method.rawValue
    }

    func manifest(_ reference: ManifestReference, _ name: String) async throws(TransferError) -> FetchedManifest {
        let ask = askForManifest(.GET, reference, name)
        var failedCount = 0
        while true {
            do throws(Refusal) { return try await manifestOnce(ask, reference, name) } catch {
                failedCount += 1
                try await pause(after: error, failedCount: failedCount, hasBegun: false)
            }
        }
    }

    private func manifestOnce(_ ask: Ask, _ reference: ManifestReference, _ name: String) async throws(Refusal) -> FetchedManifest {
        let response = try await once(ask)
        let request = shown(ask)
        let limit = TransferLimits.manifestByteCount
        let bytes: [UInt8]
        do { bytes = Array(try await response.body.collect(upTo: limit).readableBytesView) } catch is NIOTooManyBytesError {
            throw Refusal(TransferError(.tooLarge, "the manifest of '\(name)' has more than \(limit) bytes", request: request))
        } catch {
            throw refusal(Transport.failure(error, endpoint.host), Call(method: .GET, url: try url(of: ask.target)))
        }
        do throws(TransferError) {
            let type = try ManifestLook.mediaType(of: bytes, header: response.headers.first(name: "Content-Type"), name, request: request)
            let said = try digest(response, reference, request)
            let found = Digest(of: bytes, said?.algorithm ?? .sha256)
            guard said == nil || said == found else {
                throw TransferError(
                    .digestMismatch, "the manifest of '\(name)' should have the digest \(said ?? found), and what came has \(found)",
                    request: request,
                    digest: said)
            }
            return FetchedManifest(descriptor: Descriptor(mediaType: type, digest: found, byteCount: UInt64(bytes.count)), bytes: bytes)
        } catch { throw Refusal(error) }
    }

    /// The digest that was asked for, or that the registry says; `nil` if neither. Two that differ are an error.
    fileprivate func digest(_ response: HTTPClientResponse, _ reference: ManifestReference, _ request: String) throws(TransferError)
        -> Digest?
    {
        let asked: Digest? = if case .digest(let digest) = reference { digest } else { nil }
        guard let text = response.headers.first(name: "Docker-Content-Digest") else { return asked }
        let said: Digest
        do throws(Digest.ParseError) { said = try Digest(parsing: text) } catch {
            throw TransferError(.badAnswer, "the registry \(endpoint.registry) gives a digest that is none: \(error)", request: request)
        }
        guard let asked else { return said }
        // The same bytes may be named by another algorithm too.
        guard said == asked || said.algorithm != asked.algorithm else {
            throw TransferError(
                .digestMismatch, "the digest \(asked) was asked for, and the registry \(endpoint.registry) gives \(said)", request: request,
                digest: asked)
        }
        return asked
    }
}
