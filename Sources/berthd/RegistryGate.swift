internal import ArgumentParser
internal import BerthLinux
internal import BerthRegistryServer

/// Where a registry listens, and whom it lets in, of what flags say: of `berthd registry serve`, and of a berthd that serves its images.
struct RegistryGate {
    let host: String
    let port: Int

    /// - Parameter text: `HOST:PORT`, or `:PORT` for every interface.
    init(listening text: String) throws {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]), (0...65535).contains(port) else {
            throw ValidationError("'\(text)' has no port: say HOST:PORT")
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        (self.host, self.port) = (host.isEmpty ? "::" : String(host), port)
    }

    /// The certificate.
    ///
    /// - Parameters:
    ///   - isMeant: whether plain HTTP was asked for.
    ///   - flags: how the flags are called: that of the certificate, of the key, and of plain HTTP.
    func certificate(
        _ chain: String?, _ key: String?, plainHTTP isMeant: Bool, flags: (chain: String, key: String, plain: String)
    ) throws -> RegistryCertificate? {
        switch (chain, key) {
        case (let chain?, let key?): return RegistryCertificate(chainPath: chain, keyPath: key)
        case (nil, nil):
            guard isMeant || ["127.0.0.1", "::1", "localhost"].contains(host) else {
                throw ValidationError(
                    "'\(host):\(port)' would be reached from beyond this machine without TLS: give \(flags.chain) and \(flags.key), or say \(flags.plain) if this is meant."
                )
            }
            return nil
        default: throw ValidationError("\(flags.chain) and \(flags.key) belong together")
        }
    }

    /// Who may do what, where no token server says it.
    static func authentication(
        _ htpasswd: String?, _ allow: [String], otherwise rights: RegistryRights
    ) throws -> RegistryAuthentication {
        let rules = try allow.map { try RegistryRule(parsing: $0) }
        if let htpasswd {
            return .passwords(try PasswordFile(path: htpasswd), rules: rules.isEmpty ? [RegistryRule(.users, "*", rights)] : rules)
        }
        return rules.isEmpty ? .open : .none(rules: rules)
    }
}
