internal import BerthNetlink
internal import Synchronization

/// What has to be done by whoever has a running sandbox's monitor and files, after a change of its networks.
public struct SandboxChange: Sendable {
    /// Sockets that the monitor is to close, before anything else.
    public var droppedKeys: [UInt64] = []
    /// Sockets that it is to hold.
    public var sockets: [SandboxSocket] = []
    /// What the sandbox's files said, and are to say.
    public var files: (former: SandboxFiles, wanted: SandboxFiles)
    /// Whether the ports are to be published anew when that is done: ``SandboxStore/publishPorts(of:)``.
    public var republishes = false
}

// What changes while a sandbox's container runs.
extension SandboxStore {
    /// Gives a sandbox whose container runs a place in a further network.
    ///
    /// - Throws: as ``attach(_:)``; `forbidden` if it is in that network already. It is as it was then.
    public func connect(
        _ request: SandboxRequest, _ configuration: EndpointConfiguration, processID: Int32
    ) throws(NetworkError) -> SandboxChange {
        let object = try networks.object(configuration.network)
        try object.checkIsNetwork()
        let former = sandboxes.withLock { $0[request.id]?.record } ?? SandboxRecord(request)
        guard !former.endpoints.contains(where: { $0.networkID == object.id }) else {
            throw NetworkError(.forbidden, "endpoint with name \(request.name) already exists in network \(object.network.name)")
        }
        try networks.prepare(object)
        let namespace = try SandboxNamespace.of(process: processID)
        var record = former
        var names = InterfaceNames(try namespace.interfaces())
        let endpoint = try object.reserve(configuration, request, &names)
        record.endpoints.append(endpoint)
        do throws(NetworkError) {
            var change = SandboxChange(files: (files(of: former), files(of: former)))
            change.sockets = try makeNameSockets(&record, in: namespace)
            change.files.wanted = files(of: record)
            withdrawPorts(&record, &change)
            try records.write(record, id: request.id)
            try object.attach(endpoint, to: namespace)
            try namespace.route(by: record.endpoints, replacing: former.endpoints)
            let server = try makeNameServer(of: record, by: change.sockets)
            try unpublish(former, by: record)
            keep(record, server, id: request.id)
            publish("connect", endpoint)
            return change
        } catch {
            try? object.driver.detach(endpoint, of: object.network)  // what went wrong first is told
            object.giveUp(endpoint)
            try? records.write(former, id: request.id)
            throw error
        }
    }

    /// Takes a sandbox off one network.
    ///
    /// - Throws: `notFound` for a network that does not exist, `forbidden` if it is not in it.
    public func disconnect(_ id: String, from network: String, processID: Int32) throws(NetworkError) -> SandboxChange {
        let object = try networks.object(network)
        guard let former = sandboxes.withLock({ $0[id]?.record }),
            let endpoint = former.endpoints.first(where: { $0.networkID == object.id })
        else { throw NetworkError(.forbidden, "container \(id) is not connected to network \(object.network.name)") }
        var record = former
        record.endpoints.removeAll { $0.id == endpoint.id }
        var change = SandboxChange(files: (files(of: former), files(of: record)))
        withdrawPorts(&record, &change)
        if !endpoint.ports.isEmpty { (change.droppedKeys, record.portKeys, change.republishes) = (former.portKeys, [], true) }
        try unpublish(former, by: record)
        try release(endpoint, namespaceEnds: false)
        try records.write(record, id: id)
        try SandboxNamespace.of(process: processID).route(by: record.endpoints, replacing: former.endpoints)
        keep(record, nil, id: id)
        updateNames(in: [object.id])
        publish("disconnect", endpoint)
        return change
    }

    /// Publishes the ports of a sandbox that has lost them by a change, at the endpoint that leads to everywhere else now.
    ///
    /// - Returns: the sockets that its monitor is to hold.
    public func publishPorts(of id: String) throws(NetworkError) -> [SandboxSocket] {
        guard var record = sandboxes.withLock({ $0[id]?.record }) else { return [] }
        let sockets = try reservePorts(&record)
        try records.write(record, id: id)
        for endpoint in record.endpoints where !endpoint.ports.isEmpty {
            let object = try networks.object(endpoint.networkID)
            try object.driver.publish(endpoint.redirectedPorts, of: object.network)
        }
        keep(record, nil, id: id)
        return sockets
    }

    /// If another endpoint leads to everywhere else now, the ports go with it.
    private func withdrawPorts(_ record: inout SandboxRecord, _ change: inout SandboxChange) {
        guard let publishing = record.endpoints.firstIndex(where: { !$0.ports.isEmpty }),
            DefaultRoutes.endpoint(of: record.endpoints) != publishing
        else { return }
        change.droppedKeys = record.portKeys
        change.republishes = true
        record.portKeys = []
        record.endpoints[publishing].ports = []
    }

    private func unpublish(_ former: SandboxRecord, by record: SandboxRecord) throws(NetworkError) {
        for endpoint in former.endpoints where !endpoint.ports.isEmpty {
            guard let now = record.endpoints.first(where: { $0.id == endpoint.id }), now.ports.isEmpty else { continue }
            let object = try networks.object(endpoint.networkID)
            try object.driver.unpublish(endpoint.redirectedPorts, of: object.network)
        }
    }

    private func keep(_ record: SandboxRecord, _ server: NameServer?, id: String) {
        let present = sandboxes.withLock { sandboxes in
            sandboxes[id, default: Sandbox(record: record)].record = record
            if let server { sandboxes[id]?.nameServer = server }
            return sandboxes[id]?.nameServer
        }
        if let present { updateUpstream(of: record, present) }
        updateNames(in: Set(record.endpoints.map(\.networkID)))
    }

    // MARK: Recovery

    /// Takes up what an earlier engine has left, as if it had been attached by this one. Once, before anything else is asked.
    public func load() throws(NetworkError) {
        for (id, record) in try records.all() {
            guard var record else {
                try records.remove(id: id)
                continue
            }
            record.endpoints.removeAll { endpoint in
                guard let object = try? networks.object(endpoint.networkID) else { return true }  // that network is gone
                return !object.adopt(endpoint)
            }
            let found = Sandbox(record: record)
            sandboxes.withLock { $0[id] = found }
        }
    }

    /// Takes sandboxes off all networks whose containers do not run, and removes from the host what belongs to no sandbox and no network of this engine's.
    ///
    /// - Parameter isRunning: whether a sandbox's container runs, or may.
    public func removeWhatBelongsToNobody(keeping isRunning: (String) -> Bool) throws(NetworkError) {
        for id in sandboxes.withLock({ Array($0.keys) }) where !isRunning(id) { try detach(id) }
        let all = sandboxes.withLock { $0.values.flatMap(\.record.endpoints) }
        let known = networks.all()
        // Documents that cannot be read keep their claims: with one of them, nothing of a network's is removed.
        guard networks.unreadable.isEmpty else { return }
        for driver in networks.drivers.all {
            let own = known.filter { $0.configuration.driver == driver.name }
            try driver.recover(own, endpoints: all.filter { endpoint in own.contains { $0.id == endpoint.networkID } })
        }
    }
}
