public import BerthNetlink

/// Where the subnets come from that nobody says.
public struct SubnetChoice: Sendable {
    /// A block, and how large the subnets are that it is cut into.
    public struct Source: Hashable, Sendable {
        /// What is cut.
        public let block: Subnet
        /// The length of the subnets' prefix.
        public let prefixLength: Int

        /// A block of these; `nil` if the subnets would be larger than the block, or have less than two bits for hosts.
        public init?(_ block: Subnet, prefixLength: Int) {
            guard prefixLength >= block.prefixLength, prefixLength <= block.version.bitCount - 2 else { return nil }
            (self.block, self.prefixLength) = (block, prefixLength)
        }

        init(known block: String, _ prefixLength: Int) {
            guard let subnet = Subnet(block), let source = Source(subnet, prefixLength: prefixLength) else {
                preconditionFailure("\(block) is no block that can be cut into subnets of \(prefixLength)")
            }
            self = source
        }
    }

    /// Docker's default address pools: 172.17.0.0 to 172.31.0.0 in subnets of 16 bits, then 192.168.0.0 in subnets of 20.
    public static let standard = [
        Source(known: "172.17.0.0/16", 16), Source(known: "172.18.0.0/16", 16), Source(known: "172.19.0.0/16", 16),
        Source(known: "172.20.0.0/14", 16), Source(known: "172.24.0.0/14", 16), Source(known: "172.28.0.0/14", 16),
        Source(known: "192.168.0.0/16", 20),
    ]

    /// Unique local addresses of this engine (RFC 4193, section 3.2): a global identifier that is random, and stays the engine's, in subnets of 64 bits.
    ///
    /// - Parameter identifier: its 40 bits; what is beyond is not looked at.
    public static func uniqueLocal(identifier: UInt64) -> Source {
        let value = (UInt128(0xfd) << 40 | UInt128(identifier & 0xff_ffff_ffff)) << 80
        guard let block = Subnet(containing: IPAddress(.v6, value), prefixLength: 48),
            let source = Source(block, prefixLength: 64)
        else { preconditionFailure("a prefix of 48 bits can be cut into subnets of 64") }
        return source
    }

    /// The sources, in the order in which they are used up.
    public let sources: [Source]

    /// A choice from these.
    public init(_ sources: [Source] = Self.standard) { self.sources = sources }

    /// How many subnets of a source are looked at: more are never in use.
    private static let maximumLookCount = 1 << 16

    /// The first subnet that overlaps with none that is in use.
    ///
    /// - Parameter used: those of other networks, and where the host's routes lead to. A default route is no reason against anything.
    /// - Throws: `conflict` if there is none.
    public func subnet(_ version: IPAddress.Version, avoiding used: [Subnet]) throws(NetworkError) -> Subnet {
        let used = used.filter { $0.prefixLength > 0 && $0.version == version }
        for source in sources where source.block.version == version {
            if used.contains(where: { $0.contains(source.block) }) { continue }
            for candidate in source.block.blocks(prefixLength: source.prefixLength).prefix(Self.maximumLookCount)
            where !used.contains(where: candidate.overlaps) {
                return candidate
            }
        }
        let name = version == .v4 ? "IPv4" : "IPv6"
        throw NetworkError(
            .conflict,
            "could not find an available, non-overlapping \(name) address pool among the defaults to assign to the network: say which with --subnet"
        )
    }
}
