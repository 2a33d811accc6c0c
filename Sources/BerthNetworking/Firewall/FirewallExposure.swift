public import BerthNetlink

/// A way into containers from outside the host.
public struct Exposure: Hashable, Sendable, CustomStringConvertible {
    /// Where packets are sent to.
    public enum Place: Hashable, Sendable {
        /// Every address of the host's of a version.
        case everyHostAddress(IPAddress.Version)
        /// One address of the host's.
        case hostAddress(IPAddress)
        /// A container's own address, by whoever has a route to it.
        case containerAddress(IPAddress)
        /// Every container of a network, by whoever has a route to it.
        case subnet(Subnet)
    }

    /// Where packets are sent to.
    public var place: Place
    /// The protocol; `nil` of every one.
    public var transport: PublishedPort.Transport?
    /// The port they are sent to; `nil` of every one.
    public var port: UInt16?
    /// The network.
    public var networkID: String
    /// The sandbox; `nil` of every one in the network.
    public var sandboxID: String?
    /// Whose address the container has there, and its port.
    public var target: PublishedPort?
    /// What lets them in, in words.
    public var reason: String

    /// A way of these, to every port where nothing else is said.
    public init(
        place: Place, transport: PublishedPort.Transport? = nil, port: UInt16? = nil, networkID: String, sandboxID: String? = nil,
        target: PublishedPort? = nil, reason: String
    ) {
        (self.place, self.transport, self.port, self.networkID) = (place, transport, port, networkID)
        (self.sandboxID, self.target, self.reason) = (sandboxID, target, reason)
    }

    /// As `tcp 0.0.0.0:80 …: reason`.
    public var description: String {
        let place =
            switch self.place {
            case .everyHostAddress(let version): version == .v4 ? "0.0.0.0" : "[::]"
            case .hostAddress(let address), .containerAddress(let address): address.version == .v4 ? "\(address)" : "[\(address)]"
            case .subnet(let subnet): "\(subnet)"
            }
        return "\(transport?.rawValue ?? "any") \(place):\(port.map { "\($0)" } ?? "any"): \(reason)"
    }
}

extension FirewallState {
    /// Every way into every container from outside, as far as our rules decide: what is published on the loopback is none. Other tables may drop what
    /// these let in. In an order that depends on nothing but the state.
    public var exposure: [Exposure] { exposure(andRelayed: []) }

    /// The same, with ports for which there is a socket of ours: it relays what no rule redirects.
    func exposure(andRelayed relayed: [PublishedPort]) -> [Exposure] {
        let relayed = Set(relayed)
        let ofNetworks = networks.values.sorted { $0.id < $1.id }.flatMap(Self.exposure)
        let ofPorts = ports.union(relayed).sorted(by: Self.isBefore).flatMap { port in
            networks[port.networkID].map { Self.exposure(of: port, in: $0, isRelayed: relayed.contains(port)) } ?? []
        }
        return ofPorts + ofNetworks
    }

    private static func isBefore(_ one: PublishedPort, _ other: PublishedPort) -> Bool {
        (one.hostPort, one.transport.rawValue, one.description, one.networkID, one.sandboxID)
            < (other.hostPort, other.transport.rawValue, other.description, other.networkID, other.sandboxID)
    }

    private static func exposure(of network: FirewallNetwork) -> [Exposure] {
        network.subnets.compactMap { subnet in
            switch network.reach(subnet.version) {
            case .everything:
                Exposure(
                    place: .subnet(subnet), networkID: network.id,
                    reason: "the gateway mode \(GatewayMode.natUnprotected.rawValue) leaves every port open to whoever has a route")
            case .routed, .closed, .none, .published: nil
            }
        }
    }

    private static func exposure(of port: PublishedPort, in network: FirewallNetwork, isRelayed: Bool) -> [Exposure] {
        func exposure(_ place: Exposure.Place, _ number: UInt16, _ reason: String) -> Exposure {
            Exposure(
                place: place, transport: port.transport, port: number, networkID: port.networkID, sandboxID: port.sandboxID, target: port,
                reason: reason)
        }
        let address = port.hostAddress ?? IPAddress(port.version, 0)
        let place: Exposure.Place = address.value == 0 ? .everyHostAddress(address.version) : .hostAddress(address)
        let byRelay = exposure(place, port.hostPort, "a socket of ours on this address relays")
        switch network.reach(port.version) {
        case .closed, .none: return []
        case .routed:
            let direct = exposure(
                .containerAddress(port.containerAddress), port.containerPort, "the port is published and the gateway mode is routed")
            if port.isLoopback { return [] }
            return address.version == port.version ? [direct] : isRelayed ? [byRelay] : []
        case .published, .everything:
            if port.isLoopback { return [] }
            if address.version != port.version { return [byRelay] }
            let how = address.value == 0 ? "the port is published on every address" : "the port is published on this address"
            return [exposure(place, port.hostPort, how)]
        }
    }
}
