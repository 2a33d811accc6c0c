internal import BerthNetlink
internal import BerthState
internal import Synchronization

/// The sandboxes of an engine that are attached to networks. What they have is in memory and, until the next reboot, in the exec-root.
///
/// All calls but the questions block: they are made where that holds up nobody but the container that they are for.
public final class SandboxStore: Sendable {
    private struct Sandbox {
        var endpoints: [Endpoint]
    }

    /// The networks.
    public let networks: NetworkStore
    private let records: SandboxRecords
    private let pool = NamespacePool()
    private let sandboxes = Mutex<[String: Sandbox]>([:])

    /// The sandboxes of a store's networks; nothing is known yet of those that an earlier engine has left: ``recover(running:)``.
    ///
    /// - Throws: `storage`.
    public init(networks: NetworkStore, execRoot: String) throws(NetworkError) {
        self.networks = networks
        records = try SandboxRecords(execRoot: execRoot)
    }

    /// What a sandbox has, in the order of its interfaces; nothing if it is not attached.
    public func endpoints(of id: String) -> [Endpoint] { sandboxes.withLock { $0[id]?.endpoints ?? [] } }

    /// Whether a sandbox is attached to anything. Waits for nothing.
    public func isAttached(_ id: String) -> Bool { sandboxes.withLock { $0[id] != nil } }

    /// Lets go of the namespaces that were made ahead. What is attached stays so.
    public func close() {
        pool.close()
        networks.close()
    }

    // MARK: Attaching

    /// Attaches a sandbox, before its container starts. On failure nothing of it is left.
    ///
    /// - Throws: `notFound` for a network that does not exist, `invalid` and `conflict` for addresses that cannot be had or do not go together,
    ///   `conflict` if a peer does not run, `system`.
    public func attach(_ request: SandboxRequest) throws(NetworkError) -> SandboxAttachment {
        switch request.wish {
        case .shared(let peer): try share(peer, by: request.id)
        case .endpoints(let wanted): try attach(wanted, request)
        }
    }

    private func share(_ peer: SandboxRequest.Peer, by id: String) throws(NetworkError) -> SandboxAttachment {
        guard peer.id != id else {
            throw NetworkError(.invalid, "a container cannot share its own network namespace: name another one")
        }
        guard let process = peer.processID else {
            throw NetworkError(.conflict, "cannot join network of a non running container: \(peer.id)")
        }
        return SandboxAttachment(.process(process))
    }

    private func attach(_ wanted: [EndpointConfiguration], _ request: SandboxRequest) throws(NetworkError) -> SandboxAttachment {
        var objects: [(EndpointConfiguration, NetworkObject)] = []
        for configuration in wanted {
            let object = try networks.object(configuration.network)
            guard !objects.contains(where: { $0.1.id == object.id }) else {
                throw NetworkError(.invalid, "network \(configuration.network) is named twice")
            }
            objects.append((configuration, object))
        }
        if let (_, host) = objects.first(where: { !$0.1.driver.hasNamespaces }) {
            guard objects.count == 1 else {
                throw NetworkError(.invalid, "a container in the network \(host.network.name) can be in no other")
            }
            return SandboxAttachment(.host)
        }
        objects.removeAll { $0.1.driver.addressVersions.isEmpty }
        // What an end that was not cleared away has left.
        try detach(request.id)
        if objects.isEmpty { return SandboxAttachment(.new) }
        for (_, object) in objects { try networks.prepare(object) }

        let namespace = try pool.take()
        var endpoints: [Endpoint] = []
        do throws(NetworkError) {
            var names = InterfaceNames(try namespace.interfaces())
            for (configuration, object) in objects {
                endpoints.append(try object.reserve(configuration, request, &names))
            }
            try records.write(endpoints, id: request.id)
            for (endpoint, (_, object)) in zip(endpoints, objects) { try object.attach(endpoint, to: namespace) }
            try namespace.route(by: endpoints, replacing: [])
        } catch {
            for (endpoint, (_, object)) in zip(endpoints, objects) {
                try? object.driver.detach(endpoint, of: object.network)  // what went wrong first is told; what stays is found at the next start
                object.giveUp(endpoint)
            }
            try? records.remove(id: request.id)
            throw error
        }
        let all = endpoints
        sandboxes.withLock { $0[request.id] = Sandbox(endpoints: all) }
        for endpoint in all { publish("connect", endpoint) }
        return SandboxAttachment(.path(namespace.path), all, holding: namespace)
    }

    // MARK: Detaching

    /// Takes a sandbox off all its networks, when its container has ended. Its addresses are free then. Repeating is fine, also for one that was never
    /// attached.
    public func detach(_ id: String) throws(NetworkError) {
        guard let sandbox = sandboxes.withLock({ $0.removeValue(forKey: id) }) else { return }
        var failure: NetworkError?
        for endpoint in sandbox.endpoints {
            do throws(NetworkError) { try release(endpoint) } catch { failure = failure ?? error }
            publish("disconnect", endpoint)
        }
        try records.remove(id: id)
        if let failure { throw failure }
    }

    private func release(_ endpoint: Endpoint) throws(NetworkError) {
        guard let object = try? networks.object(endpoint.networkID) else { return }  // a network that is gone has nobody in it
        defer { object.giveUp(endpoint) }
        try object.driver.detach(endpoint, of: object.network)
    }

    // MARK: Changes while it runs

    /// Gives a sandbox whose container runs a place in a further network.
    ///
    /// - Throws: as ``attach(_:)``; `forbidden` if it is in that network already, or in the host's.
    public func connect(_ request: SandboxRequest, _ configuration: EndpointConfiguration, processID: Int32) throws(NetworkError)
        -> Endpoint
    {
        let object = try networks.object(configuration.network)
        guard object.driver.hasNamespaces else {
            throw NetworkError(.invalid, "container cannot be disconnected from host network or connected to host network")
        }
        guard !object.driver.addressVersions.isEmpty else {
            throw NetworkError(
                .invalid, "container cannot be connected to multiple networks with one of the networks in private (none) mode")
        }
        let present = endpoints(of: request.id)
        guard !present.contains(where: { $0.networkID == object.id }) else {
            throw NetworkError(.forbidden, "endpoint with name \(request.name) already exists in network \(object.network.name)")
        }
        try networks.prepare(object)
        let namespace = try SandboxNamespace.of(process: processID)
        var names = InterfaceNames(try namespace.interfaces())
        let endpoint = try object.reserve(configuration, request, &names)
        do throws(NetworkError) {
            try records.write(present + [endpoint], id: request.id)
            try object.attach(endpoint, to: namespace)
            try namespace.route(by: present + [endpoint], replacing: present)
        } catch {
            try? object.driver.detach(endpoint, of: object.network)  // what went wrong first is told
            object.giveUp(endpoint)
            try? records.write(present, id: request.id)
            throw error
        }
        sandboxes.withLock { $0[request.id, default: Sandbox(endpoints: [])].endpoints.append(endpoint) }
        publish("connect", endpoint)
        return endpoint
    }

    /// Takes a sandbox off one network.
    ///
    /// - Parameter processID: a process in it; `nil` if none runs.
    /// - Throws: `notFound` for a network that does not exist, `forbidden` if it is not in it.
    public func disconnect(_ id: String, name: String, from network: String, processID: Int32?) throws(NetworkError) {
        let object = try networks.object(network)
        let present = endpoints(of: id)
        guard let endpoint = present.first(where: { $0.networkID == object.id }) else {
            throw NetworkError(.forbidden, "container \(id) is not connected to network \(object.network.name)")
        }
        let rest = present.filter { $0.id != endpoint.id }
        try release(endpoint)
        sandboxes.withLock { $0[id]?.endpoints.removeAll { $0.id == endpoint.id } }
        try records.write(rest, id: id)
        if let processID { try SandboxNamespace.of(process: processID).route(by: rest, replacing: present) }
        publish("disconnect", endpoint)
    }

    // MARK: Recovery

    /// Takes up what an earlier engine has left, as if it had been attached by this one. Once, before anything else is asked.
    public func load() throws(NetworkError) {
        for (id, endpoints) in try records.all() {
            let kept = endpoints.filter { endpoint in
                guard let object = try? networks.object(endpoint.networkID) else { return false }  // that network is gone
                return object.adopt(endpoint)
            }
            sandboxes.withLock { $0[id] = Sandbox(endpoints: kept) }
        }
    }

    /// Takes sandboxes off all networks whose containers do not run, and removes from the host what belongs to no sandbox and no network of this engine's.
    ///
    /// - Parameter isRunning: whether a sandbox's container runs, or may.
    public func removeWhatBelongsToNobody(keeping isRunning: (String) -> Bool) throws(NetworkError) {
        for id in sandboxes.withLock({ Array($0.keys) }) where !isRunning(id) { try detach(id) }
        let all = sandboxes.withLock { $0.values.flatMap(\.endpoints) }
        let known = networks.all()
        // Documents that cannot be read keep their claims: with one of them, nothing of a network's is removed.
        guard networks.unreadable.isEmpty else { return }
        for driver in networks.drivers.all {
            let own = known.filter { $0.configuration.driver == driver.name }
            try driver.recover(own, endpoints: all.filter { endpoint in own.contains { $0.id == endpoint.networkID } })
        }
    }

    private func publish(_ action: String, _ endpoint: Endpoint) {
        guard let network = try? networks.find(endpoint.networkID) else { return }  // of one that is gone nobody asks
        networks.publish(action, network, ["container": endpoint.sandboxID])
    }
}
