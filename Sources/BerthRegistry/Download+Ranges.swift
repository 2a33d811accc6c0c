internal import AsyncHTTPClient
internal import BerthContent
internal import BerthOCI
internal import NIOCore
internal import NIOHTTP1

extension Conversation {
    /// So many bytes are asked for by one request, and so many requests run at once: what has come before its turn is held in memory.
    private static let rangeByteCount: UInt64 = 2 << 20, rangeCount = 3

    /// Brings what is missing of a large blob by several requests at once, if the registry gives ranges.
    ///
    /// It is a short cut: whatever goes wrong, what has been taken has been taken in order, and the rest is for the caller to bring by one request.
    /// - Throws: `cancelled`, and what the taker throws.
    func downloadInRanges(_ taker: BlobTaker, _ name: String) async throws(TransferError) {
        let (blob, begin) = (taker.blob, taker.position)
        let count = Int((blob.byteCount - begin + Self.rangeByteCount - 1) / Self.rangeByteCount)
        do {
            try await withThrowingTaskGroup(of: (Int, [ByteBuffer]).self) { group in
                var (arrived, next, started) = ([Int: [ByteBuffer]](), 0, 0)
                func start() {
                    let (index, lower) = (started, begin + UInt64(started) * Self.rangeByteCount)
                    let range = lower..<min(blob.byteCount, lower + Self.rangeByteCount)
                    group.addTask { (index, try await self.bytes(of: blob, range, name)) }
                    started += 1
                }
                // The first one shows whether there are ranges.
                start()
                while let (index, buffers) = try await group.next() {
                    arrived[index] = buffers
                    while let ready = arrived.removeValue(forKey: next) {
                        try await taker.take(ready)
                        next += 1
                    }
                    while started < min(count, next + Self.rangeCount) { start() }
                }
            }
        } catch {
            if let refusal = taker.refusal { throw refusal }
            if Task.isCancelled { throw .cancelled() }
        }
    }

    private func bytes(of blob: Descriptor, _ range: Range<UInt64>, _ name: String) async throws -> [ByteBuffer] {
        let ask = Ask(
            method: .GET, target: .repository("blobs/\(blob.digest)"),
            headers: [("Range", "bytes=\(range.lowerBound)-\(range.upperBound - 1)")],
            scopes: [.repository(endpoint.repositoryPath, ["pull"])], what: "cannot read blob \(blob.digest) of '\(name)'", accepted: [206])
        let response = try await once(ask)
        let given = ContentRange(parsing: response.headers.first(name: "Content-Range") ?? "")
        var (buffers, byteCount): ([ByteBuffer], UInt64) = ([], 0)
        if given?.first == range.lowerBound, given?.last == range.upperBound - 1 {
            for try await buffer in response.body where byteCount <= range.upperBound - range.lowerBound {
                byteCount += UInt64(buffer.readableBytes)
                buffers.append(buffer)
            }
        }
        guard byteCount == range.upperBound - range.lowerBound else {
            throw TransferError(
                .badAnswer, "the registry \(endpoint.registry) sends another part of blob \(blob.digest) than was asked for")
        }
        return buffers
    }
}
