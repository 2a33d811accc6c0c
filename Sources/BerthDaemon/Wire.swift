internal import NIOCore
internal import NIOHTTP1

/// What a connection gives.
enum Incoming: Sendable {
    /// A request begins.
    case head(HTTPRequestHead)
    /// A piece of its body.
    case body(ByteBuffer)
    /// It is whole.
    case end
    /// Bytes of a connection that was taken over.
    case raw(ByteBuffer)
    /// The client gives no more of those.
    case rawEnd
}

/// What a connection takes.
enum Outgoing: Sendable {
    /// An answer that is there as a whole.
    case whole(HTTPResponseHead, ByteBuffer?)
    /// An answer begins.
    case head(HTTPResponseHead)
    /// A piece of its body.
    case body(ByteBuffer)
    /// It is whole.
    case end
    /// The connection is taken over: from these bytes on it speaks no HTTP.
    case takeOver(ByteBuffer, TakenOverSpeech)
    /// Bytes of such a connection.
    case raw(ByteBuffer)
}

/// How a connection that was taken over carries its bytes.
enum TakenOverSpeech: Sendable {
    /// As they are.
    case plain
    /// In frames, which say whether they are text.
    case webSocket(isText: Bool)
}

/// Turns NIO's HTTP messages into ``Incoming`` and ``Outgoing``, and lets a connection stop speaking HTTP in the middle, as Docker's attach does.
///
/// It stands behind NIO's decoder and encoder, and takes both away when the connection is taken over: first the encoder, and when the answer is on its
/// way, the decoder, which hands on what it has not looked at. It reads only as fast as its mailbox is emptied.
final class WireHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = Outgoing
    typealias OutboundOut = HTTPServerResponsePart

    /// Says what bytes are, which ``WireHandler`` itself cannot once it is typed for HTTP.
    private final class Bytes: ChannelInboundHandler { typealias InboundIn = ByteBuffer }
    private let bytes = Bytes()

    private let encoder: HTTPResponseEncoder
    private let decoder: ByteToMessageHandler<HTTPRequestDecoder>
    private let mailbox: Mailbox
    /// Whether the end of what the client says means that it has gone: of a Unix socket's peer that has gone, the kernel tells more.
    private let endMeansGone: Bool
    private var isTakenOver = false
    private var isAnswering = false
    private var holdsRead = false

    init(encoder: HTTPResponseEncoder, decoder: ByteToMessageHandler<HTTPRequestDecoder>, mailbox: Mailbox, endMeansGone: Bool) {
        (self.encoder, self.decoder, self.mailbox, self.endMeansGone) = (encoder, decoder, mailbox, endMeansGone)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let own = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let loop = context.eventLoop
        mailbox.whenEmptied { loop.execute { own.value.0.readAgain(own.value.1) } }
    }

    func read(context: ChannelHandlerContext) {
        if mailbox.isFull { holdsRead = true } else { context.read() }
    }

    private func readAgain(_ context: ChannelHandlerContext) {
        guard holdsRead else { return }
        holdsRead = false
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isTakenOver { return mailbox.offer(.raw(bytes.unwrapInboundIn(data))) }
        switch unwrapInboundIn(data) {
        case .head(let head): mailbox.offer(.head(head))
        case .body(let bytes): mailbox.offer(.body(bytes))
        case .end: mailbox.offer(.end)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? ChannelEvent, event == .inputClosed else { return context.fireUserInboundEventTriggered(event) }
        if isTakenOver {
            mailbox.offer(.rawEnd)
        } else if endMeansGone {
            context.close(promise: nil)
        } else {
            mailbox.finish()
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        mailbox.finish()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is HTTPParserError, !isTakenOver, !isAnswering else { return context.close(promise: nil) }
        // What is no HTTP is told so once, and is not listened to any longer.
        let text = "malformed HTTP request\n"
        let headers = HTTPHeaders([("Content-Type", "text/plain"), ("Content-Length", String(text.utf8.count)), ("Connection", "close")])
        let head = HTTPResponseHead(version: .http1_1, status: .badRequest, headers: headers)
        let channel = context.channel
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.whenComplete { _ in channel.close(promise: nil) }
        write(context: context, data: NIOAny(Outgoing.whole(head, ByteBuffer(string: text))), promise: written)
        context.flush()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .whole(let head, let body):
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            if let body { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
            context.write(wrapOutboundOut(.end(nil)), promise: promise)
        case .head(let head):
            isAnswering = true
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .body(let bytes): context.write(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: promise)
        case .end:
            isAnswering = false
            context.write(wrapOutboundOut(.end(nil)), promise: promise)
        case .takeOver(let bytes, let speech): takeOver(context, bytes, speech, promise)
        case .raw(let bytes): context.write(NIOAny(bytes), promise: promise)
        }
    }

    private func takeOver(
        _ context: ChannelHandlerContext, _ bytes: ByteBuffer, _ speech: TakenOverSpeech, _ promise: EventLoopPromise<Void>?
    ) {
        isTakenOver = true
        let pipeline = context.pipeline.syncOperations
        pipeline.removeHandler(encoder, promise: nil)
        context.write(NIOAny(bytes), promise: promise)
        if case .webSocket(let isText) = speech {
            do { try pipeline.addHandlers(WebSocket.handlers(isText: isText), position: .before(self)) } catch {
                // Only of a connection that has been closed meanwhile.
                context.close(promise: nil)
            }
        }
        pipeline.removeHandler(decoder, promise: nil)
    }
}
