internal import CBerth
internal import Glibc

/// What one thread rings and another waits for: an eventfd(2). A ring that nobody waits for is heard by who waits next.
public struct Bell: ~Copyable, Sendable {
    private let event: OwnedDescriptor

    /// One that has not been rung.
    public init() throws(Errno) { event = OwnedDescriptor(adopting: try check { berth_eventfd() }) }

    /// Ends a wait.
    public borrowing func ring() {
        // It counts to far more than anybody rings: it cannot fail.
        var one: UInt64 = 1
        _ = event.withRawDescriptor { raw in unsafe write(raw, &one, 8) }
    }

    /// Waits until it is rung, or was since the last wait, for so long at most; a negative time is no bound.
    public borrowing func wait(milliseconds: Int32) {
        event.withRawDescriptor { raw in
            var polled = pollfd(fd: raw, events: Int16(POLLIN), revents: 0)
            // A signal ends it as well: whoever waits looks why.
            guard unsafe poll(&polled, 1, milliseconds) == 1 else { return }
            var rings: UInt64 = 0
            _ = unsafe read(raw, &rings, 8)
        }
    }
}
