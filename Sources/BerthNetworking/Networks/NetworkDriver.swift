/// Makes networks of one kind, and gives sandboxes their interfaces in them.
///
/// The walk through a network's life: ``check(_:)`` before anything is made, ``make(_:)`` before its first sandbox comes (and again after every start of an
/// engine, for a reboot takes it away), ``attach(_:of:to:)`` and ``detach(_:of:)`` for each sandbox, ``remove(_:)``. Names and addresses are decided before
/// a driver is called; what it makes outside of its sandboxes' namespaces carries the engine's id and that of the network or sandbox, so that what belongs to
/// nobody can be found: ``recover(_:endpoints:)``. All calls but ``check(_:)`` may block, and are made where that holds up nothing else.
public protocol NetworkDriver: Sendable {
    /// The name by which a network's creator chooses it.
    var name: String { get }
    /// Whether sandboxes of its networks have a namespace of their own; if not, they are in the host's, and in no other network.
    var hasNamespaces: Bool { get }
    /// Which versions of addresses its networks can have; none: they have no subnets.
    var addressVersions: AddressVersions { get }
    /// What a network of this configuration is like. Asked again and again: it answers from the configuration alone.
    func traits(of configuration: NetworkConfiguration) -> NetworkTraits
    /// Whether a network can be what its creator says.
    ///
    /// - Throws: `invalid`, `unsupported`.
    func check(_ configuration: NetworkConfiguration) throws(NetworkError)
    /// Makes what the network has on the host. Repeating is fine, and makes whole what has been damaged. On failure nothing is there that was not before.
    ///
    /// - Throws: `conflict` if something else has a name that it needs; `unsupported` where the kernel lacks it; `system`.
    func make(_ network: Network) throws(NetworkError)
    /// Takes away what the network has on the host. Repeating is fine.
    func remove(_ network: Network) throws(NetworkError)
    /// Gives a sandbox its interface, with its addresses, up and ready. On failure nothing of it is left.
    ///
    /// - Throws: `unsupported`, `conflict`, `system`.
    func attach(_ endpoint: Endpoint, of network: Network, to namespace: SandboxNamespace) throws(NetworkError)
    /// Takes the interface away. Repeating is fine, also for one that was never attached, and when the namespace is gone.
    func detach(_ endpoint: Endpoint, of network: Network) throws(NetworkError)
    /// The sandbox's namespace has ended, or ends in a moment, and the interface with it: it need not be gone yet when this returns, but what was published is
    /// published no more, and whoever gets the addresses next has them alone. Repeating is fine.
    func abandon(_ endpoint: Endpoint, of network: Network) throws(NetworkError)
    /// Publishes ports of a sandbox that is attached. Repeating is fine. Those that an endpoint has when it is attached are published with it.
    func publish(_ ports: [PublishedPort], of network: Network) throws(NetworkError)
    /// Takes them back. Repeating is fine.
    func unpublish(_ ports: [PublishedPort], of network: Network) throws(NetworkError)
    /// Takes up what an earlier engine has left: these networks and endpoints are as they were, and everything else of this engine's is removed. Once, when
    /// an engine starts; repeating is fine.
    func recover(_ networks: [Network], endpoints: [Endpoint]) throws(NetworkError)
    /// The same, but nothing is removed: some network's document cannot be read, and what is whose is not known. What these networks and endpoints have goes
    /// on as it was.
    func resume(_ networks: [Network], endpoints: [Endpoint]) throws(NetworkError)
}

extension NetworkDriver {
    /// The usual ones; of an internal network nothing leads elsewhere.
    public func traits(of configuration: NetworkConfiguration) -> NetworkTraits {
        var traits = NetworkTraits()
        if configuration.isInternal { traits.defaultRoute = .none }
        return traits
    }
    /// Most kinds keep nothing that an engine would have to take up.
    public func resume(_ networks: [Network], endpoints: [Endpoint]) throws(NetworkError) {}
    /// It is taken away at once.
    public func abandon(_ endpoint: Endpoint, of network: Network) throws(NetworkError) { try detach(endpoint, of: network) }
    /// Networks of most kinds publish nothing: their sandboxes are reached by their own addresses, or not at all. As Docker has it, that is no error.
    public func publish(_ ports: [PublishedPort], of network: Network) throws(NetworkError) {}
    /// Nothing was published.
    public func unpublish(_ ports: [PublishedPort], of network: Network) throws(NetworkError) {}
}

/// Versions of the Internet protocol.
public struct AddressVersions: OptionSet, Hashable, Sendable {
    /// The bits.
    public let rawValue: UInt8
    /// These bits.
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    /// Version 4.
    public static let v4 = AddressVersions(rawValue: 1)
    /// Version 6.
    public static let v6 = AddressVersions(rawValue: 2)
}

/// What is behind the networks `host` and `none`, of which every engine has one each: nothing is made, and no sandbox gets an interface.
public struct PredefinedDriver: NetworkDriver {
    /// `host` or `null`.
    public let name: String
    /// Those of `null` have, with nothing but a loopback interface; those of `host` are in the host's.
    public let hasNamespaces: Bool
    /// None.
    public let addressVersions: AddressVersions = []

    /// The driver of the network `none`.
    public static let null = PredefinedDriver(name: "null", hasNamespaces: true)
    /// The driver of the network `host`.
    public static let host = PredefinedDriver(name: "host", hasNamespaces: false)

    private init(name: String, hasNamespaces: Bool) { (self.name, self.hasNamespaces) = (name, hasNamespaces) }

    /// There is one such network, and it is there.
    public func check(_ configuration: NetworkConfiguration) throws(NetworkError) {
        throw NetworkError(.forbidden, "only one instance of \"\(name)\" network is allowed")
    }
    /// There is nothing to make.
    public func make(_ network: Network) throws(NetworkError) {}
    /// There is nothing to remove.
    public func remove(_ network: Network) throws(NetworkError) {}
    /// There is no interface.
    public func attach(_ endpoint: Endpoint, of network: Network, to namespace: SandboxNamespace) throws(NetworkError) {}
    /// There is no interface.
    public func detach(_ endpoint: Endpoint, of network: Network) throws(NetworkError) {}
    /// There is nothing to take up.
    public func recover(_ networks: [Network], endpoints: [Endpoint]) throws(NetworkError) {}
}
