@testable import BerthLayers
import BerthLinux
import BerthTar
import Testing

/// Bytes that count up, so many, with what comes instead of the end.
private final class CountingSource: ByteSource {
    private let byteCount: Int
    private let piece: Int
    private let failure: ByteSourceError?
    private var offset = 0

    init(_ byteCount: Int, piece: Int, failure: ByteSourceError? = nil) {
        (self.byteCount, self.piece, self.failure) = (byteCount, piece, failure)
    }

    static func byte(_ index: Int) -> UInt8 { UInt8(truncatingIfNeeded: index &* 31 &+ index >> 11) }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ByteSourceError) -> Int {
        let count = min(byteCount - offset, min(piece, buffer.count))
        if count == 0, let failure { throw failure }
        for index in 0..<count { unsafe buffer[index] = Self.byte(offset + index) }
        offset += count
        return count
    }
}

@Suite("A layer's bytes are read ahead")
struct ReadAheadTests {
    /// All that comes, and what ended it.
    private func readAll(_ source: ReadAhead, buffer size: Int) -> (bytes: [UInt8], failure: ByteSourceError?) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 1)
        defer { unsafe buffer.deallocate() }
        var bytes: [UInt8] = []
        do throws(ByteSourceError) {
            while true {
                let count = try unsafe source.read(into: buffer)
                if count == 0 { return (bytes, nil) }
                unsafe bytes.append(contentsOf: buffer[..<count])
            }
        } catch { return (bytes, error) }
    }

    /// Beyond what is read without a thread.
    private static let long = 3 * ReadAhead.pieceByteCount * ReadAhead.pieceCount + 12_345

    @Test(
        "The same bytes come, in the same order, however they are cut", arguments: [0, 1, 1000, Self.long], [777, 65_536, 1 << 20])
    func order(_ byteCount: Int, _ piece: Int) {
        for buffer in [512, 300_000] {
            let ahead = ReadAhead(CountingSource(byteCount, piece: piece))
            let (bytes, failure) = readAll(ahead, buffer: buffer)
            ahead.stop()
            #expect(failure == nil)
            #expect(bytes == (0..<byteCount).map(CountingSource.byte), "\(byteCount) bytes in pieces of \(piece)")
        }
    }

    @Test("A failure comes after what was read before it, with its own reason", arguments: [5, Self.long])
    func failure(_ byteCount: Int) {
        let ahead = ReadAhead(CountingSource(byteCount, piece: 4000, failure: ByteSourceError(.corrupt, "it is torn")))
        let (bytes, failure) = readAll(ahead, buffer: 1 << 16)
        ahead.stop()
        #expect(bytes.count == byteCount)
        #expect(failure?.kind == .corrupt && failure?.description == "it is torn")
    }

    @Test("A reader that stops early gets the thread back from a source that has more")
    func stopEarly() {
        let source = CountingSource(.max, piece: 1 << 16)
        let ahead = ReadAhead(source)
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        for _ in 0..<40 { _ = try? unsafe buffer.withUnsafeMutableBytes { try unsafe ahead.read(into: $0) } }
        ahead.stop()
        // Nobody else reads it any more, or they would have parts of each other's.
        var places: [UInt8] = []
        for _ in 0..<8 {
            let count = try? unsafe buffer.withUnsafeMutableBytes { try unsafe source.read(into: $0) }
            #expect(count == 1 << 16)
            places.append(buffer[0])
        }
        #expect(Set(zip(places, places.dropFirst()).map { $1 &- $0 }).count == 1)
    }

    @Test("A reader that stops while the source waits for a pipe does not wait for it")
    func stopWaiting() throws {
        let pipe = try Pipe()
        pipe.extend(to: 1 << 20)
        let (reading, writing) = pipe.take { ($0.release(), $1.release()) }
        let writer = OwnedDescriptor(adopting: writing)
        let source = try DescriptorSource(interruptible: OwnedDescriptor(adopting: reading))
        let ahead = ReadAhead(source)
        // A whole megabyte is read without a thread, and a piece more by one.
        let piece = [UInt8](repeating: 7, count: ReadAhead.pieceByteCount)
        var buffer = piece
        for _ in 0...ReadAhead.pieceCount {
            try unsafe writer.writeAll(piece.span.bytes)
            var left = piece.count
            while left > 0 {
                left -= try unsafe buffer.withUnsafeMutableBytes { try unsafe ahead.read(into: .init(rebasing: $0[..<left])) }
            }
        }
        // The pipe is open and empty, and the thread waits for it: this returns.
        ahead.stop()
        #expect(throws: ByteSourceError.self) { try unsafe buffer.withUnsafeMutableBytes { try unsafe source.read(into: $0) } }
    }
}
