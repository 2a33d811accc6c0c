internal import Berth

/// What clients are told of other people's firewalls that drop containers' packets. What cannot be found out is told as well: it keeps nobody from anything.
struct FirewallWarnings: Sendable {
    let engine: Engine

    /// Of a network, and all of its containers.
    func about(_ network: Network) async -> [String] {
        guard network.configuration.driver == "bridge", !network.configuration.isInternal else { return [] }
        return await warnings(ofNetwork: network.id)
    }

    /// Of a container whose ports are to be published.
    func about(_ container: ContainerDetails) async -> [String] {
        let networking = container.configuration.networking
        guard !networking.publishedPorts.isEmpty || networking.publishesAllPorts else { return [] }
        var warnings: [String] = []
        for id in container.networkIDs.values.sorted() {
            // One that has just gone is missed when the container is started.
            guard let network = try? engine.networks.find(id) else { continue }
            for warning in await about(network) where !warnings.contains(warning) { warnings.append(warning) }
        }
        return warnings
    }

    /// Of everything.
    func aboutEverything() async -> [String] { await warnings(ofNetwork: nil) }

    private func warnings(ofNetwork id: String?) async -> [String] {
        do throws(NetworkError) {
            return try await engine.networks.hostFirewallFindings(ofNetwork: id).map(\.description)
        } catch { return ["whether the host's firewall drops containers' packets cannot be found out: \(error)"] }
    }
}
