internal import BerthLinux
internal import BerthNetlink
public import BerthReactor
internal import BerthState
internal import Synchronization

/// The sandboxes of an engine that are attached to networks. What they have is in memory and, until the next reboot, in the exec-root.
///
/// All calls but the questions block: they are made where that holds up nobody but the container that they are for. Of those that change a sandbox, one is made
/// at a time: their caller sees to that.
public final class SandboxStore: Sendable {
    struct Sandbox {
        var record: SandboxRecord
        var nameServer: NameServer?
        /// Held while several containers are in it: they come and go.
        var namespace: SandboxNamespace?
        /// Whether its record cannot be read, and what is known of it is what the kernel says: nothing of it is changed, or written.
        var isRebuilt = false
    }

    /// The networks.
    public let networks: NetworkStore
    let records: SandboxRecords
    let reactor: Reactor
    let sandboxes = Mutex<[String: Sandbox]>([:])
    /// Records that could not be read, and why.
    let setAside = Mutex<[String: String]>([:])
    /// The sandboxes of those who are in another's.
    let homes = Mutex<[String: String]>([:])
    private let pool: NamespacePool

    /// The sandboxes of a store's networks; nothing is known yet of those that an earlier engine has left: ``load()``.
    ///
    /// - Throws: `storage`.
    public init(networks: NetworkStore, execRoot: String, reactor: Reactor) throws(NetworkError) {
        (self.networks, self.reactor, pool) = (networks, reactor, NamespacePool(reactor: reactor))
        records = try SandboxRecords(execRoot: execRoot)
    }

    /// What a sandbox has, in the order of its interfaces; nothing if it is not attached. One that others have kept has it also while its own container does
    /// not run.
    public func endpoints(of id: String) -> [Endpoint] { sandboxes.withLock { $0[id]?.record.endpoints ?? [] } }

    /// Whether a container is in a sandbox, its own or another's, of which anything is known. Waits for nothing.
    public func isAttached(_ id: String) -> Bool { members(of: sandboxID(of: id)).contains(id) }

    /// Lets go of the namespaces that were made ahead, and answers no more questions: they wait for the next engine. What is attached stays so.
    public func close() async {
        pool.close()
        networks.close()
        let servers = sandboxes.withLock { sandboxes in
            sandboxes.keys.compactMap { id in sandboxes[id]?.nameServer.take() }
        }
        for server in servers { await server.close() }
    }

    // MARK: Attaching

    /// Attaches a sandbox, before its container starts. On failure nothing of it is left. A sandbox that others have kept since its container last ran is as
    /// it was: the container comes back to it.
    ///
    /// - Throws: `notFound` for a network that does not exist, `invalid` and `conflict` for addresses and ports that cannot be had or do not go together,
    ///   `conflict` if a peer does not run, `system`.
    public func attach(_ request: SandboxRequest) throws(NetworkError) -> SandboxAttachment {
        switch request.wish {
        case .shared(let peer): try share(peer, by: request.id, named: request.name)
        case .endpoints(let wanted): if let kept = try comeBack(request) { kept } else { try attach(wanted, request) }
        }
    }

    private func attach(_ wanted: [EndpointConfiguration], _ request: SandboxRequest) throws(NetworkError) -> SandboxAttachment {
        var objects: [(EndpointConfiguration, NetworkObject)] = []
        for configuration in wanted {
            let object = try networks.object(configuration.network)
            try object.checkIsNetwork()
            guard !objects.contains(where: { $0.1.id == object.id }) else {
                throw NetworkError(.invalid, "network \(configuration.network) is named twice")
            }
            objects.append((configuration, object))
        }
        if let (_, host) = objects.first(where: { !$0.1.driver.hasNamespaces }) {
            guard objects.count == 1 else {
                throw NetworkError(.invalid, "a container in the network \(host.network.name) can be in no other")
            }
            return SandboxAttachment(.host, files: try hostNetworkFiles(of: request))
        }
        objects.removeAll { $0.1.driver.addressVersions.isEmpty }
        // What an end that was not cleared away has left.
        try dissolve(request.id)
        if objects.isEmpty { return SandboxAttachment(.new, files: files(of: try record(of: request))) }
        for (_, object) in objects { try networks.prepare(object) }
        return try join(objects, request, in: try pool.take())
    }

    private func join(
        _ objects: [(EndpointConfiguration, NetworkObject)], _ request: SandboxRequest, in namespace: SandboxNamespace
    ) throws(NetworkError) -> SandboxAttachment {
        var record = try record(of: request)
        var sockets: [SandboxSocket] = []
        do throws(NetworkError) {
            var names = InterfaceNames.unused
            for (configuration, object) in objects { record.endpoints.append(try object.reserve(configuration, request, &names)) }
            sockets += try reservePorts(&record)
            sockets += try makeNameSockets(&record, in: namespace)
            let files = files(of: record)
            try records.write(record, id: request.id)
            for (endpoint, (_, object)) in zip(record.endpoints, objects) { try object.attach(endpoint, to: namespace) }
            try namespace.route(by: record.endpoints, replacing: [])
            let server = try makeNameServer(of: record, by: sockets)
            let made = record
            sandboxes.withLock { $0[request.id] = Sandbox(record: made, nameServer: server) }
            for endpoint in record.endpoints { publish("connect", endpoint) }
            updateNames(in: Set(record.endpoints.map(\.networkID)))
            return SandboxAttachment(.path(namespace.path), record.endpoints, files: files, sockets: sockets, holding: namespace)
        } catch {
            for (endpoint, (_, object)) in zip(record.endpoints, objects) {
                // What went wrong first is told; what stays is found at the next start.
                try? object.driver.detach(endpoint, of: object.network)
                object.giveUp(endpoint)
            }
            try? records.remove(id: request.id)  // likewise
            throw error
        }
    }

    /// Takes the ports of the host's that a sandbox's are published at, for the endpoint that leads to everywhere else; every endpoint by whose network it is
    /// reached at its own address has them open there. An endpoint that has ports keeps what it has.
    func reservePorts(_ record: inout SandboxRecord) throws(NetworkError) -> [SandboxSocket] {
        if record.portRequests.isEmpty { return [] }
        let leading = DefaultRoutes.endpoint(of: record.endpoints)
        var sockets: [SandboxSocket] = []
        for (place, endpoint) in record.endpoints.enumerated() where endpoint.ports.isEmpty {
            let object = try networks.object(endpoint.networkID)
            let traits = object.driver.traits(of: object.network.configuration)
            // As with Docker: who is reached by an address of its own is reached at all its ports.
            guard traits.publishesPorts, place == leading || !traits.routedVersions.isEmpty else { continue }
            let reservation = try PortReservation(
                record.portRequests, for: endpoint, firstKey: record.nextKey, standard: traits.publishesAt,
                default: networks.publishDefault, routed: traits.routedVersions, takesHostPorts: place == leading
            ) { [self] transport, number in holder(of: number, transport) }
            record.endpoints[place].ports = reservation.ports
            record.portKeys += reservation.sockets.map(\.key)
            record.nextKey += UInt64(reservation.sockets.count)
            sockets += reservation.sockets
        }
        return sockets
    }

    /// Which of our own containers has a port of the host's.
    private func holder(of number: UInt16, _ transport: PublishedPort.Transport) -> String? {
        sandboxes.withLock { sandboxes in
            let owner = sandboxes.values.first { sandbox in
                sandbox.record.endpoints.contains { $0.ports.contains { $0.hostPort == number && $0.transport == transport } }
            }
            return owner.map { "container \($0.record.userName)" }
        }
    }

    // MARK: Detaching

    /// A container that was attached has ended. If it was the last in its sandbox, that is taken off all its networks: its addresses and ports are free then.
    /// Repeating is fine, also for one that was never attached.
    public func detach(_ id: String) throws(NetworkError) { try leave(id, sandboxID(of: id)) }

    /// Takes a sandbox off all its networks, whoever is in it. Repeating is fine.
    func dissolve(_ id: String) throws(NetworkError) {
        guard let sandbox = sandboxes.withLock({ $0.removeValue(forKey: id) }) else { return }
        if let server = sandbox.nameServer { Task { await server.close() } }
        var failure: NetworkError?
        for endpoint in sandbox.record.endpoints {
            do throws(NetworkError) { try release(endpoint, namespaceEnds: true) } catch { failure = failure ?? error }
            publish("disconnect", endpoint)
        }
        updateNames(in: Set(sandbox.record.endpoints.map(\.networkID)))
        try records.remove(id: id)
        if let failure { throw failure }
    }

    func release(_ endpoint: Endpoint, namespaceEnds: Bool) throws(NetworkError) {
        guard let object = try? networks.object(endpoint.networkID) else { return }  // a network that is gone has nobody in it
        defer { object.giveUp(endpoint) }
        if namespaceEnds {
            try object.driver.abandon(endpoint, of: object.network)
        } else {
            try object.driver.detach(endpoint, of: object.network)
        }
    }

    func publish(_ action: String, _ endpoint: Endpoint) {
        guard let network = try? networks.find(endpoint.networkID) else { return }  // of one that is gone nobody asks
        networks.publish(action, network, ["container": endpoint.sandboxID])
    }
}
