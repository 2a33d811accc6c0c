/// A rule: steps, and what is written to it.
public struct NfRule: Hashable, Sendable {
    /// The table that it is in.
    public var table: NfTableName
    /// The chain that it is in.
    public var chain: NfName
    /// Its steps.
    public var steps: [NfExpression]
    /// What is written to it, so that it is found again.
    public var comment: String?
    /// The kernel's number for it.
    public var handle: UInt64?

    /// A rule that is to be made.
    public init(_ table: NfTableName, _ chain: NfName, _ steps: [NfExpression], comment: String? = nil) {
        (self.table, self.chain, self.steps, self.comment) = (table, chain, steps, comment)
    }

    enum Attribute {
        static let table: UInt16 = 1
        static let chain: UInt16 = 2
        static let handle: UInt16 = 3
        static let expressions: UInt16 = 4
        static let position: UInt16 = 6
        static let userData: UInt16 = 7
        static let listElement: UInt16 = 1
    }

    /// What a message about a rule says.
    public init(_ message: NetlinkMessage) throws(NetlinkDecodingError) {
        let (family, _, attributes) = try message.netfilterBody()
        table = NfTableName(NfFamily(rawValue: family), try NfName(attributes.require(Attribute.table)))
        chain = try NfName(attributes.require(Attribute.chain))
        handle = try attributes.networkNumber(Attribute.handle)
        comment = attributes.comment(in: Attribute.userData, as: 0)
        steps = []
        for entry in try attributes.nested(Attribute.expressions)?.all ?? [] { steps.append(try NfExpression(entry)) }
    }

    func write(position: UInt64?, to writer: inout NetlinkWriter) {
        writer.netfilterHeader(table.family.rawValue)
        writer.attribute(Attribute.table, text: table.name.description)
        writer.attribute(Attribute.chain, text: chain.description)
        if let position { writer.attribute(Attribute.position, network: position) }
        writer.nested(Attribute.expressions) { writer in
            for step in steps { writer.nested(Attribute.listElement) { step.write(to: &$0) } }
        }
        writer.comment(comment, in: Attribute.userData, as: 0)
    }
}

/// What a rule commonly asks, as steps. Each uses the first registers, and leaves nothing in them for the next.
extension [NfExpression] {
    /// The packet came by this interface.
    public static func cameBy(_ interface: InterfaceName, isInverted: Bool = false) -> Self {
        [
            .meta(.inputInterfaceName, into: .first),
            .compare(.first, isInverted ? .notEqual : .equal, interface.padded),
        ]
    }

    /// The packet leaves by this interface.
    public static func leavesBy(_ interface: InterfaceName, isInverted: Bool = false) -> Self {
        [
            .meta(.outputInterfaceName, into: .first),
            .compare(.first, isInverted ? .notEqual : .equal, interface.padded),
        ]
    }

    /// The packet is of this version: needed in the family ``NfFamily/inet`` before its addresses are looked at.
    public static func isOf(_ version: IPAddress.Version) -> Self {
        [
            .meta(.family, into: .first),
            .compare(.first, .equal, [(version == .v4 ? NfFamily.ipv4 : .ipv6).rawValue]),
        ]
    }

    /// The protocol above IP is this: 6 TCP, 17 UDP.
    public static func transportProtocolIs(_ number: UInt8) -> Self {
        [.meta(.transportProtocol, into: .first), .compare(.first, .equal, [number])]
    }

    /// The sender's address is one of these, or none. The packet must be known to be of the version.
    public static func sourceIsIn(_ prefix: IPPrefix, isInverted: Bool = false) -> Self {
        isIn(prefix, offset: prefix.address.version == .v4 ? 12 : 8, isInverted)
    }

    /// The receiver's address is one of these, or none. The packet must be known to be of the version.
    public static func destinationIsIn(_ prefix: IPPrefix, isInverted: Bool = false) -> Self {
        isIn(prefix, offset: prefix.address.version == .v4 ? 16 : 24, isInverted)
    }

    private static func isIn(_ prefix: IPPrefix, offset: UInt32, _ isInverted: Bool) -> Self {
        let comparison: NfExpression.Comparison = isInverted ? .notEqual : .equal
        // Whole bytes need no mask.
        if prefix.length > 0, prefix.length % 8 == 0 {
            let bytes = [UInt8](prefix.first.bytes.prefix(prefix.length / 8))
            return [
                .payload(.network, offset: offset, byteCount: UInt32(bytes.count), into: .first), .compare(.first, comparison, bytes),
            ]
        }
        let byteCount = prefix.address.bytes.count
        return [
            .payload(.network, offset: offset, byteCount: UInt32(byteCount), into: .first),
            .bitwise(.first, into: .first, mask: prefix.mask.bytes, flipping: [UInt8](repeating: 0, count: byteCount)),
            .compare(.first, comparison, prefix.first.bytes),
        ]
    }

    /// The receiver's port is this. The packet must be known to be of TCP, UDP or SCTP.
    public static func destinationPortIs(_ port: UInt16) -> Self {
        [.payload(.transport, offset: 2, byteCount: 2, into: .first), .compare(.first, .equal, port.bigEndianBytes)]
    }

    /// The receiver's address is one of this machine's own.
    public static var destinationIsLocal: Self {
        [
            .fib(.destination, .addressKind, into: .first),
            .compare(.first, .equal, NfValue.number(UInt32(Route.Kind.local.rawValue))),
        ]
    }

    /// The packet's connection is in one of these states.
    public static func connectionIs(_ states: ConnectionState) -> Self { hasBit(of: states.rawValue, in: .state) }

    /// One of these has been done to the packet's connection.
    public static func connectionHas(_ status: ConnectionStatus) -> Self { hasBit(of: status.rawValue, in: .status) }

    private static func hasBit(of bits: UInt32, in key: NfExpression.ConnectionKey) -> Self {
        [
            .connection(key, nil, into: .first),
            .bitwise(.first, into: .first, mask: NfValue.number(bits), flipping: NfValue.number(0)),
            .compare(.first, .notEqual, NfValue.number(0)),
        ]
    }
}
