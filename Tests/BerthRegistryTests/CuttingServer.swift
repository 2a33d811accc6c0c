import BerthContent
import BerthOCI
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A server of one large blob, made while it is sent, whose connections are cut at given places of the blob, each once.
final class CuttingServer: Sendable {
    struct State {
        /// The places at which it still cuts.
        var cuts: [UInt64]
        /// So many bytes of the blob were sent.
        var sentByteCount: UInt64 = 0
        var cutCount = 0
        var rangeCount = 0
    }
    /// What the blob repeats.
    static let block = ByteBuffer(bytes: SampleRegistry.bytes(1 << 20))
    let blob: Descriptor
    let state: Mutex<State>
    private let channel: Mutex<(any Channel)?> = Mutex(nil)
    var port: Int { channel.withLock { $0?.localAddress?.port ?? 0 } }

    /// - Parameter byteCount: of the blob; not a multiple of the block's.
    static func start(byteCount: UInt64, cutCount: Int) async throws -> CuttingServer {
        let server = CuttingServer(byteCount, cutCount)
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ByteToMessageHandler(HTTPRequestDecoder()))
                    try channel.pipeline.syncOperations.addHandler(CuttingHandler(server))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        server.channel.withLock { $0 = channel }
        return server
    }

    private init(_ byteCount: UInt64, _ cutCount: Int) {
        var hasher = DigestHasher(.sha256)
        var rest = byteCount
        while rest > 0 {
            let piece = Self.piece(at: byteCount - rest, atMost: rest)
            unsafe piece.withUnsafeReadableBytes { unsafe hasher.update($0) }
            rest -= UInt64(piece.readableBytes)
        }
        blob = Descriptor(mediaType: .layer, digest: hasher.digest(), byteCount: byteCount)
        state = Mutex(State(cuts: (1...UInt64(cutCount)).map { byteCount / UInt64(cutCount + 1) * $0 + 12_345 }))
    }

    func stop() async throws { try await channel.withLock { $0.take() }?.close().get() }

    /// The bytes from a place on, to the end of the block at most.
    static func piece(at offset: UInt64, atMost count: UInt64) -> ByteBuffer {
        let begin = Int(offset % UInt64(block.readableBytes))
        let length = min(128 << 10, block.readableBytes - begin, Int(min(count, 1 << 30)))
        // The block has so many.
        return block.getSlice(at: block.readerIndex + begin, length: length) ?? ByteBuffer()
    }

    /// What is sent next of a range, and whether the connection is cut behind it.
    fileprivate func next(_ range: Range<UInt64>) -> (piece: ByteBuffer, isCut: Bool) {
        state.withLock { state in
            var piece = Self.piece(at: range.lowerBound, atMost: range.upperBound - range.lowerBound)
            var isCut = false
            if let index = state.cuts.firstIndex(where: { $0 >= range.lowerBound && $0 - range.lowerBound < piece.readableBytes }) {
                let cut = state.cuts.remove(at: index)
                piece = piece.getSlice(at: piece.readerIndex, length: Int(cut - range.lowerBound)) ?? ByteBuffer()
                isCut = true
                state.cutCount += 1
            }
            state.sentByteCount += UInt64(piece.readableBytes)
            return (piece, isCut)
        }
    }
}

private final class CuttingHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = ByteBuffer
    private let server: CuttingServer
    private var head: HTTPRequestHead?

    init(_ server: CuttingServer) { self.server = server }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): self.head = head
        case .body: break
        case .end:
            guard let head = head.take() else { return }
            guard head.uri.contains("/blobs/") else {
                return context.writeAndFlush(
                    wrapOutboundOut(ByteBuffer(string: "HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n")), promise: nil)
            }
            let count = server.blob.byteCount
            var (range, text) = (0..<count, "HTTP/1.1 200 X\r\n")
            if let wanted = head.headers.first(name: "Range")?.dropFirst(6) {
                let ends = wanted.split(separator: "-", omittingEmptySubsequences: false)
                range = (UInt64(ends[0]) ?? 0)..<(UInt64(ends[1]).map { $0 + 1 } ?? count)
                text = "HTTP/1.1 206 X\r\nContent-Range: bytes \(range.lowerBound)-\(range.upperBound - 1)/\(count)\r\n"
                server.state.withLock { $0.rangeCount += 1 }
            }
            text += "Content-Length: \(range.upperBound - range.lowerBound)\r\n\r\n"
            context.write(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
            send(range, context)
        }
    }

    /// Sends a piece, and the next one when that is on its way.
    private func send(_ range: Range<UInt64>, _ context: ChannelHandlerContext) {
        guard !range.isEmpty else { return context.flush() }
        let (piece, isCut) = server.next(range)
        let sent = context.writeAndFlush(wrapOutboundOut(piece))
        let rest = range.lowerBound + UInt64(piece.readableBytes)..<range.upperBound
        sent.assumeIsolated().whenComplete { result in
            guard case .success = result, !isCut else { return context.close(promise: nil) }
            self.send(rest, context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
