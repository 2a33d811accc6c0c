import BerthContent
import BerthCredentials
import BerthOCI
import Testing

@testable import BerthRegistry

@Suite("Lists, searches and logins of a registry as a whole")
struct HostTests {
    private func registry(_ peer: Peer, _ change: (inout RegistryConfiguration) -> Void = { _ in }) -> Registry {
        var configuration = RegistryConfiguration()
        configuration.idleTimeout = .seconds(5)
        change(&configuration)
        return Registry(configuration, TestClock().timing)
    }

    @Test func pages() async throws {
        let peer = try await Peer.start { request in
            switch request.target {
            case "/v2/team/app/tags/list?n=1000":
                Reply(200, ["Link": #"</v2/team/app/tags/list?n=1000&last=b>; rel="next""#], json: #"{"name":"x","tags":["a","b"]}"#)
            case "/v2/team/app/tags/list?n=1000&last=b": Reply(200, json: #"{"tags":["c"]}"#)
            case "/v2/_catalog?n=1000": Reply(200, ["Link": #"<_catalog?last=x>; rel="next""#], json: #"{"repositories":["x"]}"#)
            case "/v2/_catalog?last=x": Reply(200, json: #"{"repositories":["y/z"]}"#)
            case "/v2/empty/tags/list?n=1000": Reply(200, json: #"{"tags":null}"#)
            case "/v2/round/tags/list?n=1000": Reply(200, ["Link": #"</v2/round/tags/list?n=1000>; rel="next""#], json: #"{"tags":["a"]}"#)
            case "/v2/away/tags/list?n=1000": Reply(200, ["Link": #"<http://127.0.0.9/x>; rel="next""#], json: #"{"tags":["a"]}"#)
            default: Reply(404)
            }
        }
        #expect(try await peer.repository().tags() == ["a", "b", "c"])
        #expect(try await peer.repository("empty").tags() == [])
        #expect(try await registry(peer).catalogue(of: peer.authority) == ["x", "y/z"])
        for path in ["round", "away"] {
            let repository = try peer.repository(path)
            #expect(await failure { _ = try await repository.tags() }?.code == .badAnswer, "\(path)")
        }
    }

    @Test func search() async throws {
        let peer = try await Peer.start { request in
            request.target == "/v1/search?q=web%20server&n=5"
                ? Reply(
                    200,
                    json:
                        #"{"num_results":1,"results":[{"name":"nginx","description":"d","star_count":7,"is_official":true,"is_automated":false}]}"#
                )
                : Reply(404)
        }
        let registry = registry(peer)
        let found = try await registry.search("web server", in: peer.authority, limit: 5)
        #expect(found.map(\.name) == ["nginx"] && found[0].starCount == 7 && found[0].isOfficial)
        #expect(await failure { _ = try await registry.search("x", in: peer.authority) }?.code == .unsupported)
        #expect(await failure { _ = try await registry.search("x", in: peer.authority, limit: 0) }?.code == .invalid)
    }

    @Test("A login is tried before it is kept; a registry may give an identity token for the password")
    func verify() async throws {
        let password = RegistryCredentials(.password(user: "anna", password: "x"))
        let basic = try await Peer.start { request in
            request.header("Authorization") == Conversation.basic("anna", "x")
                ? Reply(200) : Reply(401, ["WWW-Authenticate": "Basic realm=x"])
        }
        #expect(try await registry(basic).verify(password, for: basic.authority) == password)
        let wrong = RegistryCredentials(.password(user: "anna", password: "y"))
        #expect(await failure { _ = try await registry(basic).verify(wrong, for: basic.authority) }?.code == .unauthorized)

        let bearer = try await Peer.start { request in
            if request.path == "/token" {
                guard request.header("Authorization") == Conversation.basic("anna", "x") else {
                    return Reply(401, json: #"{"details":"incorrect username or password"}"#)
                }
                return Reply(
                    200, json: request.query.contains("offline_token=true") ? #"{"token":"t","refresh_token":"r"}"# : #"{"token":"t"}"#)
            }
            if request.header("Authorization") == "Bearer t" { return Reply(200) }
            return Reply(401, ["WWW-Authenticate": #"Bearer realm="http://\#(request.header("Host") ?? "")/token",service="s""#])
        }
        #expect(
            try await registry(bearer).verify(password, for: bearer.authority)
                == RegistryCredentials(.identityToken(user: "anna", token: "r")))
        let error = await failure { _ = try await registry(bearer).verify(wrong, for: bearer.authority) }
        #expect(error?.code == .unauthorized)
        #expect(error?.description.contains("incorrect username or password") == true)
    }

    @Test("Mirrors are asked first, without the credentials for the registry, and whatever is wrong with them is passed over")
    func mirrors() async throws {
        var sample = SampleRegistry()
        _ = sample.addManifest(#"{"schemaVersion":2,"layers":[]}"#, tag: "v1")
        let origin = try await Peer.start { [sample] in sample.answer($0) }
        let empty = try await Peer.start { _ in Reply(404) }
        let broken = try await Peer.start { _ in Reply(500) }
        let gone = try await Peer.start { _ in Reply(200) }
        try await gone.stop()
        let full = try await Peer.start { [sample] in sample.answer($0) }
        let credentials = RegistryCredentials(.registryToken("secret"))
        func repository(_ mirrors: [Peer], _ change: (inout RegistryConfiguration) -> Void = { _ in }) throws -> RegistryRepository {
            try origin.repository("team/app", credentials) { configuration in
                configuration.mirrors["*"] = mirrors.compactMap { RegistryAddress(parsing: "http://\($0.authority)/") }.map { .init($0) }
                change(&configuration)
            }
        }
        _ = try await repository([gone, empty, broken]).manifest(.tag("v1"))
        #expect(origin.requests.last?.header("Authorization") == "Bearer secret")
        for mirror in [empty, broken] {
            #expect(mirror.requests.count > 0)
            for request in mirror.requests { #expect(request.header("Authorization") == nil) }
        }
        let before = origin.requests.count
        _ = try await repository([empty, full]).manifest(.tag("v1"))
        #expect(origin.requests.count == before)
        #expect(full.requests.last?.path == "/v2/team/app/manifests/v1")
        // What is pushed goes to the registry itself.
        let other = try repository([full]) { $0.mirrors["*"]?.removeAll() }
        _ = try await other.contains(Descriptor(mediaType: .layer, digest: Digest(of: []), byteCount: 0))
        #expect(origin.requests.count > before)
    }

    @Test func rewritesAndOffline() async throws {
        var sample = SampleRegistry()
        _ = sample.addManifest(#"{"schemaVersion":2,"layers":[]}"#, tag: "v1")
        let peer = try await Peer.start { [sample] in sample.answer($0) }
        var configuration = RegistryConfiguration()
        configuration.rewrites = [.init(prefix: "docker.io/library/", replacement: "\(peer.authority)/hub/")]
        let credentials = RegistryCredentials(.registryToken("secret"))
        let nginx = Registry(configuration).repository(RepositoryName(of: try ImageReference(parsing: "nginx")), credentials: credentials)
        _ = try await nginx.manifest(.tag("v1"))
        #expect(peer.requests.last?.path == "/v2/hub/nginx/manifests/v1")
        #expect(peer.requests.last?.header("Authorization") == nil)
        let before = peer.requests.count
        let offline = try peer.repository { $0.isOffline = true }
        #expect(await failure { _ = try await offline.manifest(.tag("v1")) }?.code == .offline)
        #expect(
            await failure { _ = try await offline.contains(Descriptor(mediaType: .layer, digest: Digest(of: []), byteCount: 0)) }?.code
                == .offline)
        #expect(peer.requests.count == before)
    }
}
