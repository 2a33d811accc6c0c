public import BerthNetlink

/// A name of the domain name system (RFC 1035, section 3.1): labels, the last of which is the nearest to the root.
///
/// Two names are equal whichever case their letters have (RFC 4343).
public struct DomainName: Hashable, Sendable, CustomStringConvertible {
    /// The most bytes that a name has in a message.
    public static var maximumByteCount: Int { 255 }
    /// The most bytes of a label.
    public static var maximumLabelByteCount: Int { 63 }

    /// Its labels in lower case.
    public let labels: [[UInt8]]

    /// A name of labels; `nil` if one is empty or too long, or all together are.
    public init?(labels: [[UInt8]]) {
        guard labels.allSatisfy({ (1...Self.maximumLabelByteCount).contains($0.count) }),
            labels.reduce(1, { $0 + $1.count + 1 }) <= Self.maximumByteCount
        else { return nil }
        self.labels = labels.map { $0.map(Self.lowercase) }
    }

    /// Reads a name, with or without a dot at its end; `nil` for what cannot be one. Any byte but a dot may be in a label: hosts are named freely.
    public init?(_ text: String) {
        guard !text.isEmpty else { return nil }
        let labels = (text.hasSuffix(".") ? text.dropLast() : text[...]).utf8.split(
            separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        self.init(labels: text == "." ? [] : labels.map(Array.init))
    }

    /// The name under which an address's name is asked for: `11.0.0.127.in-addr.arpa` (RFC 1035, section 3.5; RFC 3596, section 2.5).
    public init(reverse address: IPAddress) {
        switch address.version {
        case .v4: labels = address.bytes.reversed().map { Array(String($0).utf8) } + Self.reverseZone(.v4)
        case .v6:
            let digits = address.bytes.reversed().flatMap { [$0 & 15, $0 >> 4] }
            labels = digits.map { Array(String($0, radix: 16).utf8) } + Self.reverseZone(.v6)
        }
    }

    /// The address whose name is asked for by this name; `nil` if it is no such name.
    public var reverseAddress: IPAddress? {
        for (version, count, radix) in [(IPAddress.Version.v4, 4, 10), (.v6, 32, 16)]
        where labels.count == count + 2 && Array(labels[count...]) == Self.reverseZone(version) {
            let numbers = labels[..<count].reversed().compactMap { label in
                UInt8(String(decoding: label, as: UTF8.self), radix: radix).flatMap {
                    // Only as everybody writes it: no sign, no zeros in front.
                    String($0, radix: radix).utf8.elementsEqual(label) ? $0 : nil
                }
            }
            guard numbers.count == count else { return nil }
            if version == .v4 { return IPAddress(bytes: numbers) }
            return IPAddress(bytes: stride(from: 0, to: 32, by: 2).map { numbers[$0] << 4 | numbers[$0 + 1] })
        }
        return nil
    }

    private static func reverseZone(_ version: IPAddress.Version) -> [[UInt8]] {
        [Array((version == .v4 ? "in-addr" : "ip6").utf8), Array("arpa".utf8)]
    }

    private static func lowercase(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }

    /// As it stands in a message, without compression.
    public var bytes: [UInt8] { labels.flatMap { [UInt8($0.count)] + $0 } + [0] }

    /// As it is written, without a dot at its end; the root is `.`.
    public var description: String {
        labels.isEmpty ? "." : labels.map { String(decoding: $0, as: UTF8.self) }.joined(separator: ".")
    }
}
