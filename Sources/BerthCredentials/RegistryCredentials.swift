/// Who one is towards a registry. Its descriptions, and what a debugger or `dump` shows of it, hold no secret.
public struct RegistryCredentials: Hashable, Sendable {
    /// What there is to show.
    public enum Kind: Hashable, Sendable {
        /// A user's name and password, or what stands for one, such as a personal access token.
        case password(user: String, password: String)
        /// A token that tokens for single requests are got with; it stands for a password that is not known here (OAuth 2 calls it a refresh token).
        case identityToken(user: String, token: String)
        /// A token that is shown to the registry as it is.
        case registryToken(String)
    }
    /// What there is to show; it holds secrets.
    public let kind: Kind

    /// Credentials of that kind.
    public init(_ kind: Kind) { self.kind = kind }

    /// The user's name, where one is known.
    public var user: String? {
        switch kind {
        case .password(let user, _), .identityToken(let user, _): user.isEmpty ? nil : user
        case .registryToken: nil
        }
    }

    /// The secrets in it, for those who must make sure that they are nowhere else.
    package var secrets: [String] {
        switch kind {
        case .password(_, let secret), .identityToken(_, let secret), .registryToken(let secret): secret.isEmpty ? [] : [secret]
        }
    }
}

extension RegistryCredentials: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The kind alone.
    public var description: String {
        switch kind {
        case .password: "credentials (a password)"
        case .identityToken: "credentials (an identity token)"
        case .registryToken: "credentials (a registry token)"
        }
    }
    /// The same.
    public var debugDescription: String { description }
    /// Nothing in it is shown.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension RegistryCredentials.Kind: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The kind alone.
    public var description: String { RegistryCredentials(self).description }
    /// The same.
    public var debugDescription: String { description }
    /// Nothing in it is shown.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
