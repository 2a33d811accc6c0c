internal import BerthNetlink

/// Networks that the host is in already: each sandbox gets an interface that shares the Ethernet address of one of the host's, its parent. At layer 2 it is a
/// neighbour of the host's neighbours, one of which is the network's gateway; at layer 3 the others have routes to the host, which passes everything on.
public final class IpvlanDriver: NetworkDriver {
    /// `ipvlan`.
    public let name = "ipvlan"
    /// They have.
    public let hasNamespaces = true
    /// Both.
    public let addressVersions: AddressVersions = [.v4, .v6]

    private let parents: LanParents
    private let interfaces: LanInterfaces

    /// - Parameter parents: shared by the drivers whose networks have parents.
    init(engineID: String, host: HostNetwork, parents: LanParents) {
        self.parents = parents
        interfaces = LanInterfaces(.ipvlan, engineID: engineID, host: host)
    }

    /// By the gateway, at layer 3 by the interface; without a parent, nothing leads elsewhere.
    public func traits(of configuration: NetworkConfiguration) -> NetworkTraits {
        var traits = NetworkTraits()
        traits.hasHardwareAddresses = false
        if configuration.isInternal || (configuration.options["parent"] ?? "").isEmpty {
            traits.defaultRoute = .none
        } else if ["l3", "l3s"].contains(configuration.options["ipvlan_mode"] ?? "") {
            traits.defaultRoute = .interface
        }
        return traits
    }

    /// Whether the options can be, and the parent is there.
    ///
    /// - Throws: `invalid`, `forbidden` for a parent that another network does not share; `unsupported` where the kernel lacks ipvlan interfaces, or VLANs.
    public func check(_ configuration: NetworkConfiguration) throws(NetworkError) {
        try parents.check(try LanOptions(configuration.options, .ipvlan), .ipvlan)
    }

    /// Makes the parent, where it is not there: a VLAN, or of a network without one, an interface that leads nowhere.
    public func make(_ network: Network) throws(NetworkError) {
        _ = try parents.make(network, try LanOptions(network.configuration.options, .ipvlan), .ipvlan)
    }

    /// Takes away what was made, unless another network uses it.
    public func remove(_ network: Network) throws(NetworkError) {
        try parents.remove(network, try LanOptions(network.configuration.options, .ipvlan), .ipvlan)
    }

    /// Makes the interface in the sandbox.
    ///
    /// - Throws: `conflict` also where another interface of the same parent has its address, or the parent has interfaces of the other kind.
    public func attach(_ endpoint: Endpoint, of network: Network, to namespace: SandboxNamespace) throws(NetworkError) {
        let options = try LanOptions(network.configuration.options, .ipvlan)
        let parent =
            if let index = try parents.index(of: network, options, .ipvlan) { index } else {
                try parents.make(network, options, .ipvlan)
            }
        try interfaces.attach(endpoint, parent: parent, options, to: namespace)
    }

    /// Takes it away.
    public func detach(_ endpoint: Endpoint, of network: Network) throws(NetworkError) { try interfaces.detach(endpoint) }

    /// Removes parents that were made for nobody, and interfaces of nobody's.
    public func recover(_ networks: [Network], endpoints: [Endpoint]) throws(NetworkError) {
        try interfaces.recover(endpoints)
        try parents.recover(networks, .ipvlan)
    }
}
