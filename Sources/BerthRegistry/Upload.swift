internal import AsyncHTTPClient
internal import BerthContent
internal import BerthOCI
internal import NIOCore
internal import NIOHTTP1

/// What is known of an upload that has begun; a value that answers decide.
struct UploadProgress: Hashable, Sendable {
    /// Where the rest is to be sent; `nil` if nothing has begun.
    var session: URLParts?
    /// How many bytes the registry has.
    var offset: UInt64 = 0
    /// The least that the registry wants in one piece, but for the last (`OCI-Chunk-Min-Length`).
    var leastChunkByteCount: UInt64 = 0

    /// What a `Range` says that the registry has: `0-N`. `0-0` may be one byte or none, and none loses nothing: what is sent twice is refused and asked for.
    static func offset(range: String?) -> UInt64? {
        guard let ends = range?.split(separator: "=").last?.split(separator: "-", omittingEmptySubsequences: false), ends.count == 2,
            ends[0] == "0",
            let last = UInt64(ends[1]), last < UInt64(Int64.max)
        else { return nil }
        return last == 0 ? 0 : last + 1
    }

    /// The next piece.
    func next(of total: UInt64, chunk: UInt64?) -> Range<UInt64> {
        guard let chunk else { return offset..<total }
        return offset..<min(total, offset + max(1, chunk, leastChunkByteCount))
    }
}

extension Conversation {
    private var writeScopes: [Scope] { [.repository(endpoint.repositoryPath, ["pull", "push"])] }

    func ask(
        _ method: HTTPMethod, _ target: Ask.Target, _ what: String, _ accepted: Set<Int>, headers: [(String, String)] = [],
        body: (@Sendable () -> HTTPClientRequest.Body)? = nil, alsoReading path: String? = nil
    ) -> Ask {
        Ask(
            method: method, target: target, headers: headers, body: body,
            scopes: Scope.union(writeScopes, path.map { [.repository($0, ["pull"])] } ?? []), what: what, accepted: accepted)
    }

    /// Brings a blob: in one piece, and where that breaks, what is missing; in pieces, if so configured.
    func upload(_ blob: Descriptor, _ file: FileBody, _ name: String) async throws(TransferError) {
        var progress = UploadProgress()
        var (failedCount, hasBegun, hasBegunAnew) = (0, false, false)
        let leastByteCount = max(1, min(64 << 10, blob.byteCount / 32))
        while true {
            let before = progress.offset
            do throws(Refusal) { return try await send(blob, file, &progress, name) } catch {
                // What the registry has put together may have been cut wrong: once more from the beginning.
                if error.error.code == .digestMismatch, !hasBegunAnew {
                    (progress, hasBegunAnew) = (UploadProgress(), true)
                    continue
                }
                try await look(at: &progress, after: error, name)
                if progress.offset >= before + leastByteCount { (failedCount, hasBegun) = (0, true) }
                failedCount += 1
                // That the registry has got another part, or has forgotten all, is no reason not to go on.
                let isLost = [404, 416].contains(error.error.answer?.status) && before > 0
                let refusal = isLost ? Refusal(error.error, retry: .interrupted) : error
                try await pause(after: refusal, failedCount: failedCount, hasBegun: hasBegun)
            }
        }
    }

    private func send(_ blob: Descriptor, _ file: FileBody, _ progress: inout UploadProgress, _ name: String) async throws(Refusal) {
        let what = "cannot upload blob \(blob.digest) to '\(name)'"
        if progress.session == nil {
            let response = try await once(ask(.POST, .repository("blobs/uploads/"), what, [202]))
            progress = UploadProgress(session: try location(response, from: .repository("blobs/uploads/")))
            progress.leastChunkByteCount = response.headers.first(name: "OCI-Chunk-Min-Length").flatMap(UInt64.init) ?? 0
        }
        let chunk = core.configuration.uploadChunkByteCount
        let isWhole = chunk == nil && progress.offset == 0
        while !isWhole, progress.offset < blob.byteCount {
            let range = progress.next(of: blob.byteCount, chunk: chunk)
            let target = try target(progress)
            let headers = [("Content-Range", "\(range.lowerBound)-\(range.upperBound - 1)"), ("Content-Type", "application/octet-stream")]
            let response = try await once(ask(.PATCH, target, what, [202, 204], headers: headers) { file.part(range) })
            progress.session = try location(response, from: target)
            // What the registry says counts: it may have taken less.
            let taken = UploadProgress.offset(range: response.headers.first(name: "Range")) ?? range.upperBound
            guard taken > progress.offset, taken <= range.upperBound else {
                throw Refusal(
                    TransferError(
                        .badAnswer,
                        "the registry \(endpoint.registry) says that it has \(taken) bytes of blob \(blob.digest), and was sent others",
                        digest: blob.digest),
                    retry: .interrupted)
            }
            progress.offset = taken
        }
        var target = try self.url(of: try target(progress))
        target.query = [target.query, PercentText.form([("digest", blob.digest.description)])].filter { !$0.isEmpty }.joined(separator: "&")
        let end = progress.offset
        let put = ask(.PUT, .url(target), what, [201, 204], headers: [("Content-Type", "application/octet-stream")]) {
            isWhole ? file.part(0..<file.byteCount) : .bytes(ByteBuffer())
        }
        _ = try await once(put)
        file.tell(max(end, blob.byteCount))
    }

    private func target(_ progress: UploadProgress) throws(Refusal) -> Ask.Target {
        guard let session = progress.session else {
            throw Refusal(TransferError(.badAnswer, "the registry \(endpoint.registry) gives no place for a blob"))
        }
        return .url(session)
    }

    /// Asks how much the registry has. What cannot be found out begins anew.
    private func look(at progress: inout UploadProgress, after refusal: Refusal, _ name: String) async throws(TransferError) {
        if refusal.error.code == .cancelled { throw refusal.error }
        guard let session = progress.session else { return }
        let old = progress.offset
        do throws(Refusal) {
            let response = try await once(ask(.GET, .url(session), "cannot ask about an upload to '\(name)'", [204, 200]))
            guard let offset = UploadProgress.offset(range: response.headers.first(name: "Range")) else {
                progress = UploadProgress()
                return
            }
            if response.headers.contains(name: "Location") { progress.session = try location(response, from: .url(session)) }
            progress.offset = offset
            // It says what it said before, and did not take what followed on it.
            if refusal.error.answer?.status == 416, offset == old { progress = UploadProgress() }
        } catch {
            if error.error.code == .cancelled { throw error.error }
            progress = UploadProgress()
        }
    }

    /// Where an answer says that it goes on.
    func location(_ response: HTTPClientResponse, from target: Ask.Target) throws(Refusal) -> URLParts {
        let base = try url(of: target)
        guard let text = response.headers.first(name: "Location"), let found = base.resolving(text) else {
            throw Refusal(TransferError(.badAnswer, "the registry \(endpoint.registry) does not say where a blob is to be sent"))
        }
        guard base.scheme == .http || found.scheme == .https else {
            throw Refusal(
                TransferError(
                    .badAnswer, "the registry \(endpoint.registry) speaks TLS and wants a blob sent without: \(found.shown)",
                    advice: "where it stands behind a proxy, let it know that it is spoken to by https"))
        }
        return found
    }
}
