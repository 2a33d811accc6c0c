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
        try wait(for: descriptor, milliseconds: -1) != .interrupted
    }

    /// How a wait with a bound ended.
    public enum Outcome: Hashable, Sendable {
        /// There is something to read, or the end.
        case input
        /// It was interrupted, whether or not there is something to read.
        case interrupted
        /// The time has passed.
        case timeout
    }

    /// Waits until a descriptor can be read, or has come to its end, for so long at most.
    public borrowing func waitForInput(of descriptor: borrowing OwnedDescriptor, milliseconds: Int32) throws(Errno) -> Outcome {
        try wait(for: descriptor, milliseconds: max(0, milliseconds))
    }

    /// A negative time is no bound.
    private borrowing func wait(for descriptor: borrowing OwnedDescriptor, milliseconds: Int32) throws(Errno) -> Outcome {
        let deadline = monotonicNanoseconds() + Int64(milliseconds) * 1_000_000
        return try event.withRawDescriptor { (event) throws(Errno) in
            try descriptor.withRawDescriptor { (raw) throws(Errno) in
                while true {
                    let left = max(0, (deadline - monotonicNanoseconds() + 999_999) / 1_000_000)
                    var polled = [pollfd(fd: event, events: Int16(POLLIN), revents: 0), pollfd(fd: raw, events: Int16(POLLIN), revents: 0)]
                    let count = unsafe poll(&polled, 2, milliseconds < 0 ? -1 : CInt(clamping: left))
                    if count >= 0 { return polled[0].revents != 0 ? .interrupted : count == 0 ? .timeout : .input }
                    guard Errno.current == .EINTR else { throw .current }
                }
            }
        }
    }
}
