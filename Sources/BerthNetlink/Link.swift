/// A network interface, as the kernel tells of it.
public struct Link: Hashable, Sendable {
    /// Its number in its namespace.
    public var index: Int32
    /// Its name.
    public var name: String
    /// What somebody wrote to it, to find it again; empty if nothing.
    public var alias: String
    /// What it was made as: `bridge`, `veth`, `macvlan`; `nil` of devices.
    public var kind: String?
    /// Its address, where it is an Ethernet one.
    public var hardwareAddress: HardwareAddress?
    /// The largest packet that it carries, in bytes.
    public var mtu: UInt32
    /// Whether it has been switched on.
    public var isUp: Bool
    /// Whether it carries: of a veth, that both ends are up.
    public var isRunning: Bool
    /// Whether it is the loopback interface.
    public var isLoopback: Bool
    /// The bridge that it is a port of.
    public var master: Int32?
    /// Of a veth, its other end; of a macvlan, ipvlan or vlan, its parent: in the namespace of ``peerNamespaceID``, or in this one.
    public var peer: Int32?
    /// This namespace's number for the one that the peer is in, where that is another.
    public var peerNamespaceID: Int32?
    /// How its bridge treats it, of a bridge's port.
    public var bridgePort: BridgePort?

    /// How a bridge treats a port.
    public struct BridgePort: Hashable, Sendable {
        /// Whether what comes from the port may leave by it.
        public var isHairpin: Bool
        /// Whether it exchanges packets only with ports that are not isolated.
        public var isIsolated: Bool
        /// Whether addresses are learnt from it.
        public var learns: Bool
        /// Whether packets to unknown addresses go out by it.
        public var floods: Bool
    }
}

/// The numbers of links in `if_link.h`.
enum LinkAttribute {
    static let address: UInt16 = 1
    static let name: UInt16 = 3
    static let mtu: UInt16 = 4
    static let link: UInt16 = 5
    static let master: UInt16 = 10
    static let info: UInt16 = 18
    static let alias: UInt16 = 20
    static let namespaceDescriptor: UInt16 = 28
    static let extendedMask: UInt16 = 29
    static let sendQueueCount: UInt16 = 31
    static let receiveQueueCount: UInt16 = 32
    static let peerNamespaceID: UInt16 = 37
    static let targetNamespaceID: UInt16 = 46

    static let infoKind: UInt16 = 1
    static let infoData: UInt16 = 2
    static let infoPortKind: UInt16 = 4
    static let infoPortData: UInt16 = 5

    static let portHairpin: UInt16 = 4
    static let portLearning: UInt16 = 8
    static let portFlood: UInt16 = 9
    static let portIsolated: UInt16 = 33
}

/// The numbers of messages in `rtnetlink.h`.
enum RouteMessage {
    static let newLink: UInt16 = 16
    static let removeLink: UInt16 = 17
    static let getLink: UInt16 = 18
    static let setLink: UInt16 = 19
    static let newAddress: UInt16 = 20
    static let removeAddress: UInt16 = 21
    static let getAddress: UInt16 = 22
    static let newRoute: UInt16 = 24
    static let removeRoute: UInt16 = 25
    static let getRoute: UInt16 = 26
    static let newNeighbour: UInt16 = 28
    static let removeNeighbour: UInt16 = 29
    static let getNeighbour: UInt16 = 30
    static let newNamespaceID: UInt16 = 88
    static let getNamespaceID: UInt16 = 90
}

extension Link {
    static let flagUp: UInt32 = 0x1
    private static let flagLoopback: UInt32 = 0x8
    private static let flagRunning: UInt32 = 0x40

    /// What a message about a link says.
    public init(_ message: NetlinkMessage) throws(NetlinkDecodingError) {
        var reader = NetlinkReader(message.body)
        _ = try reader.take(4)
        index = try reader.read()
        let flags: UInt32 = try reader.read()
        _ = try reader.take(4)
        let attributes = try NetlinkAttributes(parsing: reader.rest)
        name = attributes[LinkAttribute.name]?.text ?? ""
        alias = attributes[LinkAttribute.alias]?.text ?? ""
        hardwareAddress = attributes[LinkAttribute.address].flatMap { HardwareAddress(bytes: $0.payload) }
        mtu = try attributes.number(LinkAttribute.mtu) ?? 0
        isUp = flags & Self.flagUp != 0
        isRunning = flags & Self.flagRunning != 0
        isLoopback = flags & Self.flagLoopback != 0
        master = try attributes.number(LinkAttribute.master)
        peer = try attributes.number(LinkAttribute.link)
        peerNamespaceID = try attributes.number(LinkAttribute.peerNamespaceID)
        let info = try attributes.nested(LinkAttribute.info)
        kind = info?[LinkAttribute.infoKind]?.text
        if info?[LinkAttribute.infoPortKind]?.text == "bridge", let port = try info?.nested(LinkAttribute.infoPortData) {
            bridgePort = try BridgePort(port)
        }
    }
}

extension Link.BridgePort {
    fileprivate init(_ attributes: NetlinkAttributes) throws(NetlinkDecodingError) {
        func flag(_ type: UInt16) throws(NetlinkDecodingError) -> Bool { try attributes.number(type, as: UInt8.self) ?? 0 != 0 }
        isHairpin = try flag(LinkAttribute.portHairpin)
        isIsolated = try flag(LinkAttribute.portIsolated)
        learns = try flag(LinkAttribute.portLearning)
        floods = try flag(LinkAttribute.portFlood)
    }
}
