/// The names under which Docker's files and helpers know a registry.
enum ServerAddress {
    /// Docker Hub's, as it was when there was no other registry.
    static let hub = "https://index.docker.io/v1/"

    /// What a registry's credentials are kept under.
    ///
    /// - Parameter registry: its name in references; a URL is shortened to its host.
    static func key(of registry: String) -> String {
        let host = host(of: registry)
        return isHub(host) ? hub : host
    }

    /// The host of an old key, which may have a scheme and a path: `https://registry.example/v1/`.
    static func host(of key: String) -> String {
        var rest = key[...]
        for scheme in ["https://", "http://"] where rest.hasPrefix(scheme) { rest = rest.dropFirst(scheme.count) }
        return String(rest.prefix { $0 != "/" })
    }

    /// All names of Docker Hub mean the same.
    static func isHub(_ host: String) -> Bool { ["docker.io", "index.docker.io", "registry-1.docker.io"].contains(host) }

    /// Whether a key of a file or a helper means a registry.
    static func matches(_ key: String, _ registry: String) -> Bool { self.key(of: key) == self.key(of: registry) }
}
