internal import Synchronization

/// A value that comes once. Any number of tasks wait for it; one that is cancelled waits no longer.
final class Promise<Value: Sendable>: Sendable {
    private struct State {
        var value: Value?
        var waiters: [UInt64: CheckedContinuation<Value?, Never>] = [:]
        /// Begun and not registered yet; `true` for those that were cancelled meanwhile.
        var beginning: [UInt64: Bool] = [:]
        var lastID: UInt64 = 0
    }
    private let state = Mutex(State())

    /// Gives the value. The first one counts.
    func fulfil(_ value: Value) {
        let waiters = state.withLock { state in
            guard state.value == nil else { return [CheckedContinuation<Value?, Never>]() }
            state.value = value
            defer { state.waiters = [:] }
            return Array(state.waiters.values)
        }
        for waiter in waiters { waiter.resume(returning: value) }
    }

    /// The value if it is there.
    var current: Value? { state.withLock { $0.value } }

    /// How many waits there are, for tests.
    var waitCount: Int { state.withLock { $0.waiters.count + $0.beginning.count } }

    /// Waits for it; `nil` if the task is cancelled meanwhile.
    func value() async -> Value? {
        let id = state.withLock { state in
            state.lastID += 1
            state.beginning[state.lastID] = false
            return state.lastID
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let value: Value?? = state.withLock { state in
                    let isCancelled = state.beginning.removeValue(forKey: id) ?? false
                    if let value = state.value { return .some(value) }
                    if isCancelled { return .some(nil) }
                    state.waiters[id] = continuation
                    return nil
                }
                if let value { continuation.resume(returning: value) }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                guard let waiter = state.waiters.removeValue(forKey: id) else {
                    if state.beginning[id] != nil { state.beginning[id] = true }
                    return CheckedContinuation<Value?, Never>?.none
                }
                return waiter
            }
            waiter?.resume(returning: nil)
        }
    }
}
