/// What becomes of a packet.
public enum NfVerdict: Hashable, Sendable {
    /// It vanishes.
    case drop
    /// It goes on, to the next base chain.
    case accept
    /// The rules of a chain, and then those behind this one.
    case jump(NfName)
    /// The rules of a chain, and not those behind this one.
    case goto(NfName)
    /// Back to where the chain was jumped from.
    case `return`
    /// The next rule.
    case `continue`
    /// Another of the kernel's, by number.
    case other(Int32)

    private var code: Int32 {
        switch self {
        case .drop: 0
        case .accept: 1
        case .continue: -1
        case .jump: -3
        case .goto: -4
        case .return: -5
        case .other(let code): code
        }
    }

    private enum Attribute {
        static let code: UInt16 = 1
        static let chain: UInt16 = 2
    }

    func write(to writer: inout NetlinkWriter) {
        writer.nested(NfData.verdictAttribute) { writer in
            writer.attribute(Attribute.code, network: code)
            switch self {
            case .jump(let chain), .goto(let chain): writer.attribute(Attribute.chain, text: chain.description)
            default: break
            }
        }
    }

    init(_ attributes: NetlinkAttributes) throws(NetlinkDecodingError) {
        let code: Int32 = try attributes.requiredNetworkNumber(Attribute.code)
        switch code {
        case 0: self = .drop
        case 1: self = .accept
        case -1: self = .continue
        case -3: self = .jump(try NfName(attributes.require(Attribute.chain)))
        case -4: self = .goto(try NfName(attributes.require(Attribute.chain)))
        case -5: self = .return
        default: self = .other(code)
        }
    }
}

/// What a register, or an element of a map, holds.
public enum NfData: Hashable, Sendable {
    /// Bytes, at most 64.
    case value([UInt8])
    /// A verdict.
    case verdict(NfVerdict)

    static let valueAttribute: UInt16 = 1
    static let verdictAttribute: UInt16 = 2

    func write(as type: UInt16, to writer: inout NetlinkWriter) {
        writer.nested(type) { writer in
            switch self {
            case .value(let bytes): writer.attribute(Self.valueAttribute, bytes)
            case .verdict(let verdict): verdict.write(to: &writer)
            }
        }
    }

    init(_ attribute: NetlinkAttribute) throws(NetlinkDecodingError) {
        let attributes = try attribute.attributes()
        if let verdict = try attributes.nested(Self.verdictAttribute) {
            self = .verdict(try NfVerdict(verdict))
        } else {
            self = .value(Array(try attributes.require(Self.valueAttribute).payload))
        }
    }

    /// The bytes of one that holds bytes.
    static func bytes(_ attribute: NetlinkAttribute) throws(NetlinkDecodingError) -> [UInt8] {
        guard case .value(let bytes) = try NfData(attribute) else {
            throw NetlinkDecodingError("a verdict stands where bytes are expected")
        }
        return bytes
    }
}

/// A part of a set's keys or a map's values: what it is, which the program `nft` needs to show it, and how long.
public struct NfDataType: Hashable, Sendable {
    /// The number that `nft` gives to it.
    public let number: UInt32
    /// How many bytes a value has.
    public let byteCount: Int

    /// A type of these.
    public init(number: UInt32, byteCount: Int) { (self.number, self.byteCount) = (number, byteCount) }

    /// An address of version 4.
    public static let ipv4Address = NfDataType(number: 7, byteCount: 4)
    /// An address of version 6.
    public static let ipv6Address = NfDataType(number: 8, byteCount: 16)
    /// An Ethernet address.
    public static let hardwareAddress = NfDataType(number: 9, byteCount: 6)
    /// The number of a protocol above IP.
    public static let transportProtocol = NfDataType(number: 12, byteCount: 1)
    /// A port.
    public static let port = NfDataType(number: 13, byteCount: 2)
    /// A packet's mark.
    public static let mark = NfDataType(number: 19, byteCount: 4)
    /// An interface's name.
    public static let interfaceName = NfDataType(number: 41, byteCount: 16)

    static let known: [NfDataType] = [.ipv4Address, .ipv6Address, .hardwareAddress, .transportProtocol, .port, .mark, .interfaceName]

    /// Whether the kernel has a value in the machine's order: `nft` shows a set of them rightly only if it is told.
    var isInMachineOrder: Bool { self == .mark || self == .interfaceName }

    /// How many bytes it takes beside others: registers have four.
    var paddedByteCount: Int { (byteCount + 3) & ~3 }

    private static let bitsPerPart: UInt32 = 6

    /// The number of several beside each other.
    static func number(of parts: [NfDataType]) -> UInt32 { parts.reduce(0) { $0 << bitsPerPart | $1.number } }

    /// How many bytes several take.
    static func byteCount(of parts: [NfDataType]) -> Int {
        parts.count == 1 ? parts[0].byteCount : parts.reduce(0) { $0 + $1.paddedByteCount }
    }

    /// The parts of a number, if all are known and have so many bytes together; otherwise one of that number.
    static func parts(of number: UInt32, byteCount: Int) -> [NfDataType] {
        var (rest, parts) = (number, [NfDataType]())
        while rest > 0, let part = known.first(where: { $0.number == rest & (1 << bitsPerPart - 1) }) {
            parts.insert(part, at: 0)
            rest >>= bitsPerPart
        }
        return rest == 0 && !parts.isEmpty && self.byteCount(of: parts) == byteCount
            ? parts : [NfDataType(number: number, byteCount: byteCount)]
    }
}

/// A value of one part, as bytes.
public enum NfValue {
    /// An address.
    public static func address(_ address: IPAddress) -> [UInt8] { address.bytes }
    /// A port.
    public static func port(_ port: UInt16) -> [UInt8] { port.bigEndianBytes }
    /// The number of a protocol above IP: 6 TCP, 17 UDP, 132 SCTP.
    public static func transportProtocol(_ number: UInt8) -> [UInt8] { [number] }
    /// An interface's whole name.
    public static func interfaceName(_ name: InterfaceName) -> [UInt8] { name.padded }
    /// A number in the machine's order, as marks and most of ``NfExpression/MetaKey`` are.
    public static func number(_ value: UInt32) -> [UInt8] {
        var writer = NetlinkWriter()
        writer.append(value)
        return writer.bytes
    }

    /// Several values beside each other: each filled to four bytes, unless it is alone.
    public static func joined(_ parts: [[UInt8]]) -> [UInt8] {
        parts.count == 1 ? parts[0] : parts.flatMap { $0 + [UInt8](repeating: 0, count: -$0.count & 3) }
    }
}
