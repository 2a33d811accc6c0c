/// A step of a rule. A rule's steps are taken in order; one that does not match ends the rule.
public enum NfExpression: Hashable, Sendable {
    /// Loads something that the kernel knows of the packet.
    case meta(MetaKey, into: NfRegister)
    /// Writes something of the packet's down, such as its mark.
    case setMeta(MetaKey, from: NfRegister)
    /// Loads bytes of the packet.
    case payload(Header, offset: UInt32, byteCount: UInt32, into: NfRegister)
    /// Goes on if the register's bytes compare so with these.
    case compare(NfRegister, Comparison, [UInt8])
    /// Goes on if the register's bytes are within, or outside, a range; both ends are within.
    case range(NfRegister, isInside: Bool, from: [UInt8], through: [UInt8])
    /// Ands a register's bytes with the mask and then flips those of `flipping`.
    case bitwise(NfRegister, into: NfRegister, mask: [UInt8], flipping: [UInt8])
    /// Loads something of the packet's connection.
    case connection(ConnectionKey, Direction?, into: NfRegister)
    /// Looks a key up, from the register on: goes on if the set has it (or has not). Of a map, what it stands for goes `into` a register, or is done.
    case lookup(NfName, key: NfRegister, into: NfRegister?, isInverted: Bool)
    /// Loads bytes.
    case immediate([UInt8], into: NfRegister)
    /// Decides.
    case verdict(NfVerdict)
    /// Changes an address, and a port if one is named, of the connection.
    case nat(Translation, NfFamily, address: NfRegister?, port: NfRegister?, flags: TranslationFlags)
    /// Gives the packet's connection the address of the interface by which it leaves.
    case masquerade(flags: TranslationFlags)
    /// Sends the packet's connection to this machine itself, to a port if one is named.
    case redirect(port: NfRegister?)
    /// Loads what the routing tables say of the packet's address.
    case fib(RouteLookup, RouteResult, into: NfRegister)
    /// Counts packets and bytes.
    case counter(packets: UInt64, bytes: UInt64)
    /// Answers with an error, and the packet vanishes.
    case reject(Rejection)
    /// Keeps the packet out of connection tracking.
    case untracked
    /// A match of iptables' that nf_tables carries along: goes on if that says so.
    case extensionMatch(NfExtension)
    /// A target of iptables' that nf_tables carries along.
    case extensionTarget(NfExtension)
    /// One that is not known here, by name.
    case other(String)

    /// What the kernel knows of a packet: `NFT_META_…`. Numbers are in the machine's order unless said otherwise.
    public struct MetaKey: RawRepresentable, Hashable, Sendable {
        /// The kernel's number.
        public let rawValue: UInt32
        /// A key by number.
        public init(rawValue: UInt32) { self.rawValue = rawValue }
        /// The mark.
        public static let mark = MetaKey(rawValue: 3)
        /// The number of the interface that it came by.
        public static let inputInterface = MetaKey(rawValue: 4)
        /// The number of the interface that it leaves by.
        public static let outputInterface = MetaKey(rawValue: 5)
        /// The name of the interface that it came by, 16 bytes.
        public static let inputInterfaceName = MetaKey(rawValue: 6)
        /// The name of the interface that it leaves by, 16 bytes.
        public static let outputInterfaceName = MetaKey(rawValue: 7)
        /// Whether it is to be traced, one byte.
        public static let trace = MetaKey(rawValue: 12)
        /// The family, one byte.
        public static let family = MetaKey(rawValue: 15)
        /// The protocol above IP, one byte.
        public static let transportProtocol = MetaKey(rawValue: 16)
        /// Whom the frame is for, one byte.
        public static let packetType = MetaKey(rawValue: 19)
    }

    /// Where a packet's bytes are counted from.
    public enum Header: UInt32, Hashable, Sendable {
        /// The frame's beginning.
        case link = 0
        /// That of IP.
        case network = 1
        /// That of TCP, UDP …
        case transport = 2
    }

    /// How bytes compare, the first being the highest.
    public enum Comparison: UInt32, Hashable, Sendable {
        /// Equal.
        case equal = 0
        /// Not equal.
        case notEqual = 1
        /// Less.
        case less = 2
        /// Less or equal.
        case lessOrEqual = 3
        /// Greater.
        case greater = 4
        /// Greater or equal.
        case greaterOrEqual = 5
    }

    /// What is known of a connection: `NFT_CT_…`.
    public struct ConnectionKey: RawRepresentable, Hashable, Sendable {
        /// The kernel's number.
        public let rawValue: UInt32
        /// A key by number.
        public init(rawValue: UInt32) { self.rawValue = rawValue }
        /// Its state, a number with one bit set: see ``ConnectionState``.
        public static let state = ConnectionKey(rawValue: 0)
        /// What has been done to it, a number: see ``ConnectionStatus``.
        public static let status = ConnectionKey(rawValue: 2)
        /// Its mark.
        public static let mark = ConnectionKey(rawValue: 3)
        /// Its protocol, one byte.
        public static let transportProtocol = ConnectionKey(rawValue: 10)
        /// The port of the sender, in a direction.
        public static let sourcePort = ConnectionKey(rawValue: 11)
        /// The port of the receiver, in a direction.
        public static let destinationPort = ConnectionKey(rawValue: 12)
        /// The sender's address of version 4, in a direction.
        public static let ipv4Source = ConnectionKey(rawValue: 19)
        /// The receiver's address of version 4, in a direction.
        public static let ipv4Destination = ConnectionKey(rawValue: 20)
        /// The sender's address of version 6, in a direction.
        public static let ipv6Source = ConnectionKey(rawValue: 21)
        /// The receiver's address of version 6, in a direction.
        public static let ipv6Destination = ConnectionKey(rawValue: 22)
    }

    /// As its first packet, or against it.
    public enum Direction: UInt8, Hashable, Sendable {
        /// As its first packet.
        case original = 0
        /// Against it.
        case reply = 1
    }

    /// What is changed.
    public enum Translation: UInt32, Hashable, Sendable {
        /// The sender.
        case source = 0
        /// The receiver.
        case destination = 1
    }

    /// How an address or a port is chosen: `NF_NAT_RANGE_…`.
    public struct TranslationFlags: OptionSet, Hashable, Sendable {
        /// The kernel's bits.
        public let rawValue: UInt32
        /// Flags of these bits.
        public init(rawValue: UInt32) { self.rawValue = rawValue }
        /// Ports are chosen at random.
        public static let randomPorts = TranslationFlags(rawValue: 0x10)
        /// A client gets the same address for each of its connections.
        public static let isPersistent = TranslationFlags(rawValue: 0x8)
    }

    /// What the routing tables are asked about: `NFTA_FIB_F_…`.
    public struct RouteLookup: OptionSet, Hashable, Sendable {
        /// The kernel's bits.
        public let rawValue: UInt32
        /// Flags of these bits.
        public init(rawValue: UInt32) { self.rawValue = rawValue }
        /// The sender's address.
        public static let source = RouteLookup(rawValue: 1)
        /// The receiver's address.
        public static let destination = RouteLookup(rawValue: 2)
        /// With the packet's mark.
        public static let mark = RouteLookup(rawValue: 4)
        /// As seen from the interface that it came by.
        public static let inputInterface = RouteLookup(rawValue: 8)
    }

    /// What the routing tables are asked for.
    public enum RouteResult: UInt32, Hashable, Sendable {
        /// The number of the interface.
        case interface = 1
        /// Its name.
        case interfaceName = 2
        /// What the address is: a number, ``Route/Kind``.
        case addressKind = 3
    }

    /// With which error.
    public enum Rejection: Hashable, Sendable {
        /// TCP's "reset".
        case reset
        /// "Unreachable" of the packet's own version, `NFT_REJECT_ICMPX_…`: 0 no route, 1 port, 2 host, 3 prohibited.
        case unreachable(UInt8)
        /// "Unreachable" with a code of the family's own.
        case familyUnreachable(UInt8)
    }
}

/// A part of iptables' that nf_tables carries along as it is.
public struct NfExtension: Hashable, Sendable {
    /// Its name: `conntrack`, `REJECT`.
    public var name: String
    /// Which version of it.
    public var revision: UInt32
    /// What it keeps, in a form of its own.
    public var data: [UInt8]

    /// One of these.
    public init(_ name: String, revision: UInt32, data: [UInt8]) { (self.name, self.revision, self.data) = (name, revision, data) }
}

/// The states of a connection, as ``NfExpression/ConnectionKey/state`` has them.
public struct ConnectionState: OptionSet, Hashable, Sendable {
    /// The bits.
    public let rawValue: UInt32
    /// States of these bits.
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    /// It makes no sense.
    public static let invalid = ConnectionState(rawValue: 1)
    /// Both sides have spoken.
    public static let established = ConnectionState(rawValue: 2)
    /// It belongs to another.
    public static let related = ConnectionState(rawValue: 4)
    /// Its first packet.
    public static let new = ConnectionState(rawValue: 8)
    /// It is not tracked.
    public static let untracked = ConnectionState(rawValue: 64)
}

/// What has been done to a connection: `IPS_…`.
public struct ConnectionStatus: OptionSet, Hashable, Sendable {
    /// The bits.
    public let rawValue: UInt32
    /// A status of these bits.
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    /// Both sides have spoken.
    public static let seenReply = ConnectionStatus(rawValue: 0x2)
    /// The first packet has left the machine.
    public static let confirmed = ConnectionStatus(rawValue: 0x8)
    /// The sender is changed.
    public static let sourceTranslated = ConnectionStatus(rawValue: 0x10)
    /// The receiver is changed.
    public static let destinationTranslated = ConnectionStatus(rawValue: 0x20)
}

/// Where a rule keeps bytes between steps: sixteen places of four bytes, or four of sixteen, which are the same bytes.
///
/// What is longer than a place goes on in the next ones: the parts of a key or a value lie one behind the other that way.
public struct NfRegister: Hashable, Sendable {
    /// The kernel's number.
    package let number: UInt32

    /// The place of four bytes of a number from 0 to 15; the kernel refuses others.
    public static func word(_ index: Int) -> NfRegister { NfRegister(number: index == 0 ? 1 : UInt32(clamping: 8 + index)) }

    /// The first place.
    public static let first = word(0)

    /// Where a verdict goes, which is done at once: of a lookup in a map of verdicts.
    public static let verdict = NfRegister(number: 0)

    init(number: UInt32) {
        // The kernel tells the first of each sixteen bytes by its other name.
        self.number = number >= 8 && number < 24 && number % 4 == 0 ? (number - 8) / 4 + 1 : number
    }
}
