internal import ArgumentParser
internal import Berth
internal import BerthRegistryServer

/// The registry that a pull-through cache fetches from, as whom Docker's `config.json` says.
struct RegistryUpstream: Sendable {
    private let host: String
    private let registry: Registry
    private let credentials: CredentialFile?

    /// - Parameter text: `HOST`, `HOST:PORT`, or a URL of it.
    init(_ text: String, _ configuration: RegistryConfiguration, environment: [String: String]) throws {
        var host = text[...]
        var configuration = configuration
        if host.hasPrefix("https://") {
            host = host.dropFirst(8)
        } else if host.hasPrefix("http://") {
            host = host.dropFirst(7)
            configuration.insecureRegistries.append(String(host))
        }
        if host.hasSuffix("/") { host = host.dropLast() }
        if ["index.docker.io", "registry-1.docker.io"].contains(host) { host = "docker.io" }
        guard (try? ImageReference(parsing: "\(host)/a/b"))?.registry == String(host) else {
            throw ValidationError("'\(text)' is no registry: say HOST, HOST:PORT or a URL of it")
        }
        self.host = String(host)
        registry = Registry(configuration)
        credentials = environment["DOCKER_CONFIG"] == nil && environment["HOME"] == nil ? nil : CredentialFile(environment: environment)
    }

    /// The repository of the other registry. Credentials are looked up each time: who logs in, or out, need not start this anew.
    func repository(_ path: RepositoryPath) throws(TransferError) -> any ContentSource {
        let reference: ImageReference
        do throws(ImageReference.ParseError) { reference = try ImageReference(parsing: "\(host)/\(path)") } catch {
            throw TransferError(.notFound, error.description)
        }
        let shown: RegistryCredentials?
        do throws(CredentialError) { shown = try credentials?.credentials(for: host) } catch {
            throw TransferError(.unauthorized, "the credentials for \(host) cannot be read: \(error)")
        }
        return registry.repository(RepositoryName(of: reference), credentials: shown)
    }
}
