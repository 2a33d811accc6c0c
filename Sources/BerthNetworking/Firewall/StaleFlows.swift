internal import BerthNetlink

/// Connections that the kernel has to forget so that their next packet meets the rules as they are now.
enum StaleFlows: Hashable, Sendable {
    /// A port is published: what was sent there before went to the host, or to another container, and so would what follows.
    case published(PublishedPort)
    /// A port is no longer published: what was sent to its container would go there on and on.
    case unpublished(PublishedPort)
    /// An address is no longer a container's: the next one that gets it has nothing to do with its connections.
    case address(IPAddress)
    /// The rules were not there for a while: who came to a guarded network meanwhile, by a route, would stay.
    case intruders(FirewallNetwork)

    /// Whether it has to be known which addresses are the host's.
    var needsLocalAddresses: Bool {
        switch self {
        case .published(let port): port.hostAddress == nil
        case .unpublished, .address: false
        case .intruders: true
        }
    }

    /// The version of their addresses; `nil` of both.
    var version: IPAddress.Version? {
        switch self {
        case .published(let port), .unpublished(let port): port.version
        case .address(let address): address.version
        case .intruders: nil
        }
    }

    /// Whether a connection is one of these: of a protocol, with its two directions. What only passes through the host to the same port elsewhere is none.
    func contain(
        _ transport: UInt8, _ original: TrackedFlow.Direction, _ reply: TrackedFlow.Direction, local: Set<IPAddress>
    ) -> Bool {
        switch self {
        case .published(let port):
            guard port.isOf(transport, original), original.destinationPort == port.hostPort, !port.answers(reply) else { return false }
            let destination = original.destination
            return port.hostAddress.map { $0 == destination } ?? (destination.isLoopback || local.contains(destination))
        case .unpublished(let port):
            return port.isOf(transport, original) && port.answers(reply)
                && (original.destinationPort == port.hostPort || original.destination == port.containerAddress)
        case .address(let address): return original.source == address || reply.source == address
        case .intruders(let network):
            guard network.isGuarded(original.destination.version),
                network.subnets.contains(where: { $0.contains(original.destination) })
            else { return false }
            return !local.contains(original.source) && !network.subnets.contains { $0.contains(original.source) }
        }
    }
}

extension PublishedPort {
    /// Whether a flow is of the protocol and of the version.
    fileprivate func isOf(_ transport: UInt8, _ original: TrackedFlow.Direction) -> Bool {
        transport == self.transport.number && original.source.version == version
    }

    /// Whether it is the container's port that answers.
    fileprivate func answers(_ reply: TrackedFlow.Direction) -> Bool {
        reply.source == containerAddress && reply.sourcePort == containerPort
    }
}
