internal import Glibc

/// An IP address as its bytes: four or sixteen.
struct IPNumber: Hashable, Sendable {
    let bytes: [UInt8]
    var isVersion6: Bool { bytes.count == 16 }

    /// `nil` if the text is no address.
    init?(_ text: String) {
        var four = in_addr()
        if unsafe inet_pton(AF_INET, text, &four) == 1 {
            bytes = unsafe withUnsafeBytes(of: &four) { unsafe Array($0) }
            return
        }
        var six = in6_addr()
        guard unsafe inet_pton(AF_INET6, text, &six) == 1 else { return nil }
        let all = unsafe withUnsafeBytes(of: &six) { unsafe Array($0) }
        // An address of version 4 in the clothes of version 6 is that address.
        bytes = all[..<12].elementsEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]) ? Array(all[12...]) : all
    }
}

/// A range of addresses: `10.0.0.0/8`.
struct IPRange: Hashable, Sendable {
    let first: IPNumber
    let length: Int

    init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let first = IPNumber(String(parts[0])), let length = Int(parts[1]) else { return nil }
        guard (0...first.bytes.count * 8).contains(length) else { return nil }
        (self.first, self.length) = (first, length)
    }

    static let loopbacks = [IPRange("127.0.0.0/8"), IPRange("::1/128")].compactMap(\.self)

    func contains(_ number: IPNumber) -> Bool {
        guard number.bytes.count == first.bytes.count else { return false }
        return (0..<length).allSatisfy { bit in
            let mask = UInt8(0x80) >> UInt8(bit % 8)
            return number.bytes[bit / 8] & mask == first.bytes[bit / 8] & mask
        }
    }
}
