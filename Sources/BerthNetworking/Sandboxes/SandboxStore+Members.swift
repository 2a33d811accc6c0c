internal import BerthLinux
internal import BerthNetlink
internal import Synchronization

// Sandboxes that several containers are in. What a sandbox has stays until the last of them has ended.
extension SandboxStore {
    /// The sandbox that a container is in, or would be: another's, or its own.
    public func sandboxID(of member: String) -> String { homes.withLock { $0[member] } ?? member }

    /// Whether more than one container is in a sandbox, or has been, and anybody still is. Waits for nothing.
    public func isShared(_ id: String) -> Bool { sandboxes.withLock { $0[id]?.record.members?.isShared } ?? false }

    /// All of those.
    public func sharedIDs() -> [String] {
        sandboxes.withLock { sandboxes in sandboxes.filter { $0.value.record.members?.isShared ?? false }.map(\.key) }
    }

    /// Who is in a sandbox, in the order of their coming.
    public func members(of id: String) -> [String] { sandboxes.withLock { $0[id]?.record.members?.ids } ?? [] }

    /// How the sandbox is called that a container is in; `nil` if nothing is known of it.
    public func hostname(of member: String) -> String? {
        let home = sandboxID(of: member)
        return sandboxes.withLock { $0[home]?.record.naming.hostname }
    }

    // MARK: Coming

    /// Lets a container into another's sandbox: into that which the other is in itself.
    func share(_ peer: SandboxRequest.Peer, by id: String, named name: String) throws(NetworkError) -> SandboxAttachment {
        guard peer.id != id else {
            throw NetworkError(.invalid, "a container cannot share its own network namespace: name another one")
        }
        guard let process = peer.processID else { throw .notRunning(peer.id) }
        let home = sandboxID(of: peer.id)
        let found = sandboxes.withLock { $0[home] }
        let namespace: SandboxNamespace
        do throws(NetworkError) { namespace = if let held = found?.namespace { held } else { try .of(process: process) } } catch {
            guard error.code == .notFound else { throw error }
            throw .notRunning(peer.id)
        }
        // The host's own has nothing of a sandbox's.
        if found == nil, SandboxNamespace.isOwn(ofProcess: process) { return SandboxAttachment(.process(process)) }
        // Without a place in any network nothing was known of it until now.
        let request = SandboxRequest(id: home, name: peer.name, .endpoints([]), naming: peer.naming)
        var record = if let found { found.record } else { try record(of: request) }
        record.admit(id, named: name, to: home)
        try write(record, id: home)
        let shared = record
        sandboxes.withLock { sandboxes in
            sandboxes[home, default: Sandbox(record: shared)].record = shared
            sandboxes[home]?.namespace = namespace
        }
        homes.withLock { $0[id] = home }
        return SandboxAttachment(.path(namespace.path), holding: namespace)
    }

    /// Lets the container that made a sandbox in again, if others have kept it: to what there is.
    ///
    /// - Returns: `nil` if nobody has.
    func comeBack(_ request: SandboxRequest) throws(NetworkError) -> SandboxAttachment? {
        guard let found = sandboxes.withLock({ $0[request.id] }), found.record.members?.others(than: request.id).isEmpty == false else {
            return nil
        }
        guard let namespace = found.namespace else {
            throw NetworkError(
                .conflict, "the sandbox of container \(request.id) cannot be reached: end the containers that share it, and start it again")
        }
        var record = found.record
        record.admit(request.id, named: request.name, to: request.id)
        record.nameUser(in: request.id)
        try write(record, id: request.id)
        keepMembers(record, request.id)
        return SandboxAttachment(.path(namespace.path), record.endpoints, holding: namespace)
    }

    /// Takes up that a member was found running: by its process the namespace of a sandbox that is shared is held from now on. Repeating is fine. Blocks.
    public func found(_ member: String, processID: Int32) throws(NetworkError) {
        let home = sandboxID(of: member)
        guard let found = sandboxes.withLock({ $0[home] }), found.record.members?.isShared == true, found.namespace == nil else { return }
        let namespace = try SandboxNamespace.of(process: processID)
        sandboxes.withLock { $0[home]?.namespace = namespace }
    }

    // MARK: Going

    func leave(_ member: String, _ home: String) throws(NetworkError) {
        homes.withLock { $0[member] = nil }
        guard var record = sandboxes.withLock({ $0[home]?.record }) else { return }
        switch record.members?.leave(member) ?? .wasLast {
        case .wasNotIn: break
        case .wasLast: try dissolve(home)
        case .othersStay:
            record.nameUser(in: home)
            keepMembers(record, home)
            // Unwritten, it is found out by the next engine: who does not run is in nothing.
            try write(record, id: home)
        }
    }

    /// Only those stay in a sandbox who run, or may; without any it ends.
    func leaveAll(but isRunning: (String) -> Bool, _ home: String) throws(NetworkError) {
        guard var record = sandboxes.withLock({ $0[home]?.record }), var members = record.members else { return }
        let gone = members.ids.filter { !isRunning($0) }
        if gone.isEmpty { return }
        homes.withLock { homes in for id in gone { homes[id] = nil } }
        guard members.keep(isRunning) else { return try dissolve(home) }
        record.members = members
        record.nameUser(in: home)
        keepMembers(record, home)
        try write(record, id: home)
    }

    private func keepMembers(_ record: SandboxRecord, _ id: String) {
        sandboxes.withLock { $0[id]?.record = record }
        for endpoint in record.endpoints {
            guard let object = try? networks.object(endpoint.networkID) else { continue }  // that network is gone
            object.rename(endpoint)
        }
    }

    /// The container that made a sandbox is removed: others find the sandbox by its aliases alone from now on, for the name and the id are free. Repeating is
    /// fine, also where there is no sandbox. Blocks.
    public func forgetOwner(_ id: String) throws(NetworkError) {
        guard var record = sandboxes.withLock({ $0[id]?.record }) else { return }
        for place in record.endpoints.indices {
            record.endpoints[place].names = record.endpoints[place].configuration.aliases
        }
        keepMembers(record, id)
        updateNames(in: Set(record.endpoints.map(\.networkID)))
        try write(record, id: id)
    }

    // MARK: Sockets

    /// The keys of the sockets that a sandbox's monitor has to hold: those by which names are asked for, and those of its ports.
    public func socketKeys(of id: String) -> (names: [UInt64], ports: [UInt64]) {
        guard let record = sandboxes.withLock({ $0[id]?.record }) else { return ([], []) }
        return (record.hasNameServer ? [SandboxSocket.nameKeys.udp, SandboxSocket.nameKeys.tcp] : [], record.portKeys)
    }

    /// Makes the sockets anew by which names are asked for in a sandbox that is shared, and goes on answering at them: whoever held them has gone. Blocks.
    ///
    /// - Returns: the sockets, for whoever holds them from now on; none if it has no name server.
    /// - Throws: `conflict` if the namespace is not known, `system`.
    public func remakeNameSockets(of id: String) throws(NetworkError) -> [SandboxSocket] {
        guard let found = sandboxes.withLock({ $0[id] }), found.record.hasNameServer else { return [] }
        guard let namespace = found.namespace else {
            throw NetworkError(.conflict, "the network namespace of sandbox \(id.prefix(12)) cannot be reached")
        }
        let sockets = try nameSockets(in: namespace)
        let server = try makeNameServer(of: found.record, by: sockets)
        let former = sandboxes.withLock { sandboxes in
            defer { sandboxes[id]?.nameServer = server }
            return sandboxes[id]?.nameServer
        }
        if let former { Task { await former.close() } }
        return sockets
    }

    /// Takes a sandbox's ports of the host's anew: those of these keys, for whoever held them has gone. Blocks.
    ///
    /// - Returns: the sockets, for whoever holds them from now on, and what is wrong where one cannot be had. The kernel goes on redirecting all.
    public func remakePortSockets(of id: String, keys: Set<UInt64>) -> (sockets: [SandboxSocket], failure: NetworkError?) {
        guard let record = sandboxes.withLock({ $0[id]?.record }) else { return ([], nil) }
        var (sockets, failure): ([SandboxSocket], NetworkError?) = ([], nil)
        for (key, port) in zip(record.portKeys, record.endpoints.flatMap(\.ports).filter { $0.hostPort != 0 }) where keys.contains(key) {
            do throws(Errno) { sockets.append(try PortReservation.socket(of: port, key: key)) } catch {
                failure = NetworkError(
                    .conflict,
                    "port \(port.hostPort)/\(port.transport.rawValue) of container \(record.userName) was let go of and cannot be had again: \(error)"
                )
            }
        }
        return (sockets, failure)
    }
}

extension NetworkError {
    fileprivate static func notRunning(_ id: String) -> NetworkError {
        NetworkError(.conflict, "cannot join network namespace of a non running container: \(id)")
    }
}

extension NetworkObject {
    /// Takes up the names that an endpoint has now.
    fileprivate func rename(_ endpoint: Endpoint) {
        state.withLock { state in if state.endpoints[endpoint.id] != nil { state.endpoints[endpoint.id] = endpoint } }
    }
}

extension SandboxNamespace {
    /// Whether a process is in the namespace of this one. What cannot be found out is no.
    fileprivate static func isOwn(ofProcess id: Int32) -> Bool {
        func name(_ process: String) -> PathBytes? { try? Directory.open("/proc/\(process)/ns").readLink("net") }
        guard let own = name("self"), let other = name("\(id)") else { return false }
        return own == other
    }
}
