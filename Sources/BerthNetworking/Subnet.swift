/// A block of addresses that begin alike (RFC 4632; RFC 4291, section 2.3), written `172.17.0.0/16`.
public struct Subnet: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Its first address.
    public let base: IPAddress
    /// How many bits its addresses have in common.
    public let prefixLength: Int

    /// The block that an address is in; `nil` if no address of its family has so many bits.
    public init?(containing address: IPAddress, prefixLength: Int) {
        guard (0...address.family.bitCount).contains(prefixLength),
            let base = IPAddress(address.family, address.value & ~Self.hostMask(address.family, prefixLength))
        else { return nil }
        (self.base, self.prefixLength) = (base, prefixLength)
    }

    /// Reads a block; `nil` for what is none. The address before the slash may be any that is in it, as Docker takes it.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let address = IPAddress(String(parts[0])), (1...3).contains(parts[1].utf8.count),
            parts[1].utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            parts[1] == "0" || parts[1].first != "0", let length = Int(parts[1])
        else { return nil }
        self.init(containing: address, prefixLength: length)
    }

    /// The version of its addresses.
    public var family: IPAddress.Family { base.family }

    private static func hostMask(_ family: IPAddress.Family, _ prefixLength: Int) -> UInt128 {
        let bits = family.bitCount - prefixLength
        return bits == 128 ? .max : (1 << UInt128(bits)) - 1
    }

    private var hostMask: UInt128 { Self.hostMask(family, prefixLength) }

    /// Its first and its last address, as numbers.
    public var range: ClosedRange<UInt128> { base.value...(base.value | hostMask) }

    /// Whether an address is in it.
    public func contains(_ address: IPAddress) -> Bool { address.family == family && range.contains(address.value) }

    /// Whether all of another block is in it.
    public func contains(_ other: Subnet) -> Bool { other.prefixLength >= prefixLength && contains(other.base) }

    /// Whether any address is in both.
    public func overlaps(_ other: Subnet) -> Bool { contains(other) || other.contains(self) }

    /// The addresses that no host may have: the block's own and the broadcast address of version 4; of version 6 the routers' anycast address (RFC 4291,
    /// section 2.6.1). Blocks so small that they would have no other (RFC 3021; RFC 6164) have none of these.
    public var reserved: [UInt128] {
        guard family.bitCount - prefixLength > 1 else { return [] }
        return family == .v4 ? [range.lowerBound, range.upperBound] : [range.lowerBound]
    }

    /// The blocks of a longer prefix in it, the lowest first, one after the other.
    public func blocks(prefixLength length: Int) -> some Sequence<Subnet> {
        let step: UInt128 = length == 0 ? 0 : 1 << UInt128(family.bitCount - length)
        let isPossible = (prefixLength...family.bitCount).contains(length)
        return sequence(state: isPossible ? base.value : nil as UInt128?) { [family, range] (next: inout UInt128?) -> Subnet? in
            guard let value = next, let address = IPAddress(family, value) else { return nil }
            let (following, isOver) = value.addingReportingOverflow(step)
            next = isOver || step == 0 || following > range.upperBound ? nil : following
            return Subnet(containing: address, prefixLength: length)
        }
    }

    /// As it is written.
    public var description: String { "\(base)/\(prefixLength)" }

    /// By the first address, the larger block first.
    public static func < (one: Subnet, other: Subnet) -> Bool { (one.base, one.prefixLength) < (other.base, other.prefixLength) }
}
