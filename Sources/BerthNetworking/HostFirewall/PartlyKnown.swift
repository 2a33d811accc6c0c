internal import BerthNetlink

/// Bytes of a packet that is not there, of which only some bits are known.
struct PartlyKnown: Hashable, Sendable {
    /// The bytes; what is not known of them is zero.
    private(set) var bytes: [UInt8]
    /// A one for each bit that is known.
    private(set) var known: [UInt8]

    /// Bytes that are known.
    init(_ bytes: [UInt8]) { (self.bytes, known) = (bytes, [UInt8](repeating: 0xff, count: bytes.count)) }

    /// Bytes of which the bits of a mask are known.
    init(_ bytes: [UInt8], known: [UInt8]) {
        self.known = known
        self.bytes = zip(bytes, known).map { $0 & $1 }
    }

    /// So many bytes, of which nothing is known.
    static func unknown(_ count: Int) -> PartlyKnown {
        PartlyKnown([UInt8](repeating: 0, count: count), known: [UInt8](repeating: 0, count: count))
    }

    /// An address of a block.
    init(_ prefix: IPPrefix) { self.init(prefix.first.bytes, known: prefix.mask.bytes) }

    var count: Int { bytes.count }
    var isKnown: Bool { known.allSatisfy { $0 == 0xff } }
    var isUnknown: Bool { known.allSatisfy { $0 == 0 } }

    /// Some of them; those beyond the end are not known.
    func part(_ offset: Int, _ length: Int) -> PartlyKnown {
        var result = PartlyKnown.unknown(length)
        for index in 0..<length where offset >= 0 && offset + index < count {
            result.bytes[index] = bytes[offset + index]
            result.known[index] = known[offset + index]
        }
        return result
    }

    /// Puts others in the place of some.
    mutating func replace(_ offset: Int, with other: PartlyKnown) {
        for index in 0..<other.count where offset + index < count {
            bytes[offset + index] = other.bytes[index]
            known[offset + index] = other.known[index]
        }
    }

    /// Anded with a mask, then flipped.
    func masked(_ mask: [UInt8], flipping: [UInt8]) -> PartlyKnown {
        var result = self
        for index in 0..<min(count, mask.count, flipping.count) {
            result.known[index] = known[index] | ~mask[index]
            result.bytes[index] = (bytes[index] & mask[index]) ^ (flipping[index] & result.known[index])
        }
        return result
    }

    /// Whether they are these bytes; `nil` if that is not known.
    func equals(_ other: [UInt8]) -> Bool? {
        guard count == other.count else { return nil }
        var isCertain = true
        for index in 0..<count {
            if (bytes[index] ^ other[index]) & known[index] != 0 { return false }
            if known[index] != 0xff { isCertain = false }
        }
        return isCertain ? true : nil
    }

    /// Whether they lie within a range, as numbers whose first byte is the highest; `nil` if that is not known.
    func isWithin(_ low: [UInt8], _ high: [UInt8]) -> Bool? {
        guard count == low.count, count == high.count else { return nil }
        // The least and the greatest that they can be.
        let least = bytes
        let greatest = zip(bytes, known).map { $0 | ~$1 }
        if greatest.lexicographicallyPrecedes(low) || high.lexicographicallyPrecedes(least) { return false }
        if !least.lexicographicallyPrecedes(low), !high.lexicographicallyPrecedes(greatest) { return true }
        return nil
    }
}
