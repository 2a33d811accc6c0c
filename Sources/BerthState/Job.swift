internal import BerthLinux
internal import BerthOCI
internal import Synchronization

/// How far a job has come.
public struct Progress: Hashable, Sendable {
    /// What it is at.
    public var status: String
    /// How much is done, in bytes, where that is known.
    public var completedByteCount: UInt64?
    /// Of how much.
    public var totalByteCount: UInt64?

    /// These.
    public init(status: String, completedByteCount: UInt64? = nil, totalByteCount: UInt64? = nil) {
        (self.status, self.completedByteCount, self.totalByteCount) = (status, completedByteCount, totalByteCount)
    }
}

/// What a list of jobs shows of one.
public struct JobSummary: Hashable, Sendable {
    /// How it stands.
    public enum State: Hashable, Sendable {
        /// It works.
        case running
        /// It has done it.
        case succeeded
        /// It has not, for this reason.
        case failed(String)
        /// It was cancelled.
        case cancelled
    }
    /// The job's id.
    public let id: String
    /// What kind of work: `import`, `start` ….
    public let kind: String
    /// On what.
    public let title: String
    /// How it stands.
    public let state: State
    /// The latest progress.
    public let progress: Progress?
    /// Nanoseconds since 1970.
    public let startedAt: Int64
}

/// What the work of a job is given: to say how far it is, and to look whether it is still wanted.
public struct JobContext: Sendable {
    fileprivate let report: @Sendable (Progress) -> Void
    fileprivate let cancelled: @Sendable () -> Bool
    fileprivate let whenCancelled: @Sendable (@escaping @Sendable () -> Void) -> Void

    /// Tells the followers.
    public func report(_ progress: Progress) { report(progress) }
    /// Whether the job has been cancelled. Work that blocks looks now and then, and ends leaving nothing half done.
    public var isCancelled: Bool { cancelled() }
    /// Has something done in the moment in which the job is cancelled, on the thread that cancels it; at once if it has been. For work that waits for somebody
    /// else, and cannot look. It is forgotten when the job ends.
    public func onCancel(_ action: @escaping @Sendable () -> Void) { whenCancelled(action) }
}

/// One piece of work of the engine's: listed, followed by any number of clients, cancelled.
public final class Job<Output: Sendable>: Sendable {
    /// The job's id.
    public let id: String
    private let task: Task<Output, any Error>
    private let core: JobCore

    fileprivate init(id: String, task: Task<Output, any Error>, core: JobCore) {
        (self.id, self.task, self.core) = (id, task, core)
    }

    /// The result, once it is there. Waiting for it does not follow: a task that is cancelled while it waits leaves the job as it is.
    public var value: Output {
        get async throws { try await task.value }
    }

    /// How far it has come, from now on; ends with the job. A slow reader sees only the latest.
    public var progress: AsyncStream<Progress> { core.follow() }

    /// Asks the work to end. What it has made so far is undone; ``value`` then throws. Cancelling again, or after the end, does nothing.
    public func cancel() {
        core.cancel()
        task.cancel()
    }
}

/// The part of a job that does not depend on its result.
private final class JobCore: Sendable {
    struct State {
        var progress: Progress?
        var state = JobSummary.State.running
        var followers: [UInt64: AsyncStream<Progress>.Continuation] = [:]
        var lastFollower: UInt64 = 0
        var isCancelled = false
        var cancellations: [@Sendable () -> Void] = []
    }
    let kind: String
    let title: String
    let startedAt = realtimeNanoseconds()
    let state = Mutex(State())

    init(kind: String, title: String) { (self.kind, self.title) = (kind, title) }

    func report(_ progress: Progress) {
        state.withLock { state in
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

    func cancel() {
        let actions = state.withLock { state in
            state.isCancelled = true
            defer { state.cancellations = [] }
            return state.cancellations
        }
        for action in actions { action() }
    }

    func onCancel(_ action: @escaping @Sendable () -> Void) {
        let isLate = state.withLock { state in
            if !state.isCancelled { state.cancellations.append(action) }
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

/// The jobs of an engine: those that run, and the latest 64 that have ended.
public final class JobRegistry: Sendable {
    private struct State {
        var jobs: [(id: String, core: JobCore)] = []
        var lastNumber: UInt64 = 0
    }
    private let state = Mutex(State())

    /// No jobs.
    public init() {}

    /// Starts a job. It goes on when nobody follows it.
    public func start<Output: Sendable>(
        kind: String, title: String, _ body: @escaping @Sendable (JobContext) async throws -> Output
    ) -> Job<Output> {
        let core = JobCore(kind: kind, title: title)
        let id = state.withLock { state in
            state.lastNumber += 1
            let id = "\(kind)-\(state.lastNumber)"
            state.jobs.append((id, core))
            let ended = state.jobs.filter { $0.core.state.withLock { $0.state != .running } }
            if ended.count > 64 {
                let oldest = Set(ended.prefix(ended.count - 64).map(\.id))
                state.jobs.removeAll { oldest.contains($0.id) }
            }
            return id
        }
        let task = Task.detached {
            let context = JobContext(
                report: { core.report($0) }, cancelled: { core.isCancelled }, whenCancelled: { core.onCancel($0) })
            do {
                let output = try await body(context)
                core.finish(.succeeded)
                return output
            } catch {
                core.finish(core.isCancelled ? .cancelled : .failed("\(error)"))
                throw error
            }
        }
        return Job(id: id, task: task, core: core)
    }

    /// All of them, the oldest first.
    public func list() -> [JobSummary] {
        state.withLock { $0.jobs }.map { id, core in
            core.state.withLock {
                JobSummary(id: id, kind: core.kind, title: core.title, state: $0.state, progress: $0.progress, startedAt: core.startedAt)
            }
        }
    }
}
