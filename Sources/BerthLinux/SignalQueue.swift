internal import CBerth

/// Signals that this process takes as bytes instead of being interrupted by them: signalfd(2).
///
/// For programs of one thread: the signals are blocked in the thread that makes the queue, and let through again when it goes.
public struct SignalQueue: ~Copyable {
    /// Readable while a signal waits.
    public let descriptor: OwnedDescriptor
    private let signals: [Int32]

    /// Takes these signals from now on.
    public init(_ signals: [Int32]) throws(Errno) {
        self.signals = signals
        descriptor = OwnedDescriptor(adopting: try check { unsafe berth_take_signals(signals, signals.count) })
    }

    deinit {
        _ = unsafe berth_release_signals(signals, signals.count)
    }

    /// The number of the next signal that waits; `nil` for none. Of several of one number that came together, one is told.
    public borrowing func next() -> Int32? {
        let number = descriptor.withRawDescriptor { berth_next_signal($0) }
        return number > 0 ? number : nil
    }
}
