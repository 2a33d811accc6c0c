internal import Berth
internal import DockerAPI

/// A job whose client follows it: told how far it is, then what came of it. A client that goes away ends the job.
struct FollowedJob {
    let call: Call

    /// How often the client is told how far it is.
    private static var interval: Duration { .milliseconds(100) }

    /// Answers. What fails before anything was told is an error with a status, what fails later a line that says so.
    ///
    /// - Parameter results: what the client is told of the outcome: documents, as JSON text.
    func answer<Output, Results: Sequence>(
        _ job: Job<Output>, _ results: (Output) throws -> Results
    ) async throws where Results.Element == [UInt8] {
        let output: Output
        do { output = try await follow(job) } catch {
            guard call.reply.hasBegun else { throw error }
            try await call.reply.write(ProgressMessage.failure(APIFailure(error).message).line)
            return try await call.reply.end()
        }
        let results = try results(output)
        if !call.reply.hasBegun { try await call.reply.begin(type: "application/json") }
        for result in results { try await call.reply.write(ProgressMessage.result(result).line) }
        try await call.reply.end()
    }

    private func follow<Output>(_ job: Job<Output>) async throws -> Output {
        try await withTaskCancellationHandler {
            do { try await tell(job) } catch {
                job.cancel()
                // The reason is the client's, not the job's.
                _ = try? await job.value
                throw error
            }
            return try await job.value
        } onCancel: {
            job.cancel()
        }
    }

    private func tell<Output>(_ job: Job<Output>) async throws {
        var told: ContinuousClock.Instant?
        for await progress in job.progress {
            if let told, ContinuousClock.now - told < Self.interval { continue }
            told = .now
            if !call.reply.hasBegun { try await call.reply.begin(type: "application/json") }
            let message = ProgressMessage.status(
                progress.status, current: progress.completedByteCount, total: progress.totalByteCount)
            try await call.reply.write(message.line)
        }
    }
}
