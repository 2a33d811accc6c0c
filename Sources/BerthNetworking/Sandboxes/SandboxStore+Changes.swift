internal import BerthNetlink
internal import Synchronization

/// What has to be done by whoever has a running sandbox's monitor and files, after a change of its networks. The change is done with
/// ``SandboxStore/settle(_:)``; until then it is one that was broken off, as far as a later engine can know.
public struct SandboxChange: Sendable {
    /// Sockets that the monitor is to close, before anything else.
    public var droppedKeys: [UInt64] = []
    /// Sockets that it is to hold.
    public var sockets: [SandboxSocket] = []
    /// What the sandbox's files are to say.
    public var files: SandboxFiles
    /// What they may say until now, as far as it was written here.
    public var formerFiles: [SandboxFiles]
    /// Whether the ports are to be published anew when that is done: ``SandboxStore/publishPorts(of:)``.
    public var republishes = false
}

// What changes while a sandbox's container runs.
extension SandboxStore {
    /// Gives a sandbox whose container runs, or which others have kept, a place in a further network.
    ///
    /// - Parameter processID: that of the container; `nil` if it does not run.
    /// - Throws: as ``attach(_:)``; `forbidden` if it is in that network already. It is as it was then.
    public func connect(
        _ request: SandboxRequest, _ configuration: EndpointConfiguration, processID: Int32?
    ) throws(NetworkError) -> SandboxChange {
        try requireReadable(request.id)
        let object = try networks.object(configuration.network)
        try object.checkIsNetwork()
        let former = if let known = sandboxes.withLock({ $0[request.id]?.record }) { known } else { try record(of: request) }
        guard !former.endpoints.contains(where: { $0.networkID == object.id }) else {
            throw NetworkError(.forbidden, "endpoint with name \(request.name) already exists in network \(object.network.name)")
        }
        try networks.prepare(object)
        let namespace = try namespace(of: request.id, processID)
        var record = former
        var names = InterfaceNames(try namespace.interfaces())
        let endpoint = try object.reserve(configuration, request, &names)
        record.endpoints.append(endpoint)
        record.changing = SandboxRecord.Changing(endpoint: endpoint, position: former.endpoints.count)
        do throws(NetworkError) {
            var change = SandboxChange(files: files(of: former), formerFiles: [files(of: former)])
            change.sockets = try makeNameSockets(&record, in: namespace)
            change.files = files(of: record)
            withdrawPorts(&record, after: former, &change)
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
            try? records.write(former, id: request.id)  // likewise
            throw error
        }
    }

    /// Takes a sandbox off one network.
    ///
    /// - Throws: `notFound` for a network that does not exist, `forbidden` if it is not in it.
    public func disconnect(_ id: String, from network: String, processID: Int32?) throws(NetworkError) -> SandboxChange {
        try requireReadable(id)
        let object = try networks.object(network)
        guard let former = sandboxes.withLock({ $0[id]?.record }),
            let position = former.endpoints.firstIndex(where: { $0.networkID == object.id })
        else { throw NetworkError(.forbidden, "container \(id) is not connected to network \(object.network.name)") }
        let namespace = try namespace(of: id, processID)
        let endpoint = former.endpoints[position]
        var record = former
        record.changing = SandboxRecord.Changing(endpoint: endpoint, position: position)
        // Before anything is taken away: whatever is missing then is known to be.
        try records.write(record, id: id)
        sandboxes.withLock { $0[id]?.record.changing = record.changing }
        record.endpoints.remove(at: position)
        var change = SandboxChange(files: files(of: record), formerFiles: [files(of: former)])
        withdrawPorts(&record, after: former, &change)
        try unpublish(former, by: record)
        try release(endpoint, namespaceEnds: false)
        try records.write(record, id: id)
        try namespace.route(by: record.endpoints, replacing: former.endpoints)
        keep(record, nil, id: id)
        updateNames(in: [object.id])
        publish("disconnect", endpoint)
        return change
    }

    /// The namespace in which something is to be changed.
    private func namespace(of id: String, _ processID: Int32?) throws(NetworkError) -> SandboxNamespace {
        if let held = sandboxes.withLock({ $0[id]?.namespace }) { return held }
        guard let processID else { throw NetworkError(.conflict, "the network namespace of container \(id) cannot be reached") }
        do throws(NetworkError) { return try .of(process: processID) } catch {
            guard error.code == .notFound else { throw error }
            throw NetworkError(.conflict, "container \(id) is not running")
        }
    }

    /// The name of the network of a change that was begun and not settled; `nil` if there is none. Waits for nothing.
    public func unsettled(_ id: String) -> String? { sandboxes.withLock { $0[id]?.record.changing?.endpoint.networkName } }

    /// A change is done, with all that follows from it. Repeating is fine.
    public func settle(_ id: String) throws(NetworkError) {
        guard var record = sandboxes.withLock({ $0[id]?.record }), record.changing != nil else { return }
        record.changing = nil
        try records.write(record, id: id)
        sandboxes.withLock { $0[id]?.record.changing = nil }
    }

    /// Brings a change to an end that was broken off, wherever that was: the sandbox is not in the network. Everything that may have been half done is
    /// done anew. Repeating is fine.
    ///
    /// - Parameter heldKeys: the sockets that its monitor has.
    /// - Returns: what is left to do; `nil` if there is no such change.
    public func mend(_ id: String, processID: Int32?, heldKeys: Set<UInt64>) throws(NetworkError) -> SandboxChange? {
        guard let former = sandboxes.withLock({ $0[id]?.record }),
            let (begun, position) = former.changing.map({ ($0.endpoint, $0.position) })
        else { return nil }
        // One that came may have got its ports since.
        let endpoint = former.endpoints.first { $0.id == begun.id } ?? begun
        let namespace = try namespace(of: id, processID)
        var record = former
        record.endpoints.removeAll { $0.id == endpoint.id }
        var change = SandboxChange(files: files(of: record), formerFiles: [])
        for hasNameServer in [true, false] {
            var possible = record
            possible.hasNameServer = hasNameServer
            change.formerFiles.append(files(of: possible))
            possible.endpoints.insert(endpoint, at: min(position, possible.endpoints.count))
            change.formerFiles.append(files(of: possible))
        }
        try release(endpoint, namespaceEnds: false)
        for index in record.endpoints.indices where !record.endpoints[index].ports.isEmpty {
            let object = try networks.object(record.endpoints[index].networkID)
            try object.driver.unpublish(record.endpoints[index].redirectedPorts, of: object.network)
            record.endpoints[index].ports = []
        }
        record.portKeys = []
        change.droppedKeys = heldKeys.filter { $0 >= SandboxSocket.firstPortKey }.sorted()
        change.republishes = true
        var server: NameServer?
        let nameKeys = [SandboxSocket.nameKeys.udp, SandboxSocket.nameKeys.tcp]
        if !heldKeys.isSuperset(of: nameKeys) {
            change.droppedKeys += nameKeys
            record.hasNameServer = false
            change.sockets = try makeNameSockets(&record, in: namespace)
            server = try makeNameServer(of: record, by: change.sockets)
            closeNameServer(of: id)
        }
        change.files = files(of: record)
        try records.write(record, id: id)
        try namespace.route(by: record.endpoints, replacing: [])
        keep(record, server, id: id)
        updateNames(in: [endpoint.networkID])
        return change
    }

    private func closeNameServer(of id: String) {
        guard let server = sandboxes.withLock({ $0[id]?.nameServer.take() }) else { return }
        Task { await server.close() }
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

    /// If another endpoint leads to everywhere else now, or none does any more, the host's ports go from the one that did. What is to be published then is
    /// done with the change.
    private func withdrawPorts(_ record: inout SandboxRecord, after former: SandboxRecord, _ change: inout SandboxChange) {
        change.republishes = !record.portRequests.isEmpty
        let (before, now) = (Self.leadingID(former), Self.leadingID(record))
        guard before != now else { return }
        change.droppedKeys = record.portKeys
        record.portKeys = []
        for index in record.endpoints.indices where [before, now].contains(record.endpoints[index].id) {
            record.endpoints[index].ports = []
        }
    }

    private static func leadingID(_ record: SandboxRecord) -> String? {
        DefaultRoutes.endpoint(of: record.endpoints).map { record.endpoints[$0].id }
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
    ///
    /// - Parameter describe: what is known, beside their records, of sandboxes whose records cannot be read, by id.
    public func load(
        describing describe: (String) -> SandboxDescription = { _ in SandboxDescription() }
    ) throws(NetworkError) {
        let (found, unreadable) = try records.all()
        for (id, var record) in found {
            record.endpoints.removeAll { endpoint in
                guard let object = try? networks.object(endpoint.networkID) else { return true }  // that network is gone
                return !object.adopt(endpoint)
            }
            if record.members == nil { record.admit(id, to: id) }
            take(Sandbox(record: record), id)
        }
        setAside.withLock { $0 = unreadable }
        let lost = Set(unreadable.keys).subtracting(found.map(\.id))
        if !lost.isEmpty { try rebuild(lost, describe) }
    }

    func take(_ sandbox: Sandbox, _ id: String) {
        sandboxes.withLock { $0[id] = sandbox }
        homes.withLock { homes in for member in sandbox.record.members?.others(than: id) ?? [] { homes[member] = id } }
    }

    /// Takes sandboxes off all networks in which nobody runs, and removes from the host what belongs to no sandbox and no network of this engine's.
    ///
    /// - Parameter isRunning: whether a container runs, or may.
    public func removeWhatBelongsToNobody(keeping isRunning: (String) -> Bool) throws(NetworkError) {
        let (ids, all) = sandboxes.withLock { sandboxes in
            let running = sandboxes.values.filter { $0.record.members?.ids.contains(where: isRunning) ?? false }
            return (Array(sandboxes.keys), running.flatMap(\.record.endpoints))
        }
        let known = networks.all()
        for driver in networks.drivers.all {
            let own = known.filter { $0.configuration.driver == driver.name }
            let theirs = all.filter { endpoint in own.contains { $0.id == endpoint.networkID } }
            // Documents that cannot be read keep their claims: with one of them, nothing of a network's is removed.
            if networks.unreadable.isEmpty { try driver.recover(own, endpoints: theirs) } else { try driver.resume(own, endpoints: theirs) }
        }
        // After that: until it has taken up what was there, a driver that takes something away knows of nothing that is to stay.
        for id in ids { try leaveAll(but: isRunning, id) }
    }
}
