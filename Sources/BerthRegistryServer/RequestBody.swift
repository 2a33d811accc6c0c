internal import NIOCore
internal import NIOHTTP1

/// The parts of a connection's requests, one after the other, for the one task that serves it.
final class RequestBody {
    typealias Parts = NIOAsyncChannelInboundStream<HTTPServerRequestPart>.AsyncIterator

    private var parts: Parts
    private let channel: any Channel
    private var isInBody = false
    /// Whether the client waits to be told that its body is wanted (RFC 9110, section 10.1.1).
    private var isWaiting = false

    /// The most of a body that nobody wanted that is read to come to the next request.
    private static let skipByteCount = 64 << 20

    init(_ parts: Parts, _ channel: any Channel) { (self.parts, self.channel) = (parts, channel) }

    /// The next request; `nil` when the client has no more.
    func nextHead() async throws -> HTTPRequestHead? {
        while let part = try await parts.next(isolation: #isolation) {
            guard case .head(let head) = part else { continue }
            isInBody = true
            isWaiting = head.headers.first(name: "Expect")?.lowercased() == "100-continue"
            return head
        }
        return nil
    }

    /// Reads what is left of a request's body.
    ///
    /// - Returns: whether the next request can be read: not where the client was never told to go on, nor of a body that is too long.
    func skip() async throws -> Bool {
        var skipped = 0
        while isInBody {
            guard !isWaiting, skipped <= Self.skipByteCount, let part = try await parts.next(isolation: #isolation) else { return false }
            if case .body(let bytes) = part { skipped += bytes.readableBytes }
            if case .end = part { isInBody = false }
        }
        return true
    }

    /// The next pieces of the body, together about so many bytes; none at its end. Where the body breaks off, first what has come, then the error.
    func next(atMost byteCount: Int) async throws(RegistryFailure) -> [ByteBuffer] {
        var pieces: [ByteBuffer] = []
        var count = 0
        while isInBody, count < byteCount {
            let part: HTTPServerRequestPart?
            do {
                if isWaiting {
                    isWaiting = false
                    try await channel.writeAndFlush(HTTPServerResponsePart.head(HTTPResponseHead(version: .http1_1, status: .continue)))
                        .get()
                }
                part = try await parts.next(isolation: #isolation)
            } catch {
                part = nil
            }
            switch part {
            case .body(let bytes):
                pieces.append(bytes)
                count += bytes.readableBytes
            case .end: isInBody = false
            case .head, nil:
                guard pieces.isEmpty else { return pieces }
                throw RegistryFailure(400, .sizeInvalid, "the connection ended in the middle of a request")
            }
        }
        return pieces
    }

    /// The body, whole.
    func all(limit: Int) async throws(RegistryFailure) -> [UInt8] {
        var bytes: [UInt8] = []
        while true {
            let pieces = try await next(atMost: 1 << 20)
            guard !pieces.isEmpty else { return bytes }
            for piece in pieces { bytes += piece.readableBytesView }
            guard bytes.count <= limit else {
                throw RegistryFailure(413, .sizeInvalid, "a manifest has at most \(limit) bytes, and this one has more")
            }
        }
    }
}
