internal import AsyncHTTPClient
internal import NIOCore

/// Lets what comes on a connection, and its end, be seen only when it is asked for; and gives up a peer that sends nothing of what is asked for.
///
/// When a peer closes a connection, SwiftNIO hands on all that the kernel has received, asked for or not, and the HTTP client drops what has come unasked
/// when the connection ends: of a download that breaks, that would be most of what came. So what comes unasked is kept here, and the end behind it. It is
/// no more than the kernel had in its buffer.
///
/// The time that a peer has is counted from when something was asked for, or sent to it, and only as long as it has not come: who is slow to ask, because
/// the disk or the processor is busy, is not held against the peer.
final class LateEnd: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = IOData
    /// Whether something is asked for, or is coming that was.
    private var isOpen = false
    /// Whether something has come since it was asked for.
    private var hasCome = false
    /// Whether more was asked for while something was coming.
    private var isAskedAgain = false
    private var kept: [NIOAny] = []
    private var hasEnded = false
    /// How long what is asked for may not come.
    private let patience: TimeAmount
    /// When something was last asked for, or sent.
    private var since = NIODeadline.uptimeNanoseconds(0)
    private var look: Scheduled<Void>?

    init(patience: TimeAmount) { self.patience = patience }

    /// Puts one before everything else of a connection.
    static func add(to channel: any Channel, patience: TimeAmount) -> EventLoopFuture<Void> {
        channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(LateEnd(patience: patience), position: .first)
            // Else the connection is closed, and its handlers are gone, before anything could be kept back.
            try channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: true)
        }
    }

    /// What was asked for before this was there is asked for still.
    func handlerAdded(context: ChannelHandlerContext) {
        isOpen = true
        since = .now()
        lookAgain(context, at: since + patience)
    }

    func handlerRemoved(context: ChannelHandlerContext) { look?.cancel() }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        since = .now()
        context.write(data, promise: promise)
    }

    func read(context: ChannelHandlerContext) {
        if !kept.isEmpty {
            // Not within the call of whoever asks: it is told again when it has returned.
            return context.eventLoop.assumeIsolated().execute { self.handOn(context) }
        }
        if hasEnded { return context.close(promise: nil) }
        if isOpen {
            isAskedAgain = hasCome
        } else {
            isOpen = true
            since = .now()
            if look == nil { lookAgain(context, at: since + patience) }
        }
        context.read()
    }

    private func lookAgain(_ context: ChannelHandlerContext, at time: NIODeadline) {
        look = context.eventLoop.assumeIsolated().scheduleTask(deadline: time) { self.giveUpIfLate(context) }
    }

    private func giveUpIfLate(_ context: ChannelHandlerContext) {
        look = nil
        guard isOpen, !hasCome else { return }
        guard since + patience <= .now() else { return lookAgain(context, at: since + patience) }
        context.fireErrorCaught(HTTPClientError.readTimeout)
        context.close(promise: nil)
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
        let isAskedAgain = isAskedAgain
        (isOpen, hasCome, self.isAskedAgain) = (false, false, false)
        context.fireChannelReadComplete()
        if isAskedAgain, !isOpen { read(context: context) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event as? ChannelEvent == .inputClosed else { return context.fireUserInboundEventTriggered(event) }
        hasEnded = true
        if isOpen, !hasCome { return context.close(promise: nil) }
        channelReadComplete(context: context)
        context.channel.read()
    }
}
