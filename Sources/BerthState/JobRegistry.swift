internal import Synchronization

/// The jobs of an engine: those that run, and the latest 64 that have ended.
public final class JobRegistry: Sendable {
    private struct State {
        var jobs: [JobCore] = []
        /// Those that others may join, by what they are about.
        var shared: [String: any Sendable] = [:]
        var lastNumber: UInt64 = 0
    }
    private let state = Mutex(State())

    /// No jobs.
    public init() {}

    /// Starts a job. It goes on when nobody follows it.
    public func start<Output: Sendable>(
        kind: String, title: String, _ body: @escaping @Sendable (JobContext) async throws -> Output
    ) -> Job<Output> {
        let core = state.withLock { Self.add(kind, title, stakeCount: nil, to: &$0) }
        return Self.job(core, body) {}
    }

    /// Whether a job ends when nobody has a stake in it any more.
    public enum Lifetime: Hashable, Sendable {
        /// It is cancelled when the last stake in it is given up.
        case bound
        /// It goes on.
        case detached
    }

    /// Takes a stake in the job that does just this, or starts it: at no time do two jobs of one key run that could still be joined.
    ///
    /// Whoever joins must be allowed to see what the job brings: that is for the caller to make sure, before.
    /// - Parameters:
    ///   - key: all that the job's result depends on, in words. A job of the same key has the same kind of result.
    ///   - lifetime: a job with one stake that is detached goes on whoever leaves.
    public func share<Output: Sendable>(
        _ key: String, kind: String, title: String, _ lifetime: Lifetime, _ body: @escaping @Sendable (JobContext) async throws -> Output
    ) -> JobStake<Output> {
        let key = "\(kind) \(key)"
        return state.withLock { state in
            if let running = state.shared[key] as? Job<Output>, running.core.addStake(isBinding: lifetime == .bound) {
                return JobStake(in: running)
            }
            let core = Self.add(kind, title, stakeCount: lifetime == .bound ? 1 : nil, to: &state)
            let job = Self.job(core, body) { [weak self] in
                self?.state.withLock { state in
                    // Another may have begun since this one was cancelled.
                    if (state.shared[key] as? Job<Output>)?.core === core { state.shared[key] = nil }
                }
            }
            state.shared[key] = job
            return JobStake(in: job)
        }
    }

    private static func add(_ kind: String, _ title: String, stakeCount: Int?, to state: inout State) -> JobCore {
        state.lastNumber += 1
        let core = JobCore(id: "\(kind)-\(state.lastNumber)", kind: kind, title: title, stakeCount: stakeCount)
        state.jobs.append(core)
        let ended = state.jobs.filter { $0.state.withLock { $0.state != .running } }
        if ended.count > 64 {
            let oldest = Set(ended.prefix(ended.count - 64).map(\.id))
            state.jobs.removeAll { oldest.contains($0.id) }
        }
        return core
    }

    private static func job<Output: Sendable>(
        _ core: JobCore, _ body: @escaping @Sendable (JobContext) async throws -> Output, ended: @escaping @Sendable () -> Void
    ) -> Job<Output> {
        let task = Task.detached {
            do {
                let output = try await body(JobContext(core: core))
                core.finish(.succeeded)
                ended()
                return output
            } catch {
                core.finish(core.isCancelled ? .cancelled : .failed("\(error)"))
                ended()
                throw error
            }
        }
        core.onCancel { task.cancel() }
        return Job(task: task, core: core)
    }

    /// All of them, the oldest first.
    public func list() -> [JobSummary] { state.withLock { $0.jobs }.map(\.summary) }

    /// The job of an id; `nil` if there is none, or it ended long ago.
    public func find(_ id: String) -> JobOutline? {
        state.withLock { $0.jobs.first { $0.id == id } }.map { JobOutline(core: $0) }
    }
}
