/// A table of nf_tables: chains and sets of one owner.
public struct NfTable: Hashable, Sendable {
    /// How it is kept.
    public struct Flags: OptionSet, Hashable, Sendable {
        /// `NFT_TABLE_F_…`.
        public let rawValue: UInt32
        /// Flags of these bits.
        public init(rawValue: UInt32) { self.rawValue = rawValue }
        /// Its chains see nothing.
        public static let dormant = Flags(rawValue: 1)
        /// Only the socket that has made or adopted it may change it; nobody else's flush reaches it.
        public static let owner = Flags(rawValue: 2)
        /// It stays when its owner goes, and may then be adopted: from Linux 6.9 on. Without it, it goes with its owner.
        public static let persist = Flags(rawValue: 4)
    }

    /// Which one.
    public var id: NfTableName
    /// How it is kept.
    public var flags: Flags
    /// What is written to it. It is kept from its making on, and does not change.
    public var comment: String?
    /// The kernel's number for it: another one once it has been made anew.
    public var handle: UInt64?
    /// The port of the socket that owns it.
    public var ownerPort: UInt32?

    /// A table that is to be made.
    public init(_ id: NfTableName, flags: Flags = [], comment: String? = nil) {
        (self.id, self.flags, self.comment) = (id, flags, comment)
    }

    enum Attribute {
        static let name: UInt16 = 1
        static let flags: UInt16 = 2
        static let handle: UInt16 = 4
        static let userData: UInt16 = 6
        static let owner: UInt16 = 7
    }

    /// What a message about a table says.
    public init(_ message: NetlinkMessage) throws(NetlinkDecodingError) {
        let (family, _, attributes) = try message.netfilterBody()
        id = NfTableName(NfFamily(rawValue: family), try NfName(attributes.require(Attribute.name)))
        flags = Flags(rawValue: try attributes.networkNumber(Attribute.flags) ?? 0)
        comment = attributes.comment(in: Attribute.userData, as: 0)
        handle = try attributes.networkNumber(Attribute.handle)
        ownerPort = try attributes.networkNumber(Attribute.owner)
    }

    func write(to writer: inout NetlinkWriter) {
        writer.netfilterHeader(id.family.rawValue)
        writer.attribute(Attribute.name, text: id.name.description)
        writer.attribute(Attribute.flags, network: flags.rawValue)
        writer.comment(comment, in: Attribute.userData, as: 0)
    }
}
