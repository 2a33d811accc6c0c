internal import BerthLinux
internal import BerthReactor
internal import Synchronization

/// Network namespaces made ahead, so that no start waits for one. None is made before the first is asked for.
///
/// Another is made when the start that has taken one is over, in all likelihood: making it costs a processor as much as a good part of that start.
final class NamespacePool: Sendable {
    /// How many wait at most.
    static let capacity = 4
    /// How long a start may take that is not to be disturbed.
    private static var startDuration: Duration { .milliseconds(20) }

    private struct State {
        var ready: [SandboxNamespace] = []
        var isFilling = false
        var isClosed = false
    }
    private let state = Mutex(State())
    private let reactor: Reactor

    init(reactor: Reactor) { self.reactor = reactor }

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
        Task.detached { [self] in
            // Without a thread, or a namespace, the next start makes its own, and says why it cannot. Without a reactor the engine closes.
            do {
                try await reactor.sleep(for: Self.startDuration)
                try startThread { [self] in work() }
            } catch { state.withLock { $0.isFilling = false } }
        }
    }

    private func work() {
        while shallMakeAnother() {
            guard let made = try? SandboxNamespace.make() else { return state.withLock { $0.isFilling = false } }
            state.withLock { if !$0.isClosed { $0.ready.append(made) } }
        }
    }

    private func shallMakeAnother() -> Bool {
        state.withLock { state in
            state.isFilling = !state.isClosed && state.ready.count < Self.capacity
            return state.isFilling
        }
    }
}
