import BerthContent
import BerthCredentials
import BerthOCI
import Synchronization
import Testing

@testable import BerthRegistry

@Suite("Who one is, is shown to whom it concerns, and nobody else")
struct AuthorizationTests {
    private static let secret = "s3cret-Wort"
    private let password = RegistryCredentials(.password(user: "anna", password: Self.secret))

    /// A registry that wants a token, which it gives itself at `/token`.
    private func tokenPeer(
        accepted: @escaping @Sendable (String) -> Bool = { $0.hasPrefix("Bearer token-") },
        tokens: @escaping @Sendable (SeenRequest, Int) -> Reply = { _, number in
            Reply(200, json: #"{"token":"token-\#(number)","expires_in":300}"#)
        }
    ) async throws -> Peer {
        var sample = SampleRegistry()
        _ = sample.addManifest(#"{"schemaVersion":2,"config":{},"layers":[]}"#, tag: "v1")
        let count = Atomic<Int>(0)
        return try await Peer.start { [sample] request in
            if request.path == "/token" { return tokens(request, count.wrappingAdd(1, ordering: .relaxed).newValue) }
            if let header = request.header("Authorization"), accepted(header) { return sample.answer(request) }
            let host = request.header("Host") ?? ""
            let challenge = #"Bearer realm="http://\#(host)/token",service="registry.test",scope="repository:team/app:pull""#
            return Reply(401, ["WWW-Authenticate": challenge], Array(#"{"errors":[{"code":"UNAUTHORIZED","message":"who are you"}]}"#.utf8))
        }
    }

    private func tokenRequests(_ peer: Peer) -> [SeenRequest] { peer.requests.filter { $0.path == "/token" } }

    @Test func basic() async throws {
        let good = Conversation.basic("anna", Self.secret)
        let peer = try await Peer.start { request in
            if request.header("Authorization") == good {
                return Reply(200, ["Content-Type": MediaType.manifest.rawValue], Array(#"{"layers":[]}"#.utf8))
            }
            return Reply(
                401, ["WWW-Authenticate": #"Basic realm="here""#],
                Array(#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#.utf8))
        }
        _ = try await peer.repository("a", password).manifest(.tag("x"))
        let nobody = try peer.repository("a")
        let first = await failure { _ = try await nobody.manifest(.tag("x")) }
        #expect(first?.code == .unauthorized)
        #expect(first?.answer == TransferError.Answer(status: 401, code: "UNAUTHORIZED", message: "authentication required"))
        #expect(first?.advice == "you are not logged in to \(peer.authority); run: berth login \(peer.authority)")
        let wrong = try peer.repository("a", RegistryCredentials(.password(user: "anna", password: "other")))
        let second = await failure { _ = try await wrong.manifest(.tag("x")) }
        #expect(second?.code == .unauthorized)
        #expect(second?.advice?.contains("do not allow it") == true)
    }

    @Test("A token is asked for once for what it allows, with the password shown to its server alone")
    func bearer() async throws {
        let peer = try await tokenPeer()
        let repository = try peer.repository("team/app", password)
        for _ in 0..<3 { _ = try await repository.manifest(.tag("v1")) }
        let asked = tokenRequests(peer)
        #expect(asked.count == 1)
        #expect(asked[0].query == "service=registry.test&scope=repository%3Ateam%2Fapp%3Apull&account=anna")
        #expect(asked[0].header("Authorization") == Conversation.basic("anna", Self.secret))
        for request in peer.requests where request.path.contains("/manifests/") {
            #expect(request.header("Authorization")?.hasPrefix("Basic") != true)
        }
    }

    @Test("One's token is never shown for another")
    func apart() async throws {
        let peer = try await tokenPeer()
        var configuration = RegistryConfiguration()
        configuration.idleTimeout = .seconds(5)
        let registry = Registry(configuration, TestClock().timing)
        let name = RepositoryName(of: try ImageReference(parsing: "\(peer.authority)/team/app"))
        let all: [RegistryCredentials?] = [
            nil, password, RegistryCredentials(.password(user: "anna", password: "x")),
            RegistryCredentials(.identityToken(user: "anna", token: Self.secret)),
        ]
        for credentials in all { _ = try await registry.repository(name, credentials: credentials).manifest(.tag("v1")) }
        let shown = peer.requests.filter { $0.path.contains("/manifests/") }.compactMap { $0.header("Authorization") }
        #expect(shown == ["Bearer token-1", "Bearer token-2", "Bearer token-3", "Bearer token-4"])
    }

    @Test func expiry() async throws {
        let clock = TestClock()
        let peer = try await tokenPeer()
        let repository = try peer.repository("team/app", clock: clock)
        _ = try await repository.manifest(.tag("v1"))
        clock.advance(.seconds(269))
        _ = try await repository.manifest(.tag("v1"))
        #expect(tokenRequests(peer).count == 1)
        clock.advance(.seconds(2))
        _ = try await repository.manifest(.tag("v1"))
        #expect(tokenRequests(peer).count == 2)
    }

    @Test("A token that is refused is got anew, once")
    func refresh() async throws {
        let isExpired = Atomic<Bool>(false)
        let peer = try await tokenPeer(accepted: { $0 == "Bearer token-2" || !isExpired.load(ordering: .relaxed) && $0 == "Bearer token-1" }
        )
        let repository = try peer.repository("team/app", password)
        _ = try await repository.manifest(.tag("v1"))
        isExpired.store(true, ordering: .relaxed)
        _ = try await repository.manifest(.tag("v1"))
        #expect(tokenRequests(peer).count == 2)
        let never = try await tokenPeer(accepted: { _ in false })
        let refused = try never.repository("team/app", password)
        #expect(await failure { _ = try await refused.manifest(.tag("v1")) }?.code == .unauthorized)
        #expect(tokenRequests(never).count == 1)
    }

    @Test func identityToken() async throws {
        let peer = try await tokenPeer()
        _ = try await peer.repository("team/app", RegistryCredentials(.identityToken(user: "anna", token: Self.secret))).manifest(
            .tag("v1"))
        let asked = tokenRequests(peer)[0]
        #expect(asked.method == "POST")
        #expect(
            String(decoding: asked.body, as: UTF8.self)
                == "grant_type=refresh_token&refresh_token=\(Self.secret)&client_id=berth&service=registry.test&scope=repository%3Ateam%2Fapp%3Apull"
        )
    }

    @Test("Where the token server has no such page, the password goes by a form")
    func form() async throws {
        let peer = try await tokenPeer(tokens: { request, number in
            request.method == "GET" ? Reply(405) : Reply(200, json: #"{"access_token":"token-\#(number)"}"#)
        })
        _ = try await peer.repository("team/app", password).manifest(.tag("v1"))
        #expect(
            String(decoding: tokenRequests(peer)[1].body, as: UTF8.self).hasPrefix(
                "grant_type=password&username=anna&password=\(Self.secret)&"))
    }

    @Test func redirectsShowNothing() async throws {
        var sample = SampleRegistry()
        let blob = sample.add(SampleRegistry.bytes(1000))
        let other = try await Peer.start { [sample] request in
            // What a store behind a registry has: the same bytes under another name.
            var request = request
            request.target = "/v2/team/app/blobs/\(blob.digest)"
            return sample.answer(request)
        }
        let place = "http://\(other.authority)/store?signature=\(Self.secret)"
        let front = try await Peer.start { request in
            if request.path == "/v2/" { return Reply(200) }
            if request.header("Authorization") == nil { return Reply(401, ["WWW-Authenticate": "Basic"]) }
            return Reply(307, ["Location": place])
        }
        let taken = Taken()
        try await front.repository("team/app", password).fetch(blob, from: 0, into: taken.sink)
        #expect(taken.bytes.count == 1000)
        #expect(front.requests.last?.header("Authorization") == Conversation.basic("anna", Self.secret))
        #expect(other.requests.count == 1)
        #expect(other.requests[0].header("Authorization") == nil)
    }

    @Test(
        "Who is led to by a redirect and asks who one is, is told nothing, and its token server is not asked",
        arguments: ["Basic realm=x", "Bearer"])
    func redirectsAskNothing(_ scheme: String) async throws {
        let other = try await Peer.start { request in
            if request.path == "/token" { return Reply(200, json: #"{"token":"t"}"#) }
            let realm = scheme == "Bearer" ? #"Bearer realm="http://\#(request.header("Host") ?? "")/token",service="s""# : scheme
            return Reply(401, ["WWW-Authenticate": realm])
        }
        let place = "http://\(other.authority)/store"
        let front = try await Peer.start { request in request.path == "/v2/" ? Reply(200) : Reply(307, ["Location": place]) }
        let blob = Descriptor(mediaType: .layer, digest: Digest(of: [1]), byteCount: 1)
        let repository = try front.repository("team/app", password)
        let error = await failure { try await repository.fetch(blob, from: 0) { (_) throws(TransferError) in } }
        #expect(error?.code == .unauthorized)
        #expect(other.requests.map(\.path) == ["/store"])
        #expect(other.requests.allSatisfy { $0.header("Authorization") == nil })
        #expect(front.requests.allSatisfy { $0.header("Authorization") == nil })
    }

    @Test("Nothing that can be shown has a secret in it")
    func secrets() async throws {
        let secrets = [Self.secret, Conversation.basic("anna", Self.secret).dropFirst(6).description]
        let all = [
            password, RegistryCredentials(.identityToken(user: "anna", token: Self.secret)),
            RegistryCredentials(.registryToken(Self.secret)),
        ]
        var texts: [String] = []
        for credentials in all {
            var text = "\(credentials) \(credentials.kind) \(String(reflecting: credentials)) \(String(reflecting: credentials.kind))"
            dump(credentials, to: &text)
            dump([credentials.kind], to: &text)
            texts.append(text)
            for status in [401, 403, 404, 429, 500] {
                let peer = try await Peer.start { request in
                    if request.path == "/token" { return Reply(status, json: #"{"details":"no"}"#) }
                    let host = request.header("Host") ?? ""
                    return Reply(401, ["WWW-Authenticate": #"Bearer realm="http://\#(host)/token?key=\#(Self.secret)",service="x""#])
                }
                let repository = try peer.repository("a", credentials)
                let error = await failure { _ = try await repository.manifest(.tag("x")) }
                var shown = "\(repository) \(error.map(String.init(reflecting:)) ?? "")"
                dump(error, to: &shown)
                dump(repository, to: &shown)
                texts.append(shown)
                #expect(error != nil)
            }
        }
        var configuration = RegistryConfiguration()
        configuration.proxies.http = "http://anna:\(Self.secret)@proxy.test:3128"
        var text = "\(configuration)"
        dump(configuration, to: &text)
        texts.append(text)
        for text in texts { for secret in secrets { #expect(!text.contains(secret)) } }
    }

    @Test func tokenServersThatMayNotBeAsked() async throws {
        for realm in ["ftp://x/", "http://anna:b@127.0.0.1:1/token", "no address"] {
            let peer = try await Peer.start { _ in Reply(401, ["WWW-Authenticate": #"Bearer realm="\#(realm)""#]) }
            let repository = try peer.repository("a", password)
            #expect(await failure { _ = try await repository.manifest(.tag("x")) }?.code == .badAnswer, "\(realm)")
        }
    }

    @Test func endlessTokens() async throws {
        let peer = try await tokenPeer(tokens: { _, _ in
            Reply(200, [:], [UInt8](repeating: 32, count: Conversation.maximumTokenByteCount + 1))
        })
        let repository = try peer.repository("team/app", password)
        let error = await failure { _ = try await repository.manifest(.tag("v1")) }
        #expect(error?.code == .tooLarge)
        #expect(error?.description.contains("\(Conversation.maximumTokenByteCount) bytes") == true)
    }
}
