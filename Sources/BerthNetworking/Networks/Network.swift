public import BerthNetlink
public import BerthOCI
internal import BerthState

/// A network as it is: what its creator said, and what was chosen where nothing was said.
public struct Network: Hashable, Sendable {
    /// One of its subnets.
    public struct Part: Hashable, Sendable {
        /// The addresses.
        public var subnet: Subnet
        /// Where addresses that nobody asks for are from; `nil` for all of it.
        public var range: Subnet?
        /// The network's own address, by which its sandboxes reach the others.
        public var gateway: IPAddress
        /// What others have, by the names that its creator gave them.
        public var auxiliary: [String: IPAddress]
        /// Whether its creator has said it: only then may a sandbox ask for an address.
        public var isSaid: Bool
    }

    /// 64 hexadecimal digits.
    public let id: String
    /// When it was made.
    public let createdAt: Timestamp
    /// What its creator said.
    public let configuration: NetworkConfiguration
    /// Its subnets, in order. Those of the drivers `host` and `null` have none.
    public let parts: [Part]

    /// The versions of which it has a subnet.
    var versions: Set<IPAddress.Version> { Set(parts.map(\.subnet.version)) }
    /// Its name.
    public var name: String { configuration.name }
    /// The subnet of a version.
    public func part(_ version: IPAddress.Version) -> Part? { parts.first { $0.subnet.version == version } }
    /// Whether it is one of those that every engine has: `bridge`, `host` and `none`.
    public var isPredefined: Bool { PredefinedNetwork(rawValue: name) != nil }
    /// Whether it is the one that containers are in whose makers say nothing.
    public var isDefault: Bool { name == PredefinedNetwork.bridge.rawValue }
    /// The first twelve digits of its id.
    public var shortID: String { String(id.prefix(12)) }
}

/// The networks that every engine has, which nobody can make or remove.
public enum PredefinedNetwork: String, Sendable, CaseIterable {
    /// The default one.
    case bridge
    /// The host's own.
    case host
    /// Of sandboxes with nothing but a loopback interface.
    case none

    var driver: String {
        switch self {
        case .bridge: "bridge"
        case .host: "host"
        case .none: "null"
        }
    }

    /// Always the same in one engine, though no document says so.
    func id(ofEngine engineID: String) -> String {
        var seed: UInt64 = 0xcbf2_9ce4_8422_2325  // FNV-1a (RFC 9923)
        for byte in "\(engineID)/\(rawValue)".utf8 { seed = (seed ^ UInt64(byte)) &* 0x100_0000_01b3 }
        var numbers = SplitMix(state: seed)
        return RandomID.make(using: &numbers)
    }
}

/// Numbers that look random and follow from a seed.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }
}
