internal import AsyncHTTPClient
internal import BerthContent
internal import BerthLinux
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL
internal import Synchronization

/// One request.
struct Call: Sendable {
    var method: HTTPMethod
    var url: URLParts
    var headers = HTTPHeaders()
    var body: HTTPClientRequest.Body?

    /// The request for people, without what may be secret.
    var shown: String { "\(method.rawValue) \(url.shown)" }
}

/// Why there was no answer.
struct TransportFailure: Error {
    enum Kind: Hashable { case noConnection, notTLS, untrusted, interrupted, timedOut, badAnswer, invalid, cancelled }
    let kind: Kind
    /// What happened, for people.
    let description: String
    let errno: Errno?
    /// What to try, where that is not the same for all of its kind.
    var advice: String?
    /// Whether a certificate is not trusted because of its names.
    var isOfName = false

    var retry: RetryPolicy.Failure? {
        switch kind {
        case .noConnection: .noConnection
        case .interrupted, .timedOut: .interrupted
        case .notTLS, .untrusted, .badAnswer, .invalid, .cancelled: nil
        }
    }

    var code: TransferError.Code {
        switch kind {
        case .noConnection, .interrupted, .notTLS: .unreachable
        case .untrusted: .untrusted
        case .timedOut: .timedOut
        case .badAnswer: .badAnswer
        case .invalid: .invalid
        case .cancelled: .cancelled
        }
    }
}

/// Sends requests and gives answers: no redirects, no credentials, no repetition.
final class Transport: Sendable {
    let configuration: RegistryConfiguration
    /// By the way out that they go; made when they are first needed.
    private let clients = Mutex<[String: HTTPClient]?>([:])

    /// Where hosts are, instead of what the system says.
    private let hostAddresses: [String: String]

    init(_ configuration: RegistryConfiguration, hostAddresses: [String: String] = [:]) {
        (self.configuration, self.hostAddresses) = (configuration, hostAddresses)
    }

    deinit { Self.end(clients.withLock { $0.take() }) }

    /// Closes all connections. Later calls fail; repeating is fine.
    func close() { Self.end(clients.withLock { $0.take() }) }

    private static func end(_ clients: [String: HTTPClient]?) {
        guard let clients, !clients.isEmpty else { return }
        // Nobody waits for connections to end, nor could do anything about one that does not.
        Task { for client in clients.values { try? await client.shutdown() } }
    }

    /// Sends a request and gives the answer's head; the body is read by the caller, or its connection is closed.
    func execute(_ call: Call, _ tls: TLSConfiguration?) async throws(TransportFailure) -> HTTPClientResponse {
        let way = try wayOut(to: call.url, tls)
        let client = try client(for: way)
        var request = HTTPClientRequest(url: way.url(of: call.url))
        request.method = call.method
        request.headers = call.headers
        if !request.headers.contains(name: "User-Agent") { request.headers.add(name: "User-Agent", value: configuration.userAgent) }
        way.prepare(&request.headers, for: call.url)
        request.body = call.body
        request.tlsConfiguration = way.tls(tls)
        do {
            let response = try await client.execute(request, deadline: .distantFuture)
            if case .forwarding = way, response.status == .proxyAuthenticationRequired { throw HTTPClientError.proxyAuthenticationRequired }
            return response
        } catch {
            let failure = way.explained(Self.failure(error, call.url.host))
            guard failure.kind == .untrusted else { throw failure }
            throw await untrusted(failure, call, tls, way)
        }
    }

    /// How a host is reached.
    private func wayOut(to url: URLParts, _ tls: TLSConfiguration?) throws(TransportFailure) -> WayOut {
        guard let text = configuration.proxies.proxy(to: url.scheme, host: url.host, port: url.effectivePort) else { return .direct }
        let proxy = try Proxy(parsing: text)
        guard url.scheme == .https else { return .forwarding(proxy) }
        let isVerified = tls.map { $0.certificateVerification == .fullVerification } ?? true
        return .tunnel(proxy, to: isVerified ? IPNumber(url.host) : nil)
    }

    private func client(for way: WayOut) throws(TransportFailure) -> HTTPClient {
        let found: HTTPClient? = clients.withLock { clients in
            if let client = clients?[way.key] { return client }
            guard clients != nil else { return nil }
            let patience = configuration.idleTimeout.timeAmount
            let client = HTTPClient(
                eventLoopGroupProvider: .shared(MultiThreadedEventLoopGroup.singleton),
                configuration: settings(for: way) { channel in
                    way.add(to: channel).flatMap { LateEnd.add(to: channel, patience: patience) }
                })
            clients?[way.key] = client
            return client
        }
        guard let found else { throw TransportFailure(kind: .cancelled, description: "the registry client is closed", errno: nil) }
        return found
    }

    /// What comes fast is taken in large pieces: each goes from thread to thread on its own.
    private static let receiving = AdaptiveRecvByteBufferAllocator(minimum: 1 << 10, initial: 16 << 10, maximum: 512 << 10)

    /// - Parameter prepare: what is done with each connection before anything is sent on it; where it fails, nothing is.
    func settings(
        for way: WayOut, _ prepare: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) -> HTTPClient.Configuration {
        // That nothing comes is seen where it is known whether anything was asked for.
        var settings = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            timeout: .init(connect: configuration.connectTimeout.timeAmount, write: configuration.idleTimeout.timeAmount))
        if case .tunnel(let proxy, _) = way {
            settings.proxy = .server(
                host: proxy.host, port: Int(proxy.port),
                authorization: proxy.credentials.map { .basic(username: $0.user, password: $0.password) })
        }
        settings.httpVersion = .http1Only
        settings.dnsOverride = hostAddresses
        settings.http1_1ConnectionDebugInitializer = { channel in
            channel.setOption(.recvAllocator, value: Self.receiving).flatMap { prepare(channel) }.flatMapErrorThrowing { error in
                // The client forgets a connection that is not to be, and leaves it open.
                channel.close(promise: nil)
                throw error
            }
        }
        // What is tried again, and when, is decided in one place.
        settings.connectionPool.retryConnectionEstablishment = false
        return settings
    }
}

extension Duration {
    var timeAmount: TimeAmount { .nanoseconds(components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000) }
}
