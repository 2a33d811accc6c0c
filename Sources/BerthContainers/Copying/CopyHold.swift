internal import Synchronization

/// Whether a container's layer is mounted just now to be copied into, or to be looked at while nothing runs: then it is not mounted for another process as well.
final class CopyHold: Sendable {
    private struct State {
        var count = 0
        var isFree = Promise<Void>()
    }
    private let state = Mutex(State())

    func begin() { state.withLock { $0.count += 1 } }

    func end() {
        let free = state.withLock { state -> Promise<Void>? in
            state.count -= 1
            guard state.count == 0 else { return nil }
            defer { state.isFree = Promise() }
            return state.isFree
        }
        free?.fulfil(())
    }

    /// Fulfilled when nobody holds it; `nil` if nobody does.
    var pending: Promise<Void>? { state.withLock { $0.count == 0 ? nil : $0.isFree } }
}
