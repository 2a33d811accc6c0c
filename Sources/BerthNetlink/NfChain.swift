/// A chain: rules in an order.
public struct NfChain: Hashable, Sendable {
    /// Where a chain hangs, of one that packets come to by themselves.
    public struct Base: Hashable, Sendable {
        /// What it is for: `filter`, `nat` or `route`.
        public var type: ChainType
        /// Where on a packet's way.
        public var hook: Hook
        /// Of chains at one hook, the lowest is first.
        public var priority: Int32
        /// What becomes of a packet that no rule decides about.
        public var policy: Policy
        /// The device, in the family `netdev`.
        public var device: InterfaceName?

        /// A place of these.
        public init(_ type: ChainType, _ hook: Hook, priority: Int32, policy: Policy = .accept, device: InterfaceName? = nil) {
            (self.type, self.hook, self.priority, self.policy, self.device) = (type, hook, priority, policy, device)
        }
    }

    /// What a chain is for.
    public struct ChainType: RawRepresentable, Hashable, Sendable {
        /// The kernel's word.
        public let rawValue: String
        /// A type by its word.
        public init(rawValue: String) { self.rawValue = rawValue }
        /// To decide.
        public static let filter = ChainType(rawValue: "filter")
        /// To change addresses: only the first packet of a connection comes.
        public static let nat = ChainType(rawValue: "nat")
        /// To have packets routed again.
        public static let route = ChainType(rawValue: "route")
    }

    /// A place on a packet's way, in the families of the Internet protocol and of bridges.
    public struct Hook: RawRepresentable, Hashable, Sendable {
        /// `NF_INET_…`.
        public let rawValue: UInt32
        /// A hook by number.
        public init(rawValue: UInt32) { self.rawValue = rawValue }
        /// Before it is known where a packet goes.
        public static let prerouting = Hook(rawValue: 0)
        /// On the way to a socket here.
        public static let input = Hook(rawValue: 1)
        /// On the way through.
        public static let forward = Hook(rawValue: 2)
        /// From a socket here.
        public static let output = Hook(rawValue: 3)
        /// Before it leaves.
        public static let postrouting = Hook(rawValue: 4)
    }

    /// What becomes of a packet that no rule decides about.
    public enum Policy: UInt32, Hashable, Sendable {
        /// It vanishes.
        case drop = 0
        /// It goes on, to the next chain.
        case accept = 1
    }

    /// The table that it is in.
    public var table: NfTableName
    /// Its name.
    public var name: NfName
    /// Where it hangs; `nil` of one that rules jump to.
    public var base: Base?
    /// What is written to it.
    public var comment: String?
    /// The kernel's number for it.
    public var handle: UInt64?

    /// A chain that is to be made.
    public init(_ table: NfTableName, _ name: NfName, at base: Base? = nil, comment: String? = nil) {
        (self.table, self.name, self.base, self.comment) = (table, name, base, comment)
    }

    enum Attribute {
        static let table: UInt16 = 1
        static let handle: UInt16 = 2
        static let name: UInt16 = 3
        static let hook: UInt16 = 4
        static let policy: UInt16 = 5
        static let type: UInt16 = 7
        static let userData: UInt16 = 12

        static let hookNumber: UInt16 = 1
        static let hookPriority: UInt16 = 2
        static let hookDevice: UInt16 = 3
    }

    /// What a message about a chain says.
    public init(_ message: NetlinkMessage) throws(NetlinkDecodingError) {
        let (family, _, attributes) = try message.netfilterBody()
        table = NfTableName(NfFamily(rawValue: family), try NfName(attributes.require(Attribute.table)))
        name = try NfName(attributes.require(Attribute.name))
        comment = attributes.comment(in: Attribute.userData, as: 0)
        handle = try attributes.networkNumber(Attribute.handle)
        if let hook = try attributes.nested(Attribute.hook), hook[Attribute.hookNumber] != nil {
            let number: UInt32 = try hook.requiredNetworkNumber(Attribute.hookNumber)
            let priority: UInt32 = try hook.requiredNetworkNumber(Attribute.hookPriority)
            let policy: UInt32? = try attributes.networkNumber(Attribute.policy)
            base = Base(
                ChainType(rawValue: attributes[Attribute.type]?.text ?? ""), Hook(rawValue: number),
                priority: Int32(bitPattern: priority), policy: policy == 0 ? .drop : .accept,
                device: hook[Attribute.hookDevice].flatMap { InterfaceName($0.text) })
        }
    }

    func write(to writer: inout NetlinkWriter) {
        writer.netfilterHeader(table.family.rawValue)
        writer.attribute(Attribute.table, text: table.name.description)
        writer.attribute(Attribute.name, text: name.description)
        if let base {
            writer.nested(Attribute.hook) { writer in
                writer.attribute(Attribute.hookNumber, network: base.hook.rawValue)
                writer.attribute(Attribute.hookPriority, network: base.priority)
                if let device = base.device { writer.attribute(Attribute.hookDevice, text: device.description) }
            }
            writer.attribute(Attribute.policy, network: base.policy.rawValue)
            writer.attribute(Attribute.type, text: base.type.rawValue)
        }
        writer.comment(comment, in: Attribute.userData, as: 0)
    }
}
