internal import BerthNetlink

/// The table's sets and maps. Everything that is about one network or one port is an element of them, so that rules are the same whatever there is.
enum FirewallSet: String, Hashable, Sendable, CaseIterable {
    /// Our bridges.
    case bridges
    /// Addresses of networks that nobody reaches from outside: containers' and bridges'.
    case guarded4, guarded6
    /// Published ports of all of the host's addresses: protocol and port, to address and port.
    case ports4, ports6
    /// Published ports of one of the host's addresses: protocol, address and port, to address and port.
    case addressed4, addressed6
    /// Ports of containers that are reached by their own address: protocol, address and port.
    case routed4, routed6
    /// What becomes of packets out of a bridge, by its name.
    case from4, from6
    /// What becomes of packets into a bridge, by its name.
    case to4, to6
    /// What becomes of packets from a bridge to itself, by its name twice.
    case pairs
    /// Addresses that leave as the host's of the interface.
    case leaving4, leaving6
    /// Addresses that leave as another one.
    case leavingAs4, leavingAs6
    /// Addresses whose connections to published ports of the host's get an address of the bridge's.
    case hairpin4, hairpin6
    /// Bridges without a gateway.
    case gatewayless4, gatewayless6
    /// Bridges whose own containers reach published ports by the sockets on these.
    case relayed
    /// The host's interfaces on which forwarding was switched on for containers.
    case opened4, opened6

    /// The set of two that is for a version.
    static func of(_ version: IPAddress.Version, _ v4: FirewallSet, _ v6: FirewallSet) -> FirewallSet { version == .v4 ? v4 : v6 }

    private var keyAndValue: (key: [NfDataType], value: NfSet.Value, isInterval: Bool) {
        switch self {
        case .bridges, .relayed, .gatewayless4, .gatewayless6, .opened4, .opened6: ([.interfaceName], .nothing, false)
        case .guarded4, .leaving4, .hairpin4: ([.ipv4Address], .nothing, true)
        case .guarded6, .leaving6, .hairpin6: ([.ipv6Address], .nothing, true)
        case .leavingAs4: ([.ipv4Address], .data([.ipv4Address]), true)
        case .leavingAs6: ([.ipv6Address], .data([.ipv6Address]), true)
        case .ports4: ([.transportProtocol, .port], .data([.ipv4Address, .port]), false)
        case .ports6: ([.transportProtocol, .port], .data([.ipv6Address, .port]), false)
        case .addressed4: ([.transportProtocol, .ipv4Address, .port], .data([.ipv4Address, .port]), false)
        case .addressed6: ([.transportProtocol, .ipv6Address, .port], .data([.ipv6Address, .port]), false)
        case .routed4: ([.transportProtocol, .ipv4Address, .port], .nothing, false)
        case .routed6: ([.transportProtocol, .ipv6Address, .port], .nothing, false)
        case .from4, .from6, .to4, .to6: ([.interfaceName], .verdict, false)
        case .pairs: ([.interfaceName, .interfaceName], .verdict, false)
        }
    }

    var name: NfName { NfName(known: rawValue) }

    func definition(in table: NfTableName) -> NfSet {
        let (key, value, isInterval) = keyAndValue
        return NfSet(table, name, key: key, value: value, isInterval: isInterval)
    }
}

/// The table's chains.
enum FirewallChain: String, Hashable, Sendable, CaseIterable {
    /// Every packet that comes in, before addresses are changed, and when it is known what connection it is of.
    case guarding
    /// Packets from elsewhere to 127.0.0.0/8.
    case toLoopback
    /// The first packet of a connection from outside or from a container.
    case prerouting
    /// The first packet of a connection of the host's own.
    case output
    /// The first packet of a connection to an address of the host's.
    case published
    /// Before a connection's first packet leaves.
    case postrouting
    /// Every packet to the host itself.
    case input
    /// Every packet through the host.
    case forward
    /// Packets to containers whose ports are published at the host's addresses.
    case natted
    /// Packets to containers whose ports are published at their own.
    case routed
    /// Packets from a bridge to itself that are not allowed.
    case apart

    var name: NfName { NfName(known: rawValue) }

    /// Behind connection tracking (-200) and before addresses are changed (-100).
    private static let guardPriority: Int32 = -150

    func definition(in table: NfTableName) -> NfChain {
        let base: NfChain.Base? =
            switch self {
            case .guarding: .init(.filter, .prerouting, priority: Self.guardPriority)
            case .prerouting: .init(.nat, .prerouting, priority: -100)
            case .output: .init(.nat, .output, priority: -100)
            case .postrouting: .init(.nat, .postrouting, priority: 100)
            case .input: .init(.filter, .input, priority: 0)
            case .forward: .init(.filter, .forward, priority: 0)
            case .toLoopback, .published, .natted, .routed, .apart: nil
            }
        return NfChain(table, name, at: base)
    }
}

/// The one table of an engine: its chains, sets and rules, which are the same for every engine and every state. What is there is in the elements.
///
/// It is of the family `inet`: bridges and interfaces are the same for both versions, and one transaction changes one table.
struct FirewallTable: Hashable, Sendable {
    /// Which one.
    let id: NfTableName
    /// What is written to it.
    let comment: String
    /// The one that stands in for it where it cannot be kept.
    let hold: FirewallHold
    /// The rules, in their order.
    let rules: [NfRule]

    /// The table of an engine; `nil` if its id makes no name.
    ///
    /// - Parameter guards: which are left out, in tests.
    init?(engineID: String, without guards: Set<FirewallGuard> = []) {
        guard !engineID.isEmpty, let name = NfName("berth-\(engineID)") else { return nil }
        let id = NfTableName(.inet, name)
        let comment = "of the container engine \(engineID)".truncated(toBytes: 127)
        guard let hold = FirewallHold(of: id, comment) else { return nil }
        (self.id, self.comment, self.hold) = (id, comment, hold)
        rules = FirewallRules.all.filter { rule in rule.guardian.map { !guards.contains($0) } ?? true }.map { rule in
            NfRule(id, rule.chain.name, rule.steps, comment: rule.comment)
        }
    }

    var sets: [NfSet] { FirewallSet.allCases.map { $0.definition(in: id) } }
    var chains: [NfChain] { FirewallChain.allCases.map { $0.definition(in: id) } }
}

extension NfName {
    /// A name that is written in this room.
    init(known name: String) {
        guard let name = NfName(name) else { preconditionFailure("\(name) is no name") }
        self = name
    }
}

extension String {
    /// Its beginning, of so many bytes at most.
    fileprivate func truncated(toBytes count: Int) -> String {
        var result = self
        while result.utf8.count > count { result.removeLast() }
        return result
    }
}
