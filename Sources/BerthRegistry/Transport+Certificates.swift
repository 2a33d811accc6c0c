internal import AsyncHTTPClient
internal import BerthOCI
internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import Synchronization

// Which certificate is not trusted, and why: TLS itself says no more than that it is not.
extension Transport {
    /// Looks at the certificate that a host shows, in a handshake after which nothing is sent, and says what is wrong with it.
    ///
    /// - Returns: the failure with what was found; as it is, where the certificate cannot be had any more.
    func untrusted(_ failure: TransportFailure, _ call: Call, _ tls: TLSConfiguration?, _ way: WayOut) async -> TransportFailure {
        guard let certificate = await certificate(of: call.url, tls, way), let facts = CertificateFacts(of: certificate) else {
            return failure
        }
        let (host, now) = (call.url.host, Timestamp.now.seconds)
        let shown = "the certificate of \(host), for '\(facts.subject)' and signed by '\(facts.issuer)',"
        let folder = "/etc/docker/certs.d/\(call.url.authority)"
        func told(_ why: String, _ advice: String) -> TransportFailure {
            TransportFailure(kind: .untrusted, description: "\(shown) \(why)", errno: nil, advice: advice)
        }
        if now > facts.notAfter {
            return told(
                "expired at \(Self.time(facts.notAfter)); it is \(Self.time(now)) now",
                "have the registry's certificate renewed; if the time is wrong, set this machine's clock")
        }
        if now < facts.notBefore {
            return told(
                "is not valid before \(Self.time(facts.notBefore)); it is \(Self.time(now)) now",
                "see whether this machine's clock is right")
        }
        if failure.isOfName {
            return told(
                facts.names.isEmpty
                    ? "is for no host's name"
                    : "is for other names: \(facts.names.prefix(Self.maximumShownNameCount).joined(separator: ", "))",
                "name the registry as its certificate does, or have one made for \(host)")
        }
        return told(
            facts.isOwnIssuer
                ? "is signed by nobody else, and is not among what is trusted"
                : "is signed by an authority that is not trusted, or does not show how it comes from one that is",
            "if it is to be trusted, put the \(facts.isOwnIssuer ? "certificate" : "authority's certificate") at \(folder)/ca.crt")
    }

    /// Of a certificate for more names, these are shown.
    private static let maximumShownNameCount = 8

    private static func time(_ seconds: Int64) -> String { Timestamp(nanoseconds: seconds * 1_000_000_000).rfc3339 }

    private func certificate(of url: URLParts, _ tls: TLSConfiguration?, _ way: WayOut) async -> NIOSSLCertificate? {
        let seen = SeenCertificate()
        let client = HTTPClient(
            eventLoopGroupProvider: .shared(MultiThreadedEventLoopGroup.singleton),
            configuration: settings(for: way) { channel in
                channel.eventLoop.makeCompletedFuture {
                    seen.certificate.withLock {
                        $0 = try? channel.pipeline.syncOperations.handler(type: NIOSSLClientHandler.self).peerCertificate
                    }
                    throw SeenCertificate.Enough()
                }
            })
        var request = HTTPClientRequest(url: url.origin)
        request.tlsConfiguration = tls ?? .makeClientConfiguration()
        request.tlsConfiguration?.certificateVerification = .none
        // It ends with an error always: by then the certificate was seen, or there is none to be had.
        _ = try? await client.execute(request, timeout: configuration.connectTimeout.timeAmount)
        try? await client.shutdown()
        return seen.certificate.withLock { $0 }
    }
}

private final class SeenCertificate: Sendable {
    struct Enough: Error {}
    let certificate = Mutex<NIOSSLCertificate?>(nil)
}
