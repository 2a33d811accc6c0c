internal import BerthNetlink

/// Networks that the host is in already: each sandbox gets an interface of one of the host's, its parent, and is a neighbour of the host's neighbours, one of
/// which is the network's gateway.
///
/// There are two kinds. With `macvlan` a sandbox has an Ethernet address of its own, and does not reach the host itself, as the kernel has it. With `ipvlan` it
/// shares its parent's; at layer 3 the others have routes to the host, which passes everything on.
public final class LanDriver: NetworkDriver {
    /// `macvlan` or `ipvlan`.
    public let name: String
    /// They have.
    public let hasNamespaces = true
    /// Both.
    public let addressVersions: AddressVersions = [.v4, .v6]

    private let kind: LanKind
    private let parents: LanParents
    private let interfaces: LanInterfaces

    /// - Parameter parents: shared by the drivers whose networks have parents.
    init(_ kind: LanKind, engineID: String, host: HostNetwork, parents: LanParents) {
        (self.kind, name, self.parents) = (kind, kind.rawValue, parents)
        interfaces = LanInterfaces(kind, engineID: engineID, host: host)
    }

    /// By the gateway, with ipvlan at layer 3 by the interface; without a parent, nothing leads elsewhere. Ports are published by being there.
    public func traits(of configuration: NetworkConfiguration) -> NetworkTraits {
        var traits = NetworkTraits()
        traits.hasHardwareAddresses = kind == .macvlan
        // It was checked when the network was made.
        if let prefix = configuration.options["com.docker.network.container_iface_prefix"] { traits.interfacePrefix = prefix }
        if configuration.isInternal || (configuration.options["parent"] ?? "").isEmpty {
            traits.defaultRoute = .none
        } else if kind == .ipvlan, ["l3", "l3s"].contains(configuration.options["ipvlan_mode"] ?? "") {
            traits.defaultRoute = .interface
        }
        return traits
    }

    /// Whether the options can be, and the parent is there.
    ///
    /// - Throws: `invalid`, `forbidden` for a parent that another network does not share; `unsupported` where the kernel lacks interfaces of the kind, or VLANs.
    public func check(_ configuration: NetworkConfiguration) throws(NetworkError) {
        try parents.check(try LanOptions(configuration.options, kind), kind)
    }

    /// Makes the parent, where it is not there: a VLAN, or of a network without one, an interface that leads nowhere.
    public func make(_ network: Network) throws(NetworkError) {
        _ = try parents.make(network, try LanOptions(network.configuration.options, kind), kind)
    }

    /// Takes away what was made, unless another network uses it.
    public func remove(_ network: Network) throws(NetworkError) {
        try parents.remove(network, try LanOptions(network.configuration.options, kind), kind)
    }

    /// Makes the interface in the sandbox.
    ///
    /// - Throws: `conflict` also where another interface of the same parent has its address, or the parent has interfaces of the other kind.
    public func attach(_ endpoint: Endpoint, of network: Network, to namespace: SandboxNamespace) throws(NetworkError) {
        let options = try LanOptions(network.configuration.options, kind)
        let parent =
            if let index = try parents.index(of: network, options, kind) { index } else {
                try parents.make(network, options, kind)
            }
        try interfaces.attach(endpoint, parent: parent, options, to: namespace)
    }

    /// Takes it away.
    public func detach(_ endpoint: Endpoint, of network: Network) throws(NetworkError) { try interfaces.detach(endpoint) }

    /// Removes parents that were made for nobody, and interfaces of nobody's.
    public func recover(_ networks: [Network], endpoints: [Endpoint]) throws(NetworkError) {
        try interfaces.recover(endpoints)
        try parents.recover(networks, kind)
    }
}
