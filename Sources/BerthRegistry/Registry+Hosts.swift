internal import AsyncHTTPClient
public import BerthContent
public import BerthCredentials
internal import NIOCore
internal import NIOHTTP1

// What is asked of a registry as a whole.
extension Registry {
    /// Lets a registry look at credentials: for a login.
    ///
    /// - Parameter registry: its name as in references: `docker.io`, `localhost:5000`.
    /// - Returns: what is to be kept: an identity token, if the registry gives one instead of the password, else the credentials themselves.
    /// - Throws: `unauthorized` if it does not take them.
    public func verify(_ credentials: RegistryCredentials, for registry: String) async throws(TransferError) -> RegistryCredentials {
        let conversation = try await conversation(with: registry, credentials)
        do throws(Refusal) { return try await conversation.verify(credentials) } catch { throw error.error }
    }

    /// The paths of the repositories that a registry tells of, in its order (`/v2/_catalog`, of the distribution project; many registries have it not).
    ///
    /// - Throws: `unsupported` or `notFound` where it does not tell; `unauthorized`, `denied`.
    public func catalogue(of registry: String, credentials: RegistryCredentials? = nil) async throws(TransferError) -> [String] {
        let conversation = try await conversation(with: registry, credentials)
        let what = "cannot list the repositories of \(registry)"
        let ask = Ask(method: .GET, target: .registry("_catalog?n=1000"), scopes: [.catalogue], what: what, accepted: [200])
        var paths: [String] = []
        try await conversation.pages(ask, what, CataloguePage.self) { page, _ in
            paths += page.repositories ?? []
            return page.repositories?.count ?? 0
        }
        return paths
    }

    /// A repository that was found.
    public struct SearchResult: Hashable, Sendable, Decodable {
        /// The name: `nginx`, `team/app`.
        public let name: String
        /// What its owner says of it.
        public let description: String
        /// How many people marked it.
        public let starCount: Int
        /// Whether the registry itself vouches for it.
        public let isOfficial: Bool

        private enum CodingKeys: String, CodingKey { case name, description, starCount = "star_count", isOfficial = "is_official" }

        /// Decodes; what is not there is empty, or no.
        public init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            name = try values.decode(String.self, forKey: .name)
            description = try values.decodeIfPresent(String.self, forKey: .description) ?? ""
            starCount = try values.decodeIfPresent(Int.self, forKey: .starCount) ?? 0
            isOfficial = try values.decodeIfPresent(Bool.self, forKey: .isOfficial) ?? false
        }
    }

    /// Looks for repositories by words in a registry that offers it (`/v1/search`, as Docker asks).
    ///
    /// - Parameter limit: the most results, 1 to 100.
    /// - Throws: `unsupported` where the registry does not offer it; `invalid` for another limit.
    public func search(_ words: String, in registry: String, limit: Int = 25, credentials: RegistryCredentials? = nil)
        async throws(TransferError) -> [SearchResult]
    {
        guard (1...100).contains(limit) else { throw TransferError(.invalid, "\(limit) is outside of the range of [1, 100]") }
        // Docker Hub has it at the name of its index.
        let conversation = try await conversation(with: registry == "docker.io" ? "index.docker.io" : registry, credentials)
        let query = PercentText.form([("q", words), ("n", "\(limit)")])
        guard let url = URLParts(parsing: "\(conversation.address)/v1/search?\(query)") else { throw .invalidRegistry(registry) }
        let ask = Ask(method: .GET, target: .url(url), scopes: [], what: "cannot search in \(registry)", accepted: [200])
        do throws(TransferError) { return Array(try await conversation.decoded(ask, SearchPage.self).1.results.prefix(limit)) } catch {
            guard [.notFound, .unsupported, .badAnswer].contains(error.code) else { throw error }
            throw TransferError(
                .unsupported, "the registry \(registry) does not offer a search",
                advice: "list its repositories, if it lets you: berth registry ls \(registry)",
                request: error.request, answer: error.answer)
        }
    }

    private func conversation(with registry: String, _ credentials: RegistryCredentials?) async throws(TransferError) -> Conversation {
        try await Conversation(core, core.configuration.endpoint(of: registry, "", credentials))
    }
}

private struct CataloguePage: Decodable { let repositories: [String]? }
private struct SearchPage: Decodable { let results: [Registry.SearchResult] }

extension Conversation {
    fileprivate func verify(_ credentials: RegistryCredentials) async throws(Refusal) -> RegistryCredentials {
        let what = "cannot log in to \(endpoint.registry)"
        let target = Ask.Target.registry("")
        // Asked without showing anything: what it wants to see is to be learnt.
        let call = Call(method: .GET, url: try url(of: target))
        let response: HTTPClientResponse
        do throws(TransportFailure) { response = try await core.transport.execute(call, tls) } catch { throw refusal(error, call) }
        var kept = credentials
        if response.status.code == 401,
            let challenge = Challenge.parse(response.headers["WWW-Authenticate"]).first(where: { $0.scheme == "bearer" }),
            let realm = challenge.parameters["realm"], case .password(let user, _) = credentials.kind
        {
            let key = TokenCache.Key(credentials: credentials, realm: realm, service: challenge.parameters["service"] ?? "", scopes: [])
            if let token = try await token(key, isForLogin: true).refreshToken, !token.isEmpty {
                kept = RegistryCredentials(.identityToken(user: user, token: token))
            }
        }
        _ = try await once(Ask(method: .GET, target: target, scopes: [], what: what, accepted: [200]))
        return kept
    }
}
