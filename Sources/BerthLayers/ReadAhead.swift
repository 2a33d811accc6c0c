internal import BerthLinux
internal import BerthReactor
internal import BerthTar

/// Reads a source ahead of whoever reads this, on a thread of its own: one layer's bytes arrive and are hashed, are inflated, and are written as
/// files, each while the others go on.
///
/// It holds ``pieceCount`` pieces and no more: a source that is faster than its reader waits. A source that is shorter than these is read by its
/// reader: a thread would cost more than it brings. Whoever reads this calls ``stop()`` when it is done, in whatever way it ended.
@safe final class ReadAhead: ByteSource {
    static let pieceByteCount = 256 << 10
    static let pieceCount = 16

    private let source: any ByteSource
    private let isWorthIt: () -> Bool
    private var readByteCount = 0
    private var isDecided = false
    private var queue: PieceQueue?

    /// - Parameter isWorthIt: asked once, when the source has turned out to be long: whether there is enough work in it for a thread.
    init(_ source: any ByteSource, when isWorthIt: @escaping () -> Bool = { true }) {
        (self.source, self.isWorthIt) = (source, isWorthIt)
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ByteSourceError) -> Int {
        if !isDecided, readByteCount >= Self.pieceByteCount * Self.pieceCount { start() }
        if let queue { return try unsafe queue.read(into: buffer) }
        let count = try unsafe source.read(into: buffer)
        if !isDecided { readByteCount += count }
        return count
    }

    /// Ends the thread: nobody reads the source any more when this returns. What it still has is lost. Repeating is fine.
    func stop() {
        queue?.stop { source.interrupt() }
        queue = nil
    }

    func interrupt() { source.interrupt() }

    private func start() {
        isDecided = true
        guard isWorthIt() else { return }
        let queue = PieceQueue()
        // From here to the end of `stop` the source is the thread's.
        let lent = LentSource(source)
        do throws(Errno) {
            try startThread { queue.fill(from: lent) }
            self.queue = queue
        } catch {
            // There may be no more threads: then it is read here, as before.
        }
    }
}

/// Hands a source over to a thread.
private final class LentSource: @unchecked Sendable {
    var value: (any ByteSource)?
    init(_ value: any ByteSource) { self.value = value }
}

/// Pieces between the thread that fills them and the one that reads them.
private final class PieceQueue: @unchecked Sendable {
    private struct State {
        /// How many bytes the full pieces have, in order, from the piece `first` on.
        var counts: [Int] = []
        var first = 0
        var failure: ByteSourceError?
        var hasEnded = false
        var isStopped = false
    }
    private let state = Condition(State())
    // A piece belongs to the filling thread until it is counted, and to the reading one until its count is taken out.
    private let pieces = PieceRing(ReadAhead.pieceCount, of: ReadAhead.pieceByteCount)
    /// How much of the first piece has been read: the reading thread's own.
    private var offset = 0

    /// The filling thread: until the end, a failure, or `stop`.
    func fill(from lent: LentSource) {
        var failure: ByteSourceError?
        do throws(ByteSourceError) { while let index = nextFree(), try fill(index, from: lent) {} } catch { failure = error }
        // It is given back before anybody is told.
        lent.value = nil
        state.withLock { ($0.failure, $0.hasEnded) = (failure, true) }
    }

    private func nextFree() -> Int? {
        state.wait { state -> Int?? in
            if state.isStopped { return .some(nil) }
            return state.counts.count < ReadAhead.pieceCount ? .some(state.first + state.counts.count) : nil
        }
    }

    /// A piece is filled whole, or to the end: many small ones would wake the reader for each.
    ///
    /// - Returns: `false` at the end.
    private func fill(_ index: Int, from lent: LentSource) throws(ByteSourceError) -> Bool {
        guard let source = lent.value else { return false }
        let piece = unsafe pieces[index]
        var count = 0
        // What came before a failure counts.
        defer { if count > 0 { state.withLock { $0.counts.append(count) } } }
        while count < piece.count {
            let read = try unsafe source.read(into: UnsafeMutableRawBufferPointer(rebasing: piece[count...]))
            if read == 0 { return false }
            count += read
        }
        return true
    }

    /// The reading thread. What was read before a failure comes before it.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ByteSourceError) -> Int {
        let next = state.wait { state -> Result<(index: Int, count: Int)?, ByteSourceError>? in
            if let count = state.counts.first { return .success((state.first, count)) }
            guard state.hasEnded else { return nil }
            return state.failure.map { .failure($0) } ?? .success(nil)
        }
        guard let (index, count) = try next.get() else { return 0 }
        let copied = min(count - offset, buffer.count)
        unsafe buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: pieces[index][offset..<offset + copied]))
        offset += copied
        if offset == count {
            offset = 0
            state.withLock { state in
                state.first += 1
                state.counts.removeFirst()
            }
        }
        return copied
    }

    func stop(_ interrupt: () -> Void) {
        let isRunning = state.withLock { state in
            state.isStopped = true
            return !state.hasEnded
        }
        guard isRunning else { return }
        interrupt()
        state.wait { $0.hasEnded ? () : nil }
    }
}
