public import BerthNetlink

/// What a driver's networks are like, for whoever plans places in them before the driver is called.
public struct NetworkTraits: Hashable, Sendable {
    /// How sandboxes reach everywhere else.
    public enum DefaultRoute: Hashable, Sendable {
        /// Not at all.
        case none
        /// By the network's gateway.
        case gateway
        /// By their interface: whoever is behind it knows where everybody is.
        case interface
    }

    /// How sandboxes reach everywhere else. Default: by the gateway.
    public var defaultRoute = DefaultRoute.gateway
    /// Whether ports can be published: if not, none of the host's is taken for them. Default: not.
    public var publishesPorts = false
    /// The versions by which ports are reached at the sandboxes' own addresses: none of the host's are taken for those. Default: none.
    public var routedVersions: Set<IPAddress.Version> = []
    /// Whether each sandbox has an Ethernet address of its own. Default: yes.
    public var hasHardwareAddresses = true
    /// Whether an interface on the host belongs to each sandbox's. Default: no.
    public var hasHostInterfaces = false
    /// Where ports are published for which nobody names an address; `nil` where the engine says. Default `nil`.
    public var publishesAt: IPAddress?
    /// What the sandboxes' interfaces are called, without their number. Default `eth`.
    public var interfacePrefix = "eth"

    /// The defaults.
    public init() {}
}
