public import BerthNetworking
internal import BerthOCI
internal import BerthReactor
internal import BerthRuntime
internal import BerthState
internal import Synchronization

// Places in networks that come and go while a container is there.
extension ContainerStore {
    func connect(_ object: ContainerObject, _ endpoint: EndpointConfiguration) async throws(ContainerError) {
        let process = try changeable(object)
        let document = object.document
        var endpoint = endpoint
        do throws(NetworkError) {
            let networks = services.sandboxes.networks
            let network = try networks.find(endpoint.network)
            endpoint.network = network.name
            guard !document.configuration.endpoints.contains(where: { $0.network == network.name }) else {
                throw NetworkError(.forbidden, "endpoint with name \(document.name) already exists in network \(network.name)")
            }
            try networks.check([endpoint], beside: document.configuration.endpoints)
        } catch { throw ContainerError(error) }
        let wanted = endpoint
        if let process {
            let request = SandboxRequest(id: object.id, name: document.name, .endpoints([]))
            let (sandboxes, id) = (services.sandboxes, process.processID)
            do throws(NetworkError) {
                _ = try await object.lane.run { () throws(NetworkError) in try sandboxes.connect(request, wanted, processID: id) }
            } catch { throw ContainerError(error) }
        }
        try await keep(object) { $0.endpoints.append(wanted) }
        if process == nil { publishNetwork("connect", object, wanted.network) }
    }

    func disconnect(_ object: ContainerObject, from network: String) async throws(ContainerError) {
        let process = try changeable(object)
        let document = object.document
        let sandboxes = services.sandboxes
        let name: String
        do throws(NetworkError) { name = try sandboxes.networks.find(network).name } catch { throw ContainerError(error) }
        guard document.configuration.endpoints.contains(where: { $0.network == name }) else {
            throw ContainerError(.forbidden, "container \(object.id) is not connected to network \(name)")
        }
        guard document.configuration.network != .host else {
            throw ContainerError(.invalid, "container cannot be disconnected from host network or connected to host network")
        }
        if sandboxes.endpoints(of: object.id).contains(where: { $0.networkName == name }) {
            let (id, processID) = (object.id, process?.processID)
            do throws(NetworkError) {
                try await object.lane.run { () throws(NetworkError) in
                    try sandboxes.disconnect(id, name: document.name, from: name, processID: processID)
                }
            } catch { throw ContainerError(error) }
        } else {
            publishNetwork("disconnect", object, name)
        }
        try await keep(object) { configuration in configuration.endpoints.removeAll { $0.network == name } }
    }

    /// The process, if it runs. One that is just being started or removed is nobody's to change.
    private func changeable(_ object: ContainerObject) throws(ContainerError) -> RuntimeContainer? {
        try object.requireKnown()
        return try object.state.withLock { (state) throws(ContainerError) in
            switch state.lifecycle.phase {
            case .idle, .running: return state.process
            case .starting: throw ContainerError(.conflict, "container \(object.id) is being started: try again when it runs")
            case .removing, .removed:
                throw ContainerError(.conflict, "Container \(object.id) is marked for removal and cannot be connected or disconnected to the network")
            }
        }
    }

    private func keep(_ object: ContainerObject, _ change: @Sendable (inout ContainerConfiguration) -> Void) async throws(ContainerError) {
        let document = object.state.withLock { state in
            change(&state.document.configuration)
            return state.document
        }
        try await object.lane.run { () throws(ContainerError) in
            do throws(StateError) { try self.documents.write(document, id: object.id) } catch {
                throw Self.storage("cannot write the container's document", error)
            }
        }
    }

    private func publishNetwork(_ action: String, _ object: ContainerObject, _ name: String) {
        guard let network = try? services.sandboxes.networks.find(name) else { return }  // of one that is gone nobody asks
        let attributes = ["container": object.id, "name": network.name, "type": network.configuration.driver]
        services.events.publish(Event(type: "network", action: action, actorID: network.id, attributes: attributes))
    }
}

extension Container {
    /// Gives it a place in a further network; if it runs, at once.
    ///
    /// - Throws: `notFound` for a network that does not exist, `forbidden` if it is in that network, `invalid` and `conflict` for what it cannot have there,
    ///   `network`. It is then as it was.
    public func connect(_ endpoint: EndpointConfiguration) async throws(ContainerError) {
        try await store.connect(store.object(id), endpoint)
    }

    /// Takes it off a network; if it runs, at once.
    ///
    /// - Throws: `notFound` for a network that does not exist, `forbidden` if it is not in it, `network`.
    public func disconnect(from network: String) async throws(ContainerError) {
        try await store.disconnect(store.object(id), from: network)
    }
}
