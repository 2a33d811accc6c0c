internal import BerthContent
internal import BerthOCI
internal import NIOHTTP1

// OCI distribution specification, *Pull*.
extension RegistryService {
    /// end-3
    func manifest(_ reference: ManifestReference, in path: RepositoryPath, _ call: Call) async throws(RegistryFailure) -> Response {
        guard let manifest = try await reading.findManifest(reference, in: path) else { throw .manifestUnknown(reference) }
        let headers = [
            ("Content-Type", manifest.mediaType.rawValue), ("Docker-Content-Digest", manifest.digest.description),
            ("ETag", "\"\(manifest.digest)\""),
        ]
        if isKnown(manifest.digest, to: call) { return Response(304, headers) }
        guard call.method == .GET else { return Response(200, headers, .unsent(byteCount: manifest.byteCount)) }
        return Response(200, headers, .bytes(try await reading.read(manifest)))
    }

    /// end-2
    func blob(_ digest: Digest, in path: RepositoryPath, _ call: Call) async throws(RegistryFailure) -> Response {
        guard let byteCount = try await reading.findBlob(digest, in: path) else { throw .blobUnknown(digest) }
        var headers = [
            ("Content-Type", "application/octet-stream"), ("Docker-Content-Digest", digest.description), ("ETag", "\"\(digest)\""),
            ("Accept-Ranges", "bytes"), ("Cache-Control", "max-age=31536000"),
        ]
        if isKnown(digest, to: call) { return Response(304, headers) }
        guard call.method == .GET else { return Response(200, headers, .unsent(byteCount: byteCount)) }
        // RFC 9110, section 13.1.5: of another version than the client has a part of, all is wanted.
        let isSame = call.headers.first(name: "If-Range").map { $0 == "\"\(digest)\"" } ?? true
        switch isSame ? ByteRange(call.headers.first(name: "Range"), byteCount: byteCount) : .whole {
        case .whole: return Response(200, headers, .blob(try await reading.open(digest, in: path), 0..<byteCount))
        case .part(let range):
            headers.append(("Content-Range", "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(byteCount)"))
            return Response(206, headers, .blob(try await reading.open(digest, in: path), range))
        case .unsatisfiable:
            throw RegistryFailure(416, .sizeInvalid, "the blob has \(byteCount) bytes, and none of those that are asked for").with(
                "Content-Range", "bytes */\(byteCount)")
        }
    }

    /// RFC 9110, section 13.1.2.
    private func isKnown(_ digest: Digest, to call: Call) -> Bool {
        call.headers["If-None-Match"].contains { $0.contains("\"\(digest)\"") }
    }
}
