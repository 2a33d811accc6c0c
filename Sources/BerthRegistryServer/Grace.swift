internal import BerthContent
internal import BerthOCI
internal import Synchronization

/// Keeps what clients were told of from being collected for a while: a push brings or finds its blobs first, and names them last.
///
/// What is touched is held for at least one period and at most two.
final class Grace: Sendable {
    private let leases: Leases
    private let period: Duration
    private let now: @Sendable () -> ContinuousClock.Instant
    private struct State {
        var current: Lease
        var previous: Lease
        var began: ContinuousClock.Instant
    }
    private let state: Mutex<State>

    init(_ leases: Leases, period: Duration, now: @escaping @Sendable () -> ContinuousClock.Instant) {
        (self.leases, self.period, self.now) = (leases, period, now)
        state = Mutex(State(current: leases.begin(), previous: leases.begin(), began: now()))
    }

    func touch(_ digest: Digest) {
        state.withLock { state in
            pass(&state)
            state.current.hold(.blob(digest))
        }
    }

    /// Lets go of what was touched long enough ago.
    func pass() { state.withLock { pass(&$0) } }

    private func pass(_ state: inout State) {
        let elapsed = now() - state.began
        guard elapsed >= period else { return }
        _ = state.previous.end()
        // After two periods, what was current is as old as what was previous.
        if elapsed >= period * 2 { _ = state.current.end() }
        (state.previous, state.current, state.began) = (state.current, leases.begin(), now())
    }
}
