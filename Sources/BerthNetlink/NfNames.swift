/// A name in nf_tables: 1 to 255 bytes, none of them zero.
///
/// The kernel takes any. The program `nft` cannot write a rule set down whose names are words of its language, such as `dnat` or `fwd`.
public struct NfName: Hashable, Sendable, CustomStringConvertible {
    /// The name.
    public let description: String

    /// The name, if it is one.
    public init?(_ name: some StringProtocol) {
        guard (1...255).contains(name.utf8.count), !name.utf8.contains(0) else { return nil }
        description = String(name)
    }

    init(_ attribute: NetlinkAttribute) throws(NetlinkDecodingError) {
        guard let name = NfName(attribute.text) else { throw NetlinkDecodingError("a name has \(attribute.payload.count) bytes") }
        self = name
    }
}

/// What packets a table sees.
public struct NfFamily: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    /// The kernel's number, `NFPROTO_…`.
    public let rawValue: UInt8
    /// A family by number.
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    /// Both versions of the Internet protocol.
    public static let inet = NfFamily(rawValue: 1)
    /// Version 4.
    public static let ipv4 = NfFamily(rawValue: 2)
    /// Version 6.
    public static let ipv6 = NfFamily(rawValue: 10)
    /// Address resolution.
    public static let arp = NfFamily(rawValue: 3)
    /// Frames of one device, before anything else.
    public static let netdev = NfFamily(rawValue: 5)
    /// Frames that a bridge passes on.
    public static let bridge = NfFamily(rawValue: 7)

    /// As the program `nft` calls it.
    public var description: String {
        switch self {
        case .inet: "inet"
        case .ipv4: "ip"
        case .ipv6: "ip6"
        case .arp: "arp"
        case .netdev: "netdev"
        case .bridge: "bridge"
        default: "family \(rawValue)"
        }
    }
}

/// Which table.
public struct NfTableName: Hashable, Sendable, CustomStringConvertible {
    /// What packets it sees.
    public var family: NfFamily
    /// Its name among those of the family.
    public var name: NfName

    /// The table of these.
    public init(_ family: NfFamily, _ name: NfName) { (self.family, self.name) = (family, name) }

    /// As the program `nft` writes it.
    public var description: String { "\(family) \(name)" }
}

/// The numbers of messages in `nf_tables.h`, with the subsystem that stands before them.
enum NfMessage {
    static let subsystem: UInt16 = 10
    static let batchBegin: UInt16 = 0x10
    static let batchEnd: UInt16 = 0x11

    static let newTable = subsystem << 8 | 0
    static let getTable = subsystem << 8 | 1
    static let removeTable = subsystem << 8 | 2
    static let newChain = subsystem << 8 | 3
    static let getChain = subsystem << 8 | 4
    static let removeChain = subsystem << 8 | 5
    static let newRule = subsystem << 8 | 6
    static let getRule = subsystem << 8 | 7
    static let removeRule = subsystem << 8 | 8
    static let newSet = subsystem << 8 | 9
    static let getSet = subsystem << 8 | 10
    static let removeSet = subsystem << 8 | 11
    static let newElement = subsystem << 8 | 12
    static let getElement = subsystem << 8 | 13
    static let removeElement = subsystem << 8 | 14
    static let newGeneration = subsystem << 8 | 15
    static let getGeneration = subsystem << 8 | 16
}

extension NetlinkWriter {
    /// `struct nfgenmsg`.
    mutating func netfilterHeader(_ family: UInt8, resource: UInt16 = 0) {
        append(family)
        append(UInt8(0))
        append(network: resource)
    }

    /// The bytes that the program `nft` shows as a comment: a type, a length, a text and its zero; behind others of that kind. Nothing for nothing.
    mutating func comment(_ comment: String?, in attribute: UInt16, as type: UInt8, behind others: [UInt8] = []) {
        var bytes = others
        if let comment {
            // The kernel keeps 256 bytes, and the program shows 128 of them.
            guard comment.utf8.count <= 127 else { return refuse("a comment has at most 127 bytes, and this has \(comment.utf8.count)") }
            guard !comment.utf8.contains(0) else { return refuse("a comment with a zero byte cannot be handed over") }
            bytes += [type, UInt8(comment.utf8.count + 1)] + comment.utf8 + [0]
        }
        if !bytes.isEmpty { self.attribute(attribute, bytes) }
    }
}

extension NetlinkAttributes {
    /// The comment in an attribute, or `nil` where somebody else has written something else there.
    func comment(in attribute: UInt16, as type: UInt8) -> String? {
        guard var rest = self[attribute]?.payload else { return nil }
        while rest.count >= 2 {
            let (found, length) = (rest[rest.startIndex], Int(rest[rest.startIndex + 1]))
            rest = rest.dropFirst(2)
            guard rest.count >= length else { return nil }
            if found == type { return String(decoding: rest.prefix(length).prefix { $0 != 0 }, as: UTF8.self) }
            rest = rest.dropFirst(length)
        }
        return nil
    }
}

extension NetlinkMessage {
    /// The family and the attributes of a message of netfilter's.
    func netfilterBody() throws(NetlinkDecodingError) -> (family: UInt8, resource: UInt16, attributes: NetlinkAttributes) {
        var reader = NetlinkReader(body)
        let family: UInt8 = try reader.read()
        _ = try reader.take(1)
        let resource: UInt16 = try reader.readNetwork()
        return (family, resource, try NetlinkAttributes(parsing: reader.rest))
    }
}
