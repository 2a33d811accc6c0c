internal import Berth
internal import Glibc
internal import NIOCore
internal import Synchronization

/// Writes an answer's body from a thread that may block: what the client does not take holds it up.
final class ReplySink: ByteSink, Sendable {
    /// How many pieces may be on their way, so that the next is made while the last is sent.
    private static let pieceLimit = 4

    private let channel: any Channel
    private let sent = Mutex<[EventLoopFuture<Void>]>([])

    /// How much the kernel holds for the client: so much more can be packed while that one is busy with what it has.
    private static let kernelByteCount = 1 << 20

    init(_ channel: any Channel) {
        self.channel = channel
        // Beyond the system's limit only root may: without it, all goes in smaller steps.
        channel.setOption(.socketOption(.init(rawValue: SO_SNDBUFFORCE)), value: .init(Self.kernelByteCount)).whenFailure { _ in }
    }

    func write(_ bytes: borrowing RawSpan) throws(ByteSinkError) {
        var buffer = channel.allocator.buffer(capacity: bytes.byteCount)
        unsafe bytes.withUnsafeBytes { _ = unsafe buffer.writeBytes($0) }
        let future = channel.writeAndFlush(Outgoing.body(buffer))
        let first = sent.withLock { sent -> EventLoopFuture<Void>? in
            sent.append(future)
            return sent.count > Self.pieceLimit ? sent.removeFirst() : nil
        }
        do { try first?.wait() } catch { throw ByteSinkError(.cancelled, "the client has gone: \(error)") }
    }
}
