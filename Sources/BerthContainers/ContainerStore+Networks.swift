public import BerthNetworking
internal import BerthOCI
internal import BerthLaunch
internal import BerthLinux
internal import BerthNetlink
internal import BerthReactor
internal import BerthRuntime
internal import BerthState
internal import Synchronization

// Places in networks that come and go while a container is there.
extension ContainerStore {
    func connect(_ object: ContainerObject, _ endpoint: EndpointConfiguration) async throws(ContainerError) {
        try await changeNetworks(of: object) { () throws(ContainerError) in try await self.join(object, endpoint) }
    }

    func disconnect(_ object: ContainerObject, from network: String, isForced: Bool) async throws(ContainerError) {
        try await changeNetworks(of: object) { () throws(ContainerError) in try await self.leave(object, network, isForced: isForced) }
    }

    private func join(_ object: ContainerObject, _ endpoint: EndpointConfiguration) async throws(ContainerError) {
        let (process, isThere) = try changeable(object)
        if isThere { try await mendNetworks(of: object, by: process) }
        let document = object.document
        var endpoint = endpoint
        do throws(NetworkError) {
            // Its own namespace it would not have to change.
            guard !document.configuration.network.isShared || endpoint.network == PredefinedNetwork.host.rawValue else {
                throw NetworkError(
                    .invalid,
                    "container sharing network namespace with another container or host cannot be connected to any other network")
            }
            let networks = services.sandboxes.networks
            let network = try networks.find(endpoint.network)
            endpoint.network = network.name
            try networks.check([endpoint], beside: document.configuration.endpoints)
            guard !document.configuration.endpoints.contains(where: { $0.network == network.name }) else {
                throw NetworkError(.forbidden, "endpoint with name \(document.name) already exists in network \(network.name)")
            }
        } catch { throw ContainerError(error) }
        let wanted = endpoint
        guard isThere else {
            return try await keep(object) { $0.endpoints.append(wanted) }
        }
        let request = try sandboxRequest(object.id, document, .endpoints([]))
        let (sandboxes, id) = (services.sandboxes, process?.processID)
        try await change(object, process) { () throws(NetworkError) in
            try sandboxes.connect(request, wanted, processID: id)
        } keeping: {
            $0.endpoints.append(wanted)
        }
    }

    private func leave(_ object: ContainerObject, _ network: String, isForced: Bool) async throws(ContainerError) {
        let (process, isThere) = try changeable(object)
        if isThere { try await mendNetworks(of: object, by: process) }
        let document = object.document
        let sandboxes = services.sandboxes
        let name: String
        do throws(NetworkError) { name = try sandboxes.networks.find(network).name } catch {
            // One that is gone has left a place behind, without which the container can be started again.
            guard error.code == .notFound, !isThere || isForced,
                document.configuration.endpoints.contains(where: { $0.network == network })
            else { throw ContainerError(error) }
            name = network
        }
        guard document.configuration.endpoints.contains(where: { $0.network == name }) else {
            throw ContainerError(.forbidden, "container \(object.id) is not connected to \(isThere ? "" : "the ")network \(name)")
        }
        guard document.configuration.network != .host else {
            throw ContainerError(
                .invalid, "cannot disconnect container from host network - container was created in host network mode")
        }
        guard isThere, sandboxes.endpoints(of: object.id).contains(where: { $0.networkName == name }) else {
            return try await keep(object) { configuration in configuration.endpoints.removeAll { $0.network == name } }
        }
        let (id, processID) = (object.id, process?.processID)
        try await change(object, process) { () throws(NetworkError) in
            try sandboxes.disconnect(id, from: name, processID: processID)
        } keeping: { configuration in
            configuration.endpoints.removeAll { $0.network == name }
        }
    }

    /// Changes the networks of a sandbox that is there. If something that follows from the change fails, the container is out of that network, and whole.
    private func change(
        _ object: ContainerObject, _ process: RuntimeContainer?, _ body: @escaping @Sendable () throws(NetworkError) -> SandboxChange,
        keeping keptChange: @escaping @Sendable (inout ContainerConfiguration) -> Void
    ) async throws(ContainerError) {
        do throws(ContainerError) {
            let change: SandboxChange
            do throws(NetworkError) {
                change = try await object.lane.run { () throws(NetworkError) in try body() }
            } catch { throw ContainerError(error) }
            try await carryOut(change, object, process)
            try await keep(object, keptChange)
            try await settle(object)
        } catch {
            do throws(ContainerError) { try await mendNetworks(of: object, by: process) } catch { warn(object, error.description) }
            throw error
        }
    }

    /// Brings a change to its end that was broken off, by a failure or by the end of an engine: the container is not in that network, and whole otherwise.
    /// Repeating is fine.
    func mendNetworks(of object: ContainerObject, by process: RuntimeContainer?) async throws(ContainerError) {
        let (sandboxes, id, processID) = (services.sandboxes, object.id, process?.processID)
        guard let network = sandboxes.unsettled(id) else { return }
        let held: Set<UInt64>
        do throws(RuntimeError) { held = try await heldKeys(of: id, process) } catch { throw ContainerError(error) }
        let change: SandboxChange?
        do throws(NetworkError) {
            change = try await object.lane.run { () throws(NetworkError) in
                try sandboxes.mend(id, processID: processID, heldKeys: held)
            }
        } catch { throw ContainerError(error) }
        guard let change else { return }
        try await carryOut(change, object, process)
        try await keep(object) { configuration in configuration.endpoints.removeAll { $0.network == network } }
        try await settle(object)
    }

    private func settle(_ object: ContainerObject) async throws(ContainerError) {
        let (sandboxes, id) = (services.sandboxes, object.id)
        do throws(NetworkError) { try await object.lane.run { () throws(NetworkError) in try sandboxes.settle(id) } } catch {
            throw ContainerError(error)
        }
    }

    /// One change of a container's networks at a time. One that has begun is brought to its end, whoever asked for it and has gone.
    func changeNetworks(
        of object: ContainerObject, _ body: @escaping @Sendable () async throws(ContainerError) -> Void
    ) async throws(ContainerError) {
        let (former, own) = networkTurns.take(object.id)
        if let former, await former.value() == nil {
            // Whoever comes next waits for the one before.
            Task.detached {
                _ = await former.value()
                self.networkTurns.end(own, of: object.id)
            }
            throw .cancelled
        }
        let outcome: Result<Void, ContainerError> = await Task.detached { () async -> Result<Void, ContainerError> in
            defer { self.networkTurns.end(own, of: object.id) }
            do throws(ContainerError) { return .success(try await body()) } catch { return .failure(error) }
        }.value
        try outcome.get()
    }

    /// What a sandbox asks for.
    func sandboxRequest(
        _ id: String, _ document: ContainerDocument, _ wish: SandboxRequest.Wish
    ) throws(ContainerError) -> SandboxRequest {
        let configuration = services.defaults.inForce(document.configuration)
        let networking = configuration.networking
        var naming = SandboxNaming(
            hostname: hostname(of: document, id), domainName: configuration.domainName, servers: networking.nameServers,
            search: networking.nameSearch, options: networking.nameOptions, extraHosts: networking.extraHosts)
        // Links are of the default network: who is in none has no use for them.
        if configuration.endpoints.contains(where: { $0.network == PredefinedNetwork.bridge.rawValue }) {
            naming.links = try networking.links.map { text throws(ContainerError) in try link(text, of: document) }
        }
        var ports = networking.publishedPorts
        if networking.publishesAllPorts {
            let exposed = networking.exposedPorts.union(document.imageExecution.exposedPorts.compactMap { Port($0) })
            ports += exposed.sorted().filter { port in !ports.contains { $0.port == port } }.map { PortRequest($0) }
        }
        return SandboxRequest(id: id, name: document.name, wish, naming: naming, ports: ports)
    }

    private func link(_ text: String, of document: ContainerDocument) throws(ContainerError) -> SandboxNaming.Link {
        let (target, alias) = EndpointConfiguration.parts(ofLink: text)
        let other = try linked(target)
        let place = services.sandboxes.endpoints(of: other.id).first { $0.networkName == "bridge" }
        guard let place else {
            throw ContainerError(.conflict, "Cannot link to a non running container: /\(other.name) AS /\(document.name)/\(alias)")
        }
        return SandboxNaming.Link(
            alias: alias, hostname: hostname(of: other.document, other.id), name: other.name, addresses: place.addresses)
    }

    /// What a container's environment says of those that it is linked to: of such as are there now.
    func linkVariables(of document: ContainerDocument) -> [String] {
        let configuration = document.configuration
        guard configuration.endpoints.contains(where: { $0.network == PredefinedNetwork.bridge.rawValue }) else { return [] }
        return configuration.networking.links.flatMap { text -> [String] in
            let (target, alias) = EndpointConfiguration.parts(ofLink: text)
            guard let other = try? linked(target),  // it is gone, which its name in the files tells as well
                let place = services.sandboxes.endpoints(of: other.id).first(where: { $0.networkName == "bridge" }),
                let address = place.addresses.first(where: { $0.version == .v4 }) ?? place.addresses.first
            else { return [] }
            let (there, image) = (other.document.configuration, other.document.imageExecution)
            let ports = there.networking.exposedPorts.union(image.exposedPorts.compactMap { Port($0) })
            return LinkVariables(
                alias: alias, owner: document.name, address: "\(address)", ports: Array(ports),
                environment: there.mergedEnvironment(image: image)
            ).list
        }
    }

    /// Has the monitor and the files follow a change of a container's networks.
    private func carryOut(_ change: SandboxChange, _ object: ContainerObject, _ process: RuntimeContainer?) async throws(ContainerError) {
        let (id, sandboxes) = (object.id, services.sandboxes)
        do throws(RuntimeError) { try await drop(change.droppedKeys, of: id, process) } catch { throw ContainerError(error) }
        try await hold(change.sockets, of: id, process)
        if change.republishes {
            let sockets: [SandboxSocket]
            do throws(NetworkError) {
                sockets = try await object.lane.run { () throws(NetworkError) in try sandboxes.publishPorts(of: id) }
            } catch { throw ContainerError(error) }
            try await hold(sockets, of: id, process)
        }
        try await object.lane.run { () throws(ContainerError) in
            try self.rewrite(change.files, id, former: change.formerFiles)
        }
    }

    /// Goes on answering a sandbox's questions for names, at the sockets that a monitor holds.
    func answerNames(of id: String, by monitor: SandboxMonitor) async throws(RuntimeError) {
        let keys = services.sandboxes.nameSocketKeys(of: id)
        if keys.isEmpty { return }
        let lent = try await monitor.lend(keys)
        let sockets: [SandboxSocket]
        do throws(Errno) {
            var all: [SandboxSocket] = []
            for socket in lent { all.append(SandboxSocket(key: socket.socket.key, .kept, try socket.descriptor.duplicate())) }
            sockets = all
        } catch { throw RuntimeError(.system, "cannot answer the questions of sandbox \(id.prefix(12)) for names", underlying: error) }
        do throws(NetworkError) { try services.sandboxes.answerNames(of: id, at: sockets) } catch { warn(sandbox: id, error.description) }
    }

    /// Writes the files of names of a container that does not run yet.
    func write(_ files: SandboxFiles, _ id: String) throws(ContainerError) {
        do throws(Errno) {
            let directory = try Directory.open("\(services.root)/containers/\(id)")
            for (name, contents) in [("hosts", files.hosts), ("resolv.conf", files.resolver)] {
                let file = try directory.openForWriting(try PathBytes(name))
                try unsafe file.writeAll(contents.span.bytes)
                // Not before: ext4 would take that for a replacement, and wait for the disk when the file is closed.
                try file.truncate(to: Int64(contents.count))
            }
        } catch { throw .storage("cannot write the files of container \(id.prefix(12))", error) }
    }

    /// Writes them anew while it runs: those that it has not edited.
    private func rewrite(_ files: SandboxFiles, _ id: String, former: [SandboxFiles]) throws(ContainerError) {
        do throws(Errno) {
            let directory = try Directory.open("\(services.root)/containers/\(id)")
            for (name, contents) in [("hosts", \SandboxFiles.hosts), ("resolv.conf", \.resolver)] {
                for old in Set(former.map { FileInPlace.Mark(of: $0[keyPath: contents]) }) {
                    let decision = try FileInPlace.rewrite(
                        try PathBytes(name), in: directory, writtenBefore: old, wanted: files[keyPath: contents])
                    guard decision == .isEdited else { break }
                }
            }
        } catch { throw .storage("cannot write the files of container \(id.prefix(12))", error) }
    }

    /// The process, if it runs, and whether there is a sandbox: others may have kept it. A container that is just being started or removed is nobody's to change.
    private func changeable(_ object: ContainerObject) throws(ContainerError) -> (process: RuntimeContainer?, isThere: Bool) {
        try object.requireKnown()
        let process = try object.state.withLock { (state) throws(ContainerError) in
            switch state.lifecycle.phase {
            case .idle, .running, .paused, .restarting: return state.hasLeftNetworks ? nil : state.process
            case .starting: throw ContainerError(.conflict, "container \(object.id) is being started: try again when it runs")
            case .removing, .removed:
                throw ContainerError(
                    .conflict, "Container \(object.id) is marked for removal and cannot be connected or disconnected to the network")
            }
        }
        return (process, process != nil || services.sandboxes.isShared(object.id))
    }

    private func keep(
        _ object: ContainerObject, _ change: @escaping @Sendable (inout ContainerConfiguration) -> Void
    ) async throws(ContainerError) {
        try await save(object) { change(&$0.configuration) }
    }

    /// Tells of a container's coming and going where it has no interfaces: in the networks `host` and `none`.
    func publishPlaces(_ action: String, _ object: ContainerObject, _ document: ContainerDocument) {
        for endpoint in document.configuration.endpoints {
            // It is gone.
            guard let network = try? services.sandboxes.networks.find(endpoint.network), network.parts.isEmpty else { continue }
            let attributes = ["container": object.id, "name": network.name, "type": network.configuration.driver]
            services.events.publish(Event(type: "network", action: action, actorID: network.id, attributes: attributes))
        }
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
    /// - Parameter isForced: whether also from a network that is gone while it runs.
    /// - Throws: `notFound` for a network that does not exist, unless the container has had a place in it and does not run; `forbidden` if it is not in it;
    ///   `network`.
    public func disconnect(from network: String, isForced: Bool = false) async throws(ContainerError) {
        try await store.disconnect(store.object(id), from: network, isForced: isForced)
    }
}

extension RuntimeContainer {
    /// A sandbox's sockets, for its container's monitor.
    static func handed(_ sockets: [SandboxSocket]) throws(RuntimeError) -> [HandedSocket] {
        var handed: [HandedSocket] = []
        for socket in sockets {
            let use: HeldSocket.Use
            switch socket.use {
            case .kept: use = .kept
            case .reserved: use = .reserved
            case .relay(let transport, let address, let port):
                guard let target = RelayTarget(address: address.bytes, port: port) else {
                    throw RuntimeError(.invalid, "no relay leads to \(address), port \(port)")
                }
                use = transport == .udp ? .udpRelay(to: target) : .tcpRelay(to: target)
            }
            do throws(Errno) {
                handed.append(HandedSocket(HeldSocket(key: socket.key, use: use), try socket.descriptor.duplicate()))
            } catch { throw RuntimeError(.system, "cannot hand a socket over to a monitor", underlying: error) }
        }
        return handed
    }
}
