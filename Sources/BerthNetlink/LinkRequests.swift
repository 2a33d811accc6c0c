/// How a request names an interface.
public enum LinkReference: Hashable, Sendable, CustomStringConvertible {
    /// By its number in the socket's namespace.
    case index(Int32)
    /// By its name there.
    case name(InterfaceName)

    /// For sentences.
    public var description: String {
        switch self {
        case .index(let index): "number \(index)"
        case .name(let name): name.description
        }
    }

    func write(to writer: inout NetlinkWriter, flags: UInt32 = 0, mask: UInt32 = 0) {
        switch self {
        case .index(let index): writer.linkHeader(index: index, flags: flags, mask: mask)
        case .name(let name):
            writer.linkHeader(index: 0, flags: flags, mask: mask)
            writer.attribute(LinkAttribute.name, text: name.description)
        }
    }
}

/// What is to change at an interface; `nil` stays as it is.
public struct LinkChange: Sendable {
    /// Switched on or off.
    public var isUp: Bool?
    /// The bridge that it becomes a port of; 0: of none.
    public var master: Int32?
    /// The largest packet, in bytes.
    public var mtu: UInt32?
    /// Its address.
    public var hardwareAddress: HardwareAddress?
    /// What is written to it, at most 255 bytes; empty takes it away.
    public var alias: String?
    /// The namespace that it moves to. It is switched off there, and loses its addresses.
    public var namespace: NamespaceHandle?

    /// A change of these.
    public init(
        isUp: Bool? = nil, master: Int32? = nil, mtu: UInt32? = nil, hardwareAddress: HardwareAddress? = nil, alias: String? = nil,
        namespace: NamespaceHandle? = nil
    ) {
        (self.isUp, self.master, self.mtu, self.hardwareAddress) = (isUp, master, mtu, hardwareAddress)
        (self.alias, self.namespace) = (alias, namespace)
    }
}

/// What is to change in how a bridge treats a port; `nil` stays as it is.
public struct BridgePortChange: Hashable, Sendable {
    /// Whether what comes from the port may leave by it: a container reaches its own published port.
    public var isHairpin: Bool?
    /// Whether it exchanges packets only with ports that are not isolated.
    public var isIsolated: Bool?
    /// Whether addresses are learnt from it.
    public var learns: Bool?
    /// Whether packets to unknown addresses go out by it.
    public var floods: Bool?

    /// A change of these.
    public init(isHairpin: Bool? = nil, isIsolated: Bool? = nil, learns: Bool? = nil, floods: Bool? = nil) {
        (self.isHairpin, self.isIsolated, self.learns, self.floods) = (isHairpin, isIsolated, learns, floods)
    }
}

extension NetlinkRequest {
    /// Changes an interface. Repeating it changes nothing more.
    public static func changeLink(_ link: LinkReference, _ change: LinkChange) -> NetlinkRequest {
        NetlinkRequest(
            type: RouteMessage.setLink, purpose: "change the interface \(link)", namespaces: [change.namespace].compactMap(\.self)
        ) { writer in
            link.write(to: &writer, flags: change.isUp == true ? Link.flagUp : 0, mask: change.isUp == nil ? 0 : Link.flagUp)
            if let master = change.master { writer.attribute(LinkAttribute.master, master) }
            if let mtu = change.mtu { writer.attribute(LinkAttribute.mtu, mtu) }
            if let address = change.hardwareAddress { writer.attribute(LinkAttribute.address, address.bytes) }
            if let alias = change.alias {
                if alias.utf8.count > 255 { writer.refuse("an alias has at most 255 bytes, and this has \(alias.utf8.count)") }
                writer.attribute(LinkAttribute.alias, text: alias)
            }
            if let namespace = change.namespace { writer.attribute(LinkAttribute.namespaceDescriptor, namespace: namespace) }
        }
    }

    /// Gives an interface another name. An interface that is up keeps it where the kernel is older than Linux 6.2 (`busy`).
    public static func renameLink(index: Int32, to name: InterfaceName) -> NetlinkRequest {
        NetlinkRequest(type: RouteMessage.setLink, purpose: "name the interface number \(index) \(name)") { writer in
            writer.linkHeader(index: index)
            writer.attribute(LinkAttribute.name, text: name.description)
        }
    }

    /// Changes how its bridge treats a port.
    ///
    /// - Throws: when performed, `invalid` or `unsupported` if the interface is no bridge's port.
    public static func changeBridgePort(_ link: LinkReference, _ change: BridgePortChange) -> NetlinkRequest {
        NetlinkRequest(type: RouteMessage.newLink, purpose: "change the bridge port \(link)") { writer in
            link.write(to: &writer)
            writer.nested(LinkAttribute.info) { writer in
                writer.attribute(LinkAttribute.infoPortKind, text: "bridge")
                writer.nested(LinkAttribute.infoPortData) { writer in
                    for (type, value) in [
                        (LinkAttribute.portHairpin, change.isHairpin), (LinkAttribute.portLearning, change.learns),
                        (LinkAttribute.portFlood, change.floods), (LinkAttribute.portIsolated, change.isIsolated),
                    ] {
                        if let value { writer.attribute(type, UInt8(value ? 1 : 0)) }
                    }
                }
            }
        }
    }

    /// Removes an interface; of a veth, both ends. Repeating it is `notFound`.
    public static func removeLink(_ link: LinkReference) -> NetlinkRequest {
        NetlinkRequest(type: RouteMessage.removeLink, purpose: "remove the interface \(link)") { link.write(to: &$0) }
    }
}

extension NetlinkSocket {
    /// Counters are left out, which are most of what there is to tell.
    static let withoutCounters: UInt32 = 1 << 3

    /// The interfaces of the socket's namespace, in the kernel's order.
    public mutating func links() throws(NetlinkError) -> [Link] {
        try list(
            NetlinkRequest(type: RouteMessage.getLink, purpose: "list the interfaces") { writer in
                writer.linkHeader(index: 0)
                writer.attribute(LinkAttribute.extendedMask, Self.withoutCounters)
            }, of: [RouteMessage.newLink]
        ) { (message) throws(NetlinkDecodingError) in try Link(message) }
    }

    /// One interface, or `nil` where there is none.
    public mutating func link(_ link: LinkReference) throws(NetlinkError) -> Link? {
        let request = NetlinkRequest(type: RouteMessage.getLink, purpose: "look at the interface \(link)") { writer in
            link.write(to: &writer)
            writer.attribute(LinkAttribute.extendedMask, Self.withoutCounters)
        }
        do throws(NetlinkError) {
            let message = try query(request)
            do throws(NetlinkDecodingError) { return try Link(message) } catch { throw NetlinkError(error, request.purpose) }
        } catch {
            if error.code == .notFound { return nil }
            throw error
        }
    }

    /// A dump's messages of some types, each made a value.
    mutating func list<Value>(
        _ request: NetlinkRequest, of types: Set<UInt16>, _ decode: (NetlinkMessage) throws(NetlinkDecodingError) -> Value
    ) throws(NetlinkError) -> [Value] {
        var found: [Value] = []
        for message in try dump(request) where types.contains(message.type) {
            do throws(NetlinkDecodingError) { found.append(try decode(message)) } catch { throw NetlinkError(error, request.purpose) }
        }
        return found
    }
}
