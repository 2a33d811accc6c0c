internal import NIOCore
internal import NIOHTTP1

/// The parts of a connection's requests, one after the other, for the one task that serves it.
final class RequestParts {
    private let mailbox: Mailbox
    private var isInBody = false

    /// The client ended its connection in the middle of a request.
    struct Interrupted: Error {}

    /// The most of a body that nobody wanted that is read to come to the next request.
    private static let skipLimit = 1 << 20

    init(_ mailbox: Mailbox) { self.mailbox = mailbox }

    /// The next request; `nil` when the client has no more, or what is left of the last one is too much to skip.
    func nextHead() async -> HTTPRequestHead? {
        var skipped = 0
        while let part = await mailbox.next() {
            switch part {
            case .head(let head):
                isInBody = true
                return head
            case .body(let bytes):
                skipped += bytes.readableBytes
                if skipped > Self.skipLimit { return nil }
            case .end: isInBody = false
            case .raw, .rawEnd: return nil
            }
        }
        return nil
    }

    /// The next piece of the request's body; `nil` at its end.
    func nextBody() async throws(Interrupted) -> ByteBuffer? {
        guard isInBody else { return nil }
        switch await mailbox.next() {
        case .body(let bytes): return bytes
        case .end:
            isInBody = false
            return nil
        default: throw Interrupted()
        }
    }

    /// The body, whole.
    ///
    /// - Throws: 413 beyond the limit.
    func body(limit: Int) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let piece = try await nextBody() {
            guard bytes.count + piece.readableBytes <= limit else {
                throw APIFailure(.payloadTooLarge, "the request's body is larger than \(limit) bytes")
            }
            bytes += piece.readableBytesView
        }
        return bytes
    }

    /// What comes next on a connection that was taken over.
    enum Raw {
        case bytes(ByteBuffer)
        /// The client gives no more, and still listens.
        case end
        /// The client has gone.
        case gone
    }

    func nextRaw() async -> Raw {
        while true {
            switch await mailbox.next() {
            case .raw(let bytes): return .bytes(bytes)
            case .rawEnd: return .end
            case nil: return .gone
            case .head, .body, .end: continue
            }
        }
    }
}
