internal import Berth
internal import DockerAPI
internal import NIOCore
internal import NIOPosix

/// An archive on its way into a job, mostly a request's body, and the job's progress on its way back.
struct ArchiveUpload<Output: Sendable> {
    let group: MultiThreadedEventLoopGroup
    let job: Job<Output>
    let call: Call
    /// What the job does, as the client is told while the body comes; `nil` to tell it nothing.
    let doing: String?
    /// Hands on all of the archive, piece by piece; `nil` for the request's body.
    var pieces: ((_ take: (ByteBuffer) async throws -> Void) async throws -> Void)?
    /// Whether what goes wrong is always told inside an answer of 200, as Docker's load does: its clients look there.
    var failsInside = false
    /// What the client is told when it is done.
    let done: (Output) -> [ProgressMessage]

    /// How often the client is told how far it is.
    private static var interval: Duration { .milliseconds(100) }

    /// Feeds the job, tells how far it is, and answers with what came of it. A client that goes away ends the job, which then leaves nothing.
    func perform(into descriptor: CInt) async throws {
        let result: Output
        do {
            try await feed(descriptor)
            result = try await job.value
        } catch {
            // The rest of a body that was refused is not read.
            call.reply.closes = true
            guard call.reply.hasBegun || failsInside else { throw error }
            if !call.reply.hasBegun { try await call.reply.begin(type: "application/json") }
            try await call.reply.write(ProgressMessage.failure(APIFailure(error).message).line)
            return try await call.reply.end()
        }
        if !call.reply.hasBegun { try await call.reply.begin(type: "application/json") }
        for message in done(result) { try await call.reply.write(message.line) }
        try await call.reply.end()
    }

    /// Feeds the job, to the end of the body or of the job. If that fails, the job is ended.
    func feed(_ descriptor: CInt) async throws {
        do { try await feeding(descriptor) } catch {
            job.cancel()
            // The reason is the upload's, not the job's.
            _ = try? await job.value
            throw error
        }
    }

    private func feeding(_ descriptor: CInt) async throws {
        let pipe = try await NIOPipeBootstrap(group: group).takingOwnershipOfDescriptor(output: descriptor).get()
        do { try await feed(pipe) } catch {
            // Only told to cancel, it must not take the end of the pipe for the end of the archive.
            job.cancel()
            pipe.close(promise: nil)
            throw error
        }
        // A job that has failed has closed its end, which closes this one.
        try? await pipe.close().get()
    }

    private func feed(_ pipe: any Channel) async throws {
        var (count, told) = (UInt64(0), ContinuousClock.now)
        do {
            try await eachPiece { piece in
                count += UInt64(piece.readableBytes)
                do { try await pipe.writeAndFlush(piece).get() } catch { throw JobEnded() }
                guard let doing, ContinuousClock.now - told >= Self.interval else { return }
                told = .now
                if !call.reply.hasBegun { try await call.reply.begin(type: "application/json") }
                try await call.reply.write(ProgressMessage.status(doing, current: count).line)
            }
        } catch is JobEnded {}
    }

    /// A job that has failed does not read on, and its own error is the better one.
    private struct JobEnded: Error {}

    private func eachPiece(_ take: (ByteBuffer) async throws -> Void) async throws {
        if let pieces { return try await pieces(take) }
        while let piece = try await call.parts.nextBody() { try await take(piece) }
    }
}
