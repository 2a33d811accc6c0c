import BerthContent
import BerthLinux
import BerthOCI
import NIOSSL
import Testing

@testable import BerthRegistry

@Suite("A registry's certificate is trusted for the reasons that an operator gives")
struct CertificateTests {
    private func serverTLS(wantsClient: Bool = false) throws -> TLSConfiguration {
        let chain = try NIOSSLCertificate.fromPEMBytes(Array(TestCertificates.server.utf8))
        let key = try NIOSSLPrivateKey(bytes: Array(TestCertificates.serverKey.utf8), format: .pem)
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        if wantsClient {
            configuration.certificateVerification = .noHostnameVerification
            configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(Array(TestCertificates.authority.utf8)))
        }
        return configuration
    }

    /// A certificate directory with these files for the peer.
    private func directory(_ peer: Peer, _ files: [String: String]) throws -> String {
        let path = "/var/tmp/certificates-\(UInt64.random(in: 0...UInt64.max))"
        let directory = try Directory.open("/").makeDirectories(try PathBytes("\(path)/registry.test:\(peer.port)"))
        for (name, text) in files {
            try unsafe directory.replaceFile(try PathBytes(name), with: text.utf8Span.span.bytes, durability: .none)
        }
        return path
    }

    private func fetch(_ peer: Peer, _ directory: String?, insecure: Bool = false, host: String = "registry.test") async throws
        -> TransferError?
    {
        var configuration = RegistryConfiguration()
        configuration.certificateDirectories = directory.map { [$0] } ?? []
        configuration.retries.maximumTryCount = 1
        if insecure { configuration.insecureRegistries = ["\(host):\(peer.port)"] }
        let registry = Registry(
            configuration, TestClock().timing, hostAddresses: ["registry.test": "127.0.0.1", "other.test": "127.0.0.1"])
        let repository = registry.repository(RepositoryName(of: try ImageReference(parsing: "\(host):\(peer.port)/a")))
        let error = await failure { _ = try await repository.manifest(.tag("v1")) }
        if let directory {
            let slash = directory.lastIndex(of: "/")!
            try Directory.open(String(directory[..<slash])).removeTree(try PathBytes(String(directory[directory.index(after: slash)...])))
        }
        return error
    }

    private func answer(_ request: SeenRequest) -> Reply {
        Reply(200, ["Content-Type": MediaType.manifest.rawValue], Array(#"{"layers":[]}"#.utf8))
    }

    @Test func authority() async throws {
        let peer = try await Peer.start(tls: try serverTLS(), answer)
        #expect(try await fetch(peer, try directory(peer, ["ca.crt": TestCertificates.authority])) == nil)
        let error = try await fetch(peer, nil)
        #expect(error?.code == .untrusted)
        #expect(error?.advice?.contains("/etc/docker/certs.d/registry.test:\(peer.port)/ca.crt") == true)
        #expect(try await fetch(peer, nil, insecure: true) == nil)
    }

    @Test func anotherName() async throws {
        let peer = try await Peer.start(tls: try serverTLS(), answer)
        let path = "/var/tmp/certificates-\(UInt64.random(in: 0...UInt64.max))"
        let directory = try Directory.open("/").makeDirectories(try PathBytes("\(path)/other.test:\(peer.port)"))
        try unsafe directory.replaceFile("ca.crt", with: TestCertificates.authority.utf8Span.span.bytes, durability: .none)
        #expect(try await fetch(peer, path, host: "other.test")?.code == .untrusted)
    }

    @Test func client() async throws {
        let peer = try await Peer.start(tls: try serverTLS(wantsClient: true), answer)
        let own = ["ca.crt": TestCertificates.authority, "client.cert": TestCertificates.client, "client.key": TestCertificates.clientKey]
        #expect(try await fetch(peer, try directory(peer, own)) == nil)
        #expect(try await fetch(peer, try directory(peer, ["ca.crt": TestCertificates.authority])) != nil)
    }

    @Test(
        "What cannot be used is named",
        arguments: [
            (["ca.crt": "nonsense"], "ca.crt"), (["a.cert": TestCertificates.client], "a.key"),
            (["a.key": TestCertificates.clientKey], "a.cert"),
            (["a.cert": TestCertificates.client, "a.key": "nonsense"], "a.key"),
        ])
    func unusable(files: [String: String], named: String) async throws {
        let peer = try await Peer.start(tls: try serverTLS(), answer)
        let error = try await fetch(peer, try directory(peer, files))
        #expect(error?.code == .invalid)
        #expect(error?.description.contains(named) == true)
        #expect(peer.requests.isEmpty)
    }

    @Test("A registry that speaks TLS leads nobody to where it is not spoken")
    func downgrade() async throws {
        let plain = try await Peer.start(answer)
        let place = "http://\(plain.authority)/v2/a/manifests/v1"
        let peer = try await Peer.start(tls: try serverTLS()) { _ in Reply(302, ["Location": place]) }
        let error = try await fetch(peer, try directory(peer, ["ca.crt": TestCertificates.authority]))
        #expect(error?.code == .badAnswer)
        #expect(error?.description.contains("https to http") == true)
        #expect(plain.requests.isEmpty)
    }

    @Test("A registry that is not named as insecure is not spoken to without TLS")
    func plain() async throws {
        let peer = try await Peer.start(answer)
        let error = try await fetch(peer, nil)
        #expect(error != nil)
        #expect(peer.requests.isEmpty)
        #expect(try await fetch(peer, nil, insecure: true) == nil)
    }
}
