internal import BerthLaunch
internal import Glibc
internal import NIOCore
internal import NIOTLS

/// Tells the monitor that the receiver is connected, and then what it says.
final class ReceiverHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let monitor: MonitorEnd
    private let isReady: EventLoopPromise<Void>
    private var isConnected = false

    init(_ monitor: MonitorEnd, _ isReady: EventLoopPromise<Void>) { (self.monitor, self.isReady) = (monitor, isReady) }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case TLSUserEvent.handshakeCompleted? = event as? TLSUserEvent else { return context.fireUserInboundEventTriggered(event) }
        isConnected = true
        monitor.write([LogRelay.accepted])
        isReady.succeed()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { monitor.write(Array(unwrapInboundIn(data).readableBytesView)) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { end(error) }

    func channelInactive(context: ChannelHandlerContext) { end(ChannelError.eof) }

    /// Before it was connected that is why it cannot be; afterwards the receiver has gone, and the monitor sees that this process has.
    private func end(_ error: any Error) {
        if isConnected { exit(0) }
        isReady.fail(error)
    }
}
