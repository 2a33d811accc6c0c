@testable import BerthLayers
import BerthTar
import Synchronization
import Testing

@Suite("What is written behind comes whole and in order, or with the error that stopped it")
struct WriteBehindTests {
    /// Keeps what it is given, in order, up to a limit.
    private final class Kept: ByteSink, Sendable {
        let bytes = Mutex<[UInt8]>([])
        let limit: Int
        init(limit: Int = .max) { self.limit = limit }
        func write(_ bytes: borrowing RawSpan) throws(ByteSinkError) {
            let isFull = unsafe bytes.withUnsafeBytes { piece in
                self.bytes.withLock { all in
                    if all.count + piece.count > limit { return true }
                    unsafe all.append(contentsOf: piece)
                    return false
                }
            }
            if isFull { throw ByteSinkError(.cancelled, "the reader has gone") }
        }
    }

    private static let threshold = WriteBehind.pieceByteCount * WriteBehind.pieceCount

    private func write(_ count: Int, in pieces: Int, to behind: WriteBehind) throws(ByteSinkError) -> [UInt8] {
        var all: [UInt8] = []
        while all.count < count {
            let piece = (0..<min(pieces, count - all.count)).map { UInt8(truncatingIfNeeded: ($0 + all.count) &* 2_654_435_761 >> 13) }
            try unsafe behind.write(piece.span.bytes)
            all += piece
        }
        return all
    }

    @Test(
        "Short and long, in pieces of any size",
        arguments: [0, 1, threshold - 1, threshold, threshold + 1, 3 * threshold + 77], [100_000, 256 << 10, 700_001])
    func whole(_ count: Int, _ piece: Int) throws {
        let sink = Kept()
        let behind = WriteBehind(sink)
        let written = try write(count, in: piece, to: behind)
        try behind.finish()
        behind.stop()
        #expect(sink.bytes.withLock { $0 == written })
    }

    @Test("A sink that takes no more ends it, whoever notices first", arguments: [1, threshold, threshold + 1, 2 * threshold])
    func failing(_ limit: Int) throws {
        let sink = Kept(limit: limit)
        let behind = WriteBehind(sink)
        defer { behind.stop() }
        #expect {
            _ = try self.write(8 * Self.threshold, in: 256 << 10, to: behind)
            try behind.finish()
        } throws: { ($0 as? ByteSinkError)?.kind == .cancelled }
        #expect(sink.bytes.withLock { $0.count } <= limit)
    }

    @Test("The last piece counts, too: that it was not taken is told in the end")
    func failingAtTheEnd() throws {
        let sink = Kept(limit: Self.threshold + 10)
        let behind = WriteBehind(sink)
        defer { behind.stop() }
        #expect {
            _ = try self.write(Self.threshold + 11, in: Self.threshold, to: behind)
            try behind.finish()
        } throws: { ($0 as? ByteSinkError)?.kind == .cancelled }
    }

    @Test("Stopped, it writes no more")
    func stopped() throws {
        let sink = Kept()
        let behind = WriteBehind(sink)
        let written = try write(2 * Self.threshold, in: 256 << 10, to: behind)
        behind.stop()
        let count = sink.bytes.withLock { $0.count }
        behind.stop()
        #expect(sink.bytes.withLock { $0.count == count && written.starts(with: $0) })
    }
}
