public import BerthNetlink

/// A port of a container's that is published.
public struct PublishedPort: Hashable, Sendable, Codable, CustomStringConvertible {
    /// A protocol with ports.
    public enum Transport: String, Hashable, Sendable, Codable, CaseIterable {
        /// TCP.
        case tcp
        /// UDP.
        case udp
        /// SCTP.
        case sctp

        /// The number of the protocol above IP.
        public var number: UInt8 {
            switch self {
            case .tcp: 6
            case .udp: 17
            case .sctp: 132
            }
        }
    }

    /// The network whose address of the container's is meant.
    public let networkID: String
    /// The sandbox.
    public let sandboxID: String
    /// The protocol.
    public let transport: Transport
    /// The host's address; `nil` for all of the version of the container's address.
    public let hostAddress: IPAddress?
    /// The host's port; 0 in a network whose addresses are ``GatewayMode/routed``, for which none is taken.
    public let hostPort: UInt16
    /// The container's address.
    public let containerAddress: IPAddress
    /// The container's port.
    public let containerPort: UInt16

    /// A port of these. The address 0.0.0.0, or ::, is that of all: it is `nil` where the container's is of the same version.
    public init(
        networkID: String, sandboxID: String, transport: Transport, hostAddress: IPAddress? = nil, hostPort: UInt16,
        containerAddress: IPAddress, containerPort: UInt16
    ) {
        (self.networkID, self.sandboxID, self.transport) = (networkID, sandboxID, transport)
        self.hostAddress = hostAddress == IPAddress(containerAddress.version, 0) ? nil : hostAddress
        (self.hostPort, self.containerAddress, self.containerPort) = (hostPort, containerAddress, containerPort)
    }

    /// The version of the container's address.
    public var version: IPAddress.Version { containerAddress.version }

    /// Whether only the host itself reaches it.
    public var isLoopback: Bool { hostAddress?.isLoopback ?? false }

    /// As `tcp 0.0.0.0:80 to 172.17.0.2:8080`.
    public var description: String {
        let address = hostAddress ?? IPAddress(version, 0)
        return "\(transport.rawValue) \(address.withPort(hostPort)) to \(containerAddress.withPort(containerPort))"
    }
}

extension IPAddress {
    /// As it is written with a port.
    func withPort(_ port: UInt16) -> String { version == .v4 ? "\(self):\(port)" : "[\(self)]:\(port)" }
}
