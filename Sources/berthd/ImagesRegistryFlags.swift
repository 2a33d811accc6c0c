internal import ArgumentParser
internal import Berth
internal import BerthRegistryServer
internal import Logging

/// The daemon's own images as a registry, from which other hosts pull: read only, as they are, with no copy.
struct ImagesRegistryFlags: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Serve this engine's images as a registry, read only, so that other hosts can pull them: HOST:PORT, or :PORT for every interface.",
            valueName: "address"))
    var registry: String?
    @Option(help: "That registry's certificate: a file in PEM, and behind it those of its authorities.") var registryTlsCert: String?
    @Option(help: "The certificate's private key: a file in PEM.") var registryTlsKey: String?
    @Flag(help: "Serve that registry beyond this machine without TLS: passwords and images can be read and changed on the way.")
    var registryPlainHttp = false
    @Option(help: "Who may log in to that registry: a file of users and passwords, as htpasswd -B writes it.") var registryHtpasswd: String?
    @Option(
        help: ArgumentHelp(
            "Who may read what of that registry: WHO:REPOSITORIES:pull, such as user=alice:team/*:pull. May be given several times.",
            valueName: "rule"))
    var registryAllow: [String] = []

    /// What serves an engine's images, and where; `nil` where that is not asked for.
    func server(log: Logger) throws -> (@Sendable (Engine) async throws -> RunningRegistry)? {
        guard let registry else {
            let others =
                [registryTlsCert, registryTlsKey, registryHtpasswd].contains { $0 != nil } || registryPlainHttp || !registryAllow.isEmpty
            if others { throw Refusal("the flags --registry-… say how --registry serves: give that as well") }
            return nil
        }
        let gate = try RegistryGate(listening: registry)
        let certificate = try gate.certificate(
            registryTlsCert, registryTlsKey, plainHTTP: registryPlainHttp,
            flags: ("--registry-tls-cert", "--registry-tls-key", "--registry-plain-http"))
        let configuration = RegistryServer.Configuration(
            authentication: try RegistryGate.authentication(registryHtpasswd, registryAllow, otherwise: .pull), tls: certificate, log: log)
        return { engine in
            try await RegistryServer(images: engine.images, content: engine.images.content, configuration).serve(
                host: gate.host, port: gate.port)
        }
    }
}
