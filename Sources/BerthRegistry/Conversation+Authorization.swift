internal import AsyncHTTPClient
internal import BerthContent
internal import BerthCredentials
internal import BerthReactor
internal import FoundationEssentials
internal import NIOCore
internal import NIOHTTP1
internal import NIOSSL

// Who one is, in the forms in which registries ask for it (OCI distribution specification leaves it open; RFC 7617, RFC 6750, and the distribution
// project's token specification).
extension Conversation {
    /// The most bytes of a token server's answer.
    static let maximumTokenByteCount = 1 << 20

    /// What to show before it is asked for: `nil` where nothing is known to be wanted, or nothing is there to show.
    func authorization(for scopes: [Scope]) async throws(Refusal) -> String? {
        if case .registryToken(let token)? = endpoint.credentials?.kind { return "Bearer \(token)" }
        guard let challenge = core.challenge(of: address) else { return nil }
        return try await authorization(challenge, scopes)
    }

    /// What to show to a registry that has not accepted what was shown.
    ///
    /// - Returns: `nil` if there is nothing else to show.
    func authorization(answering response: HTTPClientResponse, for scopes: [Scope], instead refused: String?) async throws(Refusal)
        -> String?
    {
        let challenges = Challenge.parse(response.headers["WWW-Authenticate"])
        if case .registryToken? = endpoint.credentials?.kind { return nil }
        // A token is worth less to a thief than a password.
        guard
            let challenge = challenges.first(where: { $0.scheme == "bearer" && $0.parameters["realm"] != nil })
                ?? challenges.first(where: { $0.scheme == "basic" })
        else { return nil }
        if let refused, refused.hasPrefix("Bearer "), let key = tokenKey(challenge, scopes) { core.tokens.remove(key) }
        core.remember(challenge, of: address)
        let next = try await authorization(challenge, scopes)
        return next == refused ? nil : next
    }

    private func authorization(_ challenge: Challenge, _ scopes: [Scope]) async throws(Refusal) -> String? {
        if challenge.scheme == "basic" {
            guard case .password(let user, let password)? = endpoint.credentials?.kind else { return nil }
            return Self.basic(user, password)
        }
        guard let key = tokenKey(challenge, scopes) else { return nil }
        if let token = core.tokens.token(key, now: core.timing.monotonic()) { return "Bearer \(token)" }
        let document = try await token(key, isForLogin: false)
        guard let token = document.bearer else {
            throw Refusal(
                TransferError(.badAnswer, "the token server of \(endpoint.registry) gave no token", request: "GET \(Self.shown(key.realm))")
            )
        }
        // Servers that do not say how long mean a minute (token specification, expires_in).
        core.tokens.insert(token, key, now: core.timing.monotonic(), lifetimeSeconds: min(max(document.expiresIn ?? 60, 60), 86_400))
        return "Bearer \(token)"
    }

    private func tokenKey(_ challenge: Challenge, _ scopes: [Scope]) -> TokenCache.Key? {
        guard let realm = challenge.parameters["realm"] else { return nil }
        let asked = challenge.parameters["scope"]?.split(separator: " ").compactMap { Scope(parsing: $0) } ?? []
        // What a challenge asked for once belongs to what was asked then: only what concerns the same things counts.
        let own = Set(scopes.map(\.resource))
        return TokenCache.Key(
            credentials: endpoint.credentials, realm: realm, service: challenge.parameters["service"] ?? "",
            scopes: Scope.union(scopes, asked.filter { scopes.isEmpty || own.contains($0.resource) }))
    }

    /// Asks a token server, again where that may help.
    func token(_ key: TokenCache.Key, isForLogin: Bool) async throws(Refusal) -> TokenDocument {
        guard let realm = URLParts(parsing: key.realm), realm.userInformation == nil else {
            throw Refusal(TransferError(.badAnswer, "the registry \(endpoint.registry) names a token server that has no valid address"))
        }
        guard realm.scheme == .https || address.scheme == .http else {
            throw Refusal(
                TransferError(
                    .badAnswer, "the registry \(endpoint.registry) speaks TLS and names a token server that does not: it is not asked",
                    request: "GET \(realm.shown)"))
        }
        let fields = [("service", key.service)].filter { !$0.1.isEmpty } + key.scopes.map { ("scope", $0.description) }
        switch endpoint.credentials?.kind {
        case .identityToken(_, let token)?:
            let form =
                [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", core.configuration.userAgent)] + joined(fields)
            return try await document(post(form, to: realm))
        case .password(let user, let password)?:
            do throws(Refusal) {
                let query =
                    fields + [("account", user)]
                    + (isForLogin ? [("offline_token", "true"), ("client_id", core.configuration.userAgent)] : [])
                var call = get(query, from: realm)
                call.headers.add(name: "Authorization", value: Self.basic(user, password))
                return try await document(call)
            } catch {
                // A server of OAuth 2 alone has no such page.
                guard [404, 405].contains(error.error.answer?.status) else { throw error }
                let form =
                    [("grant_type", "password"), ("username", user), ("password", password), ("client_id", core.configuration.userAgent)]
                    + joined(fields) + (isForLogin ? [("access_type", "offline")] : [])
                return try await document(post(form, to: realm))
            }
        case .registryToken?, nil:
            return try await document(get(fields, from: realm))
        }
    }

    /// In a form, scopes are one field (RFC 6749, 3.3).
    private func joined(_ fields: [(String, String)]) -> [(String, String)] {
        let scopes = fields.filter { $0.0 == "scope" }.map(\.1)
        return fields.filter { $0.0 != "scope" } + (scopes.isEmpty ? [] : [("scope", scopes.joined(separator: " "))])
    }

    private func get(_ query: [(String, String)], from realm: URLParts) -> Call {
        var url = realm
        url.query = [url.query, PercentText.form(query)].filter { !$0.isEmpty }.joined(separator: "&")
        return Call(method: .GET, url: url)
    }

    private func post(_ form: [(String, String)], to realm: URLParts) -> Call {
        var call = Call(method: .POST, url: realm, body: .bytes(ByteBuffer(string: PercentText.form(form))))
        call.headers.add(name: "Content-Type", value: "application/x-www-form-urlencoded")
        return call
    }

    private func document(_ call: Call) async throws(Refusal) -> TokenDocument {
        var failedCount = 0
        while true {
            do throws(Refusal) { return try await documentOnce(call) } catch {
                failedCount += 1
                // A token server's refusal is final for the request that needs it, once it has been asked often enough here.
                do throws(TransferError) { try await pause(after: error, failedCount: failedCount, hasBegun: false) } catch {
                    throw Refusal(error)
                }
            }
        }
    }

    private func documentOnce(_ call: Call) async throws(Refusal) -> TokenDocument {
        let settings = try await tls(for: call.url)
        let response: HTTPClientResponse
        do throws(TransportFailure) { response = try await core.transport.execute(call, settings) } catch { throw refusal(error, call) }
        let status = Int(response.status.code)
        let body: [UInt8]
        do {
            body = Array(try await response.body.collect(upTo: Self.maximumTokenByteCount).readableBytesView)
        } catch is NIOTooManyBytesError {
            throw Refusal(
                TransferError(
                    .tooLarge, "the token server of \(endpoint.registry) sends more than \(Self.maximumTokenByteCount) bytes",
                    request: call.shown))
        } catch { throw refusal(Transport.failure(error, call.url.host), call) }
        guard status == 200 else {
            let answer = ErrorDocument.answer(status: status, body)
            let after = RetryPolicy.retryAfter(response.headers.first(name: "Retry-After"), now: core.timing.wall())
            // OAuth 2 answers a wrong password with 400 (RFC 6749, 5.2).
            let meant =
                status == 400 && answer.code == "invalid_grant"
                ? TransferError.Answer(status: 401, code: answer.code, message: answer.message) : answer
            throw Refusal(
                .refusal(
                    "the token server of \(endpoint.registry) gives no token", meant, request: call.shown, registry: endpoint.registry,
                    isKnown: endpoint.credentials != nil, after: after), retry: .status(status, retryAfter: after))
        }
        do { return try JSONDecoder().decode(TokenDocument.self, from: Data(body)) } catch {
            throw Refusal(
                TransferError(
                    .badAnswer, "the token server of \(endpoint.registry) answers with something that is no token", request: call.shown))
        }
    }

    /// How TLS is spoken with a token server: as with a registry of its name.
    private func tls(for url: URLParts) async throws(Refusal) -> TLSConfiguration? {
        guard url.scheme == .https else { return nil }
        let server = Endpoint(
            scheme: .https, host: url.host, port: url.port, pathPrefix: "", repositoryPath: "", credentials: nil,
            isInsecure: core.configuration.isInsecure(url.host, url.port), registry: url.host)
        let directories = core.configuration.certificateDirectories
        do throws(TransferError) {
            return try await core.lane.run { () throws(TransferError) in
                try CertificateDirectory.configuration(for: server, in: directories)
            }
        } catch { throw Refusal(error) }
    }

    static func basic(_ user: String, _ password: String) -> String {
        "Basic " + Data("\(user):\(password)".utf8).base64EncodedString()
    }

    private static func shown(_ url: String) -> String { URLParts(parsing: url)?.shown ?? "the token server" }
}

/// What a token server answers (distribution project, *Token Authentication Specification*; RFC 6749, 5.1). Holds secrets.
struct TokenDocument: Decodable, CustomStringConvertible {
    private let token: String?
    private let accessToken: String?
    let expiresIn: Int64?
    let refreshToken: String?

    private enum CodingKeys: String, CodingKey {
        case token, accessToken = "access_token", expiresIn = "expires_in", refreshToken = "refresh_token"
    }

    /// What is shown to the registry: a header's worth of visible characters.
    var bearer: String? {
        [token, accessToken].compactMap(\.self).first { text in
            !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }
        }
    }
    var description: String { "a token" }
}
