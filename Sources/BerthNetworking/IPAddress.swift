internal import Glibc

/// An address of the Internet protocol, version 4 or 6.
///
/// Its text is that of inet_pton(3): four decimal numbers without leading zeros, or RFC 4291, section 2.2; what it writes is RFC 5952. A zone (`fe80::1%eth0`) is
/// no part of an address.
public struct IPAddress: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The version.
    public enum Family: UInt8, Hashable, Sendable, CaseIterable, Comparable {
        /// RFC 791.
        case v4 = 4
        /// RFC 8200.
        case v6 = 6

        /// How many bits an address has.
        public var bitCount: Int { self == .v4 ? 32 : 128 }
        /// Version 4 first.
        public static func < (one: Family, other: Family) -> Bool { one.rawValue < other.rawValue }
        var highest: UInt128 { self == .v4 ? UInt128(UInt32.max) : .max }
    }

    /// The version.
    public let family: Family
    /// The address as a number, the first byte the most significant.
    public let value: UInt128

    /// An address of a number; `nil` if the family has none that large.
    public init?(_ family: Family, _ value: UInt128) {
        guard value <= family.highest else { return nil }
        (self.family, self.value) = (family, value)
    }

    /// An address of its bytes in network order; `nil` unless there are 4 or 16.
    public init?(bytes: [UInt8]) {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        family = bytes.count == 4 ? .v4 : .v6
        value = bytes.reduce(0) { $0 << 8 | UInt128($1) }
    }

    /// Reads an address; `nil` for what is none.
    public init?(_ text: String) {
        // The C library would stop at a zero byte and take what is before it.
        guard !text.utf8.contains(0) else { return nil }
        var bytes = [UInt8](repeating: 0, count: 16)
        if unsafe inet_pton(AF_INET, text, &bytes) == 1 {
            self.init(bytes: Array(bytes[..<4]))
        } else if unsafe inet_pton(AF_INET6, text, &bytes) == 1 {
            self.init(bytes: bytes)
        } else {
            return nil
        }
    }

    /// Its bytes in network order: 4 or 16.
    public var bytes: [UInt8] {
        stride(from: family.bitCount - 8, through: 0, by: -8).map { UInt8(truncatingIfNeeded: value >> UInt128($0)) }
    }

    /// As it is written.
    public var description: String {
        var text = [CChar](repeating: 0, count: 64)
        let bytes = bytes
        // The buffer is longer than any address, which is the only thing that can be wrong.
        _ = unsafe inet_ntop(family == .v4 ? AF_INET : AF_INET6, bytes, &text, socklen_t(text.count))
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Version 4 first, then by number.
    public static func < (one: IPAddress, other: IPAddress) -> Bool { (one.family, one.value) < (other.family, other.value) }
}
