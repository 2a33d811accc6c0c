/// What other people's firewalls make of containers' packets, and what the engine does about it (`/berth/v1/firewall`).
public struct FirewallReport: VersionedDocument, Hashable {
    /// 1.
    public static let currentVersion = 1
    /// `explain` or `cooperate`.
    public var mode: String
    /// How the engine's own table is kept from others: `owned` or `watched`.
    public var protection: String
    /// The name of the engine's own table.
    public var table: String
    /// The chains that drop containers' packets.
    public var findings: [FirewallFinding]
    /// The rules of the engine's that stand in other people's chains.
    public var rules: [String]

    /// A report of these.
    public init(mode: String, protection: String, table: String, findings: [FirewallFinding], rules: [String]) {
        (self.mode, self.protection, self.table, self.findings, self.rules) = (mode, protection, table, findings, rules)
    }
}

/// A chain that drops containers' packets.
public struct FirewallFinding: Codable, Hashable, Sendable {
    /// `ip`, `ip6` or `inet`.
    public var family: String
    /// The table's name.
    public var table: String
    /// The chain's name.
    public var chain: String
    /// Whose it is: `nftables`, `iptables`, `legacy`, `ufw` or `firewalld`.
    public var owner: String
    /// The bridges whose packets it drops.
    public var bridges: [String]
    /// Which of their packets: `outward`, `inward`.
    public var ways: [String]
    /// Why.
    public var why: String
    /// The one command that allows them; empty where none can be written down.
    public var remedy: String
    /// All of it in a sentence.
    public var text: String

    /// A finding of these.
    public init(
        family: String, table: String, chain: String, owner: String, bridges: [String], ways: [String], why: String, remedy: String,
        text: String
    ) {
        (self.family, self.table, self.chain, self.owner) = (family, table, chain, owner)
        (self.bridges, self.ways, self.why, self.remedy, self.text) = (bridges, ways, why, remedy, text)
    }
}
