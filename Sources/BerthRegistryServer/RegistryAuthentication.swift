/// How a registry knows who asks, and what they may do.
///
/// Who may not read a repository learns nothing of it: the answers are the same whether there is such a repository or not, and a blob that another
/// repository has as well is not there.
public enum RegistryAuthentication: Sendable {
    /// Nobody logs in: the rules are about ``RegistryRule/Subject/anyone``.
    case none(rules: [RegistryRule])
    /// Users log in with a name and a password. Over plain HTTP, the passwords can be read by whoever is on the way.
    case passwords(PasswordFile, rules: [RegistryRule])
    /// A token server says who may do what, in tokens that it signs.
    case tokens(TokenAuthority)

    /// Anyone may do anything: for a registry that only its owner reaches.
    public static var open: Self { .none(rules: [RegistryRule(.anyone, "*", .all)]) }
}

/// Who has sent a request.
enum Caller: Sendable {
    case anonymous
    case user(String)
    case bearer(TokenGrant)
}

/// Asks who somebody is, and says what they may do.
struct Gate: Sendable {
    let authentication: RegistryAuthentication

    /// - Throws: 401 for credentials that are wrong, in the same words whatever is wrong with them.
    func identify(_ authorization: String?, for route: Route, needs: RegistryRights) async throws(RegistryFailure) -> Caller {
        guard let authorization else { return .anonymous }
        let parts = authorization.split(separator: " ", maxSplits: 1)
        let (scheme, value) = (parts.first?.lowercased() ?? "", parts.count == 2 ? String(parts[1]).trimmingSpaces() : "")
        switch authentication {
        case .none: return .anonymous
        case .passwords(let file, _):
            guard scheme == "basic", let user = try await file.user(ofBasic: value) else {
                throw unauthorized(route, needs, "the user or the password is wrong")
            }
            return .user(user)
        case .tokens(let authority):
            guard scheme == "bearer", let grant = authority.grant(of: value) else {
                throw unauthorized(route, needs, "the token is not valid, or not any longer", error: "invalid_token")
            }
            return .bearer(grant)
        }
    }

    func rights(of caller: Caller, in path: RepositoryPath) -> RegistryRights {
        switch (authentication, caller) {
        case (.none(let rules), _): rules.reduce(into: []) { $0.formUnion($1.rights(of: nil, in: path)) }
        case (.passwords(_, let rules), .user(let user)): rules.reduce(into: []) { $0.formUnion($1.rights(of: user, in: path)) }
        case (.passwords(_, let rules), _): rules.reduce(into: []) { $0.formUnion($1.rights(of: nil, in: path)) }
        case (.tokens, .bearer(let grant)): grant.rights(in: path)
        case (.tokens, _): []
        }
    }

    /// Lets a request through, or refuses it before anything of the repository is looked at.
    func admit(_ caller: Caller, to route: Route, _ needs: RegistryRights) throws(RegistryFailure) {
        if let path = route.repository {
            guard !rights(of: caller, in: path).isSuperset(of: needs) else { return }
            throw refusal(of: caller, route, needs)
        }
        // Who is to log in is told so first, even where anyone may read something: else clients never would.
        if case .metrics = route { return }
        switch (authentication, caller) {
        case (.none, _), (_, .user): return
        case (_, .bearer(let grant)):
            if case .catalogue = route, !grant.mayList { throw refusal(of: caller, route, needs) }
        case (_, .anonymous): throw unauthorized(route, needs, "log in first")
        }
    }

    private func refusal(of caller: Caller, _ route: Route, _ needs: RegistryRights) -> RegistryFailure {
        let words = "there is no such repository, or you may not do this in it"
        switch (authentication, caller) {
        case (.none, _), (_, .user): return RegistryFailure(403, .denied, words)
        case (_, .anonymous): return unauthorized(route, needs, "log in first")
        case (_, .bearer): return unauthorized(route, needs, words, error: "insufficient_scope")
        }
    }

    private func unauthorized(_ route: Route, _ needs: RegistryRights, _ reason: String, error: String? = nil) -> RegistryFailure {
        let failure = RegistryFailure(401, .unauthorized, reason)
        switch authentication {
        case .none: return failure
        case .passwords: return failure.with("WWW-Authenticate", "Basic realm=\"berth registry\", charset=\"UTF-8\"")
        case .tokens(let authority):
            return failure.with("WWW-Authenticate", authority.challenge(for: route, needs, error: error))
        }
    }
}
