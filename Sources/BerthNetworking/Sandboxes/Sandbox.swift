/// Where a sandbox's network namespace comes from.
public enum NetworkNamespace: Hashable, Sendable {
    /// It is made with the container, and holds the loopback interface.
    case new
    /// The host's.
    case host
    /// That of a running process.
    case process(Int32)
    /// One that this path leads to.
    case path(String)
}

/// What a container that is about to start asks for.
public struct SandboxRequest: Hashable, Sendable {
    /// Another container, whose sandbox is to be shared.
    public struct Peer: Hashable, Sendable {
        /// Its id.
        public var id: String
        /// Its first process, or `nil` while it does not run.
        public var processID: Int32?

        /// The peer of these.
        public init(id: String, processID: Int32?) { (self.id, self.processID) = (id, processID) }
    }

    /// What it wants.
    public enum Wish: Hashable, Sendable {
        /// Places in networks.
        case endpoints([EndpointConfiguration])
        /// Another's sandbox.
        case shared(Peer)
    }

    /// The sandbox's id: that of the container that makes it.
    public var id: String
    /// That container's name.
    public var name: String
    /// What it wants.
    public var wish: Wish

    /// A request of these.
    public init(id: String, name: String, _ wish: Wish) { (self.id, self.name, self.wish) = (id, name, wish) }
}

/// What a sandbox got. Its namespace is there as long as this is held, or a process is in it.
public struct SandboxAttachment: Sendable {
    /// The namespace that its container starts in.
    public let namespace: NetworkNamespace
    /// Its places in networks, in the order of its interfaces.
    public let endpoints: [Endpoint]
    private let held: SandboxNamespace?

    init(_ namespace: NetworkNamespace, _ endpoints: [Endpoint] = [], holding held: SandboxNamespace? = nil) {
        (self.namespace, self.endpoints, self.held) = (namespace, endpoints, held)
    }
}
