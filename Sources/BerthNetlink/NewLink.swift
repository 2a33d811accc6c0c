internal import BerthLinux

/// What an interface is to be when it is made: also the other end of a veth.
public struct LinkEnd: Sendable {
    /// Its name. Without one, the kernel chooses.
    public var name: InterfaceName?
    /// Its number in its namespace. Without one, the kernel chooses; with one, later requests of the same batch can name it.
    public var index: Int32?
    /// Its address. Without one, the kernel chooses at random.
    public var hardwareAddress: HardwareAddress?
    /// The largest packet, in bytes. Without it, the kind's usual.
    public var mtu: UInt32?
    /// The namespace that it is made in, if not the socket's.
    public var namespace: NamespaceHandle?

    /// An end of these.
    public init(
        name: InterfaceName? = nil, index: Int32? = nil, hardwareAddress: HardwareAddress? = nil, mtu: UInt32? = nil,
        namespace: NamespaceHandle? = nil
    ) {
        (self.name, self.index, self.hardwareAddress, self.mtu, self.namespace) = (name, index, hardwareAddress, mtu, namespace)
    }

    /// Fixed fields and attributes, without what is particular to the kind.
    func write(isUp: Bool, to writer: inout NetlinkWriter) {
        writer.linkHeader(index: index ?? 0, flags: isUp ? Link.flagUp : 0, mask: isUp ? Link.flagUp : 0)
        if let name { writer.attribute(LinkAttribute.name, text: name.description) }
        if let hardwareAddress { writer.attribute(LinkAttribute.address, hardwareAddress.bytes) }
        if let mtu { writer.attribute(LinkAttribute.mtu, mtu) }
        if let namespace { writer.attribute(LinkAttribute.namespaceDescriptor, namespace: namespace) }
    }
}

/// An interface that is to be made.
public struct NewLink: Sendable {
    /// What sort of interface.
    public enum Kind: Sendable {
        /// A bridge.
        case bridge(BridgeOptions)
        /// A pair of interfaces; the other one may be in another namespace.
        case veth(peer: LinkEnd)
        /// A further interface of another, with an Ethernet address of its own. The parent is one of the socket's namespace.
        case macvlan(parent: Int32, MacvlanMode)
        /// A further interface of another, which shares its Ethernet address. The parent is one of the socket's namespace.
        case ipvlan(parent: Int32, IpvlanMode, IpvlanIsolation)
        /// What another carries with an 802.1Q tag of this number. The parent is one of the socket's namespace.
        case vlan(parent: Int32, id: UInt16)
        /// One that throws everything away.
        case dummy

        var name: String {
            switch self {
            case .bridge: "bridge"
            case .veth: "veth"
            case .macvlan: "macvlan"
            case .ipvlan: "ipvlan"
            case .vlan: "vlan"
            case .dummy: "dummy"
            }
        }
    }

    /// What a bridge may be made with; `nil` leaves the kernel's own.
    public struct BridgeOptions: Hashable, Sendable {
        /// Whether it takes part in the spanning tree protocol.
        public var spansTree: Bool?
        /// How long a port listens before it forwards, in hundredths of a second.
        public var forwardDelayCentiseconds: UInt32?
        /// Whether it looks at multicast group messages.
        public var snoopsMulticast: Bool?
        /// Whether it keeps virtual networks apart.
        public var filtersVLANs: Bool?

        /// The kernel's own.
        public init() {}

        func write(to writer: inout NetlinkWriter) {
            if let forwardDelayCentiseconds { writer.attribute(1, forwardDelayCentiseconds) }
            if let spansTree { writer.attribute(5, UInt32(spansTree ? 1 : 0)) }
            if let filtersVLANs { writer.attribute(7, UInt8(filtersVLANs ? 1 : 0)) }
            if let snoopsMulticast { writer.attribute(23, UInt8(snoopsMulticast ? 1 : 0)) }
        }
    }

    /// Who may talk to whom among the interfaces of one parent.
    public enum MacvlanMode: UInt32, Hashable, Sendable {
        /// Nobody.
        case isolated = 1
        /// By the switch behind the parent.
        case vepa = 2
        /// Directly.
        case bridge = 4
        /// There is only one.
        case passthru = 8
    }

    /// What ipvlan looks at.
    public enum IpvlanMode: UInt16, Hashable, Sendable {
        /// Frames: neighbours are found as usual.
        case l2 = 0
        /// Packets: the parent routes.
        case l3 = 1
        /// Packets, with the parent's connection tracking.
        case l3s = 2
    }

    /// Who may talk to whom among the interfaces of one parent.
    public enum IpvlanIsolation: UInt16, Hashable, Sendable {
        /// Everybody.
        case bridge = 0
        /// Nobody.
        case isolated = 1
        /// By the switch behind the parent.
        case vepa = 2
    }

    /// The interface.
    public var end: LinkEnd
    /// What sort.
    public var kind: Kind
    /// Whether it is switched on at once. The other end of a veth never is: the kernel cannot.
    public var isUp: Bool
    /// The bridge that it becomes a port of at once, in the socket's namespace.
    public var master: Int32?

    /// An interface of these.
    public init(_ end: LinkEnd, _ kind: Kind, isUp: Bool = false, master: Int32? = nil) {
        (self.end, self.kind, self.isUp, self.master) = (end, kind, isUp, master)
    }
}

extension NetlinkRequest {
    /// Makes an interface; of a veth both ends, each in its namespace.
    ///
    /// Repeating it is `exists`, `unsupported` says that the kernel lacks the kind. An alias is not taken while it is made: see
    /// ``changeLink(_:_:)``, in the same batch.
    public static func makeLink(_ link: NewLink) -> NetlinkRequest {
        let name = link.end.name.map { " \($0)" } ?? ""
        var namespaces = [link.end.namespace].compactMap(\.self)
        if case .veth(let peer) = link.kind, let namespace = peer.namespace { namespaces.append(namespace) }
        return NetlinkRequest(
            type: RouteMessage.newLink, flags: NetlinkMessage.Flags.create | NetlinkMessage.Flags.exclusive,
            purpose: "make the \(link.kind.name) interface\(name)", namespaces: namespaces
        ) { writer in
            link.end.write(isUp: link.isUp, to: &writer)
            if let master = link.master { writer.attribute(LinkAttribute.master, master) }
            switch link.kind {
            case .macvlan(let parent, _), .ipvlan(let parent, _, _), .vlan(let parent, _): writer.attribute(LinkAttribute.link, parent)
            case .veth: writer.oneQueueEachWay()
            case .bridge, .dummy: break
            }
            writer.nested(LinkAttribute.info) { writer in
                writer.attribute(LinkAttribute.infoKind, text: link.kind.name)
                writer.nested(LinkAttribute.infoData) { writer in
                    switch link.kind {
                    case .bridge(let options): options.write(to: &writer)
                    case .veth(let peer):
                        writer.nested(1) { writer in
                            peer.write(isUp: false, to: &writer)
                            writer.oneQueueEachWay()
                        }
                    case .macvlan(_, let mode): writer.attribute(1, mode.rawValue)
                    case .ipvlan(_, let mode, let isolation):
                        writer.attribute(1, mode.rawValue)
                        writer.attribute(2, isolation.rawValue)
                    case .vlan(_, let id): writer.attribute(1, id)
                    case .dummy: break
                    }
                }
            }
        }
    }
}

extension NetlinkWriter {
    /// What the ends of a veth have anyway. Where it is not said, the kernel makes one for each processor and takes all but one away again, for which it waits
    /// twice, holding everybody up who wants to change an interface.
    fileprivate mutating func oneQueueEachWay() {
        attribute(LinkAttribute.sendQueueCount, UInt32(1))
        attribute(LinkAttribute.receiveQueueCount, UInt32(1))
    }

    /// `struct ifinfomsg`.
    mutating func linkHeader(index: Int32, flags: UInt32 = 0, mask: UInt32 = 0) {
        append(UInt8(0))
        append(UInt8(0))
        append(UInt16(0))
        append(index)
        append(flags)
        append(mask)
    }

    /// A namespace's descriptor, by number: the request holds it open.
    mutating func attribute(_ type: UInt16, namespace: NamespaceHandle) {
        attribute(type, namespace.descriptor.withRawDescriptor { $0 })
    }
}
