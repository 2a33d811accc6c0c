import BerthNetlink
import BerthOCI
import Glibc
import Synchronization
import Testing

@testable import BerthNetworking

@Suite("The drivers by name, and what the bridge's options may be")
struct DriverTests {
    private let drivers = NetworkDrivers([PredefinedDriver.null, PredefinedDriver.host])

    @Test("Sandboxes of the host's network have no namespace of their own, and neither of the two has addresses or can be made again")
    func namespaces() throws {
        #expect(drivers.names == ["host", "null"])
        #expect(try !drivers.driver(named: "host").hasNamespaces && drivers.driver(named: "null").hasNamespaces)
        for driver in drivers.all {
            #expect(driver.addressVersions.isEmpty)
            #expect { try driver.check(NetworkConfiguration(name: "one")) } throws: {
                ($0 as? NetworkError)?.code == .forbidden && "\($0)" == "only one instance of \"\(driver.name)\" network is allowed"
            }
        }
    }

    @Test("overlay is refused with the reason, and a driver that nobody has is named", arguments: ["overlay", "mine", "", "Host"])
    func unknown(name: String) {
        #expect {
            _ = try drivers.driver(named: name)
        } throws: {
            guard let error = $0 as? NetworkError else { return false }
            return name == "overlay"
                ? error.code == .unsupported && error.description.contains("for one")
                : error.code == .notFound && error.description.contains("could not find plugin \(name)")
        }
    }

    @Test("Of two drivers with one name the later counts")
    func replaced() throws {
        let drivers = NetworkDrivers([PredefinedDriver.null, Other()])
        #expect(drivers.names == ["null"])
        #expect(try !drivers.driver(named: "null").hasNamespaces)
    }

    @Test("Docker's options of a bridge are read")
    func options() throws {
        let options = try BridgeOptions([
            "com.docker.network.bridge.name": "mine0", "com.docker.network.bridge.enable_ip_masquerade": "false",
            "com.docker.network.bridge.enable_icc": "0", "com.docker.network.bridge.host_binding_ipv4": "127.0.0.1",
            "com.docker.network.driver.mtu": "9000", "com.docker.network.container_iface_prefix": "net",
            "com.docker.network.bridge.gateway_mode_ipv6": "routed", "org.example.anything": "kept by its creator",
        ])
        #expect(options.bridgeName?.description == "mine0" && !options.masquerades && !options.allowsInterContainer)
        #expect(options.publishesAt == IPAddress("127.0.0.1") && options.mtu == 9000 && options.interfacePrefix == "net")
        #expect(options.gatewayMode4 == .nat && options.gatewayMode6 == .routed)
    }

    @Test(
        "An option that cannot be, or does not exist here, is named",
        arguments: [
            ("com.docker.network.bridge.name", "a name of 16 ch", "failed to parse"),
            ("com.docker.network.bridge.name", "", "failed to parse"),
            ("com.docker.network.bridge.enable_icc", "yes", "failed to parse"), ("com.docker.network.driver.mtu", "67", "failed to parse"),
            ("com.docker.network.driver.mtu", "65536", "failed to parse"),
            ("com.docker.network.bridge.host_binding_ipv4", "::1", "failed to parse"),
            ("com.docker.network.container_iface_prefix", "fourteen-chars", "failed to parse"),
            ("com.docker.network.bridge.gateway_mode_ipv4", "isolated", "failed to parse"),
            ("com.docker.network.bridge.gateway_mode_ipv4", "nonsense", "failed to parse"),
            ("com.docker.network.bridge.trusted_host_interfaces", "eth0", "not supported here"),
        ])
    func wrongOptions(_ key: String, _ value: String, _ word: String) {
        #expect { _ = try BridgeOptions([key: value]) } throws: {
            "\($0)".contains(word) && "\($0)".contains(key)
                && ($0 as? NetworkError)?.code == (word == "failed to parse" ? .invalid : .unsupported)
        }
    }

    @Test("An interface's alias is told from that of another engine, and from any other text")
    func aliases() {
        let (network, sandbox) = (InterfaceAlias.network("n1"), InterfaceAlias.sandbox("s1", endpoint: "e1"))
        for alias in [network, sandbox] {
            #expect(InterfaceAlias(alias.text(engineID: "abc"), engineID: "abc") == alias)
            #expect(InterfaceAlias(alias.text(engineID: "abc"), engineID: "abd") == nil)
        }
        for text in ["", "berth", "berth/abc/network", "berth/abc/network/a/b", "berth/abc/sandbox/a", "docker/abc/network/n"] {
            #expect(InterfaceAlias(text, engineID: "abc") == nil)
        }
    }

    @Test("Of several networks that of the highest priority leads elsewhere, of equals the first by name, of each version by itself")
    func defaultRoutes() throws {
        func endpoint(_ name: String, _ index: Int32, _ gateway4: String?, _ gateway6: String? = nil, priority: Int = 0) -> Endpoint {
            Endpoint(
                id: name, sandboxID: "s", sandboxName: "s", networkID: name, networkName: name, interface: "eth\(index)",
                hostInterface: "", gateway4: gateway4.flatMap { IPAddress($0) }, gateway6: gateway6.flatMap { IPAddress($0) },
                gatewayPriority: priority, configuration: EndpointConfiguration(network: name))
        }
        func hops(_ endpoints: [Endpoint]) -> [String] {
            DefaultRoutes(endpoints).hops.map { "\($0.interface) \($0.gateway)" }
        }
        #expect(hops([]) == [])
        #expect(hops([endpoint("b", 2, "10.2.0.1"), endpoint("a", 3, "10.3.0.1")]) == ["eth3 10.3.0.1"])
        #expect(hops([endpoint("a", 2, "10.2.0.1"), endpoint("b", 3, "10.3.0.1", priority: 1)]) == ["eth3 10.3.0.1"])
        #expect(hops([endpoint("a", 2, nil, priority: 5), endpoint("b", 3, "10.3.0.1", "fd00::1")]) == ["eth3 10.3.0.1", "eth3 fd00::1"])
        #expect(
            hops([endpoint("a", 2, "10.2.0.1"), endpoint("b", 3, "10.3.0.1", "fd00::1", priority: -1)]) == [
                "eth2 10.2.0.1", "eth3 fd00::1",
            ])
    }

    @Test("The networks that every engine has are always the same in one engine, and other ones in another")
    func predefined() {
        let ids = PredefinedNetwork.allCases.flatMap { network in ["0123456789ab", "0123456789ac"].map { network.id(ofEngine: $0) } }
        #expect(Set(ids).count == 6 && ids.allSatisfy { $0.utf8.count == 64 })
        #expect(PredefinedNetwork.bridge.id(ofEngine: "0123456789ab") == PredefinedNetwork.bridge.id(ofEngine: "0123456789ab"))
    }

    /// A start may have found a network just before it is removed.
    @Test("A network that is removed is not made any more, and one that is being made is removed after that")
    func madeAndRemoved() async throws {
        let driver = Watched()
        let object = NetworkObject(
            Network(id: "1", createdAt: .now, configuration: NetworkConfiguration(name: "one"), parts: []),
            try AddressPlan(restoring: [], said: []), driver)
        driver.makes.withLock { $0 = { object.state.withLock { $0.isRemoved = true } } }
        await withTaskGroup { group in
            group.addTask { try? object.makeOnce() }
            group.addTask {
                while !object.state.withLock({ $0.isRemoved }) { await Task.yield() }
                try? object.unmake()
            }
        }
        #expect(driver.calls.withLock { $0 } == ["make", "made", "remove"])
        let isGone: @Sendable (any Error) -> Bool = { ($0 as? NetworkError)?.code == .notFound && "\($0)" == "network one not found" }
        #expect { try object.makeOnce() } throws: { isGone($0) }
        #expect { try object.makeAgain() } throws: { isGone($0) }
        #expect(driver.calls.withLock { $0.count } == 3)
    }
}

/// Tells what it is asked for, and takes its time to make a network.
private final class Watched: NetworkDriver {
    let name = "watched"
    let hasNamespaces = true
    let addressVersions: AddressVersions = []
    let calls = Mutex<[String]>([])
    let makes = Mutex<@Sendable () -> Void>({})
    func check(_ configuration: NetworkConfiguration) throws(NetworkError) {}
    func make(_ network: Network) throws(NetworkError) {
        calls.withLock { $0.append("make") }
        makes.withLock { $0 }()
        // Whoever does not wait for it comes in between.
        for _ in 0..<1000 { sched_yield() }
        calls.withLock { $0.append("made") }
    }
    func remove(_ network: Network) throws(NetworkError) { calls.withLock { $0.append("remove") } }
    func attach(_ endpoint: Endpoint, of network: Network, to namespace: SandboxNamespace) throws(NetworkError) {}
    func detach(_ endpoint: Endpoint, of network: Network) throws(NetworkError) {}
    func recover(_ networks: [Network], endpoints: [Endpoint]) throws(NetworkError) {}
}

private struct Other: NetworkDriver {
    let name = "null"
    let hasNamespaces = false
    let addressVersions: AddressVersions = []
    func check(_ configuration: NetworkConfiguration) throws(NetworkError) {}
    func make(_ network: Network) throws(NetworkError) {}
    func remove(_ network: Network) throws(NetworkError) {}
    func attach(_ endpoint: Endpoint, of network: Network, to namespace: SandboxNamespace) throws(NetworkError) {}
    func detach(_ endpoint: Endpoint, of network: Network) throws(NetworkError) {}
    func recover(_ networks: [Network], endpoints: [Endpoint]) throws(NetworkError) {}
}
