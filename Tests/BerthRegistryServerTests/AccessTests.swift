import BerthContent
import BerthOCI
@testable import BerthRegistryServer
import Crypto
import CryptoExtras
import Foundation
import NIOHTTP1
import Testing

private typealias Digest = BerthOCI.Digest

@Suite("Who may do what in a registry")
struct AccessTests {
    /// `secret` and `other`, as htpasswd -B hashes them with the least work.
    private static let users = """
        # users
        alice:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW

        bob:$2b$04$abcdefghijklmnopqrstuu0HtfOlPbTiymk5tcV.3TsFPDd3SYZqu
        """

    private func passwords(_ rules: String...) throws -> RegistryServer.Configuration {
        .init(authentication: .passwords(try PasswordFile(text: Self.users), rules: try rules.map { try RegistryRule(parsing: $0) }))
    }

    private func basic(_ text: String) -> String { "Basic " + Data(text.utf8).base64EncodedString() }

    @Test("Who has not logged in is asked to, and who has may do what a rule says")
    func passwords() async throws {
        try await withRegistry(.init(), try passwords("user=alice:team/*:pull,push", "users:public:pull")) { peer, _ async throws in
            let wrong = [
                "alice:wrong", "alice:other", "nobody:secret", "nobody:other", "alice", "alice:secret\0x", ":secret",
            ]
            let otherScheme = basic("alice:secret").replacing("Basic", with: "Bearer")
            for credentials in [nil, "Basic !", "Basic", "Bearer x", "x", otherScheme] + wrong.map(basic) {
                let answer = try await Peer(port: peer.port, credentials: credentials).send(.GET, "/v2/")
                #expect(answer.status == 401 && answer.code == "UNAUTHORIZED")
                #expect(answer["WWW-Authenticate"] == "Basic realm=\"berth registry\", charset=\"UTF-8\"")
            }
            let alice = Peer(port: peer.port, credentials: basic("alice:secret"))
            #expect(try await alice.send(.GET, "/v2/").status == 200)
            let image = try await alice.pushImage("team/x", "t")
            #expect(try await alice.send(.GET, "/v2/team/x/manifests/t").bytes == image.bytes)
            let denied = try await alice.send(.DELETE, "/v2/team/x/manifests/t")
            #expect(denied.status == 403 && denied.code == "DENIED")
            #expect(try await alice.send(.GET, "/v2/_catalog").text == "{\"repositories\":[\"team/x\"]}")
            let bob = Peer(port: peer.port, credentials: basic("bob:other"))
            #expect(try await bob.send(.GET, "/v2/_catalog").text == "{\"repositories\":[]}")
            #expect(try await bob.send(.GET, "/v2/public/tags/list").status == 404)
            #expect(try await bob.send(.POST, "/v2/public/blobs/uploads/").status == 403)
        }
    }

    @Test("Without rights, what is there and what is not are answered alike, also where another repository has the blob")
    func nothingLeaks() async throws {
        try await withRegistry(.init(), try passwords("user=alice:*:*", "user=bob:own:pull,push")) { peer, _ async throws in
            let alice = Peer(port: peer.port, credentials: basic("alice:secret"))
            let bob = Peer(port: peer.port, credentials: basic("bob:other"))
            let image = try await alice.pushImage("there", "t")
            let place = try await alice.beginUpload(to: "there")
            for caller in [bob, peer] {
                for (method, path) in [
                    (.GET, "manifests/t"), (.HEAD, "manifests/t"), (.PUT, "manifests/t"), (.DELETE, "manifests/t"),
                    (.GET, "blobs/\(image.layer)"),
                    (.HEAD, "blobs/\(image.layer)"), (.DELETE, "blobs/\(image.layer)"), (.GET, "tags/list"),
                    (.GET, "referrers/\(image.manifest)"),
                    (.POST, "blobs/uploads/"), (.GET, "blobs/uploads/\(place.split(separator: "/").last!)"), (.PATCH, "blobs/uploads/x"),
                ] as [(HTTPMethod, String)] {
                    let there = try await caller.send(method, "/v2/there/\(path)")
                    let missing = try await caller.send(method, "/v2/missing/\(path)")
                    #expect(there.status == missing.status && [401, 403].contains(there.status), "\(method) \(path)")
                    #expect(there.bytes == missing.bytes && there.headers.map(\.name) == missing.headers.map(\.name))
                }
            }
            // A blob of a repository that bob may not read is not there for him: neither to read nor to mount nor to name.
            #expect(try await bob.send(.HEAD, "/v2/own/blobs/\(image.layer)").status == 404)
            for query in ["?mount=\(image.layer)&from=there", "?mount=\(image.layer)&from=missing", "?mount=\(image.layer)"] {
                #expect(try await bob.send(.POST, "/v2/own/blobs/uploads/\(query)").status == 202)
            }
            #expect(try await bob.put(image.bytes, "own", "t").code == "MANIFEST_BLOB_UNKNOWN")
            // His upload is not alice's either: an id is of one repository.
            let own = place.replacingOccurrences(of: "/v2/there/", with: "/v2/own/")
            #expect(try await bob.send(.GET, own).status == 404)
        }
    }

    @Test("Anyone may read where a rule says so; whoever is to push is asked to log in first")
    func anonymous() async throws {
        try await withRegistry(.init(), try passwords("anyone:*:pull", "users:*:push,pull")) { peer, _ async throws in
            let alice = Peer(port: peer.port, credentials: basic("alice:secret"))
            let image = try await alice.pushImage("a", "t")
            #expect(try await peer.send(.GET, "/v2/a/manifests/t").bytes == image.bytes)
            #expect(try await peer.send(.GET, "/v2/").status == 401)
            #expect(try await peer.send(.POST, "/v2/a/blobs/uploads/").status == 401)
        }
    }

    @Test("Rules without a login")
    func readOnly() async throws {
        try await withRegistry(.init(), .init(authentication: .none(rules: [RegistryRule(.anyone, "public/*", .pull)]))) {
            peer, _ async throws in
            #expect(try await peer.send(.GET, "/v2/").status == 200)
            #expect(try await peer.send(.GET, "/v2/public/a/tags/list").status == 404)
            #expect(try await peer.send(.GET, "/v2/publicity/tags/list").status == 403)
            #expect(try await peer.send(.POST, "/v2/public/a/blobs/uploads/").status == 403)
        }
    }

    @Test(
        "What is no rule and no password file says what is wrong",
        arguments: [
            "alice:*:pull", "user=:*:pull", "users:UP:pull", "users:a*:pull", "users:*:write", "users:*:", "users:*", "users:*:pull:push",
        ])
    func invalidRules(text: String) {
        #expect { _ = try RegistryRule(parsing: text) } throws: { ($0 as? RegistryServerError)?.code == .invalid }
    }

    @Test(
        "Password files",
        arguments: [
            "alice", ":x", "alice:secret", "alice:$apr1$x$y", "alice:{SHA}x", "alice:$2b$04$x",
            "alice:$5$" + String(repeating: "x", count: 57),
            ":$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW",
        ])
    func invalidPasswords(text: String) {
        #expect { _ = try PasswordFile(text: text) } throws: { error in
            let error = error as? RegistryServerError
            return error?.code == .invalid && error?.description.contains("secret") == false
        }
    }

    // MARK: tokens

    private static let time: Int64 = 1_700_000_000

    private func authority(_ key: String) throws -> TokenAuthority {
        try TokenAuthority(realm: "https://auth.test/token", service: "registry", issuer: "auth", publicKey: key, now: { Self.time })
    }

    private func encoded(_ text: String) -> String {
        Data(text.utf8).base64EncodedString().replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_")
            .replacingOccurrences(of: "=", with: "")
    }

    private func claims(
        _ access: String = "", issuer: String = "auth", audience: String = "\"registry\"", expires: Int64 = time + 300, before: Int64 = time
    ) -> String {
        "{\"iss\":\"\(issuer)\",\"aud\":\(audience),\"exp\":\(expires),\"nbf\":\(before),\"access\":[\(access)]}"
    }

    private func token(_ claims: String, by key: P256.Signing.PrivateKey, algorithm: String = "ES256") throws -> String {
        let text = "\(encoded("{\"alg\":\"\(algorithm)\"}")).\(encoded(claims))"
        let signature = try key.signature(for: Data(text.utf8)).rawRepresentation.base64EncodedString()
        return
            "\(text).\(signature.replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_").replacingOccurrences(of: "=", with: ""))"
    }

    private func access(_ name: String, _ actions: String) -> String {
        "{\"type\":\"repository\",\"name\":\"\(name)\",\"actions\":[\(actions.split(separator: ",").map { "\"\($0)\"" }.joined(separator: ","))]}"
    }

    @Test("A token is valid by its key, its issuer, its audience and its time")
    func tokens() throws {
        let key = P256.Signing.PrivateKey()
        let authority = try authority(key.publicKey.pemRepresentation)
        let pull = access("a", "pull")
        let right = try token(claims(pull), by: key)
        #expect(authority.grant(of: right)?.repositories == ["a": .pull])
        #expect(authority.grant(of: try token(claims(pull, audience: "[\"x\",\"registry\"]"), by: key)) != nil)
        #expect(authority.grant(of: try token(claims(pull, expires: Self.time - 59), by: key)) != nil)
        for wrong in [
            try token(claims(pull), by: P256.Signing.PrivateKey()), try token(claims(pull, issuer: "x"), by: key),
            try token(claims(pull, audience: "\"x\""), by: key), try token(claims(pull, expires: Self.time - 61), by: key),
            try token(claims(pull, before: Self.time + 61), by: key), try token(claims(pull), by: key, algorithm: "none"),
            try token(claims(pull), by: key, algorithm: "RS256"), try token("{}", by: key), String(right.dropLast(2)), "a.b.c", "",
            right + ".x",
            encoded("{\"alg\":\"none\"}") + "." + encoded(claims(pull)) + ".",
        ] { #expect(authority.grant(of: wrong) == nil, "\(wrong)") }
    }

    @Test("A token is read up to a length, and not looked at beyond it")
    func longTokens() throws {
        let key = P256.Signing.PrivateKey()
        let authority = try authority(key.publicKey.pemRepresentation)
        func long(_ count: Int) throws -> String {
            try token(claims(access("a", "pull"), issuer: "auth", audience: audience(count)), by: key)
        }
        func audience(_ count: Int) -> String { "[\"registry\",\"\(String(repeating: "x", count: count))\"]" }
        #expect(authority.grant(of: try long(8_000)) != nil)
        #expect(authority.grant(of: try long(TokenAuthority.maximumByteCount)) == nil)
    }

    @Test("An authority has names that can stand in a header", arguments: ["", "a b", "a\"b", "a\\b", "a\r\nb", "\u{e4}"])
    func authorityNames(text: String) throws {
        let key = P256.Signing.PrivateKey().publicKey.pemRepresentation
        for (realm, service, issuer) in [(text, "s", "i"), ("r", text, "i"), ("r", "s", text)] {
            #expect {
                _ = try TokenAuthority(realm: realm, service: service, issuer: issuer, publicKey: key)
            } throws: { ($0 as? RegistryServerError)?.description.contains("cannot be the") == true }
        }
    }

    @Test("A token signed by RSA")
    func rsa() throws {
        let key = try _RSA.Signing.PrivateKey(keySize: .bits2048)
        let text = "\(encoded("{\"alg\":\"RS256\"}")).\(encoded(claims(access("a", "*"))))"
        let signature = try key.signature(for: SHA256.hash(data: Data(text.utf8)), padding: .insecurePKCS1v1_5).rawRepresentation
        let words = signature.base64EncodedString().replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_")
        let grant = try authority(key.publicKey.pemRepresentation).grant(of: "\(text).\(words.replacingOccurrences(of: "=", with: ""))")
        #expect(grant?.repositories == ["a": .all])
        #expect(throws: RegistryServerError.self) { _ = try authority("no key") }
    }

    @Test("Who has no token that suffices is told which to get")
    func challenge() async throws {
        let key = P256.Signing.PrivateKey()
        try await withRegistry(.init(), .init(authentication: .tokens(try authority(key.publicKey.pemRepresentation)))) {
            peer, _ async throws in
            let realm = "Bearer realm=\"https://auth.test/token\",service=\"registry\""
            #expect(try await peer.send(.GET, "/v2/")["WWW-Authenticate"] == realm)
            #expect(try await peer.send(.GET, "/v2/a/tags/list")["WWW-Authenticate"] == realm + ",scope=\"repository:a:pull\"")
            #expect(try await peer.send(.POST, "/v2/a/blobs/uploads/")["WWW-Authenticate"] == realm + ",scope=\"repository:a:pull,push\"")
            #expect(try await peer.send(.GET, "/v2/_catalog")["WWW-Authenticate"] == realm + ",scope=\"registry:catalog:*\"")
            let reader = Peer(port: peer.port, credentials: "Bearer \(try token(claims(access("a", "pull")), by: key))")
            #expect(try await reader.send(.GET, "/v2/a/tags/list").status == 404)
            for path in ["/v2/a/blobs/uploads/", "/v2/b/blobs/uploads/"] {
                let refused = try await reader.send(.POST, path)
                #expect(refused.status == 401 && refused["WWW-Authenticate"]?.hasSuffix(",error=\"insufficient_scope\"") == true)
            }
            #expect(try await reader.send(.GET, "/v2/_catalog").status == 401)
            let writer = Peer(port: peer.port, credentials: "Bearer \(try token(claims(access("a", "pull,push")), by: key))")
            let image = try await writer.pushImage("a", "t")
            #expect(try await reader.send(.GET, "/v2/a/manifests/t").bytes == image.bytes)
            let lister = "{\"type\":\"registry\",\"name\":\"catalog\",\"actions\":[\"*\"]}"
            let all = Peer(port: peer.port, credentials: "Bearer \(try token(claims(lister), by: key))")
            #expect(try await all.send(.GET, "/v2/_catalog").text == "{\"repositories\":[\"a\"]}")
            for credentials in ["Bearer x", "Basic \(try token(claims(access("a", "pull")), by: key))"] {
                let wrong = try await Peer(port: peer.port, credentials: credentials).send(.GET, "/v2/a/tags/list")
                #expect(wrong.status == 401 && wrong["WWW-Authenticate"]?.hasSuffix(",error=\"invalid_token\"") == true)
            }
        }
    }
}
