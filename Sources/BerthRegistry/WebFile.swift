internal import AsyncHTTPClient
public import BerthContent
internal import NIOCore
internal import NIOHTTP1

/// A file on the web, as it comes: what `docker import` of an address reads.
public struct WebFile: Sendable {
    /// How many bytes it has, where the server says so.
    public let byteCount: UInt64?
    /// Where it was found, without what may be secret: user, password and query.
    public let address: String

    private let request: String
    private let host: String
    private let body: HTTPClientResponse.Body

    fileprivate init(_ response: HTTPClientResponse, of call: Call) {
        byteCount = response.headers.first(name: "Content-Length").flatMap { UInt64($0) }
        (request, host, address) = (call.shown, call.url.host, call.url.shown)
        body = response.body
    }

    /// Hands on all of it, piece by piece, as fast as the pieces are taken. Can be done once.
    ///
    /// - Throws: what `take` throws, which ends it; `unreachable` or `timedOut` where it breaks off: what has come is not all of it then; `cancelled`.
    public func read(_ take: ([UInt8]) async throws -> Void) async throws {
        var receivedCount: UInt64 = 0
        var iterator = body.makeAsyncIterator()
        while let piece = try await next(&iterator) {
            receivedCount += UInt64(piece.readableBytes)
            try await take(Array(piece.readableBytesView))
        }
        if let byteCount, receivedCount < byteCount {
            let failure = TransportFailure(kind: .interrupted, description: "the answer ended before the file did", errno: nil)
            throw TransferError.unreachable(host, failure, request: request)
        }
    }

    private func next(_ iterator: inout HTTPClientResponse.Body.AsyncIterator) async throws(TransferError) -> ByteBuffer? {
        do { return try await iterator.next(isolation: #isolation) } catch {
            throw .unreachable(host, Transport.failure(error, host), request: request)
        }
    }
}

extension Registry {
    /// The most redirects that are followed to a file: as many as Go's clients follow.
    static let maximumFileRedirectCount = 10

    /// Asks for a file on the web, by the same way out as registries are reached: proxies, time limits. No credentials are shown but those in the address.
    ///
    /// - Parameter address: `http://…` or `https://…`.
    /// - Throws: `invalid` for what is no such address; `offline`; `unreachable`, `untrusted`, `timedOut`; `notFound`, `unauthorized`, `denied`, `refused`,
    ///   `unavailable` as the server says; `badAnswer` for a redirect that leads nowhere.
    public func file(at address: String) async throws(TransferError) -> WebFile {
        guard var url = URLParts(parsing: address) else {
            throw TransferError(.invalid, "'\(address)' is no address of a file: it must begin with http:// or https://")
        }
        if core.configuration.isOffline {
            throw TransferError(
                .offline, "'\(url.host)' is not asked: this engine is offline", advice: "see the configuration of its registries")
        }
        for _ in 0...Self.maximumFileRedirectCount {
            var call = Call(method: .GET, url: url)
            if let user = url.userInformation { call.headers.add(name: "Authorization", value: Self.basic(user)) }
            let response: HTTPClientResponse
            do throws(TransportFailure) { response = try await core.transport.execute(call, nil) } catch {
                throw .unreachable(url.host, error, request: call.shown)
            }
            switch response.status.code {
            case 200: return WebFile(response, of: call)
            case 301, 302, 303, 307, 308:
                guard let location = response.headers.first(name: "Location"), let next = url.resolving(location) else {
                    throw TransferError(.badAnswer, "\(url.host) redirects to no address", request: call.shown)
                }
                url = next
            default: throw .refusal(response.status, of: call)
            }
        }
        throw TransferError(
            .badAnswer, "\(url.host) redirects more than \(Self.maximumFileRedirectCount) times", request: "GET \(url.shown)")
    }

    /// User and password as they stand in an address.
    private static func basic(_ user: String) -> String {
        let parts = user.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map { PercentText.decoded($0) }
        return Conversation.basic(parts[0], parts.count > 1 ? parts[1] : "")
    }
}

extension TransferError {
    fileprivate static func unreachable(_ host: String, _ failure: TransportFailure, request: String) -> TransferError {
        if failure.kind == .cancelled { return .cancelled() }
        return TransferError(
            failure.code, "cannot fetch the file from \(host): \(failure.description)", advice: failure.advice, request: request,
            underlying: failure.errno)
    }

    /// An answer that is no file, in Docker's words.
    fileprivate static func refusal(_ status: HTTPResponseStatus, of call: Call) -> TransferError {
        let code: Code =
            switch status.code {
            case 401: .unauthorized
            case 403: .denied
            case 404, 410: .notFound
            case 429: .tooManyRequests
            case 500...: .unavailable
            case 400..<500: .refused
            default: .badAnswer
            }
        return TransferError(
            code, "failed to GET \(call.url.shown) with status \(status.code) \(status.reasonPhrase)", request: call.shown,
            answer: Answer(status: Int(status.code), code: nil, message: nil))
    }
}
