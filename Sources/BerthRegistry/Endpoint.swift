internal import BerthContent
internal import BerthCredentials

/// One place where a repository may be found.
struct Endpoint: Hashable, Sendable {
    /// How it is spoken to; `nil` for TLS where it speaks it, else without.
    let scheme: RegistryAddress.Scheme?
    let host: String
    let port: UInt16?
    /// What stands before `/v2/`.
    let pathPrefix: String
    /// The repository's path there; empty where the registry itself is meant.
    let repositoryPath: String
    /// Who one is there.
    let credentials: RegistryCredentials?
    /// Whether its certificate is not looked at.
    let isInsecure: Bool
    /// The name that users know the registry by.
    let registry: String

    func address(_ scheme: RegistryAddress.Scheme) -> RegistryAddress { RegistryAddress(scheme, host: host, port: port, path: pathPrefix) }
}

extension RegistryConfiguration {
    /// Where a repository is read: its mirrors, then its registry.
    func pullEndpoints(of repository: RepositoryName, _ credentials: RegistryCredentials?) -> [Endpoint] {
        let (registry, path) = rewritten(repository)
        // Credentials are for the registry that the user named: one that stands in for it is not that.
        let own = registry == repository.registry ? credentials : nil
        return (mirrors[registry] ?? mirrors["*"] ?? []).map { mirror in
            let address = mirror.address
            return Endpoint(
                scheme: address.scheme, host: address.host, port: address.port, pathPrefix: address.path, repositoryPath: path,
                credentials: mirror.credentials, isInsecure: isInsecure(address.host, address.port), registry: address.authority)
        } + [endpoint(of: registry, path, own)]
    }

    /// Where a repository is written: its registry.
    func pushEndpoint(of repository: RepositoryName, _ credentials: RegistryCredentials?) -> Endpoint {
        endpoint(of: repository.registry, repository.path, credentials)
    }

    func endpoint(of registry: String, _ path: String, _ credentials: RegistryCredentials?) -> Endpoint {
        // The name in references is not the one of the host (Docker's registry package).
        let name = registry == "docker.io" ? "registry-1.docker.io" : registry
        let (host, port) = RegistryAddress.splitting(registry: name)
        let isInsecure = isInsecure(host, port)
        return Endpoint(
            scheme: isInsecure ? nil : .https, host: host, port: port, pathPrefix: "", repositoryPath: path, credentials: credentials,
            isInsecure: isInsecure, registry: registry)
    }

    /// The registry and path that a name is read as.
    func rewritten(_ repository: RepositoryName) -> (registry: String, path: String) {
        let name = repository.description
        for rewrite in rewrites where name.hasPrefix(rewrite.prefix) {
            let new = rewrite.replacement + name.dropFirst(rewrite.prefix.count)
            guard let slash = new.firstIndex(of: "/") else { continue }
            return (String(new[..<slash]), String(new[new.index(after: slash)...]))
        }
        return (repository.registry, repository.path)
    }

    /// Whether a host's certificate is not looked at, and it may be spoken to without TLS.
    func isInsecure(_ host: String, _ port: UInt16?) -> Bool {
        if RegistryAddress.isLoopback(host) { return true }
        let number = IPNumber(host)
        return insecureRegistries.contains { entry in
            if let range = IPRange(entry) { return number.map { range.contains($0) } ?? false }
            let (name, entryPort) = RegistryAddress.splitting(registry: entry)
            return name.lowercased() == host.lowercased() && (entryPort == nil || entryPort == port)
        }
    }
}
