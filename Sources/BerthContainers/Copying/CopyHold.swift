internal import Synchronization

/// Whether a container's layer is mounted just now to be copied into, or to be looked at while nothing runs: then it is not mounted for another process as well.
///
/// Whoever has mounted the layer himself has it alone: overlay empties the work directory of a layer that is mounted a second time, and what is just being
/// written by the first mount fails. Those who write into a container that runs use its own mount, all at once.
final class CopyHold: Sendable {
    private enum Holders {
        /// All who write by the mount of the process.
        case throughProcess(count: Int)
        /// One who has mounted it himself.
        case alone
    }
    private struct State {
        var holders: Holders?
        var isFree = Promise<Void>()
    }
    private let state = Mutex(State())

    /// Holds it for one more who writes by the mount of the process.
    ///
    /// - Returns: whether it is held; not while somebody has it alone.
    func beginThroughProcess() -> Bool {
        state.withLock { state in
            switch state.holders {
            case nil: state.holders = .throughProcess(count: 1)
            case .throughProcess(let count): state.holders = .throughProcess(count: count + 1)
            case .alone: return false
            }
            return true
        }
    }

    /// Holds it for one who mounts it himself.
    ///
    /// - Returns: whether it is held; not while anybody else holds it.
    func beginAlone() -> Bool {
        state.withLock { state in
            guard state.holders == nil else { return false }
            state.holders = .alone
            return true
        }
    }

    func end() {
        let free = state.withLock { state -> Promise<Void>? in
            if case .throughProcess(let count) = state.holders, count > 1 {
                state.holders = .throughProcess(count: count - 1)
                return nil
            }
            state.holders = nil
            defer { state.isFree = Promise() }
            return state.isFree
        }
        free?.fulfil(())
    }

    /// Fulfilled when nobody holds it; `nil` if nobody does.
    var pending: Promise<Void>? { state.withLock { $0.holders == nil ? nil : $0.isFree } }
}
