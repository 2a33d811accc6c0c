internal import Synchronization

/// What a connection has given and nobody has taken yet. One task takes.
final class Mailbox: Sendable {
    /// From so many on, the connection is not read.
    private static let limit = 8

    private struct State {
        var parts: [Incoming] = []
        var isFinished = false
        var waiter: CheckedContinuation<Incoming?, Never>?
        var emptied: (@Sendable () -> Void)?
    }
    private let state = Mutex(State())

    /// Whether it is not to be filled any further for now.
    var isFull: Bool { state.withLock { $0.parts.count >= Self.limit } }

    /// What is called when it is full no longer.
    func whenEmptied(_ body: @escaping @Sendable () -> Void) { state.withLock { $0.emptied = body } }

    /// Puts a part in.
    func offer(_ part: Incoming) {
        let waiter = state.withLock { state -> CheckedContinuation<Incoming?, Never>? in
            if let waiter = state.waiter.take() { return waiter }
            state.parts.append(part)
            return nil
        }
        waiter?.resume(returning: part)
    }

    /// There will be no more. What is in it can still be taken.
    func finish() {
        let waiter = state.withLock { state in
            state.isFinished = true
            state.emptied = nil
            return state.waiter.take()
        }
        waiter?.resume(returning: nil)
    }

    /// The next part; `nil` after the last one, or if the task is cancelled.
    func next() async -> Incoming? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let (part, isThere, emptied) = state.withLock { state -> (Incoming?, Bool, (@Sendable () -> Void)?) in
                    guard state.parts.isEmpty else {
                        let part = state.parts.removeFirst()
                        return (part, true, state.parts.count == Self.limit - 1 ? state.emptied : nil)
                    }
                    if state.isFinished || Task.isCancelled { return (nil, true, nil) }
                    state.waiter = continuation
                    return (nil, false, nil)
                }
                emptied?()
                if isThere { continuation.resume(returning: part) }
            }
        } onCancel: {
            let waiter = state.withLock { $0.waiter.take() }
            waiter?.resume(returning: nil)
        }
    }
}
