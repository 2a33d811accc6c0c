internal import BerthContent
internal import Synchronization

/// So many may do something at once; the others wait, in the order in which they came.
final class Slots: Sendable {
    private struct Waiter {
        let number: UInt64
        let go: CheckedContinuation<Bool, Never>
    }
    private struct State {
        var freeCount: Int
        var waiting: [Waiter] = []
        var lastNumber: UInt64 = 0
    }
    private let state: Mutex<State>

    init(count: Int) { state = Mutex(State(freeCount: max(1, count))) }

    /// Does something when there is a place.
    ///
    /// - Throws: `cancelled` if the task is cancelled while it waits; what `body` throws.
    func withSlot<Result>(_ body: () async throws(TransferError) -> Result) async throws(TransferError) -> Result {
        guard await take() else { throw .cancelled() }
        defer { give() }
        return try await body()
    }

    private func take() async -> Bool {
        let number = state.withLock { state in
            state.lastNumber += 1
            return state.lastNumber
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { (go: CheckedContinuation<Bool, Never>) in
                let answer: Bool? = state.withLock { state in
                    // Looked at under the lock: who is cancelled after this is found among those that wait.
                    if Task.isCancelled { return false }
                    if state.freeCount > 0 {
                        state.freeCount -= 1
                        return true
                    }
                    state.waiting.append(Waiter(number: number, go: go))
                    return nil
                }
                if let answer { go.resume(returning: answer) }
            }
        } onCancel: {
            let waiter = state.withLock { state -> Waiter? in
                guard let index = state.waiting.firstIndex(where: { $0.number == number }) else { return nil }
                return state.waiting.remove(at: index)
            }
            waiter?.go.resume(returning: false)
        }
    }

    private func give() {
        let next = state.withLock { state -> Waiter? in
            if state.waiting.isEmpty {
                state.freeCount += 1
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.go.resume(returning: true)
    }
}
