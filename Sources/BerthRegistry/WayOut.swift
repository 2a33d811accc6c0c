internal import AsyncHTTPClient
internal import FoundationEssentials
internal import NIOCore
internal import NIOHTTP1
internal import NIOSSL

/// A proxy by its address. Holds what may be a password.
struct Proxy: Hashable, Sendable {
    struct Credentials: Hashable, Sendable { let user, password: String }
    let host: String
    let port: UInt16
    let credentials: Credentials?

    init(parsing text: String) throws(TransportFailure) {
        // Without a scheme it is a host and a port, as the variables are read everywhere.
        guard let parts = URLParts(parsing: text.contains("://") ? text : "http://\(text)"), parts.scheme == .http else {
            throw TransportFailure(
                kind: .invalid, description: "the proxy's address is not of the form http://[user:password@]host[:port]", errno: nil)
        }
        (host, port, self.text) = (parts.host, parts.effectivePort, text)
        credentials = parts.userInformation.map { information in
            let halves = information.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            return Credentials(user: PercentText.decoded(halves[0]), password: halves.count > 1 ? PercentText.decoded(halves[1]) : "")
        }
    }

    /// As it was written: for nobody to see.
    let text: String
    /// For people: without what may be secret.
    var shown: String { (host.contains(":") ? "[\(host)]" : host) + ":\(port)" }
}

/// How a host is reached: by itself, through a proxy that connects to it, or by a proxy that asks it (RFC 9110, 7.6; RFC 9112, 3.2.2 and 3.2.3).
enum WayOut: Sendable {
    case direct
    /// The address is the one that the certificate at the other end must be for; `nil` where the host is known by a name, or its certificate is not looked at.
    case tunnel(Proxy, to: IPNumber?)
    case forwarding(Proxy)

    /// What connections may be shared by.
    var key: String {
        switch self {
        case .direct: ""
        case .tunnel(let proxy, let address): "tunnel \(proxy.text) \(address?.bytes ?? [])"
        case .forwarding(let proxy): "forwarding \(proxy.text)"
        }
    }

    /// Where a request for a URL is sent.
    func url(of target: URLParts) -> String {
        guard case .forwarding(let proxy) = self else { return target.text }
        return "http://\(proxy.shown)\(target.path)" + (target.query.isEmpty ? "" : "?\(target.query)")
    }

    /// Says in a request whom it is for, and who one is for the proxy.
    func prepare(_ headers: inout HTTPHeaders, for target: URLParts) {
        guard case .forwarding(let proxy) = self else { return }
        headers.replaceOrAdd(name: "Host", value: target.authority)
        guard let credentials = proxy.credentials else { return }
        let text = Data("\(credentials.user):\(credentials.password)".utf8).base64EncodedString()
        headers.replaceOrAdd(name: "Proxy-Authorization", value: "Basic \(text)")
    }

    /// How TLS is spoken: of an address behind a proxy, the library would compare the proxy's own with the certificate, which is done by ``add(to:)`` instead.
    func tls(_ configuration: TLSConfiguration?) -> TLSConfiguration? {
        guard case .tunnel(_, .some) = self else { return configuration }
        var configuration = configuration ?? .makeClientConfiguration()
        configuration.certificateVerification = .noHostnameVerification
        return configuration
    }

    /// Adds what it takes to a connection that nothing was sent on yet. Where this fails, nothing is.
    func add(to channel: any Channel) -> EventLoopFuture<Void> {
        channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            switch self {
            case .forwarding:
                try pipeline.addHandler(WholeTarget(), position: .after(try pipeline.handler(type: HTTPRequestEncoder.self)))
            case .tunnel(_, .some(let address)):
                let certificate = try pipeline.handler(type: NIOSSLClientHandler.self).peerCertificate
                guard certificate.flatMap({ CertificateFacts(of: $0) })?.addresses.contains(address.bytes) == true else {
                    throw TransportFailure(
                        kind: .untrusted, description: "the certificate is for other addresses than this one", errno: nil, isOfName: true)
                }
            case .direct, .tunnel(_, nil): break
            }
        }
    }

    /// Says of a failure that it may be the proxy's.
    func explained(_ failure: TransportFailure) -> TransportFailure {
        switch self {
        case .direct: failure
        case .tunnel(let proxy, _), .forwarding(let proxy):
            failure.kind != .noConnection
                ? failure
                : TransportFailure(
                    kind: failure.kind, description: "through the proxy \(proxy.shown): \(failure.description)", errno: failure.errno,
                    advice: "see whether HTTP_PROXY, HTTPS_PROXY and NO_PROXY are as they should be, and whether the proxy can be reached")
        }
    }
}

/// Writes of each request the whole target, as a proxy is asked for it: the host from its header, and the path.
final class WholeTarget: ChannelOutboundHandler {
    typealias OutboundIn = HTTPClientRequestPart
    typealias OutboundOut = HTTPClientRequestPart

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .head(var head) = unwrapOutboundIn(data), let host = head.headers.first(name: "Host") else {
            return context.write(data, promise: promise)
        }
        head.uri = "http://\(host)\(head.uri)"
        context.write(wrapOutboundOut(.head(head)), promise: promise)
    }
}
