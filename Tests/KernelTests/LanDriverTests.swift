import Berth
import BerthContracts
import BerthLinux
import BerthNetlink
import BerthOCI
import BerthState
import Foundation
import Synchronization
import Testing

@testable import BerthNetworking

/// An interface of the host's, with a neighbour behind it who has 10.232.1.1 and routes for others, such as 203.0.113.1.
final class LanScene {
    let engineID = String(RandomID.make().prefix(12))
    let host: HostNetwork
    let parents: LanParents
    let parent = "lp\(RandomID.make().prefix(8))"
    let outside: NamespaceHandle
    private var answerers: [Answerer] = []

    init() throws {
        host = try HostNetwork()
        parents = LanParents(engineID: engineID, host: host)
        outside = try NamespaceHandle.make()
        let peer = LinkEnd(name: try .named("eth0"), namespace: outside)
        try host.perform([.makeLink(NewLink(LinkEnd(name: try .named(parent)), .veth(peer: peer), isUp: true))])
        try NetlinkScene.run(
            in: outside,
            """
            ip link set lo up; ip link set eth0 up; ip addr add 10.232.1.1/24 dev eth0; ip addr add fd12:3456:789a:1::1/64 dev eth0 nodad
            ip addr add 203.0.113.1/32 dev lo; ip addr add 2001:db8::1/128 dev lo nodad
            """)
        try answer("outside", in: outside)
    }

    deinit { _ = try? host.removeLink(.name(.named(parent))) }  // the namespace is the run's own

    func driver(_ kind: String, as engineID: String? = nil) -> any NetworkDriver {
        LanDriver(kind == "macvlan" ? .macvlan : .ipvlan, engineID: engineID ?? self.engineID, host: host, parents: parents)
    }

    func answer(_ name: String, in namespace: NamespaceHandle) throws {
        for address in ["0.0.0.0", "::"] { answerers.append(try Answerer(name, in: namespace, false, .of(address), 80)) }
    }

    /// A network of the parent's, and a place in it.
    func network(_ kind: String, _ options: [String: String] = [:], last: Int = 2, hasParent: Bool = true) throws -> NetworkScene {
        try NetworkScene(
            driver: kind,
            [
                ("10.232.1.0/24", "10.232.1.1", "10.232.1.\(last)"),
                ("fd12:3456:789a:1::/64", "fd12:3456:789a:1::1", "fd12:3456:789a:1::\(last)"),
            ],
            options: (hasParent ? ["parent": parent] : [:]).merging(options) { $1 })
    }

    func names() throws -> Set<String> { Set(try host.links().map(\.name)) }
}

extension NetworkScene {
    /// A further place in the network, as the store would give it.
    func endpoint(_ last: Int, _ driver: any NetworkDriver) throws -> Endpoint {
        var one = endpoint
        (one.id, one.sandboxID, one.hostInterface) = (RandomID.make(), RandomID.make(), "")
        one.ipv4 = try .of("10.232.1.\(last)/24")
        one.ipv6 = try .of("fd12:3456:789a:1::\(last)/64")
        let traits = driver.traits(of: network.configuration)
        one.hardwareAddress = traits.hasHardwareAddresses ? one.ipv4.map { HardwareAddress.following($0.address) } : nil
        switch traits.defaultRoute {
        case .none: break
        case .gateway: (one.gateway4, one.gateway6) = (try .of("10.232.1.1"), try .of("fd12:3456:789a:1::1"))
        case .interface: (one.gateway4, one.gateway6) = (try .of("0.0.0.0"), try .of("::"))
        }
        return one
    }
}

@Suite("Sandboxes beside an interface of the host's: macvlan and ipvlan", .kernelTier, .serialized, .timeLimit(.minutes(2)))
struct LanDriverTests {
    /// Whether this kernel can make the kind. Where it cannot, that is what is expected to be said, and nothing is made. The guest has them all.
    private func isThere(_ kind: String, _ scene: LanScene) throws -> Bool {
        if try KernelLinks.has(kind) { return true }
        #expect(ProcessInfo.processInfo.environment["BERTH_HAS_ALL_LINKS"] == nil)
        let before = try scene.names()
        #expect { try scene.driver(kind).check(scene.network(kind).network.configuration) } throws: {
            ($0 as? NetworkError)?.code == .unsupported && "\($0)".contains("module \(kind) is missing")
        }
        #expect(try scene.names() == before)
        return false
    }

    static let kinds: [(String, [String: String], Bool)] = [
        ("macvlan", [:], true), ("macvlan", ["macvlan_mode": "private", "mtu": "1400"], true), ("macvlan", [:], false),
        ("macvlan", ["macvlan_mode": "passthru"], true), ("macvlan", ["macvlan_mode": "vepa"], true),
        ("ipvlan", [:], true), ("ipvlan", ["ipvlan_mode": "l3"], true), ("ipvlan", ["ipvlan_mode": "l3s", "ipvlan_flag": "private"], true),
        ("ipvlan", [:], false),
    ]

    @Test("They keep the contract, and leave no interface behind", arguments: kinds)
    func contract(kind: String, options: [String: String], hasParent: Bool) async throws {
        let scene = try LanScene()
        guard try isThere(kind, scene) else { return }
        let before = try scene.names()
        let network = try scene.network(kind, options, hasParent: hasParent)
        for promise in network.promises { try await promise.check(scene.driver(kind)) }
        #expect(try scene.names() == before)
    }

    @Test(
        "Sandboxes reach each other, the neighbours, and by the default route what is behind them; without a parent only each other",
        arguments: kinds)
    func traffic(kind: String, options: [String: String], hasParent: Bool) throws {
        let scene = try LanScene()
        guard try isThere(kind, scene) else { return }
        let mode = options.first { $0.key.hasSuffix("_mode") }?.value ?? "bridge"
        let (driver, network) = (scene.driver(kind), try scene.network(kind, options, hasParent: hasParent))
        try driver.check(network.network.configuration)
        try driver.make(network.network)
        var sandboxes: [(Endpoint, SandboxNamespace)] = []
        // Whoever hands the parent through has it alone.
        for last in mode == "passthru" ? [11] : [11, 12] {
            let (endpoint, namespace) = (try network.endpoint(last, driver), try SandboxNamespace.make())
            try driver.attach(endpoint, of: network.network, to: namespace)
            try namespace.route(by: [endpoint], replacing: [])
            try scene.answer("c\(last)", in: namespace.handle)
            sandboxes.append((endpoint, namespace))
        }
        if mode.hasPrefix("l3") {
            // Nobody asks who has an address there: the neighbour has a route.
            let parent = try #require(try scene.host.link(.named(scene.parent))?.hardwareAddress)
            for last in [11, 12] {
                try NetlinkScene.run(
                    in: scene.outside,
                    """
                    ip neigh replace 10.232.1.\(last) lladdr \(parent) dev eth0
                    ip neigh replace fd12:3456:789a:1::\(last) lladdr \(parent) dev eth0
                    """)
            }
        }
        let first = sandboxes[0].1
        func ask(_ namespace: NamespaceHandle, _ address: String, _ patience: Patience) throws -> String? {
            let address = try IPAddress.of(address)
            return try Caller(in: namespace, false, version: address.version).call(address, 80, patience)
        }
        // At layer 3 what leaves has the parent's own neighbours to find by itself: only the host can, for addresses that it has a route to.
        let reachesOutside = hasParent && !mode.hasPrefix("l3")
        for (address, source) in [("10.232.1.1", "10.232.1.11"), ("203.0.113.1", "10.232.1.11"), ("2001:db8::1", "fd12:3456:789a:1::11")] {
            let answer = try ask(first.handle, address, reachesOutside ? .forAnswer : .forNothing)
            if !mode.hasPrefix("l3") { #expect(answer == (reachesOutside ? "outside \(source)" : nil), "\(kind) \(mode) to \(address)") }
        }
        if reachesOutside { #expect(try ask(scene.outside, "10.232.1.11", .forAnswer) == "c11 10.232.1.1") }
        if sandboxes.count == 2 {
            let reachesOthers = mode != "private" && mode != "vepa" && options["ipvlan_flag"] != "private"
            for (address, source) in [("10.232.1.12", "10.232.1.11"), ("fd12:3456:789a:1::12", "fd12:3456:789a:1::11")] {
                let answer = try ask(first.handle, address, reachesOthers ? .forAnswer : .forNothing)
                #expect(answer == (reachesOthers ? "c12 \(source)" : nil), "\(kind) \(mode) to \(address)")
            }
        }
        let routes = try NetlinkScene.run(in: first.handle, "ip route show default")
        #expect(
            routes.hasPrefix("default via 10.232.1.1 dev eth0") == (hasParent && !mode.hasPrefix("l3"))
                && routes.hasPrefix("default dev eth0") == mode.hasPrefix("l3"), "\(routes)")
        for (endpoint, _) in sandboxes { try driver.detach(endpoint, of: network.network) }
        try driver.remove(network.network)
    }

    @Test("A VLAN that is a parent is made, shared, handed on and removed with its last network; another's is left alone")
    func vlan() throws {
        let scene = try LanScene()
        let name = "\(scene.parent).50"
        let driver = scene.driver("macvlan")
        let one = try scene.network("macvlan", ["parent": name]).network
        let two = try scene.network("macvlan", ["parent": name]).network
        guard try KernelLinks.has("vlan") else {
            let before = try scene.names()
            func isRefused(_ error: any Error) -> Bool {
                (error as? NetworkError)?.code == .unsupported && "\(error)".contains("module 8021q is missing")
            }
            #expect { try driver.check(one.configuration) } throws: { isRefused($0) }
            #expect { try driver.make(one) } throws: { isRefused($0) }
            #expect(try scene.names() == before)
            return
        }
        try driver.check(one.configuration)
        try driver.make(one)
        try driver.make(two)
        let made = try NetlinkScene.json(in: .current(), "ip -j -d link show \(name)").first?["linkinfo"] as? [String: Any]
        #expect((made?["info_data"] as? [String: Any])?["id"] as? Int == 50)
        try driver.remove(one)
        #expect(try scene.host.link(.named(name))?.alias == "berth/\(scene.engineID)/macvlan/\(two.id)")
        // A later engine finds it, and removes it when the network has gone meanwhile.
        try scene.driver("ipvlan").recover([], endpoints: [])
        try driver.recover([two], endpoints: [])
        #expect(try scene.host.link(.named(name)) != nil)
        try driver.recover([], endpoints: [])
        #expect(try scene.host.link(.named(name)) == nil)
        try NetlinkScene.run(in: .current(), "ip link add link \(scene.parent) name \(name) type vlan id 7")
        try driver.make(one)
        try driver.remove(one)
        try driver.recover([], endpoints: [])
        #expect(try scene.host.link(.named(name)) != nil)
        try scene.host.removeLink(.name(.named(name)))
    }

    @Test("A parent that is not there, or that another network does not share, is refused in Docker's words")
    func refused() throws {
        let scene = try LanScene()
        let driver = scene.driver("macvlan")
        for (parent, words) in [
            ("nobody", "-o parent interface was not found on the host: nobody"),
            ("nobody.5", "-o parent interface was not found on the host: nobody"),
            ("lo", "loopback interface is not a valid macvlan parent link"), ("\(scene.parent).5000", "vlan id must be between 1-4094"),
        ] {
            let network = try scene.network("macvlan", ["parent": parent]).network
            #expect { try driver.check(network.configuration) } throws: {
                ($0 as? NetworkError)?.code == .invalid && "\($0)".hasPrefix(words)
            }
            #expect(throws: NetworkError.self) { try driver.make(network) }
        }
        let one = try scene.network("macvlan").network
        try driver.make(one)
        let alone = try scene.network("macvlan", ["macvlan_mode": "passthru"]).network
        func isRefused(_ error: any Error) -> Bool {
            (error as? NetworkError)?.code == .forbidden
                && "\(error)"
                    == "cannot use mode passthru, macvlan network \(one.shortID) is already using parent interface \(scene.parent)"
        }
        #expect { try driver.check(alone.configuration) } throws: { isRefused($0) }
        #expect { try driver.make(alone) } throws: { isRefused($0) }
        try driver.check(scene.network("macvlan", ["macvlan_mode": "private"]).network.configuration)
        try driver.remove(one)
        try driver.make(alone)
        #expect(throws: NetworkError.self) { try driver.make(one) }
        try driver.remove(alone)
        guard try isThere("ipvlan", scene) else { return }
        let other = scene.driver("ipvlan")
        try other.make(scene.network("ipvlan").network)
        #expect { try other.check(scene.network("ipvlan", ["ipvlan_mode": "l3"]).network.configuration) } throws: {
            ($0 as? NetworkError)?.code == .forbidden && "\($0)".hasSuffix("is already using parent interface \(scene.parent)")
        }
    }

    @Test("A later engine takes up what it knows, also to take it away, and leaves alone what is another engine's")
    func recovery() throws {
        let scene = try LanScene()
        let network = try scene.network("macvlan")
        let (mine, kept, theirs) = (
            try SandboxNamespace.make(), try SandboxNamespace.make(), try SandboxNamespace.make()
        )
        let driver = scene.driver("macvlan")
        let lost = try network.endpoint(11, driver)
        let known = try network.endpoint(12, driver)
        try driver.attach(lost, of: network.network, to: mine)
        try driver.attach(known, of: network.network, to: kept)
        let stranger = scene.driver("macvlan", as: "feedfeedfeed")
        try stranger.attach(network.endpoint(13, driver), of: network.network, to: theirs)
        func has(_ namespace: SandboxNamespace) throws -> Bool { try namespace.interfaces().contains { $0.name == "eth0" } }
        let later = scene.driver("macvlan")
        try later.recover([network.network], endpoints: [known])
        #expect(try !has(mine))
        #expect(try has(kept))
        #expect(try has(theirs))
        try later.detach(known, of: network.network)
        #expect(try !has(kept))
        #expect(try has(theirs))
        // One that has not looked yet finds it as well.
        try stranger.recover([network.network], endpoints: [])
        #expect(try !has(theirs))
        try driver.attach(lost, of: network.network, to: mine)
        try scene.driver("macvlan").detach(lost, of: network.network)
        #expect(try !has(mine))
    }

    @Test("An address that another interface of the parent has is a conflict; one that goes in a moment is waited for")
    func addressInUse() async throws {
        let scene = try LanScene()
        let network = try scene.network("macvlan")
        let driver = scene.driver("macvlan")
        let (first, second) = (try SandboxNamespace.make(), try SandboxNamespace.make())
        let (one, again) = (try network.endpoint(11, driver), try network.endpoint(11, driver))
        try driver.attach(one, of: network.network, to: first)
        #expect { try driver.attach(again, of: network.network, to: second) } throws: {
            ($0 as? NetworkError)?.code == .conflict && "\($0)".contains("has the address of container one")
        }
        #expect(try second.interfaces().map(\.name) == ["lo"])
        // On a thread: with one processor, who blocks one of Swift's holds up the rest.
        let outcome = Outcome()
        let whole = network.network
        Thread.detachNewThread {
            let result = Result { try driver.attach(again, of: whole, to: second) }
            outcome.result.withLock { $0 = result }
        }
        try await until("the second to be tried") { try second.interfaces().contains { $0.name == "eth0" } }
        try driver.detach(one, of: network.network)
        try await until("the second to be attached") { outcome.result.withLock { $0 != nil } }
        try outcome.result.withLock { $0 }?.get()
        #expect(try second.interfaces().contains { $0.name == "eth0" && $0.isUp })
        try driver.detach(again, of: network.network)
    }
}

/// How something ended that was done on a thread.
private final class Outcome: Sendable {
    let result = Mutex<Result<Void, any Error>?>(nil)
}

@Suite("An engine's networks beside an interface of the host's", .kernelTier, .serialized, .timeLimit(.minutes(2)))
struct LanEngineTests {
    @Test("A container in a macvlan network has its address, the gateway that was said, no port of the host's, and goes without a trace")
    func macvlan() async throws {
        let scene = try LanScene()
        let test = try await TestEngine()
        var configuration = NetworkConfiguration(name: "lan")
        (configuration.driver, configuration.options) = ("macvlan", ["parent": scene.parent])
        configuration.subnets = [SubnetRequest(subnet: "10.232.1.0/24", range: "10.232.1.128/25", gateway: "10.232.1.1")]
        let before = try scene.names()
        let network = try await test.engine.networks.create(configuration)
        #expect(try test.engine.networks.find("lan").configuration.options == ["parent": scene.parent])
        #expect(test.engine.networks.drivers.names == ["bridge", "host", "ipvlan", "macvlan", "null"])
        // Somebody has the port already: nothing is published, and so nothing is taken.
        let holder = try Answerer("holder", in: .current(), false, .of("0.0.0.0"), 18_080)
        defer { holder.stop() }
        let script = "ip -4 -o addr show eth0; ip route; nc 203.0.113.1 80 </dev/null"
        let result = try await test.run(["sh", "-c", script]) {
            $0.network = .named("lan")
            $0.networking.publishedPorts = [PortRequest(Port(80, .tcp), hostPorts: 18_080...18_080)]
        }
        #expect(result.output.contains("inet 10.232.1.128/24"), "\(result)")
        #expect(result.output.contains("default via 10.232.1.1 dev eth0"))
        #expect(result.output.contains("outside 10.232.1.128"))
        #expect(test.engine.networks.endpoints(of: network.id).isEmpty)
        try await test.engine.networks.remove("lan")
        #expect(try scene.names() == before)
        try await test.remove()
    }

    @Test(
        "A container in an ipvlan network has its address and reaches the neighbours, at layer 2 by itself and at layer 3 by the host's routes",
        arguments: ["l2", "l3"])
    func ipvlan(mode: String) async throws {
        let scene = try LanScene()
        let test = try await TestEngine()
        var configuration = NetworkConfiguration(name: "lan")
        (configuration.driver, configuration.enablesIPv6) = ("ipvlan", true)
        configuration.options = ["parent": scene.parent, "ipvlan_mode": mode]
        configuration.subnets = [
            SubnetRequest(subnet: "10.232.1.0/24", range: "10.232.1.128/25", gateway: "10.232.1.1"),
            SubnetRequest(subnet: "fd12:3456:789a:1::/64", gateway: "fd12:3456:789a:1::1"),
        ]
        let before = try scene.names()
        guard try KernelLinks.has("ipvlan") else {
            #expect(ProcessInfo.processInfo.environment["BERTH_HAS_ALL_LINKS"] == nil)
            let asked = configuration
            let error = await #expect(throws: NetworkError.self) { _ = try await test.engine.networks.create(asked) }
            #expect(error?.code == .unsupported && error?.description.contains("its module ipvlan is missing") == true)
            #expect(try scene.names() == before && test.engine.networks.all().count == 3)
            return try await test.remove()
        }
        if mode == "l3" {
            // The host is who sends, by an address of its own, and whom the neighbour sends to.
            try NetlinkScene.run(in: .current(), "ip addr add 10.232.2.1/24 dev \(scene.parent); ip route add 203.0.113.1 via 10.232.2.2")
            try NetlinkScene.run(
                in: scene.outside,
                "ip addr del 10.232.1.1/24 dev eth0; ip addr add 10.232.2.2/24 dev eth0; ip route add 10.232.1.0/24 via 10.232.2.1")
        }
        let network = try await test.engine.networks.create(configuration)
        let script = "ip -o addr show eth0; ip route; nc 203.0.113.1 80 </dev/null"
        let result = try await test.run(["sh", "-c", script]) { $0.network = .named("lan") }
        #expect(result.output.contains("inet 10.232.1.128/24"), "\(result)")
        #expect(result.output.contains("inet6 fd12:3456:789a:1::2/64"), "\(result)")
        #expect(result.output.contains(mode == "l2" ? "default via 10.232.1.1 dev eth0" : "default dev eth0"), "\(result)")
        #expect(result.output.contains("outside 10.232.1.128"), "\(result)")
        #expect(test.engine.networks.endpoints(of: network.id).isEmpty)
        try await test.engine.networks.remove("lan")
        #expect(try scene.names() == before)
        try await test.remove()
    }

    @Test("What cannot be made is refused with the reason, and leaves nothing")
    func refused() async throws {
        let scene = try LanScene()
        let test = try await TestEngine()
        let before = try scene.names()
        for (driver, options, words) in [
            ("overlay", [:], "makes networks of several machines"),
            ("macvlan", ["parent": "nobody"], "-o parent interface was not found on the host: nobody"),
            ("macvlan", ["macvlan_mode": "odd"], "requested macvlan mode 'odd' is not valid"),
        ] as [(String, [String: String], String)] {
            var configuration = NetworkConfiguration(name: "lan")
            (configuration.driver, configuration.options) = (driver, options)
            let error = await #expect(throws: NetworkError.self) { _ = try await test.engine.networks.create(configuration) }
            #expect(error?.description.contains(words) == true, "\(String(describing: error))")
        }
        #expect(test.engine.networks.all().map(\.name) == ["bridge", "host", "none"])
        #expect(try scene.names() == before)
        try await test.remove()
    }
}
