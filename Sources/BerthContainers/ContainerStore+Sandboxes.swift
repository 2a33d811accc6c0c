internal import BerthLaunch
internal import BerthLinux
internal import BerthNetworking
internal import BerthOCI
internal import BerthReactor
internal import BerthRuntime
internal import BerthState
internal import Synchronization

/// Who holds what a shared sandbox has, and the task that sees to it that somebody does.
struct Keeper {
    var monitor: SandboxMonitor?
    var task: Task<Void, Never>?
}

// Coming into sandboxes and going. What a sandbox has that several containers are in is held by the monitor of one of them, its keeper, which stays after its
// own container's end, until the last of them has ended. If it dies, the sockets are made anew, and another one's monitor becomes the keeper.
extension ContainerStore {
    func attachNetwork(_ object: ContainerObject, _ document: ContainerDocument) async throws(ContainerError) -> SandboxAttachment {
        guard let owner = document.sandboxOwner else {
            return try await networkTurns.run(object.id) { () async throws(ContainerError) in
                var request = try sandboxRequest(object.id, document, .endpoints(document.configuration.endpoints))
                // It may have been renamed since its document was read; whoever renames it from here on comes after this.
                request.name = object.name
                request.former = object.state.withLock { $0.formerEndpoints }
                return try await attach(object, request)
            }
        }
        let home = services.sandboxes.sandboxID(of: owner)
        return try await networkTurns.run(home) { () async throws(ContainerError) -> SandboxAttachment in
            let peer = services.sandboxes.sandboxID(of: owner) == home ? peer(owner) : SandboxRequest.Peer(id: owner, processID: nil)
            guard peer.processID != nil else { throw notRunning(owner) }
            let attachment = try await attach(object, try sandboxRequest(object.id, document, .shared(peer)))
            do throws(ContainerError) {
                try await object.lane.run { () throws(ContainerError) in try self.shareFiles(of: owner, with: object.id) }
                if services.sandboxes.isShared(home), keepers.withLock({ $0[home]?.task }) == nil {
                    // A monitor can be told to stay only while its container runs: so the process was still the one that was seen.
                    do throws(ContainerError) { _ = try await findKeeper(home) } catch {
                        guard error.code == .conflict else { throw error }
                        throw notRunning(owner)
                    }
                    beginKeeping(home)
                }
            } catch {
                await leave(object)
                throw error
            }
            return attachment
        }
    }

    /// Whether the process whose sandbox others join is gone, though that may not have been told yet.
    func hasEnded(_ owner: String) -> Bool {
        guard let process = peer(owner).processID else { return true }
        return !HostFile.exists("/proc/\(process)/ns/net")
    }

    func notRunning(_ owner: String) -> ContainerError {
        let details = (try? object(owner)).map(details(of:))
        let what =
            details.map { details in
                let status = details.status == .running ? "just ending" : details.status.rawValue
                return "container \(details.name) is \(status)"
            } ?? "container \(owner) is gone"
        return ContainerError(.conflict, "cannot join network namespace of a non running container: \(what)")
    }

    private func attach(_ object: ContainerObject, _ request: SandboxRequest) async throws(ContainerError) -> SandboxAttachment {
        let sandboxes = services.sandboxes
        do throws(NetworkError) {
            return try await object.lane.run { () throws(NetworkError) in try sandboxes.attach(request) }
        } catch { throw ContainerError(error) }
    }

    /// Another container, as one that shares its sandbox sees it.
    private func peer(_ id: String) -> SandboxRequest.Peer {
        // One that is gone, or of which nothing is known, does not run.
        guard let object = try? object(id), let process = try? object.runningProcess() else {
            return SandboxRequest.Peer(id: id, processID: nil)
        }
        let document = object.document
        let naming = try? sandboxRequest(id, document, .endpoints([])).naming  // whom it links to may be gone
        return SandboxRequest.Peer(id: id, processID: process.processID, name: document.name, naming: naming ?? SandboxNaming())
    }

    /// Gives a container the files of names of the one whose sandbox it shares: the very same, so that what is written there it sees as well, and has still
    /// when the other is removed.
    private func shareFiles(of owner: String, with id: String) throws(ContainerError) {
        do throws(Errno) {
            let all = try Directory.open("\(services.root)/containers")
            let from = try all.openDirectory(try PathBytes(owner))
            let to = try all.openDirectory(try PathBytes(id))
            for name in ContainerFiles.names {
                let name = try PathBytes(name)
                do throws(Errno) { try to.removeFile(name) } catch { guard error == .ENOENT else { throw error } }
                try to.makeHardLink(name, to: name, in: from)
            }
        } catch { throw .storage("cannot share the files of container \(owner.prefix(12))", error) }
    }

    /// Takes a container that has ended out of its sandbox. If it was the last one there, nothing of that is held any more when this returns. What cannot be
    /// taken away is told, and found again at the next start of the engine.
    func detachNetwork(_ object: ContainerObject) async {
        // A change that has begun is brought to its end before.
        await networkTurns.run(services.sandboxes.sandboxID(of: object.id)) { () async in
            object.state.withLock { $0.hasLeftNetworks = true }
            await leave(object)
        }
    }

    private func leave(_ object: ContainerObject) async {
        let (id, sandboxes) = (object.id, services.sandboxes)
        if sandboxes.endpoints(of: id).isEmpty { publishPlaces("disconnect", object, object.document) }
        guard sandboxes.isAttached(id) else { return }
        let home = sandboxes.sandboxID(of: id)
        let wasShared = sandboxes.isShared(home)
        do throws(NetworkError) { try await object.lane.run { () throws(NetworkError) in try sandboxes.detach(id) } } catch {
            warn(object, error.description)
        }
        if wasShared, !sandboxes.isShared(home) { await releaseKeeper(home) }
    }

    /// The name and the id of a container that is removed are free, also if others are still in its sandbox.
    func forgetSandboxOwner(_ object: ContainerObject) async {
        let (id, sandboxes) = (object.id, services.sandboxes)
        guard sandboxes.isShared(id) else { return }
        await networkTurns.run(id) { () async in
            do throws(NetworkError) { try await lane.run { () throws(NetworkError) in try sandboxes.forgetOwner(id) } } catch {
                warn(object, error.description)
            }
        }
    }

    // MARK: Keepers

    /// Has whoever holds what a container's sandbox has close sockets.
    func drop(_ keys: [UInt64], of id: String, _ process: RuntimeContainer?) async throws(RuntimeError) {
        if keys.isEmpty { return }
        do throws(RuntimeError) { try await holder(of: id, process)?.drop(keys) } catch {
            // A keeper that has gone holds nothing.
            guard error.code == .notRunning, services.sandboxes.isShared(id) else { throw error }
        }
    }

    /// Hands sockets over to whoever holds what a container's sandbox has.
    func hold(_ sockets: [SandboxSocket], of id: String, _ process: RuntimeContainer?) async throws(ContainerError) {
        if sockets.isEmpty { return }
        if services.sandboxes.isShared(id) {
            _ = try await findKeeper(id, offering: sockets)
        } else {
            do throws(RuntimeError) { try await process?.sandbox.hold(try RuntimeContainer.handed(sockets)) } catch {
                throw ContainerError(error)
            }
        }
    }

    /// The sockets of a container's sandbox that are held.
    func heldKeys(of id: String, _ process: RuntimeContainer?) async throws(RuntimeError) -> Set<UInt64> {
        do throws(RuntimeError) { return Set(try await holder(of: id, process)?.held().map(\.key) ?? []) } catch {
            guard error.code == .notRunning, services.sandboxes.isShared(id) else { throw error }
            return []
        }
    }

    private func holder(of id: String, _ process: RuntimeContainer?) -> SandboxMonitor? {
        services.sandboxes.isShared(id) ? keepers.withLock { $0[id]?.monitor } : process?.sandbox
    }

    /// Finds who holds what a shared sandbox has, or makes somebody its keeper: what nobody holds any more is made anew. In one's turn. Repeating is fine.
    ///
    /// - Parameter made: sockets that were made just now.
    /// - Throws: `conflict` if no container of the sandbox has a monitor now; `system` if a port cannot be had again; and the rest.
    private func findKeeper(_ id: String, offering made: [SandboxSocket] = []) async throws(ContainerError) -> SandboxMonitor {
        do throws(RuntimeError) {
            if let known = keepers.withLock({ $0[id]?.monitor }), try await isKept(id, by: known, made) { return known }
            if let found = try await services.runtime.findSandbox(id, in: lane), try await isKept(id, by: found, made) { return found }
            for member in services.sandboxes.members(of: id) {
                let process = index.withLock { $0.containers[member] }?.state.withLock { $0.process }
                if let monitor = process?.sandbox, try await isKept(id, by: monitor, made) { return monitor }
            }
        } catch { throw ContainerError(error) }
        throw ContainerError(.conflict, "nobody can hold what sandbox \(id.prefix(12)) has: none of its containers has a monitor now")
    }

    /// Has a monitor stay for a sandbox.
    ///
    /// - Returns: whether it does; a monitor that has gone, or whose container has ended before, does not.
    private func isKept(_ id: String, by monitor: SandboxMonitor, _ made: [SandboxSocket]) async throws(RuntimeError) -> Bool {
        do throws(RuntimeError) {
            try await services.runtime.keepSandbox(id, by: monitor, in: lane)
            try await complete(monitor, id, made)
            return true
        } catch {
            guard error.code == .notRunning else { throw error }
            return false
        }
    }

    /// Has a monitor hold what is missing of a sandbox, and takes it for the keeper.
    private func complete(_ monitor: SandboxMonitor, _ id: String, _ made: [SandboxSocket]) async throws(RuntimeError) {
        let sandboxes = services.sandboxes
        let keys = sandboxes.socketKeys(of: id)
        var missing = Set(keys.names + keys.ports).subtracting(try await monitor.held().map(\.key))
        let offered = made.filter { missing.contains($0.key) }
        if !offered.isEmpty { try await monitor.hold(try RuntimeContainer.handed(offered)) }
        missing.subtract(offered.map(\.key))
        if !missing.isDisjoint(with: keys.names) {
            // They belong together.
            try await monitor.drop(keys.names)
            let names: [SandboxSocket]
            do throws(NetworkError) {
                names = try await lane.run { () throws(NetworkError) in try sandboxes.remakeNameSockets(of: id) }
            } catch { throw RuntimeError(.system, error.description) }
            try await monitor.hold(try RuntimeContainer.handed(names))
        }
        try await answerNames(of: id, by: monitor)
        keepers.withLock { $0[id, default: Keeper()].monitor = monitor }
        let lost = missing.intersection(keys.ports)
        if lost.isEmpty { return }
        let ports: (sockets: [SandboxSocket], failure: NetworkError?)
        do throws(NetworkError) {
            ports = try await lane.run { () throws(NetworkError) in sandboxes.remakePortSockets(of: id, keys: lost) }
        } catch { throw RuntimeError(.system, error.description) }
        try await monitor.hold(try RuntimeContainer.handed(ports.sockets))
        if let failure = ports.failure { throw RuntimeError(.system, failure.description) }
    }

    /// Sees to it from now on that somebody holds what a sandbox has, as long as it is shared. It is tried every second; what stands against it is told once, the
    /// second time: the first time the sandbox may be just about to end.
    private func beginKeeping(_ id: String) {
        let task = Task.detached { [self] in
            var failureCount = 0
            while services.sandboxes.isShared(id) {
                do {
                    let monitor = try await networkTurns.run(id) { () async throws(ContainerError) -> SandboxMonitor? in
                        guard services.sandboxes.isShared(id) else { return nil }
                        return try await findKeeper(id)
                    }
                    failureCount = 0
                    try await monitor?.waitUntilGone()
                } catch {
                    if Task.isCancelled { return }  // the engine closes, or the sandbox has ended
                    failureCount += 1
                    if failureCount == 2 { warn(sandbox: id, "\(error)") }
                    do throws(ReactorError) { try await services.reactor.sleep(for: .seconds(1)) } catch { return }
                }
            }
        }
        keepers.withLock { $0[id, default: Keeper()].task = task }
    }

    func warn(sandbox id: String, _ message: String) {
        services.events.publish(Event(type: "daemon", action: "warning", actorID: id, attributes: ["message": message]))
    }

    /// Lets the monitor go that has held what a sandbox had which is no more; in one's turn. Its ports are free then. Repeating is fine.
    private func releaseKeeper(_ id: String) async {
        let keeper = keepers.withLock { $0.removeValue(forKey: id) }
        keeper?.task?.cancel()
        let runtime = services.runtime
        do throws(RuntimeError) {
            var isReleased = false
            if let known = keeper?.monitor { isReleased = try await release(known) }
            if !isReleased, let found = try await runtime.findSandbox(id, in: lane) {
                _ = try await release(found)
                found.close()
            }
            try await runtime.removeSandbox(id, in: lane)
        } catch { warn(sandbox: id, error.description) }
    }

    /// - Returns: whether it was there.
    private func release(_ monitor: SandboxMonitor) async throws(RuntimeError) -> Bool {
        do throws(RuntimeError) {
            try await monitor.release()
            return true
        } catch {
            guard error.code == .notRunning else { throw error }
            return false
        }
    }

    /// Lets go of all keepers: they stay.
    func closeKeepers() async {
        let all = keepers.withLock { keepers in
            defer { keepers = [:] }
            return Array(keepers.values)
        }
        for keeper in all { keeper.task?.cancel() }
        for keeper in all {
            await keeper.task?.value
            keeper.monitor?.close()
        }
    }

    // MARK: Recovery

    /// Takes up that a container was found running, and goes on answering the questions of its sandbox for names, at the sockets that its monitor holds. Where
    /// others are in the sandbox the keeper is looked for later.
    func recoverSandbox(of object: ContainerObject, by process: RuntimeContainer) async throws(RuntimeError) {
        let (id, sandboxes) = (object.id, services.sandboxes)
        do throws(NetworkError) {
            try await object.lane.run { () throws(NetworkError) in try sandboxes.found(id, processID: process.processID) }
        } catch { warn(object, error.description) }
        if !sandboxes.isShared(id) { try await answerNames(of: id, by: process.sandbox) }
    }

    /// Finds the keepers of shared sandboxes, and lets go of those that stay for nobody.
    func recoverKeepers() async {
        let (runtime, sandboxes) = (services.runtime, services.sandboxes)
        // A lane that is busy: they are found again at the next start.
        let traces = (try? await lane.run { () throws(ContainerError) in runtime.sandboxTraces().filter(RandomID.isValid) }) ?? []
        for id in traces where !sandboxes.isShared(id) { await networkTurns.run(id) { () async in await releaseKeeper(id) } }
        for id in sandboxes.sharedIDs() {
            await networkTurns.run(id) { () async in
                // Told, and tried again, by the task.
                _ = try? await findKeeper(id)
                beginKeeping(id)
            }
        }
    }
}

extension SandboxAttachment {
    /// Whether the process is gone whose namespace it is: whoever it was of may run again, as another.
    var isGone: Bool {
        if case .process(let id) = namespace { !HostFile.exists("/proc/\(id)/ns/net") } else { false }
    }
}
