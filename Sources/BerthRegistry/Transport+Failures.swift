internal import AsyncHTTPClient
internal import BerthLinux
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL

// What the libraries' errors mean.
extension Transport {
    static func failure(_ error: any Error, _ host: String) -> TransportFailure {
        switch error {
        case let failure as TransportFailure: return failure
        case is CancellationError: return TransportFailure(kind: .cancelled, description: "the work was cancelled", errno: nil)
        case let error as HTTPClientError: return of(error, host)
        case let error as NIOConnectionError: return of(error)
        case let error as NIOSSLError: return of(error, host)
        case is NIOSSLExtraError:
            return TransportFailure(
                kind: .untrusted, description: "the certificate of \(host) is for other names than this one", errno: nil, isOfName: true)
        case let error as IOError: return of(Errno(rawValue: error.errnoCode))
        case is HTTPParserError:
            return TransportFailure(kind: .interrupted, description: "the answer is no HTTP, or ended before its end", errno: nil)
        case let error as ChannelError:
            if case .connectTimeout = error {
                return TransportFailure(kind: .noConnection, description: "nobody answered in time", errno: .ETIMEDOUT)
            }
            return TransportFailure(kind: .interrupted, description: "the connection has ended", errno: nil)
        default:
            return TransportFailure(kind: .interrupted, description: "the connection failed: \(type(of: error))", errno: nil)
        }
    }

    private static func of(_ error: HTTPClientError, _ host: String) -> TransportFailure {
        switch error {
        case .cancelled: TransportFailure(kind: .cancelled, description: "the work was cancelled", errno: nil)
        case .readTimeout: TransportFailure(kind: .timedOut, description: "nothing came for too long", errno: nil)
        case .writeTimeout: TransportFailure(kind: .timedOut, description: "nothing was taken for too long", errno: nil)
        case .connectTimeout, .getConnectionFromPoolTimeout, .httpProxyHandshakeTimeout, .tlsHandshakeTimeout:
            TransportFailure(kind: .noConnection, description: "nobody answered in time", errno: .ETIMEDOUT)
        case .proxyAuthenticationRequired:
            TransportFailure(kind: .invalid, description: "the proxy wants other credentials than its address has", errno: nil)
        case .invalidProxyResponse: TransportFailure(kind: .noConnection, description: "the proxy did not connect to \(host)", errno: nil)
        case .invalidURL, .emptyHost, .emptyScheme:
            TransportFailure(kind: .invalid, description: "the address is none", errno: nil)
        default: TransportFailure(kind: .interrupted, description: "the connection has ended (\(error.shortDescription))", errno: nil)
        }
    }

    private static func of(_ error: NIOConnectionError) -> TransportFailure {
        if let one = error.connectionErrors.first?.error as? IOError { return of(Errno(rawValue: one.errnoCode)) }
        if error.connectionErrors.isEmpty {
            return TransportFailure(kind: .noConnection, description: "there is no host of the name '\(error.host)'", errno: nil)
        }
        return TransportFailure(kind: .noConnection, description: "nobody answered", errno: nil)
    }

    private static func of(_ errno: Errno) -> TransportFailure {
        // What a connection that was there says when it ends; anything else is said by one that is not to be had.
        let kind: TransportFailure.Kind = [Errno.ECONNRESET, .EPIPE, .EIO].contains(errno) ? .interrupted : .noConnection
        return TransportFailure(kind: kind, description: "\(errno)", errno: errno)
    }

    private static func of(_ error: NIOSSLError, _ host: String) -> TransportFailure {
        // The library gives BoringSSL's words; only two of them are of interest.
        let text = "\(error)"
        if text.contains("CERTIFICATE_VERIFY_FAILED") {
            return TransportFailure(
                kind: .untrusted,
                description: "the certificate of \(host) is not signed by an authority that is trusted, or is not valid now",
                errno: nil)
        }
        if text.contains("WRONG_VERSION_NUMBER") || text.contains("HTTP_REQUEST") {
            return TransportFailure(kind: .notTLS, description: "\(host) does not speak TLS", errno: nil)
        }
        if case .noCertificateToValidate = error {
            return TransportFailure(kind: .untrusted, description: "\(host) has no certificate", errno: nil)
        }
        if case .uncleanShutdown = error { return TransportFailure(kind: .interrupted, description: "the connection was cut", errno: nil) }
        return TransportFailure(kind: .noConnection, description: "no TLS connection could be made with \(host)", errno: nil)
    }
}
