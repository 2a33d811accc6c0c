import BerthContent
import BerthCredentials
import BerthLinux
import BerthOCI
import NIOSSL
import Testing

@testable import BerthRegistry

@Suite("A registry's certificate is trusted for the reasons that an operator gives")
struct CertificateTests {
    private func serverTLS(
        wantsClient: Bool = false, _ certificate: String = TestCertificates.server, _ key: String = TestCertificates.serverKey
    ) throws -> TLSConfiguration {
        let chain = try NIOSSLCertificate.fromPEMBytes(Array(certificate.utf8))
        let key = try NIOSSLPrivateKey(bytes: Array(key.utf8), format: .pem)
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

    /// What asking a peer throws.
    ///
    /// - Parameter work: what is asked; a manifest, if nothing else.
    private func fetch(
        _ peer: Peer, _ directory: String?, insecure: Bool = false, host: String = "registry.test",
        _ credentials: RegistryCredentials? = nil,
        uploadingBy chunk: Int? = nil, _ work: (RegistryRepository) async throws -> Void = { _ = try await $0.manifest(.tag("v1")) }
    ) async throws -> TransferError? {
        var configuration = RegistryConfiguration()
        configuration.certificateDirectories = directory.map { [$0] } ?? []
        configuration.retries.maximumTryCount = 1
        configuration.uploadChunkByteCount = chunk.map(UInt64.init)
        if insecure { configuration.insecureRegistries = ["\(host):\(peer.port)"] }
        let registry = Registry(
            configuration, TestClock().timing, hostAddresses: ["registry.test": "127.0.0.1", "other.test": "127.0.0.1"])
        let name = RepositoryName(of: try ImageReference(parsing: "\(host):\(peer.port)/a"))
        let repository = registry.repository(name, credentials: credentials)
        let error = await failure { try await work(repository) }
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
        #expect(error?.advice?.contains("the authority's certificate at /etc/docker/certs.d/registry.test:\(peer.port)/ca.crt") == true)
        #expect(
            error?.reason.hasSuffix(
                "the certificate of registry.test, for 'CN=berth test server' and signed by 'CN=Berth test authority', is signed by an authority that is not trusted, or does not show how it comes from one that is"
            ) == true)
        // What was looked at was not asked anything.
        #expect(peer.requests.count == 1)
        #expect(try await fetch(peer, nil, insecure: true) == nil)
    }

    @Test func anotherName() async throws {
        let peer = try await Peer.start(tls: try serverTLS(), answer)
        let path = "/var/tmp/certificates-\(UInt64.random(in: 0...UInt64.max))"
        let directory = try Directory.open("/").makeDirectories(try PathBytes("\(path)/other.test:\(peer.port)"))
        try unsafe directory.replaceFile("ca.crt", with: TestCertificates.authority.utf8Span.span.bytes, durability: .none)
        let error = try await fetch(peer, path, host: "other.test")
        #expect(error?.code == .untrusted)
        #expect(error?.reason.hasSuffix("is for other names: registry.test, 127.0.0.2") == true, "\(String(describing: error))")
        #expect(error?.advice?.contains("other.test") == true)
    }

    @Test("A certificate that is not valid now says when it is", arguments: [true, false])
    func dates(isExpired: Bool) async throws {
        let certificate = isExpired ? TestCertificates.expired : TestCertificates.future
        let peer = try await Peer.start(tls: try serverTLS(certificate, TestCertificates.ownKey), answer)
        // It is trusted otherwise.
        for trusted in [[:], ["ca.crt": certificate]] {
            let error = try await fetch(peer, try directory(peer, trusted))
            #expect(error?.code == .untrusted)
            let words = isExpired ? "expired at 2020-02-01T00:00:00Z; it is 20" : "is not valid before 2120-01-01T00:00:00Z; it is 20"
            let name = "'CN=\(isExpired ? "old" : "young") server, O=Berth'"
            #expect(error?.reason.contains("for \(name) and signed by \(name), ") == true)
            #expect(error?.reason.contains(words) == true, "\(String(describing: error))")
            #expect(error?.advice?.contains("clock") == true)
        }
        #expect(peer.requests.isEmpty)
    }

    @Test("What stands in a certificate is read from any bytes, and steers no terminal")
    func facts() throws {
        let certificate = try #require(try NIOSSLCertificate.fromPEMBytes(Array(TestCertificates.server.utf8)).first)
        let facts = try #require(CertificateFacts(of: certificate))
        #expect(facts.subject == "CN=berth test server" && facts.issuer == "CN=Berth test authority" && !facts.isOwnIssuer)
        #expect(facts.names == ["registry.test", "127.0.0.2"])
        #expect(facts.notBefore < facts.notAfter && facts.notAfter > 4_900_000_000)
        var bytes = try certificate.toDERBytes()
        for count in bytes.indices { _ = CertificateFacts(der: Array(bytes[..<count]), notBefore: 0, notAfter: 0) }
        for index in bytes.indices {
            bytes[index] ^= 0xff
            _ = CertificateFacts(der: bytes, notBefore: 0, notAfter: 0)
            bytes[index] ^= 0xff
        }
        let name = try #require(bytes.firstRange(of: Array("berth test server".utf8)))
        bytes[name.lowerBound] = 0x1b
        #expect(CertificateFacts(der: bytes, notBefore: 0, notAfter: 0)?.subject == "CN=?erth test server")
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

    @Test("A registry that speaks TLS has nobody's password shown to a token server that does not")
    func plainTokenServer() async throws {
        let plain = try await Peer.start { _ in Reply(200, json: #"{"token":"t"}"#) }
        let realm = #"Bearer realm="http://\#(plain.authority)/token",service="s""#
        let peer = try await Peer.start(tls: try serverTLS()) { _ in Reply(401, ["WWW-Authenticate": realm]) }
        let credentials = RegistryCredentials(.password(user: "anna", password: "secret"))
        let error = try await fetch(peer, try directory(peer, ["ca.crt": TestCertificates.authority]), credentials)
        #expect(error?.code == .badAnswer)
        #expect(error?.description.contains("names a token server that does not") == true)
        #expect(plain.requests.isEmpty)
    }

    @Test("A registry that speaks TLS has nothing sent to where it is not spoken", arguments: ["POST", "PATCH"])
    func plainUpload(_ answered: String) async throws {
        let plain = try await Peer.start { _ in Reply(201) }
        let peer = try await Peer.start(tls: try serverTLS()) { request in
            let host = request.method == answered ? "http://\(plain.authority)" : ""
            return request.path == "/v2/" ? Reply(200) : Reply(202, ["Location": "\(host)/v2/a/blobs/uploads/1"])
        }
        let bytes: [UInt8] = [1, 2, 3]
        let blob = Descriptor(mediaType: .layer, digest: Digest(of: bytes), byteCount: 3)
        let error = try await fetch(peer, try directory(peer, ["ca.crt": TestCertificates.authority]), uploadingBy: 2) { repository in
            try await repository.upload(blob, from: try HostFile.inMemory(named: "blob", bytes)) { _ in }
        }
        #expect(error?.code == .badAnswer)
        #expect(error?.description.contains("wants a blob sent without") == true)
        #expect(plain.requests.isEmpty)
    }

    @Test("A folder of certificates has an end, and what is none in it is not read")
    func bounds() async throws {
        let peer = try await Peer.start(tls: try serverTLS(), answer)
        var files = ["ca.crt": TestCertificates.authority, "notes.txt": "nonsense", "old.crt~": "nonsense"]
        #expect(try await fetch(peer, try directory(peer, files)) == nil)
        for number in 1..<CertificateDirectory.maximumFileCount { files["ca\(number).crt"] = TestCertificates.authority }
        #expect(try await fetch(peer, try directory(peer, files)) == nil)
        files["one-more.crt"] = TestCertificates.authority
        let long = TestCertificates.authority + String(repeating: "\n", count: CertificateDirectory.maximumByteCount)
        for files in [files, ["ca.crt": long]] {
            let error = try await fetch(peer, try directory(peer, files))
            #expect(error?.code == .storage)
            #expect(error?.description.contains("cannot read the certificates in '/var/tmp/certificates-") == true)
        }
        // Where there is no folder, or something else is called so, nothing is wanted.
        let path = "/var/tmp/certificates-\(UInt64.random(in: 0...UInt64.max))"
        try unsafe Directory.open("/").makeDirectories(try PathBytes(path)).replaceFile(
            try PathBytes("registry.test:\(peer.port)"), with: "x".utf8Span.span.bytes, durability: .none)
        #expect(try await fetch(peer, path)?.code == .untrusted)
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
