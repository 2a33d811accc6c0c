internal import BerthContent
internal import BerthOCI
internal import NIOCore
internal import NIOHTTP1

// OCI distribution specification, *Push*.
extension RegistryService {
    /// So much of a body is written at once.
    private static var pieceByteCount: Int { 1 << 20 }
    /// The most tags that one manifest is given in one request.
    private static var tagLimit: Int { 64 }

    // MARK: blobs

    /// end-4, end-11
    func beginUpload(to path: RepositoryPath, _ call: Call) async throws(RegistryFailure) -> Response {
        let store = try writable("nothing can be pushed")
        if let digest = try call.query.digest("mount") {
            if try await store.mount(digest, from: try await mountSources(call), to: path) { return created(digest, in: path) }
        }
        let expected = try call.query.digest("digest")
        let upload = try await store.beginUpload(to: path, try algorithm(call) ?? expected?.algorithm ?? .sha256)
        guard let expected, call.query["mount"] == nil else { return Response(202, state(of: upload)) }
        let turn = try await upload.take()
        defer { turn.end() }
        do throws(RegistryFailure) { try await receive(call.body, into: upload, store) } catch {
            // The client never learned of it: nobody can go on with it.
            try await store.remove(upload)
            throw error
        }
        try await store.finish(upload, as: expected)
        return created(expected, in: path)
    }

    /// Where a blob may be mounted from: only where the caller may read.
    private func mountSources(_ call: Call) async throws(RegistryFailure) -> [RepositoryPath] {
        var paths: [RepositoryPath]
        if let from = call.query["from"] {
            paths = RepositoryPath(from).map { [$0] } ?? []
        } else {
            paths = try await reading.repositoryPaths()
        }
        return paths.filter { gate.rights(of: call.caller, in: $0).contains(.pull) }
    }

    private func algorithm(_ call: Call) throws(RegistryFailure) -> Digest.Algorithm? {
        guard let name = call.query["digest-algorithm"] else { return nil }
        guard let algorithm = Digest.Algorithm(rawValue: name) else {
            throw .digestInvalid("'\(name.prefix(64))' is no digest algorithm that is supported: sha256 and sha512 are")
        }
        return algorithm
    }

    /// end-5, end-6, end-13, end-14
    func upload(_ id: String, to path: RepositoryPath, _ call: Call) async throws(RegistryFailure) -> Response {
        let store = try writable("nothing can be pushed")
        let upload = try store.upload(id, of: path)
        let expected = call.method == .PUT ? try call.query.digest("digest") : nil
        if call.method == .PUT, expected == nil { throw .digestInvalid("the request that ends an upload has the parameter 'digest'") }
        let turn = try await upload.take()
        defer { turn.end() }
        // It may have ended while this waited.
        _ = try store.upload(id, of: path)
        switch call.method {
        case .DELETE:
            try await store.remove(upload)
            return Response(204)
        case .PATCH, .PUT:
            try requireNext(call, upload)
            try await receive(call.body, into: upload, store)
            guard let expected else { return Response(202, state(of: upload)) }
            try await store.finish(upload, as: expected)
            return created(expected, in: path)
        default: return Response(204, state(of: upload))
        }
    }

    /// A chunk that says where it belongs belongs behind what has come.
    private func requireNext(_ call: Call, _ upload: Upload) throws(RegistryFailure) {
        guard let header = call.headers.first(name: "Content-Range") else { return }
        guard let range = ChunkRange(header) else {
            throw RegistryFailure(416, .blobUploadInvalid, "'\(header.prefix(64))' is no range of a chunk: say FIRST-LAST").with(
                state(of: upload))
        }
        guard range.first == upload.file.byteCount else {
            throw RegistryFailure(
                416, .blobUploadInvalid, "the upload has \(upload.file.byteCount) bytes, and the chunk begins at \(range.first)"
            )
            .with(state(of: upload))
        }
        if let length = call.contentLength, length != range.byteCount {
            throw RegistryFailure(400, .sizeInvalid, "the chunk's range has \(range.byteCount) bytes, and its body \(length)")
        }
    }

    /// Takes a body in. What has come of one that breaks off stays.
    private func receive(_ body: RequestBody, into upload: Upload, _ store: RegistryStore) async throws(RegistryFailure) {
        while true {
            let pieces = try await body.next(atMost: Self.pieceByteCount)
            guard !pieces.isEmpty else { return }
            metrics?.received(pieces.reduce(0) { $0 + $1.readableBytes })
            try await store.append(pieces, to: upload)
        }
    }

    private func created(_ digest: Digest, in path: RepositoryPath) -> Response {
        Response(201, [("Location", "/v2/\(path)/blobs/\(digest)"), ("Docker-Content-Digest", digest.description)])
    }

    private func state(of upload: Upload) -> [(name: String, value: String)] {
        let byteCount = upload.file.byteCount
        return [
            ("Location", "/v2/\(upload.repository)/blobs/uploads/\(upload.id)"), ("Range", "0-\(byteCount > 0 ? byteCount - 1 : 0)"),
            ("Docker-Upload-UUID", upload.id),
        ]
    }

    // MARK: manifests

    /// end-7
    func put(_ reference: ManifestReference, in path: RepositoryPath, _ call: Call) async throws(RegistryFailure) -> Response {
        let store = try writable("nothing can be pushed")
        let bytes = try await call.body.all(limit: ReceivedManifest.maximumByteCount)
        let manifest = try ReceivedManifest(bytes, contentType: call.headers.first(name: "Content-Type"))
        var tags = call.query.all("tag")
        guard tags.count <= Self.tagLimit else {
            throw RegistryFailure(414, .unsupported, "a manifest is given at most \(Self.tagLimit) tags at once")
        }
        if let wrong = tags.first(where: { !Tag.isValid($0) }) { throw .manifestInvalid("'\(wrong.prefix(64))' is no tag") }
        let digest: Digest
        switch reference {
        case .digest(let expected):
            digest = Digest(of: bytes, expected.algorithm)
            guard digest == expected else { throw .digestInvalid("the manifest was to be \(expected), and what came is \(digest)") }
        case .tag(let tag):
            // A digest beside the tag says by what it is to be named.
            let expected = try call.query.digest("digest")
            digest = Digest(of: bytes, expected?.algorithm ?? .sha256)
            if let expected, digest != expected { throw .digestInvalid("the manifest was to be \(expected), and what came is \(digest)") }
            tags.append(tag)
        }
        try await store.put(manifest, as: digest, tags: tags, in: path)
        var response = Response(
            201, [("Location", "/v2/\(path)/manifests/\(digest)"), ("Docker-Content-Digest", digest.description)])
        if let subject = manifest.subject { response.headers.append(("OCI-Subject", subject.description)) }
        if case .digest = reference { response.headers += tags.map { ("OCI-Tag", $0) } }
        return response
    }
}

extension RegistryFailure {
    fileprivate func with(_ more: [(name: String, value: String)]) -> RegistryFailure {
        var failure = self
        failure.headers += more
        return failure
    }
}
