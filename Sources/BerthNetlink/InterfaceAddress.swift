/// An address of an interface.
public struct InterfaceAddress: Hashable, Sendable {
    /// The flags of an address.
    public struct Flags: OptionSet, Hashable, Sendable {
        /// `IFA_F_…`.
        public let rawValue: UInt32
        /// Flags of these bits.
        public init(rawValue: UInt32) { self.rawValue = rawValue }
        /// It is used at once, without asking whether somebody else has it.
        public static let withoutDuplicateDetection = Flags(rawValue: 0x02)
        /// Somebody else has it.
        public static let isDuplicate = Flags(rawValue: 0x08)
        /// Whether somebody else has it is being asked.
        public static let isTentative = Flags(rawValue: 0x40)
        /// It stays until it is removed.
        public static let isPermanent = Flags(rawValue: 0x80)
        /// No route to its network is made with it.
        public static let withoutRoute = Flags(rawValue: 0x200)
    }

    /// The interface's number.
    public var interface: Int32
    /// The address and its network.
    public var prefix: IPPrefix
    /// The broadcast address, of version 4.
    public var broadcast: IPAddress?
    /// Its flags.
    public var flags: Flags
    /// How far it is valid: 0 everywhere, 253 on the link, 254 on the host.
    public var scope: UInt8

    /// An address for an interface, valid everywhere.
    public init(_ prefix: IPPrefix, on interface: Int32, broadcast: IPAddress? = nil, flags: Flags = []) {
        (self.interface, self.prefix, self.broadcast, self.flags, scope) = (interface, prefix, broadcast, flags, 0)
    }

    /// Whose addresses are asked for, by the number of the namespace.
    static let targetNamespaceID: UInt16 = 10

    private enum Attribute {
        static let address: UInt16 = 1
        static let local: UInt16 = 2
        static let broadcast: UInt16 = 4
        static let flags: UInt16 = 8
    }

    /// What a message about an address says; `nil` of one of another protocol.
    public init?(_ message: NetlinkMessage) throws(NetlinkDecodingError) {
        var reader = NetlinkReader(message.body)
        let family: UInt8 = try reader.read()
        let length: UInt8 = try reader.read()
        let flags: UInt8 = try reader.read()
        scope = try reader.read()
        interface = try reader.read()
        let attributes = try NetlinkAttributes(parsing: reader.rest)
        guard let version = IPAddress.Version(family: family) else { return nil }
        // Of a link between two points, ADDRESS is the other end and LOCAL is ours.
        let own = if let local = attributes[Attribute.local] { local } else { try attributes.require(Attribute.address) }
        guard let address = IPAddress(bytes: own.payload), address.version == version, let prefix = IPPrefix(address, length: Int(length))
        else { throw NetlinkDecodingError("an address has \(own.payload.count) bytes and a prefix of \(length) bits") }
        self.prefix = prefix
        broadcast = attributes[Attribute.broadcast].flatMap { IPAddress(bytes: $0.payload) }
        self.flags = Flags(rawValue: try attributes.number(Attribute.flags) ?? UInt32(flags))
    }

    func write(to writer: inout NetlinkWriter) {
        writer.append(prefix.address.version.family)
        writer.append(UInt8(prefix.length))
        writer.append(UInt8(0))
        writer.append(scope)
        writer.append(interface)
        writer.attribute(Attribute.local, prefix.address.bytes)
        writer.attribute(Attribute.address, prefix.address.bytes)
        if let broadcast { writer.attribute(Attribute.broadcast, broadcast.bytes) }
        if !flags.isEmpty { writer.attribute(Attribute.flags, flags.rawValue) }
    }
}

extension NetlinkRequest {
    /// Adds an address to an interface. Repeating it is `exists`.
    public static func addAddress(_ address: InterfaceAddress) -> NetlinkRequest {
        NetlinkRequest(
            type: RouteMessage.newAddress, flags: NetlinkMessage.Flags.create | NetlinkMessage.Flags.exclusive,
            purpose: "add the address \(address.prefix) to the interface number \(address.interface)"
        ) { address.write(to: &$0) }
    }

    /// Takes an address off an interface. Repeating it is `notFound`.
    public static func removeAddress(_ address: InterfaceAddress) -> NetlinkRequest {
        NetlinkRequest(
            type: RouteMessage.removeAddress,
            purpose: "remove the address \(address.prefix) from the interface number \(address.interface)"
        ) { address.write(to: &$0) }
    }
}

extension NetlinkSocket {
    /// The addresses of the socket's namespace, or of one interface.
    public mutating func addresses(on interface: Int32? = nil) throws(NetlinkError) -> [InterfaceAddress] {
        let request = NetlinkRequest(type: RouteMessage.getAddress, purpose: "list the addresses") { writer in
            writer.append(UInt32(0))
            writer.append(interface ?? 0)
        }
        return try list(request, of: [RouteMessage.newAddress]) { (message) throws(NetlinkDecodingError) in
            try InterfaceAddress(message)
        }.compactMap(\.self).filter { interface == nil || $0.interface == interface }
    }
}
