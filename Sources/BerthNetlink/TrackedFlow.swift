/// A connection, or what passes for one, that the kernel tracks.
public struct TrackedFlow: Hashable, Sendable {
    /// Who sends to whom, in one direction.
    public struct Direction: Hashable, Sendable {
        /// The sender's address.
        public var source: IPAddress
        /// The receiver's address.
        public var destination: IPAddress
        /// The sender's port, of protocols that have ports.
        public var sourcePort: UInt16?
        /// The receiver's port, of protocols that have ports.
        public var destinationPort: UInt16?
    }

    /// The protocol above IP: 6 TCP, 17 UDP, 1 ICMP.
    public var transportProtocol: UInt8
    /// As its first packet came.
    public var original: Direction
    /// As answers come: where it differs from the reverse of ``original``, addresses are translated.
    public var reply: Direction
    /// What has been done to it.
    public var status: ConnectionStatus
    /// For how long it is remembered without a packet.
    public var timeoutSeconds: UInt32?
    /// Its mark.
    public var mark: UInt32
    /// The kernel's number for it: another flow of the same ends has another.
    public var id: UInt32?
    /// Flows of different zones do not know of each other.
    public var zone: UInt16

    /// The first direction, as the kernel wrote it.
    private var originalBytes: [UInt8]

    enum Message {
        static let subsystem: UInt16 = 1
        static let new = subsystem << 8 | 0
        static let get = subsystem << 8 | 1
        static let remove = subsystem << 8 | 2
    }
    private enum Attribute {
        static let original: UInt16 = 1
        static let reply: UInt16 = 2
        static let status: UInt16 = 3
        static let timeout: UInt16 = 7
        static let mark: UInt16 = 8
        static let id: UInt16 = 12
        static let zone: UInt16 = 18
    }

    /// What a message about a flow says; `nil` of one of another family than the Internet protocol's.
    public init?(_ message: NetlinkMessage) throws(NetlinkDecodingError) {
        let (family, _, attributes) = try message.netfilterBody()
        guard let version = IPAddress.Version(family: family) else { return nil }
        let first = try attributes.require(Attribute.original)
        originalBytes = Array(first.payload)
        (original, transportProtocol) = try Self.direction(first.attributes(), version)
        (reply, _) = try Self.direction(attributes.require(Attribute.reply).attributes(), version)
        status = ConnectionStatus(rawValue: try attributes.networkNumber(Attribute.status) ?? 0)
        timeoutSeconds = try attributes.networkNumber(Attribute.timeout)
        mark = try attributes.networkNumber(Attribute.mark) ?? 0
        id = try attributes.networkNumber(Attribute.id)
        zone = try attributes.networkNumber(Attribute.zone) ?? 0
    }

    private static func direction(
        _ attributes: NetlinkAttributes, _ version: IPAddress.Version
    ) throws(NetlinkDecodingError) -> (Direction, UInt8) {
        guard let addresses = try attributes.nested(1), let transport = try attributes.nested(2) else {
            throw NetlinkDecodingError("a flow has no addresses or no protocol")
        }
        let (source, destination): (UInt16, UInt16) = version == .v4 ? (1, 2) : (3, 4)
        guard let from = IPAddress(bytes: try addresses.require(source).payload),
            let to = IPAddress(bytes: try addresses.require(destination).payload), from.version == version, to.version == version
        else { throw NetlinkDecodingError("a flow's address is of another version") }
        let number: UInt8 = try transport.require(1).number()
        let sourcePort: UInt16? = try transport.networkNumber(2)
        let destinationPort: UInt16? = try transport.networkNumber(3)
        return (Direction(source: from, destination: to, sourcePort: sourcePort, destinationPort: destinationPort), number)
    }

    /// The request to forget it: this very flow, not another of the same ends.
    var removal: NetlinkRequest {
        NetlinkRequest(type: Message.remove, purpose: "forget a flow from \(original.source) to \(original.destination)") { writer in
            writer.netfilterHeader(original.source.version.family)
            writer.attribute(Attribute.original | NetlinkWriter.nestedFlag, originalBytes)
            if let id { writer.attribute(Attribute.id, network: id) }
            if zone != 0 { writer.attribute(Attribute.zone, network: zone) }
        }
    }
}

/// Which flows: those that have all that is named.
public struct FlowFilter: Hashable, Sendable {
    /// Which ends of a direction.
    public struct Direction: Hashable, Sendable {
        /// The sender's address.
        public var source: IPAddress?
        /// The receiver's address.
        public var destination: IPAddress?
        /// The sender's port.
        public var sourcePort: UInt16?
        /// The receiver's port.
        public var destinationPort: UInt16?

        /// The ends of these.
        public init(source: IPAddress? = nil, destination: IPAddress? = nil, sourcePort: UInt16? = nil, destinationPort: UInt16? = nil) {
            (self.source, self.destination, self.sourcePort, self.destinationPort) = (source, destination, sourcePort, destinationPort)
        }

        /// Whether a direction has all that is named.
        public func matches(_ direction: TrackedFlow.Direction) -> Bool {
            (source == nil || source == direction.source) && (destination == nil || destination == direction.destination)
                && (sourcePort == nil || sourcePort == direction.sourcePort)
                && (destinationPort == nil || destinationPort == direction.destinationPort)
        }
    }

    /// The version.
    public var version: IPAddress.Version?
    /// The protocol above IP.
    public var transportProtocol: UInt8?
    /// As the first packet came.
    public var original: Direction
    /// As answers come: a container's flows from outside are those whose answers have its address as their source.
    public var reply: Direction

    /// A filter of these; without any, all flows.
    public init(
        version: IPAddress.Version? = nil, transportProtocol: UInt8? = nil, original: Direction = Direction(),
        reply: Direction = Direction()
    ) {
        (self.version, self.transportProtocol, self.original, self.reply) = (version, transportProtocol, original, reply)
    }

    /// Whether a flow has all that is named.
    public func matches(_ flow: TrackedFlow) -> Bool {
        (version == nil || version == flow.original.source.version)
            && (transportProtocol == nil || transportProtocol == flow.transportProtocol)
            && original.matches(flow.original) && reply.matches(flow.reply)
    }
}

extension NetlinkSocket {
    /// The flows that the kernel tracks in the socket's namespace.
    ///
    /// - Throws: `unsupported` or `invalid` where the kernel does not track any.
    public mutating func flows(_ filter: FlowFilter = FlowFilter()) throws(NetlinkError) -> [TrackedFlow] {
        let request = NetlinkRequest(type: TrackedFlow.Message.get, purpose: "list the tracked flows") {
            $0.netfilterHeader(filter.version?.family ?? 0)
        }
        return try list(request, of: [TrackedFlow.Message.new]) { (message) throws(NetlinkDecodingError) in try TrackedFlow(message) }
            .compactMap(\.self).filter(filter.matches)
    }

    /// Has the kernel forget flows: their next packet is a new one, which meets the rules as they are now. Repeating it forgets what has come since.
    ///
    /// - Parameter isMeant: says of what the filter lets through whether it is meant.
    /// - Returns: how many were forgotten; what ended by itself meanwhile is not counted.
    public mutating func forgetFlows(
        _ filter: FlowFilter, where isMeant: (TrackedFlow) -> Bool = { _ in true }
    ) throws(NetlinkError) -> Int {
        var count = 0
        for flow in try flows(filter) where isMeant(flow) {
            do throws(NetlinkError) {
                try perform(flow.removal)
                count += 1
            } catch {
                guard error.code == .notFound else { throw error }
            }
        }
        return count
    }
}
