internal import Glibc

/// An address of the Internet protocol, version 4 or 6.
///
/// Its text is the canonical one (RFC 5952 for version 6), and order is by version, then by number.
public struct IPAddress: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The two versions.
    public enum Version: Int, Hashable, Sendable, CaseIterable {
        /// 32 bits.
        case v4 = 4
        /// 128 bits.
        case v6 = 6

        /// How many bits an address has.
        public var bitCount: Int { self == .v4 ? 32 : 128 }
        /// The kernel's number: AF_INET, AF_INET6.
        var family: UInt8 { self == .v4 ? 2 : 10 }

        init?(family: UInt8) {
            switch family {
            case 2: self = .v4
            case 10: self = .v6
            default: return nil
            }
        }
    }

    /// Its version.
    public let version: Version
    /// Its number; of version 4, at most 32 bits.
    public let value: UInt128

    /// The address of a number. Of version 4, only the low 32 bits count.
    public init(_ version: Version, _ value: UInt128) {
        self.version = version
        self.value = version == .v4 ? value & 0xffff_ffff : value
    }

    /// The address of its bytes in the network's order: 4 or 16, else `nil`.
    public init?(bytes: some Collection<UInt8>) {
        switch bytes.count {
        case 4: self.init(.v4, UInt128(networkBytes: bytes))
        case 16: self.init(.v6, UInt128(networkBytes: bytes))
        default: return nil
        }
    }

    /// The address that a text says: four decimal numbers without leading zeros, or RFC 4291's forms; no zone, no prefix. Else `nil`.
    public init?(_ text: some StringProtocol) {
        let text = String(text)
        guard !text.utf8.contains(0) else { return nil }
        var bytes = [UInt8](repeating: 0, count: 16)
        if unsafe inet_pton(AF_INET, text, &bytes) == 1 {
            self.init(.v4, UInt128(networkBytes: bytes[..<4]))
        } else if unsafe inet_pton(AF_INET6, text, &bytes) == 1 {
            self.init(.v6, UInt128(networkBytes: bytes))
        } else {
            return nil
        }
    }

    /// Its bytes in the network's order: 4 or 16.
    public var bytes: [UInt8] { Array(value.bigEndianBytes.suffix(version.bitCount / 8)) }

    /// The canonical text.
    public var description: String {
        // Sixteen bytes have at most 45 characters: it cannot fail.
        var text = [CChar](repeating: 0, count: 64)
        _ = unsafe inet_ntop(CInt(version.family), bytes, &text, 64)
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// By version, then by number.
    public static func < (a: IPAddress, b: IPAddress) -> Bool {
        (a.version.rawValue, a.value) < (b.version.rawValue, b.value)
    }
}

/// An address and how many of its first bits are the network's, as `172.17.0.1/16`.
public struct IPPrefix: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The address; the bits behind the network's may be set, as those of an interface's address are.
    public let address: IPAddress
    /// How many bits are the network's.
    public let length: Int

    /// A prefix of these; `nil` where the address does not have so many bits.
    public init?(_ address: IPAddress, length: Int) {
        guard (0...address.version.bitCount).contains(length) else { return nil }
        (self.address, self.length) = (address, length)
    }

    /// One address alone.
    public init(_ address: IPAddress) { (self.address, length) = (address, address.version.bitCount) }

    /// The prefix that a text says, as `10.0.0.0/8`; the length is required. Else `nil`.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let address = IPAddress(parts[0]), parts[1].utf8.allSatisfy({ (48...57).contains($0) }),
            parts[1].utf8.count == 1 || parts[1].utf8.first != 48, let length = Int(parts[1])
        else { return nil }
        self.init(address, length: length)
    }

    /// The bits that are the network's.
    public var mask: IPAddress {
        let host = address.version.bitCount - length
        return IPAddress(address.version, host == 128 ? 0 : UInt128.max << UInt128(host))
    }

    /// The network's first address.
    public var first: IPAddress { IPAddress(address.version, address.value & mask.value) }

    /// The network's last address; of version 4, its broadcast address.
    public var last: IPAddress { IPAddress(address.version, address.value | ~mask.value) }

    /// The same without the bits that are not the network's.
    public var network: IPPrefix { IPPrefix(unchecked: first, length) }

    private init(unchecked address: IPAddress, _ length: Int) { (self.address, self.length) = (address, length) }

    /// Whether an address is the network's.
    public func contains(_ other: IPAddress) -> Bool {
        other.version == address.version && other.value & mask.value == first.value
    }

    /// Whether there is an address of both.
    public func overlaps(_ other: IPPrefix) -> Bool { contains(other.first) || other.contains(first) }

    /// As `172.17.0.1/16`.
    public var description: String { "\(address)/\(length)" }

    /// By address, then by length.
    public static func < (a: IPPrefix, b: IPPrefix) -> Bool { (a.address, a.length) < (b.address, b.length) }
}
