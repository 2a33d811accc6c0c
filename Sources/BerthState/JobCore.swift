internal import BerthLinux
internal import Synchronization

/// The part of a job that does not depend on its result.
final class JobCore: Sendable {
    struct State {
        var progress: Progress?
        var state = JobSummary.State.running
        var followers: [UInt64: AsyncStream<Progress>.Continuation] = [:]
        var lastFollower: UInt64 = 0
        var isCancelled = false
        var cancellations: [@Sendable () -> Void] = []
        /// How many stakes there are in a job that ends with the last of them; `nil` for one that goes on.
        var stakeCount: Int?
    }
    let id: String
    let kind: String
    let title: String
    let startedAt = realtimeNanoseconds()
    let state: Mutex<State>

    /// - Parameter stakeCount: how many have a stake in it from its beginning; `nil` for a job that goes on whoever leaves.
    init(id: String, kind: String, title: String, stakeCount: Int?) {
        (self.id, self.kind, self.title) = (id, kind, title)
        state = Mutex(State(stakeCount: stakeCount))
    }

    var summary: JobSummary {
        state.withLock {
            JobSummary(
                id: id, kind: kind, title: title, state: $0.state, progress: $0.progress, startedAt: startedAt,
                followerCount: $0.followers.count, isBound: $0.stakeCount != nil)
        }
    }

    // MARK: Progress

    func report(_ progress: Progress) {
        change { before in
            var progress = progress
            progress.parts = before?.parts ?? []
            return progress
        }
    }

    func report(_ part: Progress.Part) {
        change { before in
            var progress = before ?? Progress(status: "")
            progress.set(part)
            return progress
        }
    }

    private func change(_ next: (Progress?) -> Progress) {
        state.withLock { state in
            let progress = next(state.progress)
            state.progress = progress
            for follower in state.followers.values { follower.yield(progress) }
        }
    }

    func follow() -> AsyncStream<Progress> {
        let (stream, continuation) = AsyncStream<Progress>.makeStream(bufferingPolicy: .bufferingNewest(16))
        state.withLock { state in
            if let progress = state.progress { continuation.yield(progress) }
            guard state.state == .running else { return continuation.finish() }
            state.lastFollower += 1
            let id = state.lastFollower
            state.followers[id] = continuation
            continuation.onTermination = { [weak self] _ in
                Task { self?.state.withLock { $0.followers[id] = nil } }
            }
        }
        return stream
    }

    // MARK: Stakes

    /// Takes a stake in a job that runs.
    ///
    /// - Parameter isBinding: `false` makes a job go on whoever leaves.
    /// - Returns: whether there was one to be had: a job that has ended, or was cancelled, is nobody's any more.
    func addStake(isBinding: Bool) -> Bool {
        state.withLock { state in
            guard state.state == .running, !state.isCancelled else { return false }
            state.stakeCount = isBinding ? state.stakeCount.map { $0 + 1 } : nil
            return true
        }
    }

    func removeStake() {
        let isLast = state.withLock { state in
            guard let count = state.stakeCount else { return false }
            state.stakeCount = count - 1
            // In the same moment nobody can join it any more.
            if count == 1, state.state == .running { state.isCancelled = true }
            return count == 1
        }
        if isLast { cancel() }
    }

    // MARK: The end

    func cancel() {
        let actions = state.withLock { state in
            // A job that has ended was not cancelled.
            if state.state == .running { state.isCancelled = true }
            defer { state.cancellations = [] }
            return state.cancellations
        }
        for action in actions { action() }
    }

    func onCancel(_ action: @escaping @Sendable () -> Void) {
        let isLate = state.withLock { state in
            // Of a job that has ended, nothing is kept.
            if !state.isCancelled, state.state == .running { state.cancellations.append(action) }
            return state.isCancelled
        }
        if isLate { action() }
    }

    var isCancelled: Bool { state.withLock { $0.isCancelled } }

    func finish(_ end: JobSummary.State) {
        let followers = state.withLock { state in
            state.state = end
            state.cancellations = []
            defer { state.followers = [:] }
            return Array(state.followers.values)
        }
        for follower in followers { follower.finish() }
    }
}

/// Something that one of several may do.
final class Once: Sendable {
    private let isTaken = Atomic(false)
    /// Whether this is the first who asks.
    func take() -> Bool { !isTaken.exchange(true, ordering: .relaxed) }
}
