internal import BerthNetlink

/// Whom a sandbox's name server asks for what it does not know itself.
public struct NameUpstream: Hashable, Sendable {
    /// From where a server is asked.
    public enum Place: Hashable, Sendable {
        /// From the engine's own network namespace: a server that the host names, be it on the host's loopback interface.
        case engine
        /// From the sandbox's: a server that the user names, which may be in the sandbox itself or on one of its networks.
        case sandbox
    }

    /// A server that can be asked.
    public struct Server: Hashable, Sendable, CustomStringConvertible {
        /// Its address.
        public var server: ResolverFile.Server
        /// Its port.
        public var port: UInt16
        /// From where it is asked.
        public var place: Place

        /// The server of an address.
        public init(_ server: ResolverFile.Server, port: UInt16 = 53, at place: Place) {
            (self.server, self.port, self.place) = (server, port, place)
        }

        /// As the comment in `resolv.conf` has it: `host(127.0.0.53)` for one that is asked from the engine's namespace.
        public var description: String { place == .engine ? "host(\(server))" : server.description }
    }

    /// The most that are asked, as every resolver has it: what is beyond them does not count.
    public static var maximumServerCount: Int { 3 }

    /// Who can be asked, in that order.
    public var servers: [Server]
    /// Whether the engine asks for the sandbox: not where it is on internal networks alone, since what it asks would get out by the questions.
    /// Servers that are asked from the sandbox's own namespace are asked in any case: whom it does not reach the engine does not reach there either.
    public var isAllowed: Bool
    /// Whether names without a dot stay here: their asker has said how many dots a whole name has, and will put something behind it.
    public var keepsSingleLabels: Bool

    /// An upstream of these.
    public init(servers: [Server] = [], isAllowed: Bool = true, keepsSingleLabels: Bool = false) {
        (self.servers, self.isAllowed, self.keepsSingleLabels) = (servers, isAllowed, keepsSingleLabels)
    }

    /// Those who are asked.
    var askedServers: [Server] {
        // The sandbox's own name server would ask itself for ever.
        let others = servers.filter { $0.place == .engine || $0.server.address != NameSockets.address }
        return others.prefix(Self.maximumServerCount).filter { isAllowed || $0.place == .sandbox }
    }
}
