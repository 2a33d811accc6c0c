import BerthContent
import BerthCredentials
import BerthOCI
import Testing

@testable import BerthRegistry

@Suite("The way out leads through proxies, but to this machine itself")
struct ProxyTests {
    private func repository(_ registry: String, _ proxies: ProxySettings, _ credentials: RegistryCredentials? = nil) throws
        -> RegistryRepository
    {
        var configuration = RegistryConfiguration()
        configuration.proxies = proxies
        configuration.insecureRegistries = ["registry.test"]
        configuration.retries.maximumTryCount = 1
        return Registry(configuration, TestClock().timing).repository(
            RepositoryName(of: try ImageReference(parsing: "\(registry)/team/app")), credentials: credentials)
    }

    private func proxies(_ address: String, except exceptions: [String] = []) -> ProxySettings {
        var proxies = ProxySettings()
        (proxies.http, proxies.https, proxies.exceptions) = (address, address, exceptions)
        return proxies
    }

    /// A proxy for plain HTTP that has all it is asked for itself, and connects nobody to anything.
    private func proxy(user: String? = nil) async throws -> Peer {
        var sample = SampleRegistry()
        _ = sample.addManifest(#"{"schemaVersion":2,"layers":[]}"#, tag: "v1")
        return try await Peer.start { [sample] request in
            if let user, request.header("Proxy-Authorization") != Conversation.basic(user, "p@ss:word") {
                return Reply(407, ["Proxy-Authenticate": "Basic realm=x"])
            }
            guard request.target.hasPrefix("http://registry.test:5000/") else { return Reply(403) }
            var inner = request
            inner.target.removeFirst("http://registry.test:5000".count)
            return sample.answer(inner)
        }
    }

    @Test("Without TLS the proxy is asked for the whole address, and what is for it is shown to nobody else")
    func forwarding() async throws {
        let proxy = try await proxy(user: "me")
        let known = proxies("http://me:p%40ss%3Aword@\(proxy.authority)")
        let credentials = RegistryCredentials(.registryToken("secret"))
        let found = try await repository("registry.test:5000", known, credentials).manifest(.tag("v1"))
        #expect(found.bytes == Array(#"{"schemaVersion":2,"layers":[]}"#.utf8))
        let asked = proxy.requests.filter { $0.method == "GET" }
        #expect(asked.map(\.target) == ["http://registry.test:5000/v2/", "http://registry.test:5000/v2/team/app/manifests/v1"])
        #expect(asked.allSatisfy { $0.header("Host") == "registry.test:5000" })
        #expect(asked.last?.header("Authorization") == "Bearer secret")
        // First it was tried whether TLS is spoken behind it.
        #expect(proxy.requests.first?.method == "CONNECT" && proxy.requests.first?.target == "registry.test:5000")
        #expect(proxy.requests.first?.header("Authorization") == nil)
    }

    @Test("A proxy that wants other credentials, or is not there, is named; its password is not")
    func refused() async throws {
        let proxy = try await proxy(user: "me")
        for text in ["http://me:wr0ng@\(proxy.authority)", proxy.authority] {
            let repository = try repository("registry.test:5000", proxies(text))
            let error = await failure { _ = try await repository.manifest(.tag("v1")) }
            #expect(error?.code == .invalid)
            #expect(error?.description.contains("the proxy wants other credentials than its address has") == true)
            #expect(error?.description.contains("wr0ng") == false)
        }
        try await proxy.stop()
        let repository = try repository("registry.test:5000", proxies("http://me:wr0ng@\(proxy.authority)"))
        let error = await failure { _ = try await repository.manifest(.tag("v1")) }
        #expect(error?.code == .unreachable)
        #expect(error?.description.contains("through the proxy \(proxy.authority): Connection refused") == true)
        #expect(error?.description.contains("wr0ng") == false)
    }

    @Test(
        "What is no address of a proxy is an error, and not the way past it",
        arguments: ["https://p.test:1", "ftp://p.test", "http://", "://x"])
    func nonsense(address: String) async throws {
        let repository = try repository("registry.test:5000", proxies(address))
        #expect(await failure { _ = try await repository.manifest(.tag("v1")) }?.code == .invalid)
    }

    @Test("This machine itself, and what is excepted, is asked without")
    func exceptions() async throws {
        let proxy = try await proxy()
        var sample = SampleRegistry()
        _ = sample.addManifest(#"{"schemaVersion":2,"layers":[]}"#, tag: "v1")
        let peer = try await Peer.start { [sample] in sample.answer($0) }
        _ = try await repository(peer.authority, proxies(proxy.authority)).manifest(.tag("v1"))
        let excepted = try repository("registry.test:1", proxies(proxy.authority, except: ["registry.test"]))
        #expect(await failure { _ = try await excepted.manifest(.tag("v1")) }?.code == .unreachable)
        #expect(proxy.requests.isEmpty)
    }
}
