/// An Ethernet address.
public struct HardwareAddress: Hashable, Sendable, CustomStringConvertible {
    /// Its 48 bits.
    private let value: UInt64

    /// The address of six bytes; else `nil`.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 6 else { return nil }
        value = UInt64(networkBytes: bytes)
    }

    /// The address that a text says: six pairs of hexadecimal digits between colons or hyphens. Else `nil`.
    public init?(_ text: some StringProtocol) {
        let separator: Character = text.contains("-") ? "-" : ":"
        let parts = text.split(separator: separator, omittingEmptySubsequences: false)
        let bytes = parts.compactMap { part in
            part.utf8.count == 2 && part.allSatisfy(\.isHexDigit) ? UInt8(part, radix: 16) : nil
        }
        guard bytes.count == parts.count else { return nil }
        self.init(bytes: bytes)
    }

    /// Its six bytes.
    public var bytes: [UInt8] { Array(value.bigEndianBytes.suffix(6)) }

    /// Whether it names one station: the lowest bit of the first byte is not set. An interface cannot have another.
    public var isUnicast: Bool { value >> 40 & 1 == 0 }

    /// As `02:42:ac:11:00:02`.
    public var description: String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":")
    }
}
