internal import NIOCore
internal import NIOHTTP1
internal import NIOWebSocket

/// A connection that was taken over and carries its bytes in frames (RFC 6455), as attaching from a browser does.
///
/// As Docker has it, both directions are streams of bytes: where one frame ends and the next begins says nothing.
enum WebSocket {
    /// The longest frame that is taken.
    private static let frameByteLimit = 1 << 20

    /// The headers of the answer that lets a client change over.
    ///
    /// - Throws: 400 where it has not asked for that as it should have.
    static func answer(to head: HTTPRequestHead, on channel: any Channel) async throws -> HTTPHeaders {
        guard head.headers[canonicalForm: "Upgrade"].contains(where: { $0.lowercased() == "websocket" }) else {
            throw APIFailure.invalid("not websocket protocol: the request has no 'Upgrade: websocket'")
        }
        let upgrader = NIOWebSocketServerUpgrader(
            shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture([:]) },
            // Never called: this connection has its own way of changing over.
            upgradePipelineHandler: { channel, _ in channel.eventLoop.makeSucceededVoidFuture() })
        do {
            return try await upgrader.buildUpgradeResponse(channel: channel, upgradeRequest: head, initialResponseHeaders: [:]).get()
        } catch {
            throw APIFailure.invalid("bad WebSocket handshake: it needs one Sec-WebSocket-Key, and 'Sec-WebSocket-Version: 13'")
        }
    }

    /// What turns bytes into frames and back, the nearest to the network first.
    static func handlers(isText: Bool) -> [any ChannelHandler] {
        [
            WebSocketFrameEncoder(), ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: frameByteLimit)),
            WebSocketProtocolErrorHandler(), Framing(isText ? .text : .binary),
        ]
    }

    private final class Framing: ChannelDuplexHandler {
        typealias InboundIn = WebSocketFrame
        typealias InboundOut = ByteBuffer
        typealias OutboundIn = ByteBuffer
        typealias OutboundOut = WebSocketFrame

        private let opcode: WebSocketOpcode
        private var hasSaidEnd = false

        init(_ opcode: WebSocketOpcode) { self.opcode = opcode }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let frame = unwrapInboundIn(data)
            // Section 5.1: a server takes nothing from a client that does not mask.
            guard frame.maskKey != nil else { return end(context, .protocolError, promise: nil) }
            switch frame.opcode {
            case .text, .binary, .continuation: context.fireChannelRead(wrapInboundOut(frame.unmaskedData))
            case .ping:
                context.writeAndFlush(wrapOutboundOut(WebSocketFrame(fin: true, opcode: .pong, data: frame.unmaskedData)), promise: nil)
            case .connectionClose: end(context, .normalClosure, promise: nil)
            default: break  // an answer to what nobody has asked
            }
        }

        func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
            let bytes = unwrapOutboundIn(data)
            context.write(wrapOutboundOut(WebSocketFrame(fin: true, opcode: opcode, data: bytes)), promise: promise)
        }

        func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
            guard mode == .all else { return context.close(mode: mode, promise: promise) }
            end(context, .normalClosure, promise: promise)
        }

        /// Says that this is the end, once, and ends.
        private func end(_ context: ChannelHandlerContext, _ code: WebSocketErrorCode, promise: EventLoopPromise<Void>?) {
            if !hasSaidEnd, context.channel.isActive {
                hasSaidEnd = true
                var reason = context.channel.allocator.buffer(capacity: 2)
                reason.write(webSocketErrorCode: code)
                context.writeAndFlush(wrapOutboundOut(WebSocketFrame(fin: true, opcode: .connectionClose, data: reason)), promise: nil)
            }
            context.close(promise: promise)
        }
    }
}
