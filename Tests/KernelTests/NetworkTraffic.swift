import Berth
import BerthLinux
import BerthNetlink
import BerthNetworking
import Foundation
import Testing

/// An engine in the network namespace of the run, which is its host, and a neighbour that has a route to all of its containers.
///
/// `outside` 192.0.2.9 — 192.0.2.1 the host; of version 6 2001:db8::9 and ::1. The tests' networks have said subnets: number 1 has 10.88.1.0/24 and
/// fd00:88:1::/64. Whoever is at a place says its name and whom it was asked by, by TCP and UDP, at the ports where it listens.
final class NetworkTraffic {
    let scene: Scene
    private(set) var engine: Engine
    let host: NamespaceHandle
    let outside: NamespaceHandle
    private var namespaces: [String: NamespaceHandle] = [:]
    private var answerers: [Answerer] = []
    private(set) var containers: [String: Berth.Container] = [:]

    init() async throws {
        scene = try await Scene()
        (host, outside) = (try .current(), try .make())
        namespaces = ["host": host, "outside": outside]
        // A neighbour that an earlier test has left that failed.
        try Scratch.bash("ip link set lo up; ip link del up0 2>/dev/null || true")
        var socket = try NetlinkSocket(.route)
        try socket.perform(
            .makeLink(
                NewLink(LinkEnd(name: .named("up0")), .veth(peer: LinkEnd(name: .named("eth0"), namespace: outside)), isUp: true)))
        try Scratch.bash("ip addr add 192.0.2.1/24 dev up0; ip addr add 2001:db8::1/64 dev up0 nodad")
        try NetlinkScene.run(
            in: outside,
            """
            ip link set lo up; ip addr add 192.0.2.9/24 dev eth0; ip addr add 2001:db8::9/64 dev eth0 nodad; ip link set eth0 up
            ip route add default via 192.0.2.1; ip -6 route add default via 2001:db8::1
            """)
        engine = try await scene.open()
        try answer("outside", 80)
    }

    /// A test that has failed leaves no bridges: the next one has the same subnets. The rest is the scene's.
    deinit {
        for link in (try? NetlinkScene.json(in: host, "ip -j link")) ?? [] {
            guard let name = link["ifname"] as? String, (link["ifalias"] as? String)?.hasPrefix("berth/\(engine.id)/") ?? false else {
                continue
            }
            _ = try? Scratch.run("/sbin/ip", ["link", "del", name])  // only tidiness
        }
    }

    /// Closes the engine, as a daemon that is replaced does, and opens another.
    func reopen(whileAway body: () async throws -> Void = {}) async throws {
        await engine.close()
        try await body()
        try await openAgain()
    }

    /// Opens the engine anew, after it was closed and perhaps another was killed.
    func openAgain(hostGateway: HostGateway = .defaultNetwork) async throws {
        engine = try await scene.open(hostGateway: hostGateway)
        for (name, container) in containers { containers[name] = try? engine.containers.find(container.id) }
    }

    func removeContainers() async throws {
        stopAnswering()
        for name in containers.keys { namespaces[name] = nil }
        containers = [:]
        for container in engine.containers.all() { try await engine.containers.find(container.id).remove(force: true) }
        try answer("outside", 80)
    }

    /// Waits until there is again what there was before.
    func expect(onlyWhatThereWas before: NetworkInventory, _ note: String, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        var after = try NetworkInventory(self)
        do {
            try await until("what is left to be gone") {
                after = try NetworkInventory(self)
                return after == before
            }
        } catch {
            let difference = after.difference(from: before).map { $0.suffix(200) }
            Issue.record("\(note): \(error): what is left, or gone: \(difference)", sourceLocation: sourceLocation)
        }
    }

    func remove() async throws {
        try await removeContainers()
        for network in engine.networks.all() where !network.isPredefined { try await engine.networks.remove(network.id) }
        let id = engine.id
        try await scene.remove(with: engine)
        let tables = try NetlinkScene.run(in: host, "nft list tables")
        // What an engine leaves for the next one: its table, which nobody owns now, and the default network's bridge.
        for table in tables.split(separator: "\n") where table.contains(id) { try Scratch.bash("nft delete \(table)") }
        for link in try NetlinkScene.json(in: host, "ip -j link") where (link["ifalias"] as? String)?.hasPrefix("berth/\(id)/") ?? false {
            // The kernel may be taking it away itself, with its namespace.
            let name = try #require(link["ifname"] as? String)
            try Scratch.bash("ip link del \(name) 2>/dev/null || ! ip link show \(name) 2>/dev/null")
        }
        try Scratch.bash("ip link del up0")
    }

    // MARK: Networks and containers

    @discardableResult
    func network(_ name: String, _ number: Int, _ change: (inout NetworkConfiguration) -> Void = { _ in }) async throws -> Network {
        var configuration = NetworkConfiguration(name: name)
        configuration.enablesIPv6 = true
        configuration.subnets = [SubnetRequest(subnet: "10.88.\(number).0/24"), SubnetRequest(subnet: "fd00:88:\(number)::/64")]
        change(&configuration)
        return try await engine.networks.create(configuration)
    }

    /// Starts a container that does nothing, of this name, in these networks.
    @discardableResult
    func start(
        _ name: String, in networks: [String], command: [String] = ["sleep", "100000"],
        _ change: (inout ContainerConfiguration) throws -> Void = { _ in }
    ) async throws -> Berth.Container {
        var configuration = scene.configuration(command)
        (configuration.name, configuration.hostname) = (name, nil)
        configuration.network = networks.first.map { $0 == "bridge" ? .default : .named($0) } ?? .none
        configuration.endpoints = networks.map { EndpointConfiguration(network: $0) }
        try change(&configuration)
        let container = try await engine.containers.create(configuration)
        try await container.start()
        try place(name, at: container)
        return container
    }

    /// The namespace of a container that runs is the place of its name.
    func place(_ name: String, at container: Berth.Container) throws {
        containers[name] = container
        namespaces[name] = try .of(process: try #require(try container.details().processID))
    }

    /// The same of one that only the kernel is asked about.
    func place(_ name: String, process: Int32) throws { namespaces[name] = try .of(process: process) }

    func container(_ name: String) throws -> Berth.Container { try #require(containers[name]) }
    func namespace(_ name: String) throws -> NamespaceHandle { try #require(namespaces[name]) }

    /// A container's address in a network.
    func address(_ name: String, in network: String, _ version: IPAddress.Version = .v4) throws -> String {
        let endpoint = try #require(try container(name).details().endpoints.first { $0.networkName == network }, "\(name) in \(network)")
        return try #require((version == .v4 ? endpoint.ipv4 : endpoint.ipv6)?.address).description
    }

    /// Runs a command in a container and gives what it writes.
    func execute(_ name: String, _ script: String) async throws -> (output: String, code: Int32) {
        var configuration = ExecutionConfiguration(command: ["sh", "-c", script])
        (configuration.attachesOutput, configuration.attachesErrors) = (true, true)
        let execution = try await container(name).makeExecution(configuration)
        let streams = try await execution.start()
        var output: [UInt8] = []
        while let chunk = try await streams.read() {
            switch chunk {
            case .output(let bytes), .errors(let bytes): output += bytes
            }
        }
        return (String(decoding: output, as: UTF8.self), try await execution.wait())
    }

    // MARK: Traffic

    /// Has somebody answer at a place, at all its addresses or at one, by both protocols.
    func answer(_ name: String, _ ports: UInt16..., at address: String? = nil) throws {
        for port in ports {
            for isDatagram in [false, true] {
                for address in address.map({ [$0] }) ?? ["0.0.0.0", "::"] {
                    answerers.append(try Answerer(name, in: try namespace(name), isDatagram, .of(address), port))
                }
            }
        }
    }

    /// Nobody answers any more.
    func stopAnswering() {
        for answerer in answerers { answerer.stop() }
        answerers = []
    }

    func ask(
        from place: String, _ address: String, _ port: UInt16, isDatagram: Bool = false, _ patience: Patience = .forAnswer
    ) throws -> String? {
        let address = try IPAddress.of(address)
        return try Caller(in: namespace(place), isDatagram, version: address.version).call(address, port, patience)
    }

    /// Expects an answer; of whom, and whom they saw.
    func expect(
        _ expected: String, from place: String, _ address: String, _ port: UInt16, by protocols: [Bool] = [false, true],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        for isDatagram in protocols {
            #expect(
                try ask(from: place, address, port, isDatagram: isDatagram) == expected,
                "\(place) asks \(address) port \(port), \(isDatagram ? "UDP" : "TCP")", sourceLocation: sourceLocation)
        }
    }

    func expectNothing(from place: String, _ address: String, _ port: UInt16, sourceLocation: SourceLocation = #_sourceLocation) throws {
        for isDatagram in [false, true] {
            #expect(
                try ask(from: place, address, port, isDatagram: isDatagram, .forNothing) == nil,
                "\(place) asks \(address) port \(port), \(isDatagram ? "UDP" : "TCP")", sourceLocation: sourceLocation)
        }
    }

    /// What `dig` says to a question at a place, line by line, sorted.
    func dig(at place: String, _ arguments: String) throws -> [String] {
        try NetlinkScene.tryRun(in: namespace(place), "dig @127.0.0.11 +short +tries=3 +time=5 \(arguments)").0
            .split(separator: "\n").map(String.init).sorted()
    }

    /// Whether there is such a name, as `dig` says: `NOERROR`, `NXDOMAIN`.
    func status(at place: String, _ arguments: String) throws -> String {
        let output = try NetlinkScene.tryRun(in: namespace(place), "dig @127.0.0.11 +tries=3 +time=5 \(arguments)").0
        return try #require(output.firstMatch(of: /status: ([A-Z]+),/).map { String($0.1) }, "\(output)")
    }

    /// A file of a container's, as the container sees it.
    func file(_ path: String, of name: String) async throws -> String { try await execute(name, "cat \(path)").output }
}

extension Scratch {
    /// Runs a script; a failure is the test's.
    @discardableResult static func bash(_ script: String) throws -> String {
        let (output, code) = try run("/bin/bash", ["-euo", "pipefail", "-c", script])
        try #require(code == 0, "\(script): \(output)")
        return output
    }
}
