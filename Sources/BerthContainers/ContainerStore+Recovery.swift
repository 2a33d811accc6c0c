internal import BerthNetworking
internal import BerthLinux
internal import BerthOCI
internal import BerthReactor
internal import BerthRuntime
internal import BerthSnapshots
internal import BerthState
internal import Synchronization

// What an engine finds when it starts.
extension ContainerStore {
    /// Finds out what runs, and removes what belongs to no container. Once, before anything else is asked.
    ///
    /// - Throws: `storage`, `busy`.
    public func recover() async throws(ContainerError) {
        let (objects, sandboxes) = (objects(), services.sandboxes)
        do throws(NetworkError) {
            try await lane.run { () throws(NetworkError) in try sandboxes.load { self.sandboxDescription($0) } }
        } catch {
            throw ContainerError(error)
        }
        // One that does not answer holds up none of the others.
        await withTaskGroup(of: Void.self) { group in
            for object in objects { group.addTask { await self.recover(object) } }
        }
        try await removeWhatBelongsToNobody()
        await recoverKeepers()
        await withTaskGroup(of: Void.self) { group in
            for object in objects { group.addTask { await self.mendNetworks(of: object) } }
        }
        // As dockerd does, also those that were never started.
        for object in objects where object.document.configuration.removesItself && object.state.withLock({ !$0.lifecycle.isRunning }) {
            try? await remove(object, force: true)  // tried again at the next start
        }
        restartWhatIsWanted(objects)
    }

    /// What documents say of a sandbox whose record cannot be read.
    private func sandboxDescription(_ id: String) -> SandboxDescription {
        var description = SandboxDescription(members: objects().filter { $0.document.sandboxOwner == id }.map { ($0.id, $0.name) })
        if let object = try? object(id) {  // it may be gone, and others still be in its sandbox
            var document = object.document
            // Whom it is linked to is only asked when it starts. Without links it says what it says.
            document.configuration.networking.links = []
            description.request = try? sandboxRequest(id, document, .endpoints(document.configuration.endpoints))
        }
        return description
    }

    private func recover(_ object: ContainerObject) async {
        do throws(RuntimeError) {
            try await lookUntilItIsClear(for: object)
        } catch {
            // Nothing is known of it, and nothing is done with it, until it can be found out.
            let unknown = ContainerError(error)
            warn(object, unknown.description)
            let seeker = Task.detached { await self.seek(object) }
            object.state.withLock { state in
                state.unknown = unknown
                state.watcher = seeker
            }
        }
    }

    private func seek(_ object: ContainerObject) async {
        while true {
            // Cancelled: the engine closes.
            do throws(ReactorError) { try await services.reactor.sleep(for: .seconds(1)) } catch { return }
            do throws(RuntimeError) {
                try await look(for: object)
            } catch {
                let unknown = ContainerError(error)
                object.state.withLock { $0.unknown = unknown }
                continue
            }
            if object.state.withLock({ !$0.lifecycle.isRunning }) {
                await detachNetwork(object)
                restartWhatIsWanted([object])
            }
            return await mendNetworks(of: object)
        }
    }

    /// A change of its networks that the last engine has not brought to its end. What cannot be mended now is tried again before the next change.
    private func mendNetworks(of object: ContainerObject) async {
        let process = object.state.withLock { $0.process }
        guard services.sandboxes.unsettled(object.id) != nil, process != nil || services.sandboxes.isShared(object.id) else { return }
        do throws(ContainerError) {
            try await changeNetworks(of: object) { () throws(ContainerError) in try await self.mendNetworks(of: object, by: process) }
        } catch { warn(object, error.description) }
    }

    /// One that ends while it is looked at has ended when it is looked at again.
    private func lookUntilItIsClear(for object: ContainerObject) async throws(RuntimeError) {
        for _ in 0..<Self.lookTurns {
            do throws(RuntimeError) { return try await look(for: object) } catch { guard error.code == .notRunning else { throw error } }
            // Cancelled: the engine closes.
            do throws(ReactorError) { try await services.reactor.sleep(for: .milliseconds(10)) } catch { break }
        }
        try await look(for: object)
    }

    /// How often one is looked at that is just ending: its monitor is about to say so.
    private static var lookTurns: Int { 100 }

    private func look(for object: ContainerObject) async throws(RuntimeError) {
        let directory = "\(services.root)/containers/\(object.id)"
        let found = try await services.runtime.reconnect(id: object.id, stateDirectory: directory, in: object.lane)
        switch found {
        case .running(let process):
            let isPaused = try await recoverPause(object)
            object.state.withLock { state in
                state.process = process
                state.lifecycle.started(processID: process.processID, at: Timestamp(nanoseconds: process.startedAt))
                if isPaused { _ = state.lifecycle.paused() }
                state.unknown = nil
            }
            try await recoverSandbox(of: object, by: process)
            // An engine that was killed in the middle of a rename has not told its networks.
            if let known = services.sandboxes.name(of: object.id), known != object.name { await renameInNetworks(object) }
            watch(object, process)
        case .ended(let record), .lost(let record):
            object.state.withLock { state in
                state.lifecycle = Lifecycle(endedWith: ExitStatus(record), hasRun: true)
                (state.unknown, state.process) = (nil, nil)
            }
            try await endRemainingProcesses(of: object)
            try? await cleanUp(object)  // tried again when it is removed
            await mendLayer(of: object)
        case .nothing:
            object.state.withLock { state in
                state.lifecycle = state.document.startFailure.map { Lifecycle(endedWith: $0, hasRun: false) } ?? Lifecycle()
                (state.unknown, state.process) = (nil, nil)
            }
            try? await cleanUp(object)  // likewise
            await mendLayer(of: object)
        }
    }

    /// A loss of power may have taken what was written down of its layer when it was made. What cannot be mended keeps it from its next start, which says so.
    private func mendLayer(of object: ContainerObject) async {
        let (snapshots, document) = (services.snapshots, object.document)
        let (layer, parent) = (document.layer(of: object.id), document.topLayer)
        do throws(SnapshotError) {
            try await object.lane.run { () throws(SnapshotError) in try snapshots.mend(layer, on: parent) }
        } catch { warn(object, error.description) }
    }

    /// Traces, layers and directories that carry an id of no container: what a kill has left half made or half removed.
    private func removeWhatBelongsToNobody() async throws(ContainerError) {
        let known = index.withLock { Set($0.containers.keys).union($0.setAside.keys) }
        let services = services
        let mayRun = index.withLock { index in
            Set(index.containers.values.filter { $0.state.withLock { $0.lifecycle.isRunning || $0.unknown != nil } }.map(\.id))
                .union(index.setAside.keys)
        }
        let orphans = try await lane.run { () throws(ContainerError) -> Set<String> in
            self.removeLayersOfNobody()
            if let entries = try? Directory.open(services.root + "/containers").entries() {
                for entry in entries where !known.contains(entry.name.description) && RandomID.isValid(entry.name.description) {
                    self.discard(entry.name.description)
                }
            }
            let orphans = services.runtime.traces().subtracting(known).filter(RandomID.isValid)
            for id in orphans { services.runtime.killProcesses(of: id) }
            do throws(NetworkError) {
                try services.sandboxes.removeWhatBelongsToNobody { mayRun.contains($0) }
                for id in services.sandboxes.sharedIDs() where !known.contains(id) { try services.sandboxes.forgetOwner(id) }
            } catch { throw ContainerError(error) }
            return orphans
        }
        for id in orphans { _ = try? await services.runtime.cleanUp(id: id, in: lane) }  // what stays busy is found again
    }

    /// Layers of containers that are not there, and those that a container has left for another. What a document that cannot be read names is kept.
    private func removeLayersOfNobody() {
        let (documents, setAside) = index.withLock { index in (index.containers.mapValues(\.document), Set(index.setAside.keys)) }
        let wanted = Set(documents.map { id, document in document.layer(of: id).id })
        for layer in services.snapshots.writableLayers().subtracting(wanted) {
            let owner = String(layer.prefix(RandomID.length))
            if setAside.contains(owner) { continue }
            guard documents[owner] != nil else {
                discard(layer)
                continue
            }
            try? services.snapshots.remove(WritableLayer(id: layer))  // found again at the next start
        }
    }
}
