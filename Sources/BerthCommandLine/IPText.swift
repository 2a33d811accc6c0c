/// Addresses of the Internet protocol as text, as Go reads and writes them: four numbers without leading zeros, or RFC 4291; no zones.
public struct IPText: Sendable, Hashable, CustomStringConvertible {
    /// 4 bytes or 16; an IPv4 address in an IPv6 one is that IPv4 address.
    let bytes: [UInt8]

    /// Parses an address.
    ///
    /// - Returns: `nil` for anything else.
    public init?(parsing text: some StringProtocol) {
        guard let bytes = text.contains(":") ? Self.six(text) : Self.four(text) else { return nil }
        let isMapped = bytes.count == 16 && bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
        self.bytes = isMapped ? Array(bytes[12...]) : bytes
    }

    private static func four(_ text: some StringProtocol) -> [UInt8]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bytes: [UInt8] = []
        for part in parts {
            guard part.utf8.allSatisfy({ (48...57).contains($0) }), let byte = UInt8(part),
                part.utf8.count == 1 || part.first != "0"
            else { return nil }
            bytes.append(byte)
        }
        return bytes
    }

    private static func six(_ text: some StringProtocol) -> [UInt8]? {
        // What stands on either side of the one `::` that there may be.
        var sides: [[Substring]] = [[]]
        var rest = Substring(text)
        if rest.hasPrefix("::") {
            sides.append([])
            rest = rest.dropFirst(2)
        }
        while !rest.isEmpty {
            let group = rest.prefix { $0 != ":" }
            sides[sides.count - 1].append(group)
            rest = rest.dropFirst(group.count)
            if rest.hasPrefix("::") {
                guard sides.count == 1 else { return nil }
                sides.append([])
                rest = rest.dropFirst(2)
            } else if rest.hasPrefix(":") {
                rest = rest.dropFirst()
                guard !rest.isEmpty else { return nil }
            }
        }
        var halves: [[UInt8]] = []
        for (index, side) in sides.enumerated() {
            guard let half = bytes(of: side, mayEndInFour: index == sides.count - 1) else { return nil }
            halves.append(half)
        }
        let count = halves.reduce(0) { $0 + $1.count }
        if halves.count == 1 { return count == 16 ? halves[0] : nil }
        guard count <= 14 else { return nil }
        return halves[0] + [UInt8](repeating: 0, count: 16 - count) + halves[1]
    }

    private static func bytes(of groups: [Substring], mayEndInFour: Bool) -> [UInt8]? {
        var bytes: [UInt8] = []
        for (index, group) in groups.enumerated() {
            if mayEndInFour, index == groups.count - 1, group.contains(".") {
                guard let last = four(group) else { return nil }
                bytes += last
                continue
            }
            guard (1...4).contains(group.utf8.count), group.utf8.allSatisfy(isHexadecimal), let value = UInt16(group, radix: 16) else {
                return nil
            }
            bytes += [UInt8(value >> 8), UInt8(value & 0xFF)]
        }
        return bytes
    }

    static func isHexadecimal(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...70).contains(byte) || (97...102).contains(byte)
    }

    /// The one way to write it (RFC 5952).
    public var description: String {
        if bytes.count == 4 { return bytes.map { String($0) }.joined(separator: ".") }
        let groups = stride(from: 0, to: 16, by: 2).map { UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]) }
        // The longest run of zeros, the first of equal ones, if there are at least two.
        var (best, start) = (0..<0, 0)
        while start < 8 {
            let end = groups[start...].firstIndex { $0 != 0 } ?? 8
            if end - start > max(best.count, 1) { best = start..<end }
            start = max(end, start + 1)
        }
        func text(_ range: Range<Int>) -> String { range.map { String(groups[$0], radix: 16) }.joined(separator: ":") }
        return best.isEmpty ? text(0..<8) : text(0..<best.lowerBound) + "::" + text(best.upperBound..<8)
    }

    /// An address and a port, as URLs have them.
    public static func withPort(_ address: String, _ port: String) -> String {
        address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)"
    }
}

/// An address and how many of its bits are the network's: `172.20.0.0/16`.
struct PrefixText: Hashable {
    let address: IPText
    let length: Int

    /// Parses it. `nil` for anything else.
    init?(parsing text: some StringProtocol) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let address = IPText(parsing: parts[0]), parts[1].utf8.allSatisfy({ (48...57).contains($0) }),
            let length = Int(parts[1]), length <= address.bytes.count * 8
        else { return nil }
        (self.address, self.length) = (address, length)
    }

    /// Whether an address is of this network.
    func contains(_ other: IPText) -> Bool {
        guard other.bytes.count == address.bytes.count else { return false }
        return (0..<length).allSatisfy { bit in
            let mask: UInt8 = 0x80 >> UInt8(bit % 8)
            return address.bytes[bit / 8] & mask == other.bytes[bit / 8] & mask
        }
    }
}
