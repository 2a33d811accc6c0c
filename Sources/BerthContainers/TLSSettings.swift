internal import BerthLaunch
internal import BerthLinux

/// How a receiver of logs is spoken to by TLS, by Docker's rules.
struct TLSSettings: Hashable, Sendable {
    private var authorities = ""
    private var certificate = ""
    private var privateKey = ""
    private var verifies = true

    /// With the host's authorities, and without a certificate of one's own.
    init() {}

    /// What options say whose names begin so. That it is not verified is said by the option's being there, whatever its value.
    init(_ options: [String: String], prefix: String) {
        authorities = options[prefix + "ca-cert"] ?? ""
        (certificate, privateKey) = (options[prefix + "cert"] ?? "", options[prefix + "key"] ?? "")
        verifies = options[prefix + "skip-verify"] == nil
    }

    /// - Throws: `unsupported` where the running program cannot speak TLS for a monitor.
    func relay(to endpoint: InternetEndpoint, of address: HostAndPort) throws(ContainerError) -> LogRelay {
        guard LogRelay.isLinked, let program = HostFile.ownProgram() else {
            throw ContainerError(
                .unsupported,
                "failed to initialize logging driver: TLS is spoken by the engine's own program: it must be there, and link the product Berth"
            )
        }
        // No host is this one, as where it is looked up.
        let name = address.host.isEmpty ? "127.0.0.1" : address.host
        var relay = LogRelay(program: program, endpoint: endpoint, serverName: name)
        (relay.authorities, relay.certificate, relay.privateKey, relay.verifies) = (authorities, certificate, privateKey, verifies)
        return relay
    }
}
