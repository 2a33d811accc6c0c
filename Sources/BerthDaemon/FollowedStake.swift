internal import Berth
internal import DockerAPI

/// When whoever follows a job is told how far it is: at once when something else becomes of it, or of a part of it; when only more is done, now and then.
struct ProgressPace {
    private var told: (at: ContinuousClock.Instant, words: [String])?
    private static var interval: Duration { .milliseconds(100) }

    mutating func isDue(_ progress: BerthState.Progress) -> Bool {
        let words = [progress.status] + progress.parts.map(\.status)
        if let told, told.words == words, ContinuousClock.now - told.at < Self.interval { return false }
        told = (.now, words)
        return true
    }
}

/// A pull or a push whose client waits for it: told of its parts while they come and go. A client that goes away leaves the job to the others that wait for
/// it; if there are none, it ends.
struct FollowedStake {
    let call: Call

    /// Waits for the end.
    func follow<Output>(_ stake: JobStake<Output>) async throws -> Output {
        try await withTaskCancellationHandler {
            do { try await tell(stake.job) } catch {
                stake.giveUp()
                throw error
            }
            return try await stake.value
        } onCancel: {
            stake.giveUp()
        }
    }

    private func tell<Output>(_ job: Job<Output>) async throws {
        var (lines, told, last) = (ProgressLines(), ContinuousClock.now - .seconds(1), BerthState.Progress?.none)
        for await progress in job.progress {
            let withCounts = ContinuousClock.now - told >= .milliseconds(100)
            if withCounts { told = .now }
            try await write(lines.lines(for: progress.parts.map { ProgressLines.Part($0) }, withCounts: withCounts))
            last = progress
        }
        if let last { try await write(lines.lines(for: last.parts.map { ProgressLines.Part($0) }, withCounts: false)) }
    }

    private func write(_ messages: [ProgressMessage]) async throws {
        if !messages.isEmpty { try await call.reply.write(messages.flatMap(\.line)) }
    }
}

extension ProgressLines.Part {
    fileprivate init(_ part: BerthState.Progress.Part) {
        self.init(id: part.id, status: part.status, current: part.completedByteCount, total: part.totalByteCount)
    }
}
