internal import BerthNetlink

/// Connections that the kernel has to forget so that their next packet meets the rules as they are now.
enum StaleFlows: Hashable, Sendable {
    /// A port is published: what was sent there before went to the host, or to another container, and so would what follows.
    case published(PublishedPort)
    /// A port is no longer published: what was sent to its container would go there on and on.
    case unpublished(PublishedPort)
    /// An address is no longer a container's: the next one that gets it has nothing to do with its connections.
    case address(IPAddress)

    /// Whether it has to be known which addresses are the host's.
    var needsLocalAddresses: Bool {
        guard case .published(let port) = self else { return false }
        return port.hostAddress == nil
    }

    var version: IPAddress.Version {
        switch self {
        case .published(let port), .unpublished(let port): port.version
        case .address(let address): address.version
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
