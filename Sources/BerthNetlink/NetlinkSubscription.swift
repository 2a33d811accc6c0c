public import BerthLinux
internal import CBerth

/// Is told of changes of the network, by whomever they are made.
public struct NetlinkSubscription: ~Copyable, Sendable {
    /// What one may be told of.
    public enum Topic: Hashable, Sendable {
        /// Interfaces.
        case links
        /// Addresses of both versions.
        case addresses
        /// Routes of both versions.
        case routes
        /// Tables, chains, rules, sets and elements of nf_tables, and, last of each change, its generation.
        case ruleSet
        /// Flows that the kernel begins and ceases to track.
        case flows

        var family: NetlinkSocket.Family {
            switch self {
            case .links, .addresses, .routes: .route
            case .ruleSet, .flows: .netfilter
            }
        }

        /// The numbers of the kernel's groups.
        var groups: [UInt32] {
            switch self {
            case .links: [1]
            case .addresses: [5, 9]
            case .routes: [7, 11]
            case .ruleSet: [7]
            case .flows: [1, 3]
            }
        }
    }

    /// What was told.
    public enum Event: Hashable, Sendable {
        /// Changes, in their order.
        case messages([NetlinkMessage])
        /// The kernel had no room for some: whoever keeps what it knows asks for everything again.
        case someWereLost
        /// Nothing in the time.
        case nothing
        /// The wait was ended.
        case interrupted
    }

    private var socket: NetlinkSocket
    private static let purpose = "wait for changes of the network"
    /// What may wait to be read, as the kernel counts, which is several times the messages' size.
    private static let roomByteCount: CInt = 4 << 20

    /// Subscribes in the calling thread's network namespace, or in another. What changes from now on is told.
    ///
    /// - Throws: `invalid` for topics of both families, and for none.
    public init(_ topics: Set<Topic>, in namespace: NamespaceHandle? = nil) throws(NetlinkError) {
        try self.init(topics, in: namespace, roomByteCount: Self.roomByteCount)
    }

    init(_ topics: Set<Topic>, in namespace: NamespaceHandle?, roomByteCount: CInt) throws(NetlinkError) {
        let socket = try Self.subscribe(topics, in: namespace, roomByteCount)
        self.socket = socket
    }

    private static func subscribe(
        _ topics: Set<Topic>, in namespace: NamespaceHandle?, _ roomByteCount: CInt
    ) throws(NetlinkError) -> NetlinkSocket {
        guard let family = topics.first?.family, topics.allSatisfy({ $0.family == family }) else {
            throw NetlinkError(.invalid, purpose, "a subscription is to topics of one family, at least one")
        }
        let socket = if let namespace { try NetlinkSocket(family, in: namespace) } else { try NetlinkSocket(family) }
        for group in topics.flatMap(\.groups) {
            guard socket.descriptor.withRawDescriptor({ berth_netlink_join($0, group) }) == 0 else { throw NetlinkError(.current, purpose) }
        }
        // Where there is no more room than usual, more may be lost, which is told.
        _ = socket.descriptor.withRawDescriptor { berth_netlink_room($0, 0, roomByteCount) }
        return socket
    }

    /// Readable when something was told: for those who wait for several things.
    public borrowing func duplicateDescriptor() throws(NetlinkError) -> OwnedDescriptor { try socket.duplicate() }

    /// Waits for what is told next.
    ///
    /// - Parameters:
    ///   - milliseconds: the longest to wait.
    ///   - interruption: ends the wait from another thread.
    public mutating func next(
        withinMilliseconds milliseconds: Int32, orUntil interruption: borrowing Interruption
    ) throws(NetlinkError) -> Event {
        let purpose = Self.purpose
        do throws(Errno) {
            switch try interruption.waitForInput(of: socket.descriptor, milliseconds: milliseconds) {
            case .input: break
            case .timeout: return .nothing
            case .interrupted: return .interrupted
            }
        } catch { throw NetlinkError(error, purpose) }
        do throws(NetlinkError) {
            return .messages(try socket.receive(waits: false, purpose))
        } catch {
            switch error.code {
            case .lost: return .someWereLost
            // A message that was not the kernel's has been thrown away.
            case .timedOut: return .nothing
            default: throw error
            }
        }
    }
}

/// A change of links, addresses and routes.
public enum RouteChange: Hashable, Sendable {
    /// An interface is there, or is otherwise than before.
    case link(Link)
    /// An interface has gone.
    case linkRemoved(Link)
    /// An address is there.
    case address(InterfaceAddress)
    /// An address has gone.
    case addressRemoved(InterfaceAddress)
    /// A route is there.
    case route(Route)
    /// A route has gone.
    case routeRemoved(Route)

    /// What a message tells; `nil` of one that tells something else.
    public init?(_ message: NetlinkMessage) throws(NetlinkDecodingError) {
        let change: RouteChange? =
            switch message.type {
            case RouteMessage.newLink: .link(try Link(message))
            case RouteMessage.removeLink: .linkRemoved(try Link(message))
            case RouteMessage.newAddress: try InterfaceAddress(message).map { .address($0) }
            case RouteMessage.removeAddress: try InterfaceAddress(message).map { .addressRemoved($0) }
            case RouteMessage.newRoute: try Route(message).map { .route($0) }
            case RouteMessage.removeRoute: try Route(message).map { .routeRemoved($0) }
            default: nil
            }
        guard let change else { return nil }
        self = change
    }
}

/// A change of the rule set. Of chains, rules, sets and elements it is told only that something is otherwise: look again.
public enum RuleSetChange: Hashable, Sendable {
    /// A table is there.
    case table(NfTable)
    /// A table has gone, with everything in it.
    case tableRemoved(NfTable)
    /// Something in a table of this family is otherwise.
    case content(NfFamily)
    /// The change is complete, and this is the state after it.
    case generation(NfGeneration)

    /// What a message tells; `nil` of one that tells something else. Whose change it is says ``NetlinkMessage/port``.
    public init?(_ message: NetlinkMessage) throws(NetlinkDecodingError) {
        switch message.type {
        case NfMessage.newTable: self = .table(try NfTable(message))
        case NfMessage.removeTable: self = .tableRemoved(try NfTable(message))
        case NfMessage.newGeneration: self = .generation(try NfGeneration(message))
        case let type where type >> 8 == NfMessage.subsystem:
            self = .content(NfFamily(rawValue: try message.netfilterBody().family))
        default: return nil
        }
    }
}

extension NetlinkMessage {
    /// Of a message about a chain, a rule, a set or elements, the table that they are in; `nil` of others, and of what cannot be read.
    public var ruleSetTable: NfTableName? {
        guard type >> 8 == NfMessage.subsystem else { return nil }
        do throws(NetlinkDecodingError) {
            let (family, _, attributes) = try netfilterBody()
            return NfTableName(NfFamily(rawValue: family), try NfName(attributes.require(NfRule.Attribute.table)))
        } catch { return nil }
    }

    /// Whether it is about elements of a set.
    public var isOfElements: Bool { type == NfMessage.newElement || type == NfMessage.removeElement }
}
