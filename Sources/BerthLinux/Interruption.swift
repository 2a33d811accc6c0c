internal import CBerth
internal import Glibc

/// Ends the waits of other threads: an eventfd(2) that is waited for beside what they wait for.
public struct Interruption: ~Copyable, Sendable {
    private let event: OwnedDescriptor

    /// One that has not happened.
    public init() throws(Errno) { event = OwnedDescriptor(adopting: try check { berth_eventfd() }) }

    /// Ends all waits, those that come later too.
    public borrowing func signal() {
        // It counts to far more than anybody signals: it cannot fail.
        var one: UInt64 = 1
        _ = event.withRawDescriptor { unsafe Glibc.write($0, &one, 8) }
    }

    /// Waits until a descriptor can be read, or has come to its end.
    ///
    /// - Returns: `false` if it was interrupted.
    public borrowing func waitForInput(of descriptor: borrowing OwnedDescriptor) throws(Errno) -> Bool {
        try event.withRawDescriptor { (event) throws(Errno) in
            try descriptor.withRawDescriptor { (raw) throws(Errno) in
                var polled = [pollfd(fd: event, events: Int16(POLLIN), revents: 0), pollfd(fd: raw, events: Int16(POLLIN), revents: 0)]
                _ = try check { unsafe poll(&polled, 2, -1) }
                return polled[0].revents == 0
            }
        }
    }
}
