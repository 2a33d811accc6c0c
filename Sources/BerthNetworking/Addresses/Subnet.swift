public import BerthNetlink

/// A block of addresses that begin alike (RFC 4632; RFC 4291, section 2.3), written `172.17.0.0/16`.
public struct Subnet: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Its first address.
    public let base: IPAddress
    /// Its last address.
    public let last: IPAddress
    /// How many bits its addresses have in common.
    public let prefixLength: Int

    /// The block that an address is in; `nil` if no address of its version has so many bits.
    public init?(containing address: IPAddress, prefixLength: Int) {
        guard let prefix = IPPrefix(address, length: prefixLength) else { return nil }
        self.init(prefix)
    }

    /// The block of an interface's address, or of a route.
    public init(_ prefix: IPPrefix) { (base, last, prefixLength) = (prefix.first, prefix.last, prefix.length) }

    /// Reads a block; `nil` for what is none. The address before the slash may be any that is in it, as Docker takes it.
    public init?(_ text: String) {
        guard let prefix = IPPrefix(text) else { return nil }
        self.init(prefix)
    }

    /// The version of its addresses.
    public var version: IPAddress.Version { base.version }

    /// Its first and its last address, as numbers.
    public var range: ClosedRange<UInt128> { base.value...last.value }

    /// Whether an address is in it.
    public func contains(_ address: IPAddress) -> Bool { address.version == version && range.contains(address.value) }

    /// Whether all of another block is in it.
    public func contains(_ other: Subnet) -> Bool { other.prefixLength >= prefixLength && contains(other.base) }

    /// Whether any address is in both.
    public func overlaps(_ other: Subnet) -> Bool { contains(other) || other.contains(self) }

    /// The addresses that no host may have: the block's own and the broadcast address of version 4; of version 6 the routers' anycast address (RFC 4291,
    /// section 2.6.1). Blocks so small that they would have no other (RFC 3021; RFC 6164) have none of these.
    public var reserved: [UInt128] {
        guard version.bitCount - prefixLength > 1 else { return [] }
        return version == .v4 ? [range.lowerBound, range.upperBound] : [range.lowerBound]
    }

    /// The blocks of a longer prefix in it, the lowest first, one after the other.
    public func blocks(prefixLength length: Int) -> some Sequence<Subnet> {
        let step: UInt128 = length == 0 ? 0 : 1 << UInt128(version.bitCount - length)
        let isPossible = (prefixLength...version.bitCount).contains(length)
        return sequence(state: isPossible ? base.value : nil as UInt128?) { [version, range] (next: inout UInt128?) -> Subnet? in
            guard let value = next else { return nil }
            let (following, isOver) = value.addingReportingOverflow(step)
            next = isOver || step == 0 || following > range.upperBound ? nil : following
            return Subnet(containing: IPAddress(version, value), prefixLength: length)
        }
    }

    /// As it is written.
    public var description: String { "\(base)/\(prefixLength)" }

    /// By the first address, the larger block first.
    public static func < (one: Subnet, other: Subnet) -> Bool { (one.base, one.prefixLength) < (other.base, other.prefixLength) }
}
