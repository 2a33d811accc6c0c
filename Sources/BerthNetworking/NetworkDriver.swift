/// Where a sandbox's network namespace comes from.
public enum NetworkNamespace: Hashable, Sendable {
    /// It is made with the container, and holds the loopback interface.
    case new
    /// The host's.
    case host
    /// That of a running process.
    case process(Int32)
}

/// A sandbox that is to be attached: the network's view of a container that is about to start.
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

    /// The sandbox's id: that of the container that makes it.
    public var id: String
    /// Whose sandbox is shared, for the driver `container`.
    public var peer: Peer?

    /// A request of these.
    public init(id: String, peer: Peer? = nil) { (self.id, self.peer) = (id, peer) }
}

/// What a sandbox got.
public struct SandboxAttachment: Hashable, Sendable {
    /// The namespace that its container starts in.
    public var namespace: NetworkNamespace

    /// An attachment of these.
    public init(namespace: NetworkNamespace) { self.namespace = namespace }
}

/// Makes networks and attaches sandboxes to them.
///
/// The walk through a sandbox's life: ``attach(_:)`` before its container starts, ``detach(_:)`` when it has ended. What is attached outside the
/// namespace carries the sandbox's id in its name, so that a driver can remove what belongs to nobody.
public protocol NetworkDriver: Sendable {
    /// The name by which a container chooses it.
    var name: String { get }
    /// Attaches a sandbox. On failure nothing of it is left.
    ///
    /// - Throws: ``NetworkError``; `conflict` if a peer does not run.
    func attach(_ request: SandboxRequest) async throws(NetworkError) -> SandboxAttachment
    /// Takes a sandbox off. Repeating is fine, also for one that was never attached.
    func detach(_ sandboxID: String) async throws(NetworkError)
}

/// A namespace of its own with only the loopback interface.
public struct NoneDriver: NetworkDriver {
    /// `none`.
    public let name = "none"
    /// The driver.
    public init() {}
    /// A new namespace. Never fails.
    public func attach(_ request: SandboxRequest) async throws(NetworkError) -> SandboxAttachment { SandboxAttachment(namespace: .new) }
    /// Nothing is left outside the namespace.
    public func detach(_ sandboxID: String) async throws(NetworkError) {}
}

/// The host's network.
public struct HostDriver: NetworkDriver {
    /// `host`.
    public let name = "host"
    /// The driver.
    public init() {}
    /// The host's namespace. Never fails.
    public func attach(_ request: SandboxRequest) async throws(NetworkError) -> SandboxAttachment { SandboxAttachment(namespace: .host) }
    /// Nothing was made.
    public func detach(_ sandboxID: String) async throws(NetworkError) {}
}

/// Another container's sandbox.
public struct ContainerDriver: NetworkDriver {
    /// `container`.
    public let name = "container"
    /// The driver.
    public init() {}
    /// The peer's namespace.
    ///
    /// - Throws: `invalid` without a peer or with itself, `conflict` if it does not run.
    public func attach(_ request: SandboxRequest) async throws(NetworkError) -> SandboxAttachment {
        guard let peer = request.peer, peer.id != request.id else {
            throw NetworkError(.invalid, "a container cannot share its own network namespace: name another one")
        }
        guard let process = peer.processID else {
            throw NetworkError(.conflict, "cannot join network of a non running container: \(peer.id)")
        }
        return SandboxAttachment(namespace: .process(process))
    }
    /// The namespace is its peer's.
    public func detach(_ sandboxID: String) async throws(NetworkError) {}
}
