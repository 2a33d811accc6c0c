internal import BerthNetlink

/// Networks that the host is in already: each sandbox gets an interface with an Ethernet address of its own beside one of the host's, its parent, and is a
/// neighbour of the host's neighbours. The network's gateway is one of those. The host itself it does not reach, as the kernel has it.
public final class MacvlanDriver: NetworkDriver {
    /// `macvlan`.
    public let name = "macvlan"
    /// They have.
    public let hasNamespaces = true
    /// Both.
    public let addressVersions: AddressVersions = [.v4, .v6]

    private let parents: LanParents
    private let interfaces: LanInterfaces

    /// - Parameter parents: shared by the drivers whose networks have parents.
    init(engineID: String, host: HostNetwork, parents: LanParents) {
        self.parents = parents
        interfaces = LanInterfaces(.macvlan, engineID: engineID, host: host)
    }

    /// By the gateway, where there is a parent: without one, nothing leads elsewhere. Ports are published by being there.
    public func traits(of configuration: NetworkConfiguration) -> NetworkTraits {
        var traits = NetworkTraits()
        if configuration.isInternal || (configuration.options["parent"] ?? "").isEmpty { traits.defaultRoute = .none }
        return traits
    }

    /// Whether the options can be, and the parent is there.
    ///
    /// - Throws: `invalid`, `forbidden` for a parent that another network does not share; `unsupported` where the kernel lacks macvlan interfaces, or VLANs.
    public func check(_ configuration: NetworkConfiguration) throws(NetworkError) {
        try parents.check(try LanOptions(configuration.options, .macvlan), .macvlan)
    }

    /// Makes the parent, where it is not there: a VLAN, or of a network without one, an interface that leads nowhere.
    public func make(_ network: Network) throws(NetworkError) {
        _ = try parents.make(network, try LanOptions(network.configuration.options, .macvlan), .macvlan)
    }

    /// Takes away what was made, unless another network uses it.
    public func remove(_ network: Network) throws(NetworkError) {
        try parents.remove(network, try LanOptions(network.configuration.options, .macvlan), .macvlan)
    }

    /// Makes the interface in the sandbox.
    ///
    /// - Throws: `conflict` also where another interface of the same parent has its address, or the parent has interfaces of the other kind.
    public func attach(_ endpoint: Endpoint, of network: Network, to namespace: SandboxNamespace) throws(NetworkError) {
        let options = try LanOptions(network.configuration.options, .macvlan)
        let parent =
            if let index = try parents.index(of: network, options, .macvlan) { index } else {
                try parents.make(network, options, .macvlan)
            }
        try interfaces.attach(endpoint, parent: parent, options, to: namespace)
    }

    /// Takes it away.
    public func detach(_ endpoint: Endpoint, of network: Network) throws(NetworkError) { try interfaces.detach(endpoint) }

    /// Removes parents that were made for nobody, and interfaces of nobody's.
    public func recover(_ networks: [Network], endpoints: [Endpoint]) throws(NetworkError) {
        try interfaces.recover(endpoints)
        try parents.recover(networks, .macvlan)
    }
}
