import BerthContent
import BerthContracts
import BerthCredentials
import BerthLinux
import BerthOCI
import Crypto
import Foundation
import Synchronization
import Testing

@testable import BerthRegistry

/// The registry of the distribution project, as Debian has it, on loopback with a folder of its own.
final class Distribution: Sendable {
    static let program = "/usr/bin/docker-registry"
    static var isThere: Bool { FileManager.default.isExecutableFile(atPath: program) }
    static let password = RegistryCredentials(.password(user: "anna", password: "s3cret"))
    /// `s3cret` by bcrypt: of another kind, this registry knows none.
    private static let hash = "$2b$04$8Xpa7/Geo7trmFgsgSOvfOZuArvIueb84U6Bfh14At93WWWdYF7UW"

    enum Guard { case nobody, htpasswd, tls, token(realm: String) }
    let port: Int
    let folder: String
    private let process: Mutex<Process>

    init(_ guarded: Guard) async throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("berth-distribution-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        // Not one of those that are given to whoever asks for any, as the other tests do.
        port = Int.random(in: 20_000..<30_000)
        for (name, text) in [
            ("authority.crt", TestCertificates.authority), ("server.crt", TestCertificates.server),
            ("server.key", TestCertificates.serverKey),
            ("htpasswd", "anna:\(Self.hash)\n"),
        ] { try text.write(toFile: "\(folder)/\(name)", atomically: false, encoding: .utf8) }
        var (tls, auth) = ("", "")
        switch guarded {
        case .nobody: break
        case .htpasswd: auth = "auth: {htpasswd: {realm: test, path: \(folder)/htpasswd}}\n"
        case .tls: tls = ", tls: {certificate: \(folder)/server.crt, key: \(folder)/server.key}"
        case .token(let realm):
            auth = "auth: {token: {realm: '\(realm)', service: test, issuer: test, rootcertbundle: \(folder)/authority.crt}}\n"
        }
        let settings = """
            version: 0.1
            log: {level: error, accesslog: {disabled: true}}
            storage: {filesystem: {rootdirectory: \(folder)/data}, delete: {enabled: true}}
            http: {addr: '127.0.0.1:\(port)'\(tls)}
            \(auth)
            """
        try settings.write(toFile: "\(folder)/config.yml", atomically: false, encoding: .utf8)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.program)
        process.arguments = ["serve", "\(folder)/config.yml"]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        self.process = Mutex(process)
        // Until somebody listens, a connection is refused.
        for _ in 0..<1000 {
            if (try? InternetConnection.isListening(port)) == true { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        Issue.record("docker-registry does not listen")
    }

    deinit {
        process.withLock { process in
            process.terminate()
            process.waitUntilExit()
        }
        try? FileManager.default.removeItem(atPath: folder)  // what is left lies in the temporary directory
    }

    func repository(
        _ path: String, _ credentials: RegistryCredentials? = nil, host: String = "127.0.0.1",
        _ change: (inout RegistryConfiguration) -> Void = { _ in }
    ) throws -> RegistryRepository {
        registry(change).repository(RepositoryName(of: try ImageReference(parsing: "\(host):\(port)/\(path)")), credentials: credentials)
    }

    func registry(_ change: (inout RegistryConfiguration) -> Void = { _ in }) -> Registry {
        var configuration = RegistryConfiguration()
        change(&configuration)
        return Registry(configuration, Timing(), hostAddresses: ["registry.test": "127.0.0.1"])
    }
}

/// Whether somebody listens on loopback.
private enum InternetConnection {
    static func isListening(_ port: Int) throws -> Bool {
        let raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(raw) }
        var address = sockaddr_in(
            sin_family: sa_family_t(AF_INET), sin_port: UInt16(port).bigEndian, sin_addr: in_addr(s_addr: UInt32(0x7f00_0001).bigEndian),
            sin_zero: (0, 0, 0, 0, 0, 0, 0, 0))
        return unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(raw, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        } == 0
    }
}

@Suite(
    "The registry that most people have is read and written",
    .enabled("needs docker-registry, which Tests/run installs") { Distribution.isThere })
struct DistributionTests {
    @Test func contracts() async throws {
        let distribution = try await Distribution(.nobody)
        for (number, promise) in DestinationContract.all.enumerated() {
            let repository = try distribution.repository("to/\(number)")
            try await promise.check(.init(repository, repository))
        }
        for promise in SourceContract.all { try await promise.check(try distribution.repository("to/0")) }
    }

    @Test("A large blob goes and comes in one piece, in pieces and in ranges")
    func large() async throws {
        let distribution = try await Distribution(.nobody)
        let bytes = SampleRegistry.bytes(9_000_000)
        let blob = Descriptor(mediaType: .layer, digest: Digest(of: bytes), byteCount: UInt64(bytes.count))
        for chunk in [nil, 2_000_000 as UInt64] {
            let repository = try distribution.repository(chunk == nil ? "whole" : "pieces") {
                $0.uploadChunkByteCount = chunk
                $0.parallelRangesAboveByteCount = 1
            }
            try await repository.upload(blob, from: HostFile.inMemory(named: "blob", bytes)) { _ in }
            for offset in [0, 1, 8_999_999] {
                let taken = Taken()
                try await repository.fetch(blob, from: UInt64(offset), into: taken.sink)
                #expect(taken.bytes == Array(bytes[offset...]))
            }
        }
        // Mounted, nothing is sent; and it is not there where it was not mounted.
        let other = try distribution.repository("mounted")
        #expect(try await !other.contains(blob))
        #expect(try await other.mount(blob, from: RepositoryName(of: try ImageReference(parsing: "127.0.0.1:\(distribution.port)/whole"))))
        #expect(try await other.contains(blob))
    }

    @Test func management() async throws {
        let distribution = try await Distribution(.nobody)
        let repository = try distribution.repository("team/app")
        #expect(await failure { _ = try await repository.tags() }?.code == .notFound)
        try await push(repository, tags: (1...7).map { "v\($0)" })
        #expect(try await repository.tags().sorted() == (1...7).map { "v\($0)" })
        #expect(try await distribution.registry().catalogue(of: "127.0.0.1:\(distribution.port)") == ["team/app"])
        #expect(try await repository.referrers(of: SampleImage().manifest.descriptor.digest) == [])
        try await repository.delete(.digest(SampleImage().manifest.descriptor.digest))
        #expect(await failure { _ = try await repository.manifest(.tag("v1")) }?.code == .notFound)
        #expect(
            await failure { _ = try await distribution.registry().search("x", in: "127.0.0.1:\(distribution.port)") }?.code == .unsupported)
    }

    private func push(_ repository: RegistryRepository, tags: [String]) async throws {
        let sample = SampleImage()
        for blob in sample.blobs {
            try await repository.upload(blob.descriptor, from: HostFile.inMemory(named: "blob", blob.bytes)) { _ in }
        }
        try await repository.put(sample.manifest, tags: tags)
    }

    @Test func htpasswd() async throws {
        let distribution = try await Distribution(.htpasswd)
        let name = "127.0.0.1:\(distribution.port)"
        #expect(try await distribution.registry().verify(Distribution.password, for: name) == Distribution.password)
        let wrong = RegistryCredentials(.password(user: "anna", password: "other"))
        #expect(await failure { _ = try await distribution.registry().verify(wrong, for: name) }?.code == .unauthorized)
        let repository = try distribution.repository("a", Distribution.password)
        try await push(repository, tags: ["v1"])
        #expect(try await repository.manifest(.tag("v1")) == SampleImage().manifest)
        let nobody = try distribution.repository("a")
        let error = await failure { _ = try await nobody.manifest(.tag("v1")) }
        #expect(error?.code == .unauthorized)
        #expect(error?.answer?.code == "UNAUTHORIZED")
        #expect(error?.description.contains("run: berth login \(name)") == true)
        let head = await failure { _ = try await nobody.contains(SampleImage().blobs[0].descriptor) }
        #expect(head?.code == .unauthorized && head?.answer?.code == "UNAUTHORIZED")
    }

    @Test func tls() async throws {
        let distribution = try await Distribution(.tls)
        let directory = "\(distribution.folder)/certs.d/registry.test:\(distribution.port)"
        let repository = try distribution.repository("a", host: "registry.test") {
            $0.certificateDirectories = ["\(distribution.folder)/certs.d"]
        }
        #expect(await failure { _ = try await repository.contains(SampleImage().blobs[0].descriptor) }?.code == .untrusted)
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try TestCertificates.authority.write(toFile: "\(directory)/ca.crt", atomically: false, encoding: .utf8)
        let trusting = try distribution.repository("a", host: "registry.test") {
            $0.certificateDirectories = ["\(distribution.folder)/certs.d"]
        }
        try await push(trusting, tags: ["v1"])
        #expect(try await trusting.manifest(.tag("v1")) == SampleImage().manifest)
    }

    @Test("Tokens of a server that lets one write and all read one repository")
    func token() async throws {
        let server = try await TokenServer.start()
        let distribution = try await Distribution(.token(realm: "http://\(server.authority)/token"))
        let repository = try distribution.repository("open", Distribution.password)
        try await push(repository, tags: ["v1"])
        let nobody = try distribution.repository("open")
        #expect(try await nobody.manifest(.tag("v1")) == SampleImage().manifest)
        let refused = await failure { try await push(nobody, tags: ["v2"]) }
        #expect(refused?.code == .unauthorized || refused?.code == .denied)
        let hidden = try distribution.repository("hidden")
        #expect(await failure { _ = try await hidden.manifest(.tag("v1")) }?.code == .unauthorized)
        #expect(
            try await distribution.registry().verify(Distribution.password, for: "127.0.0.1:\(distribution.port)") == Distribution.password)
        // From a repository that it may read, it may mount.
        let other = try distribution.repository("open2", Distribution.password)
        #expect(
            try await other.mount(
                SampleImage().blobs[1].descriptor,
                from: RepositoryName(of: try ImageReference(parsing: "127.0.0.1:\(distribution.port)/open"))))
    }
}

/// Gives tokens as the distribution project's specification says: `anna` may do everything, everybody else may read `open`.
private enum TokenServer {
    static func start() async throws -> Peer {
        let key = try P256.Signing.PrivateKey(pemRepresentation: TestCertificates.serverKey)
        let certificate = TestCertificates.server.split(separator: "\n").filter { !$0.hasPrefix("-----") }.joined()
        return try await Peer.start { request in
            let header = request.header("Authorization")
            let isAnna = header == Conversation.basic("anna", "s3cret")
            guard header == nil || isAnna else { return Reply(401, json: #"{"details":"who is that"}"#) }
            let scopes = request.query.split(separator: "&").filter { $0.hasPrefix("scope=") }.compactMap {
                Scope(parsing: PercentText.decoded($0.dropFirst(6)))
            }
            let access = scopes.map { scope -> String in
                let name = scope.resource.split(separator: ":").last ?? ""
                let actions = isAnna ? scope.actions : name == "open" ? scope.actions.intersection(["pull"]) : []
                return #"{"type":"repository","name":"\#(name)","actions":[\#(actions.map { "\"\($0)\"" }.joined(separator: ","))]}"#
            }
            let now = Int(Date().timeIntervalSince1970)
            let claims =
                #"{"iss":"test","sub":"x","aud":"test","exp":\#(now + 300),"nbf":\#(now - 10),"iat":\#(now),"jti":"1","access":[\#(access.joined(separator: ","))]}"#
            let text = text(#"{"typ":"JWT","alg":"ES256","x5c":["\#(certificate)"]}"#) + "." + text(claims)
            guard let signature = try? key.signature(for: Data(text.utf8)) else { return Reply(500) }
            return Reply(200, json: #"{"token":"\#(text).\#(encoded(signature.rawRepresentation))","expires_in":300}"#)
        }
    }

    private static func text(_ json: String) -> String { encoded(Data(json.utf8)) }
    private static func encoded(_ data: Data) -> String {
        data.base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }
}
