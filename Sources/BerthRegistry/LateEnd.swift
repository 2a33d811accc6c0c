internal import NIOCore

/// Lets the end of a connection be seen only when all that came before it has been taken.
///
/// The HTTP client drops what nobody has asked for yet when a connection ends: of a download that breaks, that would be all that the kernel has received
/// and we have not come to. So the peer's end is kept back here until more is asked for. A connection on which something is being waited for ends at once.
final class LateEnd: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = IOData
    /// Whether somebody waits for what comes next.
    private var isAwaited = false
    private var hasEnded = false

    /// Puts one before everything else of a connection.
    static func add(to channel: any Channel) -> EventLoopFuture<Void> {
        channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(LateEnd(), position: .first)
            // Else the connection is closed, and its handlers are gone, before anything could be kept back.
            try channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: true)
        }
    }

    func read(context: ChannelHandlerContext) {
        if hasEnded { return context.close(promise: nil) }
        isAwaited = true
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        isAwaited = false
        context.fireChannelRead(data)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event as? ChannelEvent == .inputClosed else { return context.fireUserInboundEventTriggered(event) }
        hasEnded = true
        if isAwaited { context.close(promise: nil) }
    }
}
