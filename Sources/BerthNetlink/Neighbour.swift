/// Which station has an address.
public struct Neighbour: Hashable, Sendable {
    /// The interface's number.
    public var interface: Int32
    /// The address.
    public var address: IPAddress
    /// The station, where it is known.
    public var hardwareAddress: HardwareAddress?
    /// What is known about it, `NUD_…`: 0x02 reachable, 0x04 stale, 0x20 failed, 0x80 written down for ever.
    public var state: UInt16

    /// An entry that stays.
    public init(_ address: IPAddress, at hardwareAddress: HardwareAddress?, on interface: Int32) {
        (self.interface, self.address, self.hardwareAddress, state) = (interface, address, hardwareAddress, 0x80)
    }

    /// What a message about a neighbour says; `nil` of one that has no Internet address, such as a bridge's.
    public init?(_ message: NetlinkMessage) throws(NetlinkDecodingError) {
        var reader = NetlinkReader(message.body)
        let family: UInt8 = try reader.read()
        _ = try reader.take(3)
        interface = try reader.read()
        state = try reader.read()
        _ = try reader.take(2)
        let attributes = try NetlinkAttributes(parsing: reader.rest)
        guard let version = IPAddress.Version(family: family), let destination = attributes[1] else { return nil }
        guard let address = IPAddress(bytes: destination.payload), address.version == version else {
            throw NetlinkDecodingError("an address has \(destination.payload.count) bytes")
        }
        self.address = address
        hardwareAddress = attributes[2].flatMap { HardwareAddress(bytes: $0.payload) }
    }

    func write(to writer: inout NetlinkWriter) {
        writer.append(address.version.family)
        writer.append([UInt8](repeating: 0, count: 3))
        writer.append(interface)
        writer.append(state)
        writer.append(UInt16(0))
        writer.attribute(1, address.bytes)
        if let hardwareAddress { writer.attribute(2, hardwareAddress.bytes) }
    }
}

extension NetlinkRequest {
    /// Writes down which station has an address, in the place of what was known.
    public static func setNeighbour(_ neighbour: Neighbour) -> NetlinkRequest {
        NetlinkRequest(
            type: RouteMessage.newNeighbour, flags: NetlinkMessage.Flags.create | NetlinkMessage.Flags.replace,
            purpose: "write down the neighbour \(neighbour.address)"
        ) { neighbour.write(to: &$0) }
    }

    /// Forgets which station has an address. Repeating it is `notFound`, or nothing: the kernel keeps entries for a while that are no longer valid.
    public static func removeNeighbour(_ neighbour: Neighbour) -> NetlinkRequest {
        NetlinkRequest(type: RouteMessage.removeNeighbour, purpose: "forget the neighbour \(neighbour.address)") {
            neighbour.write(to: &$0)
        }
    }
}

extension NetlinkSocket {
    /// The neighbours that an interface knows.
    public mutating func neighbours(on interface: Int32, _ version: IPAddress.Version) throws(NetlinkError) -> [Neighbour] {
        let request = NetlinkRequest(type: RouteMessage.getNeighbour, purpose: "list the neighbours") { writer in
            writer.append(version.family)
            writer.append([UInt8](repeating: 0, count: 11))
        }
        return try list(request, of: [RouteMessage.newNeighbour]) { (message) throws(NetlinkDecodingError) in try Neighbour(message) }
            .compactMap(\.self).filter { $0.interface == interface }
    }
}
