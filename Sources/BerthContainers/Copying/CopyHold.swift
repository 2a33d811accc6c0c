internal import Synchronization

/// Whether the layer of a container that does not run is mounted just now to be written: then it cannot be mounted for a process as well.
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
