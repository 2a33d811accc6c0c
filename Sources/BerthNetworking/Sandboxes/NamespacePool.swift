internal import BerthLinux
internal import BerthReactor
internal import Synchronization

/// Network namespaces made ahead, so that no start waits for one. None is made before the first is asked for.
final class NamespacePool: Sendable {
    /// How many wait at most.
    static let capacity = 4

    private struct State {
        var ready: [SandboxNamespace] = []
        var isFilling = false
        var isClosed = false
    }
    private let state = Mutex(State())

    /// One that nobody has used. Blocks if none is ready.
    func take() throws(NetworkError) -> SandboxNamespace {
        let ready = state.withLock { $0.ready.popLast() }
        fill()
        if let ready { return ready }
        return try .make()
    }

    /// Lets go of those that wait.
    func close() {
        state.withLock { state in
            state.isClosed = true
            state.ready = []
        }
    }

    private func fill() {
        let shallStart = state.withLock { state in
            guard !state.isFilling, !state.isClosed, state.ready.count < Self.capacity else { return false }
            state.isFilling = true
            return true
        }
        guard shallStart else { return }
        // Without a thread, or a namespace, the next start makes its own, and says why it cannot.
        do throws(Errno) { try startThread { [self] in work() } } catch { state.withLock { $0.isFilling = false } }
    }

    private func work() {
        while true {
            let made = try? SandboxNamespace.make()
            let goesOn = state.withLock { state in
                if let made, !state.isClosed { state.ready.append(made) }
                let goesOn = made != nil && !state.isClosed && state.ready.count < Self.capacity
                if !goesOn { state.isFilling = false }
                return goesOn
            }
            if !goesOn { return }
        }
    }
}
