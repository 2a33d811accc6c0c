internal import BerthNetlink
public import BerthNetworking

/// A way into a container from outside the host, with names: `berth network exposure`.
public struct ContainerExposure: Sendable, Hashable {
    /// The way: where packets are sent to, and what lets them in.
    public var way: Exposure
    /// The network's name.
    public var network: String
    /// The container's id; `nil` where none is there yet.
    public var containerID: String?
    /// Its name.
    public var containerName: String?
    /// Who asked for it: a flag of the container's maker, or an option of the network's.
    public var askedBy: String
}

extension ContainerStore {
    /// Every way into every container that runs, from outside, as far as our own rules and sockets decide.
    ///
    /// - Throws: `busy`.
    public func exposure() async throws(ContainerError) -> [ContainerExposure] {
        let running = all().filter(\.status.isActive)
        let networks = services.sandboxes.networks
        let ways: [Exposure]
        do throws(NetworkError) { ways = try await services.sandboxes.exposure() } catch { throw ContainerError(error) }
        let byID = Dictionary(running.map { ($0.id, $0) }) { $1 }
        let known = Dictionary(networks.all().map { ($0.id, $0) }) { $1 }
        let byRules = ways.flatMap { way -> [ContainerExposure] in
            let network = known[way.networkID]
            let name = network?.name ?? way.networkID
            if let port = way.target {
                let container = byID[port.sandboxID]
                let place = networks.endpoints(of: way.networkID).first { $0.sandboxID == port.sandboxID }
                return [
                    ContainerExposure(
                        way: way, network: name, containerID: place?.userID ?? port.sandboxID, containerName: place?.userName,
                        askedBy: container.map { Self.flag(for: port, $0.configuration.networking) } ?? "-p")
                ]
            }
            var option = "the network's option com.docker.network.bridge.gateway_mode"
            if case .subnet(let subnet) = way.place { option += "_ipv\(subnet.version.rawValue)" }
            let asker = option
            let reached = networks.endpoints(of: way.networkID).flatMap { endpoint in
                endpoint.addresses.filter { way.contains($0) }.map { address -> ContainerExposure in
                    var own = way
                    (own.place, own.sandboxID) = (.containerAddress(address), endpoint.sandboxID)
                    return ContainerExposure(
                        way: own, network: name, containerID: endpoint.userID, containerName: endpoint.userName, askedBy: asker)
                }
            }
            return reached.isEmpty ? [ContainerExposure(way: way, network: name, askedBy: asker)] : reached
        }
        return byRules + byAddress(running, known)
    }

    /// Containers that are reached by an address that is not ours to guard: the host's own, or one on the network that the host is in.
    private func byAddress(_ running: [ContainerDetails], _ known: [String: Network]) -> [ContainerExposure] {
        running.sorted { $0.name < $1.name }.flatMap { container -> [ContainerExposure] in
            let names = container.configuration.endpoints.map(\.network)
            let host = names.compactMap { name in known.values.first { $0.name == name } }.first { $0.configuration.driver == "host" }
            if let host {
                return IPAddress.Version.allCases.map { version in
                    ContainerExposure(
                        way: Exposure(
                            place: .everyHostAddress(version), networkID: host.id, sandboxID: container.id,
                            reason: "it is in the host's own network, and whatever port it listens on is the host's"),
                        network: host.name, containerID: container.id, containerName: container.name, askedBy: "--network \(host.name)")
                }
            }
            return container.endpoints.flatMap { endpoint -> [ContainerExposure] in
                guard let network = known[endpoint.networkID], !["bridge", "null"].contains(network.configuration.driver),
                    !network.configuration.isInternal
                else { return [] }
                return endpoint.addresses.map { address in
                    ContainerExposure(
                        way: Exposure(
                            place: .containerAddress(address), networkID: network.id, sandboxID: container.id,
                            reason:
                                "the driver \(network.configuration.driver) puts it beside the host, where no rule of the host's guards it"),
                        network: network.name, containerID: container.id, containerName: container.name,
                        askedBy: "--network \(network.name)")
                }
            }
        }
    }

    /// The flag by which a container's maker asked for a port.
    private static func flag(for port: PublishedPort, _ networking: NetworkingConfiguration) -> String {
        let own = Port(port.containerPort, port.transport)
        let asked = networking.publishedPorts.first { request in
            guard request.port == own else { return false }
            // Of a port that takes none of the host's, both were ignored.
            if port.hostPort == 0 { return true }
            return (request.hostPorts?.contains(port.hostPort) ?? true)
                && (request.hostAddress == nil || request.hostAddress?.value == 0 || request.hostAddress == port.hostAddress)
        }
        guard let asked else { return networking.publishesAllPorts ? "-P" : "-p \(own)" }
        let address = asked.hostAddress.map { ($0.version == .v4 ? "\($0)" : "[\($0)]") + ":" } ?? ""
        guard let range = asked.hostPorts else { return "-p " + (address.isEmpty ? "" : "\(address):") + "\(own)" }
        let ports = range.count == 1 ? "\(range.lowerBound)" : "\(range.lowerBound)-\(range.upperBound)"
        return "-p \(address)\(ports):\(own)"
    }
}

extension Exposure {
    /// Whether an address is in the block that this is about.
    fileprivate func contains(_ address: IPAddress) -> Bool {
        guard case .subnet(let subnet) = place else { return false }
        return subnet.contains(address)
    }
}
