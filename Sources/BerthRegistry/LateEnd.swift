internal import NIOCore

/// Lets what comes on a connection, and its end, be seen only when it is asked for.
///
/// When a peer closes a connection, SwiftNIO hands on all that the kernel has received, asked for or not, and the HTTP client drops what has come unasked
/// when the connection ends: of a download that breaks, that would be most of what came. So what comes unasked is kept here, and the end behind it. It is
/// no more than the kernel had in its buffer.
final class LateEnd: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = IOData
    /// Whether something is asked for, or is coming that was.
    private var isOpen = false
    /// Whether something has come since it was asked for.
    private var hasCome = false
    private var kept: [NIOAny] = []
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
        if !kept.isEmpty {
            // Not within the call of whoever asks: it is told again when it has returned.
            return context.eventLoop.assumeIsolated().execute { self.handOn(context) }
        }
        if hasEnded { return context.close(promise: nil) }
        (isOpen, hasCome) = (true, false)
        context.read()
    }

    private func handOn(_ context: ChannelHandlerContext) {
        let all = kept
        kept = []
        for data in all { context.fireChannelRead(data) }
        context.fireChannelReadComplete()
        // Of a connection that has ended, nobody else asks for more.
        context.channel.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard isOpen else { return kept.append(data) }
        hasCome = true
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        guard isOpen else { return }
        isOpen = false
        context.fireChannelReadComplete()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event as? ChannelEvent == .inputClosed else { return context.fireUserInboundEventTriggered(event) }
        hasEnded = true
        if isOpen, !hasCome { return context.close(promise: nil) }
        channelReadComplete(context: context)
        context.channel.read()
    }
}
