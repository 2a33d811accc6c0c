/// A route.
public struct Route: Hashable, Sendable {
    /// Where a route leads.
    public struct Hop: Hashable, Sendable {
        /// The interface's number.
        public var interface: Int32?
        /// Who forwards, where the destination is not on the link. It may be of the other version.
        public var gateway: IPAddress?

        /// A hop of these.
        public init(interface: Int32?, gateway: IPAddress? = nil) { (self.interface, self.gateway) = (interface, gateway) }
    }

    /// What becomes of packets: `RTN_…`.
    public struct Kind: RawRepresentable, Hashable, Sendable {
        /// The kernel's number.
        public let rawValue: UInt8
        /// A kind by number.
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// They go on.
        public static let unicast = Kind(rawValue: 1)
        /// They are ours.
        public static let local = Kind(rawValue: 2)
        /// They are everybody's.
        public static let broadcast = Kind(rawValue: 3)
        /// They are a group's.
        public static let multicast = Kind(rawValue: 5)
        /// They vanish.
        public static let blackhole = Kind(rawValue: 6)
        /// They are answered with "unreachable".
        public static let unreachable = Kind(rawValue: 7)
        /// They are answered with "prohibited".
        public static let prohibit = Kind(rawValue: 8)
    }

    /// The main table.
    public static let mainTable: UInt32 = 254

    /// Where packets go; the length 0 is the default route.
    public var destination: IPPrefix
    /// Where it leads; several where packets are spread; none of a route that does not lead anywhere.
    public var hops: [Hop]
    /// The address that packets of our own get.
    public var source: IPAddress?
    /// Of several routes to one destination the lowest counts.
    public var metric: UInt32?
    /// The table that it is in.
    public var table: UInt32
    /// What becomes of packets.
    public var kind: Kind
    /// How far the destination is: 0 anywhere, 253 on the link, 254 on this host.
    public var scope: UInt8
    /// Who made it: 2 the kernel, 3 during boot, 4 somebody by hand.
    public var origin: UInt8

    /// A route through a gateway, or, without one, to what is on the link.
    public init(
        to destination: IPPrefix, interface: Int32? = nil, gateway: IPAddress? = nil, source: IPAddress? = nil, metric: UInt32? = nil,
        table: UInt32 = mainTable, kind: Kind = .unicast
    ) {
        (self.destination, self.source, self.metric, self.table, self.kind) = (destination, source, metric, table, kind)
        hops = interface == nil && gateway == nil ? [] : [Hop(interface: interface, gateway: gateway)]
        scope = gateway == nil && kind == .unicast && destination.address.version == .v4 ? 253 : 0
        origin = 3
    }

    private enum Attribute {
        static let destination: UInt16 = 1
        static let interface: UInt16 = 4
        static let gateway: UInt16 = 5
        static let metric: UInt16 = 6
        static let source: UInt16 = 7
        static let hops: UInt16 = 9
        static let table: UInt16 = 15
        static let via: UInt16 = 18
    }

    /// What a message about a route says; `nil` of one of another protocol.
    public init?(_ message: NetlinkMessage) throws(NetlinkDecodingError) {
        var reader = NetlinkReader(message.body)
        let family: UInt8 = try reader.read()
        let length: UInt8 = try reader.read()
        _ = try reader.take(2)
        let table: UInt8 = try reader.read()
        origin = try reader.read()
        scope = try reader.read()
        kind = Kind(rawValue: try reader.read())
        _ = try reader.take(4)
        guard let version = IPAddress.Version(family: family) else { return nil }
        let attributes = try NetlinkAttributes(parsing: reader.rest)
        let address = try attributes[Attribute.destination].map { (found) throws(NetlinkDecodingError) in try Self.address(found.payload) }
        guard let destination = IPPrefix(address ?? IPAddress(version, 0), length: Int(length)), destination.address.version == version
        else { throw NetlinkDecodingError("a route's prefix has \(length) bits") }
        self.destination = destination
        source = try attributes[Attribute.source].map { (found) throws(NetlinkDecodingError) in try Self.address(found.payload) }
        metric = try attributes.number(Attribute.metric)
        self.table = try attributes.number(Attribute.table) ?? UInt32(table)
        if let several = attributes[Attribute.hops] {
            hops = try Self.hops(several.payload)
        } else {
            let hop = Hop(interface: try attributes.number(Attribute.interface), gateway: try Self.gateway(attributes))
            hops = hop.interface == nil && hop.gateway == nil ? [] : [hop]
        }
    }

    private static func address(_ bytes: ArraySlice<UInt8>) throws(NetlinkDecodingError) -> IPAddress {
        guard let address = IPAddress(bytes: bytes) else { throw NetlinkDecodingError("an address has \(bytes.count) bytes") }
        return address
    }

    private static func gateway(_ attributes: NetlinkAttributes) throws(NetlinkDecodingError) -> IPAddress? {
        if let gateway = attributes[Attribute.gateway] { return try address(gateway.payload) }
        // Of the other version: the family stands before it.
        guard let via = attributes[Attribute.via] else { return nil }
        return try address(via.payload.dropFirst(2))
    }

    private static func hops(_ bytes: ArraySlice<UInt8>) throws(NetlinkDecodingError) -> [Hop] {
        var (reader, found) = (NetlinkReader(bytes), [Hop]())
        while reader.rest.count >= 8 {
            let length = Int(try reader.read(UInt16.self))
            _ = try reader.take(2)
            let interface: Int32 = try reader.read()
            guard length >= 8 else { throw NetlinkDecodingError("a hop says that it has \(length) bytes") }
            let attributes = try NetlinkAttributes(parsing: try reader.take(length - 8))
            reader.skipUpTo(-length & 3)
            found.append(Hop(interface: interface, gateway: try gateway(attributes)))
        }
        return found
    }

    func write(to writer: inout NetlinkWriter) {
        writer.append(destination.address.version.family)
        writer.append(UInt8(destination.length))
        writer.append(UInt16(0))
        writer.append(UInt8(table < 256 ? table : 0))
        writer.append(origin)
        writer.append(scope)
        writer.append(kind.rawValue)
        writer.append(UInt32(0))
        if destination.length > 0 { writer.attribute(Attribute.destination, destination.address.bytes) }
        if let source { writer.attribute(Attribute.source, source.bytes) }
        if let metric { writer.attribute(Attribute.metric, metric) }
        if table >= 256 { writer.attribute(Attribute.table, table) }
        if hops.count == 1 {
            write(hops[0], to: &writer)
        } else if hops.count > 1 {
            writer.nested(Attribute.hops) { writer in
                for hop in hops {
                    var inner = NetlinkWriter()
                    write(hop, asNext: true, to: &inner)
                    writer.append(UInt16(truncatingIfNeeded: 8 + inner.bytes.count))
                    writer.append(UInt16(0))
                    writer.append(hop.interface ?? 0)
                    writer.append(inner.bytes)
                }
            }
        }
    }

    private func write(_ hop: Hop, asNext: Bool = false, to writer: inout NetlinkWriter) {
        if !asNext, let interface = hop.interface { writer.attribute(Attribute.interface, interface) }
        guard let gateway = hop.gateway else { return }
        if gateway.version == destination.address.version {
            writer.attribute(Attribute.gateway, gateway.bytes)
        } else {
            var family = NetlinkWriter()
            family.append(UInt16(gateway.version.family))
            writer.attribute(Attribute.via, family.bytes + gateway.bytes)
        }
    }
}

extension NetlinkRequest {
    /// Adds a route. Repeating it is `exists`.
    public static func addRoute(_ route: Route) -> NetlinkRequest {
        NetlinkRequest(
            type: RouteMessage.newRoute, flags: NetlinkMessage.Flags.create | NetlinkMessage.Flags.exclusive,
            purpose: "add a route to \(route.destination)"
        ) { route.write(to: &$0) }
    }

    /// Puts a route in the place of the one to the same destination with the same metric, or adds it.
    public static func replaceRoute(_ route: Route) -> NetlinkRequest {
        NetlinkRequest(
            type: RouteMessage.newRoute, flags: NetlinkMessage.Flags.create | NetlinkMessage.Flags.replace,
            purpose: "set the route to \(route.destination)"
        ) { route.write(to: &$0) }
    }

    /// Removes the first route that is as described. Repeating it is `notFound`.
    public static func removeRoute(_ route: Route) -> NetlinkRequest {
        NetlinkRequest(type: RouteMessage.removeRoute, purpose: "remove the route to \(route.destination)") { route.write(to: &$0) }
    }
}

extension NetlinkSocket {
    /// The routes of one version in the socket's namespace: of one table, or of all.
    public mutating func routes(_ version: IPAddress.Version, table: UInt32? = nil) throws(NetlinkError) -> [Route] {
        let request = NetlinkRequest(type: RouteMessage.getRoute, purpose: "list the routes") { writer in
            writer.append(version.family)
            writer.append([UInt8](repeating: 0, count: 11))
        }
        return try list(request, of: [RouteMessage.newRoute]) { (message) throws(NetlinkDecodingError) in try Route(message) }
            .compactMap(\.self).filter { table == nil || $0.table == table }
    }
}
