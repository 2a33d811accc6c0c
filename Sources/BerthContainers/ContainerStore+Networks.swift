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
        let process = try changeable(object)
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
        if let process {
            let request = try sandboxRequest(object.id, document, .endpoints([]))
            let (sandboxes, id) = (services.sandboxes, process.processID)
            let change: SandboxChange
            do throws(NetworkError) {
                change = try await object.lane.run { () throws(NetworkError) in try sandboxes.connect(request, wanted, processID: id) }
            } catch { throw ContainerError(error) }
            try await carryOut(change, object, process)
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
            throw ContainerError(.forbidden, "container \(object.id) is not connected to \(process == nil ? "the " : "")network \(name)")
        }
        guard document.configuration.network != .host else {
            throw ContainerError(.invalid, "container cannot be disconnected from host network or connected to host network")
        }
        if let process, sandboxes.endpoints(of: object.id).contains(where: { $0.networkName == name }) {
            let (id, processID) = (object.id, process.processID)
            let change: SandboxChange
            do throws(NetworkError) {
                change = try await object.lane.run { () throws(NetworkError) in
                    try sandboxes.disconnect(id, from: name, processID: processID)
                }
            } catch { throw ContainerError(error) }
            try await carryOut(change, object, process)
        } else {
            publishNetwork("disconnect", object, name)
        }
        try await keep(object) { configuration in configuration.endpoints.removeAll { $0.network == name } }
    }

    /// What a sandbox asks for.
    func sandboxRequest(
        _ id: String, _ document: ContainerDocument, _ wish: SandboxRequest.Wish
    ) throws(ContainerError) -> SandboxRequest {
        let (configuration, networking) = (document.configuration, document.configuration.networking)
        var naming = SandboxNaming(
            hostname: hostname(of: document, id), domainName: configuration.domainName, servers: networking.nameServers,
            search: networking.nameSearch, options: networking.nameOptions, extraHosts: networking.extraHosts)
        naming.links = try networking.links.map { text throws(ContainerError) in try link(text, of: document) }
        var ports = networking.publishedPorts
        if networking.publishesAllPorts {
            let exposed = networking.exposedPorts.union(document.imageExecution.exposedPorts.compactMap { Port($0) })
            ports += exposed.sorted().filter { port in !ports.contains { $0.port == port } }.map { PortRequest($0) }
        }
        return SandboxRequest(id: id, name: document.name, wish, naming: naming, ports: ports)
    }

    private func link(_ text: String, of document: ContainerDocument) throws(ContainerError) -> SandboxNaming.Link {
        let (target, alias) = EndpointConfiguration.parts(ofLink: text)
        let other = try object(target)
        let place = services.sandboxes.endpoints(of: other.id).first { $0.networkName == "bridge" }
        guard let place else {
            throw ContainerError(.conflict, "Cannot link to a non running container: /\(other.name) AS /\(document.name)/\(alias)")
        }
        return SandboxNaming.Link(
            alias: alias, hostname: hostname(of: other.document, other.id), name: other.name, addresses: place.addresses)
    }

    /// Has the monitor and the files follow a change of a container's networks.
    private func carryOut(_ change: SandboxChange, _ object: ContainerObject, _ process: RuntimeContainer) async throws(ContainerError) {
        let (id, sandboxes) = (object.id, services.sandboxes)
        do throws(RuntimeError) {
            if !change.droppedKeys.isEmpty { try await process.sandbox.drop(change.droppedKeys) }
            if !change.sockets.isEmpty { try await process.sandbox.hold(try RuntimeContainer.handed(change.sockets)) }
        } catch { throw ContainerError(error) }
        if change.republishes {
            let sockets: [SandboxSocket]
            do throws(NetworkError) {
                sockets = try await object.lane.run { () throws(NetworkError) in try sandboxes.publishPorts(of: id) }
            } catch { throw ContainerError(error) }
            do throws(RuntimeError) { try await process.sandbox.hold(try RuntimeContainer.handed(sockets)) } catch {
                throw ContainerError(error)
            }
        }
        try await object.lane.run { () throws(ContainerError) in
            try self.rewrite(change.files.wanted, id, former: change.files.former)
        }
    }

    /// Goes on answering a running container's questions for names, at the sockets that its monitor holds.
    func answerNames(of object: ContainerObject, by process: RuntimeContainer) async throws(RuntimeError) {
        let keys = services.sandboxes.nameSocketKeys(of: object.id)
        if keys.isEmpty { return }
        let lent = try await process.sandbox.lend(keys)
        let sockets: [SandboxSocket]
        do throws(Errno) {
            var all: [SandboxSocket] = []
            for socket in lent { all.append(SandboxSocket(key: socket.socket.key, .kept, try socket.descriptor.duplicate())) }
            sockets = all
        } catch { throw RuntimeError(.system, "cannot answer the questions of container \(object.shortID) for names", underlying: error) }
        do throws(NetworkError) { try services.sandboxes.answerNames(of: object.id, at: sockets) } catch { warn(object, error.description) }
    }

    /// Writes the files of names of a container that does not run yet.
    func write(_ files: SandboxFiles, _ id: String) throws(ContainerError) {
        do throws(Errno) {
            let directory = try Directory.open("\(services.root)/containers/\(id)")
            for (name, contents) in [("hosts", files.hosts), ("resolv.conf", files.resolver)] {
                let file = try directory.openForWriting(try PathBytes(name))
                try file.truncate(to: 0)
                try unsafe file.writeAll(contents.span.bytes)
            }
        } catch { throw .storage("cannot write the files of container \(id.prefix(12))", error) }
    }

    /// Writes them anew while it runs: those that it has not edited.
    private func rewrite(_ files: SandboxFiles, _ id: String, former: SandboxFiles) throws(ContainerError) {
        do throws(Errno) {
            let directory = try Directory.open("\(services.root)/containers/\(id)")
            for (name, old, new) in [("hosts", former.hosts, files.hosts), ("resolv.conf", former.resolver, files.resolver)] {
                try FileInPlace.rewrite(try PathBytes(name), in: directory, writtenBefore: FileInPlace.Mark(of: old), wanted: new)
            }
        } catch { throw .storage("cannot write the files of container \(id.prefix(12))", error) }
    }

    /// The process, if it runs. One that is just being started or removed is nobody's to change.
    private func changeable(_ object: ContainerObject) throws(ContainerError) -> RuntimeContainer? {
        try object.requireKnown()
        return try object.state.withLock { (state) throws(ContainerError) in
            switch state.lifecycle.phase {
            case .idle, .running: return state.process
            case .starting: throw ContainerError(.conflict, "container \(object.id) is being started: try again when it runs")
            case .removing, .removed:
                throw ContainerError(
                    .conflict, "Container \(object.id) is marked for removal and cannot be connected or disconnected to the network")
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
