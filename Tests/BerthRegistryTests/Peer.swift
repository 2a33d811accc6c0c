import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// A request as a peer saw it.
struct SeenRequest: Sendable {
    var method: String
    /// Path and query.
    var target: String
    var headers: HTTPHeaders
    var body: [UInt8]

    var path: String { String(target.prefix { $0 != "?" }) }
    func header(_ name: String) -> String? { headers.first(name: name) }
    var query: String { String(target.drop { $0 != "?" }.dropFirst()) }
}

/// What a peer does after a request: bytes as they are, and what becomes of the connection.
struct Reply: Sendable {
    enum Ending: Sendable { case keep, close, hang }
    var bytes: [UInt8]
    var ending = Ending.keep

    init(_ bytes: [UInt8], _ ending: Ending = .keep) { (self.bytes, self.ending) = (bytes, ending) }

    /// An answer.
    ///
    /// - Parameters:
    ///   - length: the `Content-Length` that is said; `nil` for the true one.
    ///   - cutAfter: so many bytes of the body come, then the connection ends.
    init(
        _ status: Int, _ headers: [String: String] = [:], _ body: [UInt8] = [], length: Int? = nil, cutAfter: Int? = nil,
        withoutBody: Bool = false
    ) {
        var head = "HTTP/1.1 \(status) X\r\n"
        if headers["Transfer-Encoding"] == nil { head += "Content-Length: \(length ?? body.count)\r\n" }
        for (name, value) in headers.sorted(by: { $0.key < $1.key }) { head += "\(name): \(value)\r\n" }
        bytes = Array((head + "\r\n").utf8)
        if !withoutBody { bytes += cutAfter.map { Array(body.prefix($0)) } ?? body }
        if cutAfter != nil { ending = .close }
    }

    init(_ status: Int, _ headers: [String: String] = [:], json: String) {
        self.init(status, headers.merging(["Content-Type": "application/json"]) { first, _ in first }, Array(json.utf8))
    }
}

/// An HTTP server on loopback that does what its script says, also what none should.
final class Peer: Sendable {
    typealias Script = @Sendable (SeenRequest) -> Reply
    private let channel: any Channel
    private let seen = Mutex<[SeenRequest]>([])
    let port: Int

    var requests: [SeenRequest] { seen.withLock { $0 } }
    var authority: String { "127.0.0.1:\(port)" }

    private init(_ channel: any Channel, _ record: Recorder) {
        self.channel = channel
        port = channel.localAddress?.port ?? 0
        record.peer.withLock { $0 = { [weak self] request in self?.seen.withLock { $0.append(request) } } }
    }

    deinit { channel.close(promise: nil) }

    /// Nobody answers any more when this returns.
    func stop() async throws { try await channel.close().get() }

    static func start(tls: TLSConfiguration? = nil, _ script: @escaping Script) async throws -> Peer {
        let record = Recorder()
        let context = try tls.map { try NIOSSLContext(configuration: $0) }
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let context { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context)) }
                    try channel.pipeline.syncOperations.addHandler(ByteToMessageHandler(HTTPRequestDecoder()))
                    try channel.pipeline.syncOperations.addHandler(PeerHandler(script, record))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return Peer(channel, record)
    }
}

final class Recorder: Sendable {
    let peer = Mutex<(@Sendable (SeenRequest) -> Void)?>(nil)
    func see(_ request: SeenRequest) { peer.withLock { $0 }?(request) }
}

private final class PeerHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = ByteBuffer
    private let script: Peer.Script
    private let record: Recorder
    private var request: SeenRequest?

    init(_ script: @escaping Peer.Script, _ record: Recorder) { (self.script, self.record) = (script, record) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): request = SeenRequest(method: head.method.rawValue, target: head.uri, headers: head.headers, body: [])
        case .body(let part): request?.body += part.readableBytesView
        case .end:
            guard let request else { return }
            self.request = nil
            record.see(request)
            let reply = script(request)
            let sent = context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: reply.bytes)))
            // Not before all is on its way: what waits when a channel closes is dropped.
            if case .close = reply.ending { sent.assumeIsolated().whenComplete { _ in context.close(promise: nil) } }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
