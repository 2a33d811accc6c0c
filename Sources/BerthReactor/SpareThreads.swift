internal import BerthLinux
internal import Synchronization

/// Threads whose work is done wait here a moment for more: to start one costs more than most of what a lane is asked to do.
///
/// One that waits belongs to nobody, and one that works is not here: whose work it was makes no difference. What changes its thread for good, such as
/// its namespaces, takes a thread of its own (``startThread(_:)``).
final class SpareThreads: Sendable {
    static let shared = SpareThreads()
    /// The most that wait.
    private static let limit = 8
    /// How long one waits.
    private static let patience: CInt = 200

    private final class Seat: Sendable {
        let work = Mutex<(@Sendable () -> Void)?>(nil)
        let bell: Bell
        init?() {
            guard let bell = try? Bell() else { return nil }  // why does not matter: its thread does without
            self.bell = bell
        }
    }
    private let waiting = Mutex<[Seat]>([])

    /// Has a thread do this: one that waits, or a new one.
    ///
    /// - Throws: `EAGAIN` where none waits and the process may have no more.
    func run(_ body: @escaping @Sendable () -> Void) throws(Errno) {
        let seat = waiting.withLock { waiting -> Seat? in
            guard let seat = waiting.popLast() else { return nil }
            seat.work.withLock { $0 = body }
            return seat
        }
        // One that is not heard is found out about when the thread has waited long enough.
        if let seat { return seat.bell.ring() }
        try startThread { [self] in
            body()
            wait()
        }
    }

    private func wait() {
        // Without a descriptor to wait with, the thread ends as one does that nobody needs.
        guard let seat = Seat() else { return }
        while true {
            let mayWait = waiting.withLock { waiting in
                guard waiting.count < Self.limit else { return false }
                waiting.append(seat)
                return true
            }
            guard mayWait else { return }
            seat.bell.wait(milliseconds: SpareThreads.patience)
            // Whoever has given it work has taken it out.
            waiting.withLock { waiting in waiting.removeAll { $0 === seat } }
            guard let body = seat.work.withLock({ $0.take() }) else { return }
            body()
        }
    }
}
