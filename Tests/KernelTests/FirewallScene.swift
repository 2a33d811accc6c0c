import BerthLinux
import BerthNetlink
@testable import BerthNetworking
import Foundation
import Synchronization
import Testing

/// A host with two bridges, three containers and a neighbour that has routes to all of it.
///
/// `outside` 192.0.2.9 — 192.0.2.1 `host`; bridge `bra` 10.88.1.1 with c1 (.11) and c2 (.12), bridge `brb` 10.88.2.1 with c3 (.13); of version 6 likewise
/// 2001:db8::, fd00:88:1::, fd00:88:2::. Somebody answers on port 80 by TCP and UDP, but on the host on port 90, and on its 127.0.0.1 on port 99; c1
/// also on 91.
final class FirewallScene {
    let host: NamespaceHandle
    let outside: NamespaceHandle
    private(set) var containers: [String: NamespaceHandle] = [:]
    private var answerers: [Answerer] = []
    private(set) var openings: [ForwardingOpening] = []
    let forwarding: Forwarding

    static let places = [("c1", "a", 1, 11), ("c2", "a", 1, 12), ("c3", "b", 2, 13)]

    /// - Parameter bridgesMeetRules: whether what a bridge passes on meets the rules of IP, as `br_netfilter` has it where it is loaded.
    init(bridgesMeetRules: Bool = false) throws {
        (host, outside) = (try NamespaceHandle.make(), try NamespaceHandle.make())
        let log = Log()
        forwarding = Forwarding(in: host) { change in log.changes.withLock { $0.append(change) } }
        self.log = log
        try NetlinkScene.run(
            in: host,
            """
            for f in /proc/sys/net/bridge/bridge-nf-call-ip*tables; do [ ! -e $f ] || echo \(bridgesMeetRules ? 1 : 0) >$f; done
            ip link set lo up
            ip link add bra type bridge; ip link add brb type bridge
            ip addr add 10.88.1.1/24 dev bra; ip addr add 10.88.2.1/24 dev brb
            ip addr add fd00:88:1::1/64 dev bra nodad; ip addr add fd00:88:2::1/64 dev brb nodad
            ip link set bra up; ip link set brb up
            """)
        try connect(outside, "up0", "eth0")
        try NetlinkScene.run(
            in: host, "ip addr add 192.0.2.1/24 dev up0; ip addr add 2001:db8::1/64 dev up0 nodad; ip link set up0 up")
        try NetlinkScene.run(
            in: outside,
            """
            ip link set lo up; ip addr add 192.0.2.9/24 dev eth0; ip addr add 2001:db8::9/64 dev eth0 nodad; ip link set eth0 up
            ip route add default via 192.0.2.1; ip -6 route add default via 2001:db8::1
            """)
        for (name, bridge, network, last) in Self.places {
            let container = try NamespaceHandle.make()
            containers[name] = container
            try connect(container, "v\(name)", "eth0")
            try NetlinkScene.run(in: host, "ip link set v\(name) master br\(bridge) up; bridge link set dev v\(name) hairpin on")
            try NetlinkScene.run(
                in: container,
                """
                ip link set lo up
                ip addr add 10.88.\(network).\(last)/24 dev eth0; ip addr add fd00:88:\(network)::\(last)/64 dev eth0 nodad; ip link set eth0 up
                ip route add default via 10.88.\(network).1; ip -6 route add default via fd00:88:\(network)::1
                """)
        }
        let up = try InterfaceName.named("up0")
        for name in ["bra", "brb"] { try forwarding.prepare(bridge: .named(name), versions: [.v4, .v6]) }
        openings = try forwarding.open([up], .v4) + forwarding.open([up], .v6)
        for (name, namespace) in containers { try answer(name, in: namespace, 80) }
        try answer("outside", in: outside, 80)
        for address in ["192.0.2.1", "10.88.1.1", "10.88.2.1", "2001:db8::1", "fd00:88:1::1", "fd00:88:2::1"] {
            for isDatagram in [false, true] { answerers.append(try Answerer("host", in: host, isDatagram, .of(address), 90)) }
        }
        try answer("c1", in: namespace("c1"), 91)
        for isDatagram in [false, true] { answerers.append(try Answerer("host", in: host, isDatagram, .of("127.0.0.1"), 99)) }
    }

    private let log: Log
    private final class Log: Sendable {
        let changes = Mutex<[SettingChange]>([])
    }
    /// The settings that were changed.
    var changes: [SettingChange] { log.changes.withLock { $0 } }

    /// Has somebody answer on a port of all addresses, both versions and both protocols.
    func answer(_ name: String, in namespace: NamespaceHandle, _ port: UInt16) throws {
        for isDatagram in [false, true] {
            for address in ["0.0.0.0", "::"] { answerers.append(try Answerer(name, in: namespace, isDatagram, .of(address), port)) }
        }
    }

    /// A further neighbour of the host's, 198.51.100.9, that uses it as its router, behind an interface on which forwarding is switched on.
    func addStranger() throws -> NamespaceHandle {
        let other = try NamespaceHandle.make()
        try connect(other, "up1", "eth0")
        try NetlinkScene.run(
            in: host, "ip addr add 198.51.100.1/24 dev up1; ip addr add 2001:db8:1::1/64 dev up1 nodad; ip link set up1 up")
        try NetlinkScene.run(
            in: other,
            """
            ip addr add 198.51.100.9/24 dev eth0; ip addr add 2001:db8:1::9/64 dev eth0 nodad; ip link set eth0 up
            ip route add default via 198.51.100.1; ip -6 route add default via 2001:db8:1::1
            """)
        let up: InterfaceName = try .named("up1")
        openings += try forwarding.open([up], .v4) + forwarding.open([up], .v6)
        try answer("stranger", in: other, 80)
        return other
    }

    /// Has a place send to 127.0.0.1 by its router, as who administers its own network can.
    func sendLoopbackOut(from place: String, by router: String) throws {
        try NetlinkScene.run(
            in: namespace(place),
            """
            echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet; ip addr del 127.0.0.1/8 dev lo
            ip route add 127.0.0.0/8 via \(router)
            """)
    }

    private func connect(_ other: NamespaceHandle, _ name: String, _ otherName: String) throws {
        var socket = try NetlinkSocket(.route, in: host)
        try socket.perform(
            .makeLink(
                NewLink(
                    LinkEnd(name: .named(name)), .veth(peer: LinkEnd(name: .named(otherName), namespace: other)), isUp: true)))
    }

    func namespace(_ name: String) throws -> NamespaceHandle {
        name == "host" ? host : name == "outside" ? outside : try #require(containers[name])
    }

    /// Asks once and gives who answered and whom it saw; `nil` if nobody did.
    func ask(
        from place: String, _ address: String, _ port: UInt16, isDatagram: Bool = false, from source: (IPAddress, UInt16)? = nil,
        _ patience: Patience
    ) throws -> String? {
        let address = try IPAddress.of(address)
        let caller = try Caller(in: namespace(place), isDatagram, version: address.version, from: source)
        return caller.call(address, port, patience)
    }

    /// Expects that somebody answers, by both protocols.
    func expectAnswer(
        _ expected: String, from place: String, _ address: String, _ port: UInt16, _ note: String = "",
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        for isDatagram in [false, true] {
            let answer = try ask(from: place, address, port, isDatagram: isDatagram, .forAnswer)
            #expect(
                answer == expected, "\(note) \(place) asks \(address) port \(port), \(isDatagram ? "UDP" : "TCP")",
                sourceLocation: sourceLocation)
        }
    }

    /// Expects that nobody answers, by both protocols.
    func expectNothing(
        from place: String, _ address: String, _ port: UInt16, _ note: String = "", sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        for isDatagram in [false, true] {
            let answer = try ask(from: place, address, port, isDatagram: isDatagram, .forNothing)
            #expect(
                answer == nil, "\(note) \(place) asks \(address) port \(port), \(isDatagram ? "UDP" : "TCP")",
                sourceLocation: sourceLocation)
        }
    }

    // MARK: What is asked of the firewall

    static func network(
        _ letter: String, isInternal: Bool = false, allowsInterContainer: Bool = true, _ gateway: FirewallNetwork.Gateway = .init()
    ) throws -> FirewallNetwork {
        let number = letter == "a" ? 1 : 2
        return FirewallNetwork(
            id: letter, bridge: try .named("br\(letter)"),
            subnets: try ["10.88.\(number).0/24", "fd00:88:\(number)::/64"].map { try #require(Subnet($0)) }, isInternal: isInternal,
            allowsInterContainer: allowsInterContainer, v4: gateway, v6: gateway)
    }

    /// A port of a container's, by both protocols; of one address, or of all of both versions.
    static func ports(_ hostPort: UInt16, _ place: String, on address: String? = nil, to port: UInt16 = 80) throws -> [PublishedPort] {
        let (name, letter, network, last) = try #require(places.first { $0.0 == place })
        let host = try address.map { try IPAddress.of($0) }
        return try [IPAddress.of("10.88.\(network).\(last)"), .of("fd00:88:\(network)::\(last)")].flatMap { own in
            host.map { $0.version == own.version } ?? true
                ? [PublishedPort.Transport.tcp, .udp].map {
                    PublishedPort(
                        networkID: letter, sandboxID: name, transport: $0, hostAddress: host, hostPort: hostPort, containerAddress: own,
                        containerPort: port)
                } : []
        }
    }

    /// A firewall of the host's with two networks and ports: 8080 to c1, 8081 to c1 on the loopback, 8082 to c3, 8083 to c2 on 192.0.2.1 alone.
    func firewall(
        _ networks: [FirewallNetwork]? = nil, without guards: Set<FirewallGuard> = [], _ protection: Firewall.Protection = .owned,
        engineID: String = "0123abcd", ownedFlags: NfTable.Flags = [.owner, .persist],
        onEvent: @escaping @Sendable (Firewall.Event) -> Void = { _ in }
    ) async throws -> Firewall {
        let table = try #require(FirewallTable(engineID: engineID, without: guards))
        let firewall = Firewall(table, protection, host, ownedFlags: ownedFlags, onEvent)
        try firewall.apply(
            (networks ?? [Self.network("a"), Self.network("b")]).map { .addNetwork($0) } + Self.usualPorts.map { .publish($0) }
                + openings.map { .open($0) })
        return firewall
    }

    static var usualPorts: [PublishedPort] {
        get throws {
            try ports(8080, "c1") + ports(8081, "c1", on: "127.0.0.1") + ports(8082, "c3") + ports(8083, "c2", on: "192.0.2.1")
                + ports(8083, "c2", on: "2001:db8::1")
        }
    }
}
