internal import BerthNetlink

/// What the match `conntrack` of iptables' asks (`struct xt_conntrack_mtinfo3`, and those before it, which begin alike).
struct ConntrackMatch {
    private static let flagsOffset = 146
    private static let asksForState: UInt16 = 1
    private static let new: UInt16 = 0x08
    private static let translated: UInt16 = 0x80

    private let flags: UInt16
    private let inverted: UInt16
    private let states: UInt16

    /// Reads it; `nil` of one that is too short.
    init?(_ data: [UInt8]) {
        guard data.count >= Self.flagsOffset + 6 else { return nil }
        func number(_ offset: Int) -> UInt16 { UInt16(data[offset]) | UInt16(data[offset + 1]) << 8 }
        (flags, inverted, states) = (number(Self.flagsOffset), number(Self.flagsOffset + 2), number(Self.flagsOffset + 4))
    }

    /// Whether it holds of a packet: one that asks for more than a state does not.
    func holds(of packet: SamplePacket) -> Bool {
        guard flags == Self.asksForState else { return false }
        let own = Self.new | (packet.isTranslated ? Self.translated : 0)
        return (states & own != 0) != (inverted & Self.asksForState != 0)
    }
}

/// What the match `tcp` of iptables' asks (`struct xt_tcp`).
enum TCPMatch {
    /// Whether it asks for nothing but TCP: all ports, no flags, no option.
    static func isForEveryPort(_ data: [UInt8]) -> Bool {
        guard data.count >= 12 else { return false }
        return data.prefix(12).elementsEqual([0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff, 0, 0, 0, 0])
    }
}
