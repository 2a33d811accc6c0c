/// What keeps something from happening, as one can take it out of the rules: a test that never sees a guard's absence does not test the guard.
enum FirewallGuard: String, Hashable, Sendable, CaseIterable {
    /// Packets from a container to the host's 127.0.0.0/8.
    case loopbackFromContainers
    /// Packets from a container that pretend to be from the host's 127.0.0.0/8.
    case loopbackPretended
    /// Packets from outside to 127.0.0.0/8 and a published port: addresses are changed before the kernel looks whether they may be.
    case loopbackPublished
    /// Packets from outside to an address of a network's own: a container's, or the bridge's.
    case directRoute
    /// Packets to a container of another network.
    case isolation
    /// Packets out of a network that is internal.
    case internalOut
    /// Packets into a network that is internal.
    case internalIn
    /// Packets between containers of a network that does not allow it.
    case interContainer
    /// Packets to unpublished ports of a network whose addresses are routed.
    case routedPorts
    /// Packets to the host from a network without a gateway.
    case gatewayless
    /// Packets that would be forwarded from one interface of the host's to another, only because forwarding was switched on for containers.
    case strangersForwarded
    /// The change of the sender's address that lets an answer come back the way that the question went.
    case hairpin
}
