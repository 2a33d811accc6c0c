internal import Berth
internal import NIOCore
internal import NIOPosix

/// What a job writes into a pipe, on its way to the client.
struct ArchiveDownload<Output: Sendable> {
    let group: MultiThreadedEventLoopGroup
    let job: Job<Output>
    let call: Call

    /// How much is taken out of the pipe, and sent, at a time.
    private static var pieceByteCount: Int { 256 << 10 }

    /// Sends, as fast as the client reads. A client that goes away ends the job. One whose answer does not end has not got all.
    func perform(from descriptor: CInt) async throws {
        do {
            let pipe = try await NIOPipeBootstrap(group: group)
                .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: Self.pieceByteCount))
                .takingOwnershipOfDescriptor(input: descriptor) { channel in
                    channel.eventLoop.makeCompletedFuture { try NIOAsyncChannel<ByteBuffer, Never>(wrappingChannelSynchronously: channel) }
                }
            try await pipe.executeThenClose { pieces in
                for try await piece in pieces {
                    if !call.reply.hasBegun { try await call.reply.begin(type: "application/x-tar") }
                    try await call.reply.write(piece)
                }
            }
        } catch {
            job.cancel()
            // The reason is the download's, not the job's.
            _ = try? await job.value
            throw error
        }
        _ = try await job.value
        try await call.reply.end()
    }
}
