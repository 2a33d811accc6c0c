internal import BerthLinux
internal import BerthReactor
internal import BerthTar

/// Writes into a sink behind whoever writes this, on a thread of its own: files are read while what was read of others goes out.
///
/// It holds ``pieceCount`` pieces and no more: whoever is faster than the sink waits. What is shorter than these goes straight into the sink: a thread would cost
/// more than it brings. Whoever writes calls ``finish()`` or ``stop()`` in the end. Not to be shared between threads.
@safe final class WriteBehind: ByteSink {
    static let pieceByteCount = 256 << 10
    static let pieceCount = 8

    private let sink: any ByteSink
    private var byteCount = 0
    private var isDecided = false
    private var queue: PieceQueue?

    init(_ sink: any ByteSink) { self.sink = sink }

    func write(_ bytes: borrowing RawSpan) throws(ByteSinkError) {
        if !isDecided, byteCount >= Self.pieceByteCount * Self.pieceCount { start() }
        guard let queue else {
            if !isDecided { byteCount += bytes.byteCount }
            return try sink.write(bytes)
        }
        var offset = 0
        while offset < bytes.byteCount {
            let count = min(Self.pieceByteCount, bytes.byteCount - offset)
            try unsafe bytes.extracting(offset..<offset + count).withUnsafeBytes { (piece) throws(ByteSinkError) in
                try unsafe queue.add(piece)
            }
            offset += count
        }
    }

    /// Waits until the sink has everything.
    ///
    /// - Throws: what the sink has thrown.
    func finish() throws(ByteSinkError) { try queue?.end(drops: false) }

    /// Ends the thread: nobody writes into the sink any more when this returns. What it has not got is lost. Repeating is fine.
    func stop() {
        // Whoever stops has another error to tell.
        try? queue?.end(drops: true)
        queue = nil
    }

    private func start() {
        isDecided = true
        let queue = PieceQueue()
        // From here to the end the sink is the thread's.
        let lent = LentSink(value: sink)
        do throws(Errno) {
            try startThread { queue.drain(into: lent.value) }
            self.queue = queue
        } catch {
            // There may be no more threads: then it is written here, as before.
        }
    }
}

/// Hands a sink over to a thread.
private struct LentSink: @unchecked Sendable {
    let value: any ByteSink
}

/// Pieces between the thread that adds them and the one that writes them.
private final class PieceQueue: @unchecked Sendable {
    private struct State {
        /// How many bytes the full pieces have, in order, from the piece `first` on.
        var counts: [Int] = []
        var first = 0
        var failure: ByteSinkError?
        var isEnding = false
        var hasEnded = false
    }
    private let state = Condition(State())
    // A piece belongs to the adding thread until it is counted, and to the writing one until its count is taken out.
    private let pieces = PieceRing(WriteBehind.pieceCount, of: WriteBehind.pieceByteCount)

    func add(_ source: UnsafeRawBufferPointer) throws(ByteSinkError) {
        let free = state.wait { state -> Result<Int, ByteSinkError>? in
            if let failure = state.failure { return .failure(failure) }
            return state.counts.count < WriteBehind.pieceCount ? .success(state.first + state.counts.count) : nil
        }
        unsafe pieces[try free.get()].copyMemory(from: source)
        state.withLock { $0.counts.append(source.count) }
    }

    /// The writing thread: until the end, or a failure.
    func drain(into sink: any ByteSink) {
        var failure: ByteSinkError?
        do throws(ByteSinkError) {
            while let (index, count) = next() {
                try unsafe sink.write(RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: pieces[index][..<count])))
                state.withLock { state in
                    state.first += 1
                    if !state.counts.isEmpty { state.counts.removeFirst() }
                }
            }
        } catch { failure = error }
        state.withLock { ($0.failure, $0.hasEnded) = (failure, true) }
    }

    private func next() -> (index: Int, count: Int)? {
        state.wait { state -> (index: Int, count: Int)?? in
            if let count = state.counts.first { return .some((state.first, count)) }
            return state.isEnding ? .some(nil) : nil
        }
    }

    func end(drops: Bool) throws(ByteSinkError) {
        state.withLock { state in
            state.isEnding = true
            if drops { state.counts = [] }
        }
        let failure = state.wait { state -> ByteSinkError?? in state.hasEnded ? .some(state.failure) : nil }
        if let failure { throw failure }
    }
}
