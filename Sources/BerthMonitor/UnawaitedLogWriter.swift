internal import BerthLinux
internal import Synchronization

/// Has a thread write a log for which its container does not wait, however long the disk takes: entries wait in a buffer with a bound, and what finds no room
/// there is not taken.
///
/// While the disk has no room, what waits is tried again every second.
final class UnawaitedLogWriter: Sendable {
    private struct State {
        /// What waits, in the order in which it came.
        var pieces: [[UInt8]] = []
        /// How much there is of it, what is just being written included.
        var byteCount: UInt64 = 0
        /// Set once there will be no more: how much is then still compressed.
        var lastPieceCount: Int?
    }
    private let state = Mutex(State())
    private let roomByteCount: UInt64
    private let news: Bell
    private let written: Bell
    private let ended: Bell

    private static let retryMilliseconds: Int32 = 1000
    /// How long a container's end waits for what it has said to be written. A disk that does not answer holds up no more than that.
    private static let endMilliseconds: Int32 = 5000

    init(_ writer: consuming LogWriter, roomByteCount: UInt64) throws(Errno) {
        self.roomByteCount = roomByteCount
        news = try Bell()
        written = try Bell()
        ended = try Bell()
        let lent = Lent(writer)
        try startThread { [self] in run(lent) }
    }

    /// Takes entries, if there is room for them. Alone they are never too many.
    func take(_ bytes: [UInt8]) -> Bool {
        let isTaken = state.withLock { state in
            guard state.byteCount == 0 || state.byteCount + UInt64(bytes.count) <= roomByteCount else { return false }
            state.pieces.append(bytes)
            state.byteCount += UInt64(bytes.count)
            return true
        }
        if isTaken { news.ring() }
        return isTaken
    }

    /// Waits until nothing waits, but for a few seconds at most.
    func waitUntilWritten() {
        let deadline = monotonicNanoseconds() + Int64(Self.endMilliseconds) * 1_000_000
        while state.withLock({ $0.byteCount }) > 0 {
            let left = (deadline - monotonicNanoseconds()) / 1_000_000
            guard left > 0 else { return }
            written.wait(milliseconds: Int32(clamping: left))
        }
    }

    /// There will be no more: what waits is tried once more. Waits for the thread's end, but for a few seconds at most.
    func finish(lastPieceCount: Int) {
        state.withLock { $0.lastPieceCount = lastPieceCount }
        news.ring()
        ended.wait(milliseconds: Self.endMilliseconds)
    }

    // MARK: The thread

    /// A writer that only the thread uses.
    private final class Lent: @unchecked Sendable {
        var writer: LogWriter
        init(_ writer: consuming LogWriter) { self.writer = writer }
    }

    private func run(_ lent: Lent) {
        var waiting: [[UInt8]] = []
        while true {
            let last = state.withLock { state -> Int? in
                waiting += state.pieces
                state.pieces = []
                return state.lastPieceCount
            }
            let count = waiting.prefix { write($0, lent) }.count
            waiting.removeFirst(count)
            written.ring()
            if let last {
                lent.writer.finishCompression(pieceCount: last)
                return ended.ring()
            }
            if !waiting.isEmpty {
                news.wait(milliseconds: Self.retryMilliseconds)
            } else if lent.writer.isCompressing {
                lent.writer.compressMore()
            } else {
                news.wait(milliseconds: -1)
            }
        }
    }

    private func write(_ bytes: [UInt8], _ lent: Lent) -> Bool {
        guard lent.writer.writeWhole(bytes) else { return false }
        state.withLock { $0.byteCount -= UInt64(bytes.count) }
        return true
    }
}
