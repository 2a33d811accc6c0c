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
    private let configuration: RegistryConfiguration
    /// By the proxy that they go through; made when they are first needed.
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
        let client = try client(for: call.url)
        var request = HTTPClientRequest(url: call.url.text)
        request.method = call.method
        request.headers = call.headers
        if !request.headers.contains(name: "User-Agent") { request.headers.add(name: "User-Agent", value: configuration.userAgent) }
        request.body = call.body
        request.tlsConfiguration = tls
        do { return try await client.execute(request, deadline: .distantFuture) } catch { throw Self.failure(error, call.url.host) }
    }

    private func client(for url: URLParts) throws(TransportFailure) -> HTTPClient {
        let port = url.port ?? (url.scheme == .https ? 443 : 80)
        let proxyText = configuration.proxies.proxy(to: url.scheme, host: url.host, port: port)
        let proxy = try proxyText.map { (text) throws(TransportFailure) in try Self.proxy(text) }
        let found: HTTPClient? = clients.withLock { clients in
            if let client = clients?[proxyText ?? ""] { return client }
            guard clients != nil else { return nil }
            var settings = HTTPClient.Configuration(
                redirectConfiguration: .disallow,
                timeout: .init(
                    connect: configuration.connectTimeout.timeAmount, read: configuration.idleTimeout.timeAmount,
                    write: configuration.idleTimeout.timeAmount))
            settings.proxy = proxy
            settings.httpVersion = .http1Only
            settings.dnsOverride = hostAddresses
            settings.http1_1ConnectionDebugInitializer = { LateEnd.add(to: $0) }
            // What is tried again, and when, is decided in one place.
            settings.connectionPool.retryConnectionEstablishment = false
            let client = HTTPClient(eventLoopGroupProvider: .shared(MultiThreadedEventLoopGroup.singleton), configuration: settings)
            clients?[proxyText ?? ""] = client
            return client
        }
        guard let found else { throw TransportFailure(kind: .cancelled, description: "the registry client is closed", errno: nil) }
        return found
    }

    private static func proxy(_ text: String) throws(TransportFailure) -> HTTPClient.Configuration.Proxy {
        // Without a scheme it is a host and a port, as the field reads it.
        guard let parts = URLParts(parsing: text.contains("://") ? text : "http://\(text)"), parts.scheme == .http else {
            throw TransportFailure(
                kind: .invalid, description: "the proxy's address is not of the form http://[user:password@]host[:port]", errno: nil)
        }
        let authorization = parts.userInformation.map { information -> HTTPClient.Authorization in
            let halves = information.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            return .basic(
                username: PercentText.decoded(halves[0]), password: halves.count > 1 ? PercentText.decoded(halves[1]) : "")
        }
        return .server(host: parts.host, port: Int(parts.port ?? 80), authorization: authorization)
    }
}

extension Duration {
    var timeAmount: TimeAmount { .nanoseconds(components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000) }
}
