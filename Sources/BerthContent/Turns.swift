internal import BerthOCI
internal import Synchronization

/// Lets one job at a time work for the same thing, so that what several want is fetched and unpacked once: the second waits for the first, then
/// finds it there, or, if the first has failed, does it itself.
public final class Turns: Sendable {
    private struct Waiter {
        let number: UInt64
        let go: CheckedContinuation<Bool, Never>
    }
    private struct State {
        /// Who waits, for each thing that somebody is at.
        var waiting: [LeasedResource: [Waiter]] = [:]
        var lastNumber: UInt64 = 0
    }
    private let state = Mutex(State())

    /// Nobody is at anything.
    public init() {}

    /// Waits until nobody else is at this thing. The turn lasts until it is ended, or nobody has it any more.
    ///
    /// A job that wants several things takes their turns in the order that the image has them, and never two of one thing.
    /// - Throws: `cancelled` if the task was cancelled before its turn came.
    public func take(for resource: LeasedResource) async throws(ContentError) -> Turn {
        let number = state.withLock { state in
            state.lastNumber += 1
            return state.lastNumber
        }
        let isMine = await withTaskCancellationHandler {
            await withCheckedContinuation { (go: CheckedContinuation<Bool, Never>) in
                let answer: Bool? = state.withLock { state in
                    // Looked at under the lock: who is cancelled after this is found among those that wait.
                    if Task.isCancelled { return false }
                    if state.waiting[resource] == nil {
                        state.waiting[resource] = []
                        return true
                    }
                    state.waiting[resource]?.append(Waiter(number: number, go: go))
                    return nil
                }
                if let answer { go.resume(returning: answer) }
            }
        } onCancel: {
            let waiter = state.withLock { state -> Waiter? in
                guard let index = state.waiting[resource]?.firstIndex(where: { $0.number == number }) else { return nil }
                return state.waiting[resource]?.remove(at: index)
            }
            waiter?.go.resume(returning: false)
        }
        guard isMine else { throw ContentError(.cancelled, "the work was cancelled while it waited for another's") }
        return Turn(resource, self)
    }

    fileprivate func pass(_ resource: LeasedResource) {
        let next = state.withLock { state -> Waiter? in
            guard var waiting = state.waiting[resource], !waiting.isEmpty else {
                state.waiting[resource] = nil
                return nil
            }
            let next = waiting.removeFirst()
            state.waiting[resource] = waiting
            return next
        }
        next?.go.resume(returning: true)
    }
}

/// One's turn at a thing: ``Turns/take(for:)``.
public final class Turn: Sendable {
    private let resource: LeasedResource
    private let turns: Turns
    private let hasEnded = Atomic<Bool>(false)

    fileprivate init(_ resource: LeasedResource, _ turns: Turns) { (self.resource, self.turns) = (resource, turns) }
    deinit { end() }

    /// Lets the next one go on. Ending it again does nothing.
    public func end() {
        if !hasEnded.exchange(true, ordering: .relaxed) { turns.pass(resource) }
    }
}
