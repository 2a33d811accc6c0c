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
    /// How many follow it now.
    public let followerCount: Int
    /// Whether it ends when the last of those that wait for it leaves.
    public let isBound: Bool
}

/// What the work of a job is given: to say how far it is, and to look whether it is still wanted.
public struct JobContext: Sendable {
    let core: JobCore

    /// Tells the followers. The parts stay as they were told.
    public func report(_ progress: Progress) { core.report(progress) }
    /// Tells the followers of one of the things that the job is at.
    public func report(_ part: Progress.Part) { core.report(part) }
    /// Whether the job has been cancelled. Work that blocks looks now and then, and ends leaving nothing half done.
    public var isCancelled: Bool { core.isCancelled }
    /// Has something done in the moment in which the job is cancelled, on the thread that cancels it; at once if it has been. For work that waits for somebody
    /// else, and cannot look. It is forgotten when the job ends.
    public func onCancel(_ action: @escaping @Sendable () -> Void) { core.onCancel(action) }
}

/// One piece of work of the engine's: listed, followed by any number of clients, cancelled.
public final class Job<Output: Sendable>: Sendable {
    /// The job's id.
    public var id: String { core.id }
    let task: Task<Output, any Error>
    let core: JobCore

    init(task: Task<Output, any Error>, core: JobCore) { (self.task, self.core) = (task, core) }

    /// The result, once it is there. Waiting for it does not follow: a task that is cancelled while it waits leaves the job as it is.
    public var value: Output {
        get async throws { try await task.value }
    }

    /// How far it has come, from now on; ends with the job. A slow reader sees only the latest.
    public var progress: AsyncStream<Progress> { core.follow() }

    /// Asks the work to end. What it has made so far is undone; ``value`` then throws. Cancelling again, or after the end, does nothing.
    public func cancel() { core.cancel() }
}

/// A job of which only the outline is known: found by its id, whoever has started it.
public struct JobOutline: Sendable {
    let core: JobCore

    /// How it stands now.
    public var summary: JobSummary { core.summary }
    /// How far it has come, from now on; ends with the job. A slow reader sees only the latest. Following so holds up no job that ends with its followers.
    public var progress: AsyncStream<Progress> { core.follow() }
    /// As ``Job/cancel()``.
    public func cancel() { core.cancel() }
}

/// One's stake in a job that others may have one in too. It lasts until it is given up, or nobody has it any more.
///
/// A job that is bound ends, cancelled, when the last stake in it is given up.
public final class JobStake<Output: Sendable>: Sendable {
    /// The job.
    public let job: Job<Output>

    init(in job: Job<Output>) { self.job = job }
    deinit { giveUp() }

    private let isGivenUp = Once()

    /// Leaves the job to the others. Giving up again does nothing.
    public func giveUp() {
        if isGivenUp.take() { job.core.removeStake() }
    }

    /// As ``Job/progress``.
    public var progress: AsyncStream<Progress> { job.progress }

    /// As ``Job/cancel()``: for all who have a stake in it. ``giveUp()`` leaves it to the others.
    public func cancel() { job.cancel() }

    /// The result, once it is there. A task that is cancelled while it waits gives the stake up.
    public var value: Output {
        get async throws {
            try await withTaskCancellationHandler {
                try await job.value
            } onCancel: {
                giveUp()
            }
        }
    }
}
