@testable import BerthNetlink
@testable import BerthNetworking
import Testing

@Suite("The firewall's rules and elements follow from networks and ports")
struct FirewallStateTests {
    private static func network(
        _ id: String, _ subnets: [String], isInternal: Bool = false, allowsInterContainer: Bool = true,
        _ v4: FirewallNetwork.Gateway = .init(), _ v6: FirewallNetwork.Gateway = .init()
    ) throws -> FirewallNetwork {
        FirewallNetwork(
            id: id, bridge: try #require(InterfaceName("br-\(id)")), subnets: try subnets.map { try #require(Subnet($0)) },
            isInternal: isInternal, allowsInterContainer: allowsInterContainer, v4: v4, v6: v6)
    }

    private static func port(
        _ network: String, _ hostPort: UInt16, _ address: String, _ port: UInt16 = 80, on host: String? = nil,
        over transport: PublishedPort.Transport = .tcp, sandbox: String = "s"
    ) throws -> PublishedPort {
        PublishedPort(
            networkID: network, sandboxID: sandbox, transport: transport, hostAddress: try host.map { try #require(IPAddress($0)) },
            hostPort: hostPort, containerAddress: try #require(IPAddress(address)), containerPort: port)
    }

    private static func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

    /// The elements in words.
    private func words(_ elements: FirewallElements) -> [String] {
        elements.bySet.flatMap { set, elements in elements.map { "\(set.rawValue) \(Self.words($0, set))" } }.sorted()
    }

    private static func words(_ element: NfElement, _ set: FirewallSet) -> String {
        let table = NfTableName(.inet, NfName(known: "t"))
        let definition = set.definition(in: table)
        var text = words(element.key, definition.key)
        if let last = element.lastKey { text += "-" + words(last, definition.key) }
        switch element.data {
        case nil: break
        case .verdict(let verdict): text += " : \(verdict)"
        case .value(let bytes):
            guard case .data(let parts) = definition.value else { return "a value in a set" }
            text += " : \(words(bytes, parts))"
        }
        return text
    }

    private static func words(_ bytes: [UInt8], _ parts: [NfDataType]) -> String {
        var rest = bytes[...]
        return parts.map { part in
            let value = rest.prefix(part.byteCount)
            rest = rest.dropFirst(parts.count == 1 ? part.byteCount : (part.byteCount + 3) & ~3)
            switch part {
            case .interfaceName: return String(decoding: value.prefix { $0 != 0 }, as: UTF8.self)
            case .ipv4Address, .ipv6Address: return IPAddress(bytes: value)?.description ?? "?"
            case .port: return "\(value.reduce(0) { $0 << 8 | Int($1) })"
            default: return value.map { "\($0)" }.joined(separator: " ")
            }
        }.joined(separator: " . ")
    }

    @Test("A network is elements, by its mode")
    func networks() throws {
        let subnets = ["172.17.0.0/16", "fd00::/64"]
        let common = ["bridges br-a", "pairs br-a . br-a : accept"]
        let nat = NfVerdict.goto(NfName(known: "natted"))
        let four = [
            "guarded4 172.17.0.0-172.17.255.255", "hairpin4 172.17.0.0-172.17.255.255", "leaving4 172.17.0.0-172.17.255.255",
            "to4 br-a : \(nat)",
        ]
        let six = [
            "guarded6 fd00::-fd00::ffff:ffff:ffff:ffff", "hairpin6 fd00::-fd00::ffff:ffff:ffff:ffff",
            "leaving6 fd00::-fd00::ffff:ffff:ffff:ffff", "to6 br-a : \(nat)",
        ]
        #expect(words(FirewallElements(try Self.network("a", subnets))) == (common + four + six).sorted())
        // Of the version that it does not have, nothing comes in.
        #expect(words(FirewallElements(try Self.network("a", ["172.17.0.0/16"]))) == (common + four + ["to6 br-a : drop"]).sorted())
        // Each version has a mode of its own.
        let source = try Self.address("192.0.2.7")
        #expect(
            words(FirewallElements(try Self.network("a", subnets, .init(.natUnprotected, source: source), .init(.routed))))
                == (common + [
                    "hairpin4 172.17.0.0-172.17.255.255", "leavingAs4 172.17.0.0-172.17.255.255 : 192.0.2.7", "to4 br-a : accept",
                    "to6 br-a : \(NfVerdict.goto(NfName(known: "routed")))",
                ]).sorted())
        let closed = [
            "from4 br-a : drop", "from6 br-a : drop", "to4 br-a : drop", "to6 br-a : drop", "guarded4 172.17.0.0-172.17.255.255",
            "guarded6 fd00::-fd00::ffff:ffff:ffff:ffff",
        ]
        #expect(words(FirewallElements(try Self.network("a", subnets, isInternal: true, .init(.routed)))) == (common + closed).sorted())
        #expect(
            words(FirewallElements(try Self.network("a", subnets, isInternal: true, .init(.isolated), .init(.isolated))))
                == (common + closed + ["gatewayless4 br-a", "gatewayless6 br-a"]).sorted())
        #expect(
            words(FirewallElements(try Self.network("a", [], allowsInterContainer: false)))
                == ["bridges br-a", "pairs br-a . br-a : \(NfVerdict.goto(NfName(known: "apart")))", "to4 br-a : drop", "to6 br-a : drop"])
    }

    @Test("A port is one element, and the thousandth no more than the first")
    func ports() throws {
        var state = try FirewallState(networks: [Self.network("a", ["172.17.0.0/16", "fd00::/64"])], ports: [])
        func published(_ port: PublishedPort) throws -> [String] {
            let difference = try state.apply(.publish(port))
            #expect(difference.removed.isEmpty)
            return words(difference.added)
        }
        #expect(try published(Self.port("a", 8080, "172.17.0.2")) == ["ports4 6 . 8080 : 172.17.0.2 . 80"])
        #expect(try published(Self.port("a", 8080, "172.17.0.2", over: .udp)) == ["ports4 17 . 8080 : 172.17.0.2 . 80"])
        #expect(try published(Self.port("a", 8080, "172.17.0.2", over: .sctp)) == ["ports4 132 . 8080 : 172.17.0.2 . 80"])
        #expect(try published(Self.port("a", 8080, "fd00::2")) == ["ports6 6 . 8080 : fd00::2 . 80"])
        #expect(try published(Self.port("a", 81, "172.17.0.2", on: "127.0.0.1")) == ["addressed4 6 . 127.0.0.1 . 81 : 172.17.0.2 . 80"])
        #expect(try published(Self.port("a", 81, "fd00::2", on: "2001:db8::1")) == ["addressed6 6 . 2001:db8::1 . 81 : fd00::2 . 80"])
        #expect(try published(Self.port("a", 82, "172.17.0.2", on: "0.0.0.0")) == ["ports4 6 . 82 : 172.17.0.2 . 80"])
        // What a socket carries is no element.
        #expect(try published(Self.port("a", 83, "fd00::2", on: "::1")) == [])
        #expect(try published(Self.port("a", 84, "172.17.0.2", on: "::")) == [])
        for number in 1000..<2000 as Range<UInt16> { _ = try state.apply(.publish(Self.port("a", number, "172.17.0.9"))) }
        #expect(try published(Self.port("a", 2000, "172.17.0.2")) == ["ports4 6 . 2000 : 172.17.0.2 . 80"])
        // Again, it is nothing; taken back, it is the same element.
        let port = try Self.port("a", 2000, "172.17.0.2")
        #expect(try published(port) == [])
        let gone = try state.apply(.unpublish(port))
        #expect(gone.added.isEmpty && words(gone.removed) == ["ports4 6 . 2000 : 172.17.0.2 . 80"])
        #expect(try state.apply(.unpublish(port)).removed.isEmpty)
        #expect(gone.flows == [])
        // Datagrams have no beginning: what is known of them has to be forgotten.
        let datagrams = try Self.port("a", 2000, "172.17.0.2", over: .udp)
        #expect(try state.apply(.publish(datagrams)).flows == [.published(datagrams)])
        #expect(try state.apply(.unpublish(datagrams)).flows == [.unpublished(datagrams)])
    }

    @Test("What has changed and is taken back is as it was")
    func inverse() throws {
        let (a, b) = try (Self.network("a", ["172.17.0.0/16"]), Self.network("b", ["172.18.0.0/16"]))
        let ports = try [Self.port("a", 1, "172.17.0.2"), Self.port("b", 2, "172.18.0.2"), Self.port("b", 3, "172.18.0.2", over: .udp)]
        var state = try FirewallState(networks: [a, b], ports: ports)
        let opening = ForwardingOpening(try #require(InterfaceName("eth0")), .v4)
        var routed = b
        routed.v4.mode = .routed
        let before = (state.elements, state.networks, state.ports, state.openings)
        let (c, moved, taken) = try (Self.network("c", ["10.0.0.0/8"]), Self.port("a", 1, "172.17.0.3"), Self.port("a", 2, "172.17.0.2"))
        let rows: [[FirewallChange]] = [
            [.removeNetwork("b")], [.addNetwork(routed)], [.addNetwork(c), .removeNetwork("a")], [.unpublish(ports[0]), .publish(moved)],
            [.open(opening), .close(opening), .open(opening)],
            [.addNetwork(routed), .unpublish(ports[1]), .removeNetwork("b"), .publish(taken)],
        ]
        for changes in rows {
            var inverse: [FirewallChange] = []
            for change in changes { inverse = try state.apply(change).inverse + inverse }
            #expect(state.elements != before.0)
            state.undo(inverse)
            #expect(state.elements == before.0 && state.networks == before.1 && state.ports == before.2 && state.openings == before.3)
        }
    }

    @Test("A network that changes takes its ports along")
    func change() throws {
        let nat = try Self.network("a", ["172.17.0.0/16"])
        var state = try FirewallState(
            networks: [nat],
            ports: [Self.port("a", 1, "172.17.0.2"), Self.port("a", 2, "172.17.0.2"), Self.port("a", 3, "172.17.0.2", on: "127.0.0.1")])
        var routed = nat
        routed.v4.mode = .routed
        let difference = try state.apply(.addNetwork(routed))
        #expect(words(difference.added).filter { $0.hasPrefix("routed4") } == ["routed4 6 . 172.17.0.2 . 80"])
        #expect(words(difference.removed).filter { $0.contains(" . ") && !$0.hasPrefix("pairs") }.count == 3)
        #expect(try state.apply(.addNetwork(routed)).added.isEmpty)
        // Two of the host's ports are one of the container's: it goes with the last.
        #expect(try state.apply(.unpublish(Self.port("a", 1, "172.17.0.2"))).removed.isEmpty)
        #expect(words(try state.apply(.unpublish(Self.port("a", 2, "172.17.0.2"))).removed) == ["routed4 6 . 172.17.0.2 . 80"])
        let other = try FirewallState(networks: [routed], ports: [Self.port("a", 3, "172.17.0.2", on: "127.0.0.1")])
        #expect(state.elements == other.elements)
    }

    @Test("What cannot be is refused")
    func refusals() throws {
        let a = try Self.network("a", ["172.17.0.0/16"])
        var state = try FirewallState(networks: [a], ports: [Self.port("a", 80, "172.17.0.2", sandbox: "one")])
        let rows: [(FirewallChange, NetworkError.Code)] = [
            (.publish(try Self.port("a", 80, "172.17.0.3")), .conflict), (.publish(try Self.port("b", 81, "172.17.0.3")), .notFound),
            (.publish(try Self.port("a", 0, "172.17.0.3")), .invalid), (.publish(try Self.port("a", 81, "172.17.0.3", 0)), .invalid),
            (.addNetwork(FirewallNetwork(id: "b", bridge: a.bridge, subnets: [])), .conflict),
            (.addNetwork(try Self.network("b", ["172.17.3.0/24"])), .conflict),
            (.addNetwork(try Self.network("b", ["10.0.0.0/8", "10.1.0.0/16"])), .invalid),
            (.addNetwork(try Self.network("b", ["10.0.0.0/8"], .init(source: Self.address("::2")))), .invalid),
        ]
        for (change, code) in rows {
            let before = state.elements
            #expect("\(change)") { try state.apply(change) } throws: { ($0 as? NetworkError)?.code == code }
            #expect(state.elements == before)
        }
        #expect { try state.apply(.publish(Self.port("a", 80, "172.17.0.3"))) } throws: { "\($0)".contains("sandbox one") }
        #expect(FirewallTable(engineID: "") == nil && FirewallTable(engineID: String(repeating: "x", count: 300)) == nil)
        #expect(throws: NetworkError.self) { try Firewall(engineID: "") }
    }

    @Test("The rules can be written, each guard is in one of them, and no rule names what there is not")
    func rules() throws {
        let table = try #require(FirewallTable(engineID: String(repeating: "0123456789abcdef", count: 4)))
        let state = try FirewallState(
            networks: [
                Self.network("a", ["172.17.0.0/16", "fd00::/64"], .init(.natUnprotected, source: Self.address("192.0.2.7")))
            ],
            ports: [Self.port("a", 80, "172.17.0.2", on: "127.0.0.1")])
        let transaction = table.replacement(state.elements, flags: [.owner, .persist], isThere: true, expecting: 7)
        #expect(transaction.requests.compactMap(\.problem) == [])
        #expect(transaction.expectedGeneration == 7)
        var change = NfTransaction()
        table.change(removing: state.elements, adding: state.elements, in: &change)
        #expect(change.requests.compactMap(\.problem) == [])
        #expect(Set(FirewallRules.all.compactMap(\.guardian)) == Set(FirewallGuard.allCases))
        for one in FirewallGuard.allCases {
            let without = try #require(FirewallTable(engineID: "a", without: [one]))
            #expect(without.rules.count < table.rules.count)
        }
        let chains = Set(table.chains.map(\.name))
        for rule in table.rules {
            #expect(chains.contains(rule.chain))
            for case .lookup(let set, _, _, _) in rule.steps { #expect(FirewallSet(rawValue: set.description) != nil) }
        }
    }

    @Test("Connections that have to be forgotten, and no others")
    func flows() throws {
        typealias Flow = (transport: UInt8, original: TrackedFlow.Direction, reply: TrackedFlow.Direction)
        func flow(_ transport: UInt8, _ from: String, _ to: String, _ port: UInt16, answeredBy other: String, _ otherPort: UInt16) throws
            -> Flow
        {
            let (source, destination, answerer) = (try Self.address(from), try Self.address(to), try Self.address(other))
            return (
                transport, .init(source: source, destination: destination, sourcePort: 5000, destinationPort: port),
                .init(source: answerer, destination: source, sourcePort: otherPort, destinationPort: 5000)
            )
        }
        func contain(_ stale: StaleFlows, _ flow: Flow, _ local: Set<IPAddress>) -> Bool {
            stale.contain(flow.transport, flow.original, flow.reply, local: local)
        }
        let local: Set = [try #require(IPAddress("192.0.2.1"))]
        let port = try Self.port("a", 53, "172.17.0.2", 5353, over: .udp)
        let published = StaleFlows.published(port)
        // To the host itself; to a container that had the port.
        #expect(contain(published, try flow(17, "192.0.2.9", "192.0.2.1", 53, answeredBy: "192.0.2.1", 53), local))
        #expect(contain(published, try flow(17, "127.0.0.1", "127.0.0.1", 53, answeredBy: "127.0.0.1", 53), local))
        #expect(contain(published, try flow(17, "192.0.2.9", "192.0.2.1", 53, answeredBy: "172.17.0.3", 5353), local))
        // There already; another protocol; a container that asks a server elsewhere.
        #expect(!contain(published, try flow(17, "192.0.2.9", "192.0.2.1", 53, answeredBy: "172.17.0.2", 5353), local))
        #expect(!contain(published, try flow(6, "192.0.2.9", "192.0.2.1", 53, answeredBy: "192.0.2.1", 53), local))
        #expect(!contain(published, try flow(17, "172.17.0.7", "9.9.9.9", 53, answeredBy: "9.9.9.9", 53), local))
        let one = StaleFlows.published(try Self.port("a", 53, "172.17.0.2", 5353, on: "192.0.2.2", over: .udp))
        #expect(!contain(one, try flow(17, "192.0.2.9", "192.0.2.1", 53, answeredBy: "192.0.2.1", 53), local))
        #expect(contain(one, try flow(17, "192.0.2.9", "192.0.2.2", 53, answeredBy: "192.0.2.2", 53), local))
        let gone = StaleFlows.unpublished(port)
        #expect(contain(gone, try flow(17, "192.0.2.9", "192.0.2.1", 53, answeredBy: "172.17.0.2", 5353), local))
        #expect(contain(gone, try flow(17, "192.0.2.9", "172.17.0.2", 5353, answeredBy: "172.17.0.2", 5353), local))
        #expect(!contain(gone, try flow(17, "192.0.2.9", "192.0.2.1", 54, answeredBy: "172.17.0.2", 5353), local))
        #expect(!contain(gone, try flow(17, "192.0.2.9", "192.0.2.1", 53, answeredBy: "172.17.0.3", 5353), local))
        let address = StaleFlows.address(try #require(IPAddress("172.17.0.2")))
        #expect(contain(address, try flow(6, "172.17.0.2", "9.9.9.9", 443, answeredBy: "9.9.9.9", 443), []))
        #expect(contain(address, try flow(6, "192.0.2.9", "192.0.2.1", 80, answeredBy: "172.17.0.2", 80), []))
        #expect(!contain(address, try flow(6, "172.17.0.3", "9.9.9.9", 443, answeredBy: "9.9.9.9", 443), []))
    }

    @Test("Every way in is told, and what is no way in is not")
    func exposure() throws {
        let networks = try [
            Self.network("nat", ["172.17.0.0/16", "fd00::/64"]), Self.network("open", ["172.18.0.0/16"], .init(.natUnprotected)),
            Self.network("routed", ["172.19.0.0/16"], .init(.routed)), Self.network("closed", ["172.20.0.0/16"], isInternal: true),
        ]
        let state = try FirewallState(
            networks: networks,
            ports: [
                Self.port("nat", 80, "172.17.0.2"), Self.port("nat", 80, "fd00::2"), Self.port("nat", 81, "172.17.0.2", on: "127.0.0.1"),
                Self.port("nat", 82, "fd00::2", on: "::1"), Self.port("nat", 83, "172.17.0.2", on: "192.0.2.1", over: .udp),
                Self.port("nat", 84, "172.17.0.2", on: "::"), Self.port("open", 85, "172.18.0.2"), Self.port("routed", 86, "172.19.0.2"),
                Self.port("routed", 87, "172.19.0.2", 90, on: "127.0.0.1"), Self.port("closed", 88, "172.20.0.2"),
            ])
        #expect(
            state.exposure.map(\.description) == [
                "tcp 0.0.0.0:80: the port is published on every address", "tcp [::]:80: the port is published on every address",
                "udp 192.0.2.1:83: the port is published on this address", "tcp [::]:84: a socket of ours on this address relays",
                "tcp 0.0.0.0:85: the port is published on every address",
                "tcp 172.19.0.2:80: the port is published and the gateway mode is routed",
                "any 172.18.0.0/16:any: the gateway mode nat-unprotected leaves every port open to whoever has a route",
            ])
        #expect(state.exposure.allSatisfy { $0.sandboxID == "s" || $0.port == nil })
    }
}
