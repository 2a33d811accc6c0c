internal import AsyncHTTPClient
internal import BerthContent
internal import BerthCredentials
internal import BerthReactor
internal import NIOHTTP1
internal import NIOSSL
internal import Synchronization

/// What everybody who asks registries through the same client has in common.
final class RegistryCore: Sendable {
    let configuration: RegistryConfiguration
    let transport: Transport
    let timing: Timing
    let tokens: TokenCache
    let downloads: Slots
    let uploads: Slots
    /// Where files are read, and what comes is handed on.
    let lane = Lane(named: "the registry client", waitingLimit: Lane.sharedWaitingLimit)

    private struct Known {
        /// How a host that may be spoken to with and without TLS is spoken to.
        var schemes: [String: RegistryAddress.Scheme] = [:]
        /// What a host has asked for who one is.
        var challenges: [String: Challenge] = [:]
    }
    private let known = Mutex(Known())
    /// The most hosts of which something is remembered.
    private static let maximumKnownHostCount = 256

    init(_ configuration: RegistryConfiguration, _ timing: Timing, hostAddresses: [String: String]) {
        (self.configuration, self.timing) = (configuration, timing)
        transport = Transport(configuration, hostAddresses: hostAddresses)
        tokens = TokenCache()
        downloads = Slots(count: configuration.maximumDownloadCount)
        uploads = Slots(count: configuration.maximumUploadCount)
    }

    /// How an endpoint is spoken to: it is asked where that is not known.
    func address(of endpoint: Endpoint, _ tls: TLSConfiguration?) async throws(TransferError) -> RegistryAddress {
        if let scheme = endpoint.scheme { return endpoint.address(scheme) }
        let key = endpoint.address(.https).authority
        if let scheme = known.withLock({ $0.schemes[key] }) { return endpoint.address(scheme) }
        var first: (failure: TransportFailure, request: String)?
        for scheme in [RegistryAddress.Scheme.https, .http] {
            let address = endpoint.address(scheme)
            guard let url = URLParts(parsing: "\(address)/v2/") else { throw .invalidRegistry(endpoint.registry) }
            let call = Call(method: .GET, url: url)
            do throws(TransportFailure) {
                // Any answer will do: whether it is a registry is seen when it is asked for something.
                _ = try await transport.execute(call, scheme == .https ? tls : nil)
                known.withLock { known in
                    if known.schemes.count >= Self.maximumKnownHostCount { known.schemes = [:] }
                    known.schemes[key] = scheme
                }
                return address
            } catch {
                if error.kind == .cancelled { throw .cancelled() }
                // What was wrong with TLS is not the matter where it is not spoken.
                if first == nil || first?.failure.kind == .notTLS { first = (error, call.shown) }
            }
        }
        guard let first else { throw .invalidRegistry(endpoint.registry) }
        throw .unreachable(endpoint, first.failure, request: first.request)
    }

    /// Forgets how a host was spoken to: it does not answer any more.
    func forgetScheme(of endpoint: Endpoint) { known.withLock { $0.schemes[endpoint.address(.https).authority] = nil } }

    func challenge(of address: RegistryAddress) -> Challenge? { known.withLock { $0.challenges[address.description] } }

    func remember(_ challenge: Challenge, of address: RegistryAddress) {
        known.withLock { known in
            if known.challenges.count >= Self.maximumKnownHostCount { known.challenges = [:] }
            known.challenges[address.description] = challenge
        }
    }
}

extension TransferError {
    static func invalidRegistry(_ name: String) -> TransferError { TransferError(.invalid, "'\(name)' is no registry's name") }

    static func unreachable(_ endpoint: Endpoint, _ failure: TransportFailure, request: String) -> TransferError {
        let advice: String? =
            switch failure.kind {
            case _ where failure.advice != nil: failure.advice
            case .noConnection: "see whether the name is right, and whether the registry runs and can be reached from here"
            case .notTLS: "if it is to be spoken to without TLS, name it among the insecure registries"
            case .untrusted:
                "if the authority is to be trusted, put its certificate at /etc/docker/certs.d/\(endpoint.address(.https).authority)/ca.crt"
            case .timedOut, .interrupted: "try again"
            default: nil
            }
        return TransferError(
            failure.code, "cannot reach the registry \(endpoint.registry): \(failure.description)", advice: advice, request: request,
            underlying: failure.errno)
    }
}
