public import BerthNetlink

/// How containers of a bridge network, and the world outside, reach each other by the addresses of one version.
public enum GatewayMode: String, Hashable, Sendable, CaseIterable {
    /// Containers leave with an address of the host's, and are reached by ports that the host publishes. Nothing reaches their own addresses.
    case nat
    /// The same, and everybody who has a route to them reaches their own addresses, every port.
    case natUnprotected = "nat-unprotected"
    /// No address is changed. Everybody who has a route reaches the ports that are published, at the containers' own addresses, and has pings answered.
    case routed
    /// There is no gateway: the host has no address on the bridge.
    case isolated
}

/// A bridge network, as far as the firewall has to know it.
public struct FirewallNetwork: Hashable, Sendable {
    /// What is said of one version's addresses.
    public struct Gateway: Hashable, Sendable {
        /// How containers and the world outside reach each other.
        public var mode: GatewayMode
        /// Whether containers leave with an address of the host's, in the modes that change addresses.
        public var masquerades: Bool
        /// The host's address that they leave with; `nil` of the interface by which they leave.
        public var source: IPAddress?

        /// A gateway of these.
        public init(_ mode: GatewayMode = .nat, masquerades: Bool = true, source: IPAddress? = nil) {
            (self.mode, self.masquerades, self.source) = (mode, masquerades, source)
        }
    }

    /// The network's id.
    public var id: String
    /// Its bridge.
    public var bridge: InterfaceName
    /// Its blocks of addresses, of both versions.
    public var subnets: [Subnet]
    /// Whether its containers reach, and are reached by, each other and the host's address on the bridge alone.
    public var isInternal: Bool
    /// Whether its containers reach each other. What one bridge passes on by itself no rule here sees: without this, its ports have to be isolated too
    /// (`BridgePortChange.isIsolated`).
    public var allowsInterContainer: Bool
    /// Whether what its own containers send to published ports is left to the sockets on these. Where the rules see what its bridge carries, a packet to
    /// another of its containers would be handed from port to port, and ports that are isolated keep that apart.
    public var leavesOwnToSockets = false
    /// What is said of addresses of version 4.
    public var v4: Gateway
    /// What is said of addresses of version 6.
    public var v6: Gateway

    /// A network of these.
    public init(
        id: String, bridge: InterfaceName, subnets: [Subnet], isInternal: Bool = false, allowsInterContainer: Bool = true,
        v4: Gateway = Gateway(), v6: Gateway = Gateway()
    ) {
        (self.id, self.bridge, self.subnets, self.isInternal) = (id, bridge, subnets, isInternal)
        (self.allowsInterContainer, self.v4, self.v6) = (allowsInterContainer, v4, v6)
    }

    /// What is said of a version's addresses.
    public func gateway(_ version: IPAddress.Version) -> Gateway { version == .v4 ? v4 : v6 }

    /// How far packets of a version come.
    func reach(_ version: IPAddress.Version) -> Reach {
        let mode = gateway(version).mode
        if isInternal || mode == .isolated { return .closed }
        // Without an address of the version there is nobody who could be reached.
        guard subnets.contains(where: { $0.version == version }) else { return .none }
        switch mode {
        case .nat: return .published
        case .natUnprotected: return .everything
        case .routed: return .routed
        case .isolated: return .closed
        }
    }

    /// Whether nobody reaches its own addresses of a version from outside.
    func isGuarded(_ version: IPAddress.Version) -> Bool { [.closed, .published].contains(reach(version)) }

    /// How far packets that begin a connection come, from somewhere else than the network itself.
    enum Reach: Hashable, Sendable {
        /// Nowhere, and none leave either.
        case closed
        /// Nowhere; they may leave.
        case none
        /// To ports of the host's that are published.
        case published
        /// To ports of the container's own that are published.
        case routed
        /// Everywhere.
        case everything
    }
}
