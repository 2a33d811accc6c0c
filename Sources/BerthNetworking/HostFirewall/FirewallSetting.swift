/// How an engine gets on with other people's firewalls.
public struct FirewallSetting: Hashable, Sendable {
    /// What is done where a chain of other people's drops containers' packets.
    public enum Mode: String, Hashable, Sendable, CaseIterable {
        /// The chain is named, and the command that lets them through. Nothing is changed.
        case explain
        /// Rules of ours are put into the chain, and taken away again.
        case cooperate
    }

    /// What is done about other people's chains. Default ``Mode/explain``.
    public var mode: Mode
    /// How our own table is kept from others. Default ``Firewall/Protection/owned``.
    public var protection: Firewall.Protection

    /// A setting of these.
    public init(mode: Mode = .explain, protection: Firewall.Protection = .owned) { (self.mode, self.protection) = (mode, protection) }
}

/// Where ports are published for whose publishing nobody names an address.
public enum PublishDefault: String, Hashable, Sendable, CaseIterable {
    /// On every address of the host's, as Docker has it.
    case everywhere
    /// On 127.0.0.1 and ::1, where the host alone reaches them.
    case loopback
}
