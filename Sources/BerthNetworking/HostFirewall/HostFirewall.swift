public import BerthNetlink

/// Looks at other people's firewalls: which of their chains would drop what is forwarded to and from containers.
///
/// An accept of ours cannot overrule a drop of theirs: only a rule in their own chain can. Looking changes nothing, and loads nothing into the kernel.
public struct HostFirewall: Sendable {
    /// Whose firewall a chain belongs to, as far as its looks tell.
    public enum Owner: String, Hashable, Sendable, CaseIterable {
        /// Somebody's, by the program `nft` or by nf_tables itself.
        case nftables
        /// Somebody's, by the program `iptables` of today, which makes rules of nf_tables.
        case iptables
        /// Somebody's, by the program `iptables-legacy`: the kernel's older rules.
        case legacy
        /// ufw.
        case ufw
        /// firewalld.
        case firewalld
    }

    /// A way that packets take.
    public enum Way: String, Hashable, Sendable, CaseIterable {
        /// From containers to elsewhere.
        case outward
        /// To ports of containers that are published.
        case inward
    }

    /// A chain that drops what it should not.
    public struct Finding: Hashable, Sendable, CustomStringConvertible {
        /// What packets its table sees: `ip`, `ip6` or `inet`.
        public var family: String
        /// The table's name.
        public var table: String
        /// The name of the chain that packets come to by themselves.
        public var chain: String
        /// Whose it is.
        public var owner: Owner
        /// The bridges whose packets it drops, in order.
        public var bridges: [String]
        /// Which of their packets.
        public var ways: Set<Way>
        /// Why it drops them, in words.
        public var why: String
        /// The one command that allows them; empty where none can be written down.
        public var remedy: String

        /// A sentence for people: what is dropped by which chain, why, and what to do.
        public var description: String {
            let what =
                switch (ways.contains(.outward), ways.contains(.inward)) {
                case (true, false): "what containers send to elsewhere"
                case (false, true): "what comes to containers' published ports"
                default: "what containers send to elsewhere, and what comes to their published ports"
                }
            let some = bridges.prefix(3).joined(separator: ", ") + (bridges.count > 3 ? " and \(bridges.count - 3) more" : "")
            let by = remedy.isEmpty ? "" : "allow it by: \(remedy); or "
            let rest =
                owner == .legacy
                ? (remedy.isEmpty ? "" : "allow it by: \(remedy)") : "\(by)have the engine do it by: berth system firewall cooperate"
            return "the chain \(chain) of the table \(family) \(table) drops \(what) (\(some)): \(why); \(rest)"
        }
    }

    private let ownTable: NfTableName
    private let namespace: NamespaceHandle?

    /// The firewalls of a namespace; `nil` for the process's own.
    ///
    /// - Throws: `invalid` if the engine's id makes no name.
    public init(engineID: String, in namespace: NamespaceHandle? = nil) throws(NetworkError) {
        guard let table = FirewallTable(engineID: engineID) else {
            throw NetworkError(.invalid, "the engine's id \(engineID) makes no name of a table")
        }
        (ownTable, self.namespace) = (table.id, namespace)
    }

    /// What is written to rules of ours that stand in other people's chains.
    static func tag(engineID: String) -> String { "berth \(engineID)" }

    /// Looks which chains drop packets of these networks. Blocks.
    ///
    /// - Parameters:
    ///   - outer: the host's interfaces by which the outside comes; the first few are looked at.
    ///   - numbers: the interfaces' numbers, as far as they are known: rules may name them so.
    /// - Returns: what was found, in the kernel's order; nothing where there is nobody's firewall.
    /// - Throws: `system`, `busy`, `unsupported` if they cannot be read.
    public func findings(
        _ networks: [FirewallNetwork], outer: [InterfaceName], numbers: [InterfaceName: Int32] = [:]
    ) throws(NetworkError) -> [Finding] {
        try findings(networks.flatMap { SamplePacket.all(of: $0, outer: outer, numbers: numbers) })
    }

    func findings(_ packets: [SamplePacket.Way]) throws(NetworkError) -> [Finding] {
        var socket: NetlinkSocket
        do throws(NetlinkError) {
            socket = if let namespace { try NetlinkSocket(.netfilter, in: namespace) } else { try NetlinkSocket(.netfilter) }
        } catch { throw NetworkError(error) }
        let rules = try ForeignRules(besides: ownTable, in: &socket)
        return Self.drops(packets, rules, ignoring: nil).map { Self.finding($0, rules) }
            + (try LegacyRules.findings(packets, in: namespace))
    }

    /// A chain, and what it drops.
    struct Drop {
        var base: ForeignRules.Base
        var bridges: Set<InterfaceName> = []
        var ways: Set<Way> = []
        var ends: Set<RuleWalk.End> = []
        /// In front of which of its rules one has to stand that lets them through; `nil` for the end.
        var rule: NfRule?
    }

    static func drops(_ packets: [SamplePacket.Way], _ rules: ForeignRules, ignoring tag: String?) -> [Drop] {
        rules.bases.compactMap { base in
            var drop = Drop(base: base)
            let order = rules.rules(of: base.chain.name, in: base.table.id).map(\.handle)
            var first = order.count
            for sample in packets {
                var walk = RuleWalk(rules, sample.packet, ignoring: tag)
                let (end, rule) = walk.follow(base)
                if end == .passes { continue }
                drop.bridges.insert(sample.bridge)
                drop.ways.insert(sample.way)
                drop.ends.insert(end)
                if let rule, let place = order.firstIndex(of: rule.handle), place < first { (first, drop.rule) = (place, rule) }
            }
            return drop.ends.isEmpty ? nil : drop
        }
    }

    private static func finding(_ drop: Drop, _ rules: ForeignRules) -> Finding {
        let (id, chain) = (drop.base.table.id, drop.base.chain.name)
        let owner: Owner =
            if id.name.description == "firewalld" {
                .firewalld
            } else if id.name.description == "filter", chain.description == "FORWARD", id.family != .inet {
                rules.hasChain(beginning: id.family == .ipv4 ? "ufw-" : "ufw6-", in: id) ? .ufw : .iptables
            } else { .nftables }
        let bridges = drop.bridges.map(\.description).sorted()
        let why =
            drop.ends.contains(.droppedByPolicy)
            ? "its policy is to drop what no rule lets through"
            : drop.ends.compactMap { end in
                if case .dropped(let name) = end {
                    "a rule of \(name == chain ? "it" : "the chain \(name)") drops what no rule before lets through"
                } else {
                    nil
                }
            }.sorted().first ?? ""
        return Finding(
            family: id.family.description, table: id.name.description, chain: chain.description, owner: owner, bridges: bridges,
            ways: drop.ways, why: why,
            remedy: Remedy(owner: owner, family: id.family, table: id.name.description, chain: chain.description, ways: drop.ways).text(
                bridges))
    }
}

/// The command that has a firewall let containers' packets through.
struct Remedy {
    let owner: HostFirewall.Owner
    let family: NfFamily
    let table: String
    let chain: String
    let ways: Set<HostFirewall.Way>

    /// The most bridges that a command is written for.
    private static let mostBridges = 4

    /// The command; empty where names have signs that a shell would read otherwise, and for too many bridges.
    func text(_ bridges: [String]) -> String {
        guard bridges.count <= Self.mostBridges, (bridges + [table, chain]).allSatisfy(Self.isPlain) else { return "" }
        return bridges.flatMap(commands).joined(separator: " && ")
    }

    private func commands(_ bridge: String) -> [String] {
        let isOfVersion6 = family == .ipv6
        let out = ways.contains(.outward)
        let into = ways.contains(.inward)
        switch owner {
        case .firewalld: return ["firewall-cmd --zone=trusted --change-interface=\(bridge)"]
        case .ufw: return (out ? ["ufw route allow in on \(bridge)"] : []) + (into ? ["ufw route allow out on \(bridge)"] : [])
        case .iptables, .legacy:
            let program = (isOfVersion6 ? "ip6tables" : "iptables") + (owner == .legacy ? "-legacy" : "")
            // Whichever way the first packet goes, the answers come the other.
            return ["-i", "-o"].map { "\(program) -I FORWARD \($0) \(bridge) -j ACCEPT" }
        case .nftables:
            return ["iifname", "oifname"].map { "nft insert rule \(family) \(table) \(chain) \($0) \(bridge) accept" }
        }
    }

    private static func isPlain(_ name: String) -> Bool {
        !name.hasPrefix("-")
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                case UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."): true
                default: false
                }
            }
    }
}

extension SamplePacket {
    /// A packet that is not there, and what it is for.
    struct Way {
        var packet: SamplePacket
        var bridge: InterfaceName
        var way: HostFirewall.Way
    }

    /// The most interfaces of the host's that are looked at.
    private static let mostInterfaces = 4

    /// The packets that a network lives by.
    static func all(of network: FirewallNetwork, outer: [InterfaceName], numbers: [InterfaceName: Int32]) -> [Way] {
        if network.isInternal { return [] }
        let bridge = Interface(name: network.bridge, index: numbers[network.bridge])
        return network.subnets.flatMap { subnet -> [Way] in
            guard let prefix = IPPrefix(subnet.base, length: subnet.prefixLength), network.reach(subnet.version) != .closed else {
                return []
            }
            return outer.prefix(mostInterfaces).flatMap { name -> [Way] in
                let outside = Interface(name: name, index: numbers[name])
                let out = SamplePacket(
                    input: bridge, output: outside, source: prefix, destination: nil, version: subnet.version, isTranslated: false)
                let into = SamplePacket(
                    input: outside, output: bridge, source: nil, destination: prefix, version: subnet.version,
                    isTranslated: network.gateway(subnet.version).mode != .routed)
                return [Way(packet: out, bridge: network.bridge, way: .outward), Way(packet: into, bridge: network.bridge, way: .inward)]
            }
        }
    }
}
