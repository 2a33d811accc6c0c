import BerthContracts
import BerthLinux
import BerthNetlink
import BerthOCI
import BerthReactor
import BerthState
import Foundation
import Synchronization
import Testing

@testable import BerthNetworking

/// A driver's network and a place in it, for what is tested in the namespace of the run.
struct NetworkScene {
    let engineID = String(RandomID.make().prefix(12))
    let network: Network
    let endpoint: Endpoint

    init(driver: String, _ subnets: [(subnet: String, gateway: String, address: String)] = [], options: [String: String] = [:]) throws {
        let id = RandomID.make()
        var configuration = NetworkConfiguration(name: "net-\(id.prefix(6))")
        (configuration.driver, configuration.options) = (driver, options)
        configuration.subnets = subnets.map { SubnetRequest(subnet: $0.subnet, gateway: $0.gateway) }
        let plan = try AddressPlan(configuration.subnets, versions: [], from: SubnetChoice(), networks: [], routes: [])
        network = Network(id: id, createdAt: .now, configuration: configuration, parts: plan.networkParts)
        func prefix(_ version: IPAddress.Version) throws -> IPPrefix? {
            for (subnet, _, address) in subnets {
                let (block, one) = try (#require(Subnet(subnet)), #require(IPAddress(address)))
                if one.version == version { return IPPrefix(one, length: block.prefixLength) }
            }
            return nil
        }
        let sandboxID = RandomID.make()
        endpoint = Endpoint(
            id: RandomID.make(), sandboxID: sandboxID, sandboxName: "one", networkID: id, networkName: network.name, interface: "eth0",
            hostInterface: "veth\(sandboxID.prefix(11))", hardwareAddress: HardwareAddress("02:42:0a:00:00:02"), ipv4: try prefix(.v4),
            ipv6: try prefix(.v6), gatewayPriority: 0, configuration: EndpointConfiguration(network: network.name))
    }

    static func bridge() throws -> NetworkScene {
        try NetworkScene(
            driver: "bridge",
            [("10.231.7.0/24", "10.231.7.1", "10.231.7.2"), ("fd12:3456:789a:7::/64", "fd12:3456:789a:7::1", "fd12:3456:789a:7::2")])
    }

    var promises: [Promise<any NetworkDriver>] { NetworkDriverContract.all(of: network, attaching: endpoint) }
}

@Suite("Network drivers keep their contract, and say what they cannot do", .kernelTier, .serialized, .timeLimit(.minutes(2)))
struct NetworkDriverTests {
    @Test("null and host keep it: nothing is made")
    func withoutInterfaces() async throws {
        for (driver, name) in [(PredefinedDriver.null, "null"), (.host, "host")] {
            for promise in try NetworkScene(driver: name).promises { try await promise.check(driver) }
        }
    }

    @Test("bridge keeps it, and leaves no interface behind")
    func bridge() async throws {
        let host = try HostNetwork()
        let before = try host.ask { (socket) throws(NetlinkError) in Set(try socket.links().map(\.name)) }
        let scene = try NetworkScene.bridge()
        for promise in scene.promises { try await promise.check(try BridgeDriver(engineID: scene.engineID, host: host, reactor: .start())) }
        #expect(try host.ask { (socket) throws(NetlinkError) in Set(try socket.links().map(\.name)) } == before)
    }

    @Test("Who breaks a promise is told which")
    func broken() async throws {
        let scene = try NetworkScene.bridge()
        let driver = Forgetful(real: try BridgeDriver(engineID: scene.engineID, host: try HostNetwork(), reactor: .start()))
        var broken: [String] = []
        for promise in scene.promises {
            do { try await promise.check(driver) } catch let violation as ContractViolation { broken.append(violation.promise) }
        }
        try driver.real.recover([], endpoints: [])
        #expect(
            broken.contains { $0.hasPrefix("a sandbox has its interface") }
                && broken.contains { $0.hasPrefix("what belongs to no network") })
    }

    @Test("A bridge's name that is somebody else's is refused before anything is made, and the interface is left alone")
    func foreignBridge() throws {
        let name = "bt\(RandomID.make().prefix(8))"
        let scene = try NetworkScene(
            driver: "bridge", [("10.231.8.0/24", "10.231.8.1", "10.231.8.2")], options: ["com.docker.network.bridge.name": name])
        let driver = try BridgeDriver(engineID: scene.engineID, host: try HostNetwork(), reactor: .start())
        #expect(try Scratch.run("/sbin/ip", ["link", "add", name, "type", "bridge"]).1 == 0)
        defer { _ = try? Scratch.run("/sbin/ip", ["link", "del", name]) }  // the namespace is the run's own
        #expect { try driver.check(scene.network.configuration) } throws: {
            ($0 as? NetworkError)?.code == .conflict && "\($0)".contains(name)
        }
        #expect { try driver.make(scene.network) } throws: { ($0 as? NetworkError)?.code == .conflict && "\($0)".contains(name) }
        try driver.remove(scene.network)
        #expect(try Scratch.run("/sbin/ip", ["link", "show", name]).1 == 0)
    }
}

@Suite("What comes to the host later is seen", .kernelTier, .serialized, .timeLimit(.minutes(2)))
struct HostWatchTests {
    @Test("An interface that comes later is opened for containers, and a route that leads to where they are is told once")
    func later() async throws {
        let scene = try NetworkScene(driver: "bridge", [("10.231.9.0/24", "10.231.9.1", "10.231.9.2")])
        let said = Mutex<[String]>([])
        let driver = try BridgeDriver(engineID: scene.engineID, host: try HostNetwork(), reactor: .start()) { message in
            said.withLock { $0.append(message) }
        }
        defer { driver.close() }
        try driver.make(scene.network)
        let name = "hw\(RandomID.make().prefix(8))"
        #expect(try Scratch.run("/sbin/ip", ["link", "add", name, "type", "veth", "peer", "name", "\(name)p"]).code == 0)
        defer { _ = try? Scratch.run("/sbin/ip", ["link", "del", name]) }  // the namespace is the run's own
        #expect(try Scratch.run("/sbin/ip", ["addr", "add", "198.51.100.1/24", "dev", name]).code == 0)
        let file = "/proc/sys/net/ipv4/conf/\(name)/forwarding"
        try await until("the interface to be opened") {
            try HostFile.read(file, limit: 8) == Array("1\n".utf8)
        }
        #expect(said.withLock { $0.contains { $0.contains("conf.\(name).forwarding: 0 to 1") } })
        for command in [["link", "set", name, "up"], ["route", "add", "10.231.9.128/25", "dev", name]] {
            #expect(try Scratch.run("/sbin/ip", command).code == 0)
        }
        try await until("the route to be told") {
            said.withLock { $0.contains { $0.contains("10.231.9.128/25") && $0.contains(scene.network.shortID) } }
        }
        #expect(said.withLock { $0.count { $0.contains("10.231.9.128/25") } } == 1)
        try driver.remove(scene.network)
    }
}

/// Never takes anything away.
private struct Forgetful: NetworkDriver {
    let real: BridgeDriver
    var name: String { real.name }
    let hasNamespaces = true
    let addressVersions: AddressVersions = [.v4, .v6]
    func check(_ configuration: NetworkConfiguration) throws(NetworkError) { try real.check(configuration) }
    func make(_ network: Network) throws(NetworkError) { try real.make(network) }
    func remove(_ network: Network) throws(NetworkError) {}
    func attach(_ endpoint: Endpoint, of network: Network, to namespace: SandboxNamespace) throws(NetworkError) {
        try real.attach(endpoint, of: network, to: namespace)
    }
    func detach(_ endpoint: Endpoint, of network: Network) throws(NetworkError) {}
    func recover(_ networks: [Network], endpoints: [Endpoint]) throws(NetworkError) {}
}
