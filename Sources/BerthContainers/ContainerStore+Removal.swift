internal import BerthImages
internal import BerthLinux
internal import BerthReactor
internal import BerthRuntime
internal import BerthSnapshots
internal import Synchronization

// Removing.
extension ContainerStore {
    /// Of how many containers files and control groups may still be there whose removal has been told.
    static var followingFilesLimit: Int { 64 }

    func remove(_ object: ContainerObject, force: Bool, removingVolumes: Bool = false) async throws(ContainerError) {
        try object.requireKnown()
        var hasKilledStart = false
        while true {
            let (decision, startEnd, process, end) = object.state.withLock { state in
                (state.lifecycle.removalRequested(force: force), state.startEnd, state.process, state.end)
            }
            switch decision {
            case .remove: return try await perform(object, removingVolumes)
            case .refuse:
                let status = object.state.withLock { $0.lifecycle.status }
                throw ContainerError(
                    .conflict,
                    "You cannot remove a \(status.rawValue) container \(object.id). \(status == .paused ? "Unpause and then stop" : "Stop") the container before attempting removal or force remove"
                )
            case .cancelRestartFirst: _ = try await cancelRestart(object)
            case .alreadyInProgress:
                throw ContainerError(.conflict, "removal of container \(object.id) is already in progress")
            case .wait:
                if try await value(of: startEnd, within: Self.killPatience) != nil { continue }
                guard force, !hasKilledStart else {
                    throw ContainerError(
                        .busy, "container \(object.id) is being started, and its start does not come to an end: the kernel holds it")
                }
                // What it has begun ends, and with it the start.
                let runtime = services.runtime
                try await lane.run { () throws(ContainerError) in runtime.killProcesses(of: object.id) }
                hasKilledStart = true
            case .killFirst:
                object.state.withLock { state in if state.process === process { state.isStopping = true } }
                do throws(RuntimeError) { try process?.signal(9) } catch {
                    guard error.code == .notRunning else { throw ContainerError(error) }
                }
                if let process { noteKilled(object, process) }
                await releasePause(object)
                try await killed(object, end)
            }
        }
    }

    private func perform(_ object: ContainerObject, _ removingVolumes: Bool) async throws(ContainerError) {
        let outcome = await Task.detached { () async -> ContainerError? in
            do throws(ContainerError) {
                try await self.erase(object, removingVolumes)
                return nil
            } catch {
                return error
            }
        }.value
        if let outcome {
            object.state.withLock { $0.lifecycle.removalFailed() }
            throw outcome
        }
    }

    /// What is promised is that it does not exist any more. Whoever waits for that is told when its document is gone, and the rest follows, unless that of very
    /// many is on its way already.
    private func erase(_ object: ContainerObject, _ removingVolumes: Bool) async throws(ContainerError) {
        let document = object.document
        // Before its document: as long as that is there, somebody knows of them.
        if removingVolumes || document.configuration.removesItself { await removeAnonymousVolumes(of: object) }
        let restFollows = index.withLock { $0.erasing.count < Self.followingFilesLimit }
        if !restFollows || object.state.withLock({ $0.traces == .unknown }) { try await eraseTraces(of: object) }
        try await lane.run { () throws(ContainerError) in
            // Without its document it does not exist: what is left from here on belongs to nobody.
            try self.forget(object)
            if !restFollows { try self.eraseFiles(of: object) }
        }
        releaseMounts(of: document, object.id)
        await forgetSandboxOwner(object)
        let (pending, exit, removal) = object.state.withLock { state in
            state.lifecycle.removed()
            return (state.takePending(), state.lifecycle.lastExit, state.removal)
        }
        let erased = Promise<Void>()
        index.withLock { index in
            index.containers[object.id] = nil
            if index.names[object.name] == object.id { index.names[object.name] = nil }
            if restFollows { index.erasing[object.id] = erased }
        }
        for attachment in pending { attachment.bind(nil) }
        removal.fulfil(exit ?? ExitStatus(code: 0))
        publish("destroy", object)
        guard restFollows else { return await letGo(of: object) }
        Task.detached {
            do throws(ContainerError) {
                try await self.eraseTraces(of: object)
                try await self.lane.run { () throws(ContainerError) in try self.eraseFiles(of: object) }
            } catch {
                self.warn(object, "\(error.description); the next start of the engine removes what is left")
            }
            await self.letGo(of: object)
            self.index.withLock { $0.erasing[object.id] = nil }
            erased.fulfil(())
        }
    }

    private func letGo(of object: ContainerObject) async {
        services.runtime.setControlGroupParent(nil, of: object.id)
        await services.images.end(object.lease)
    }

    private func eraseTraces(of object: ContainerObject) async throws(ContainerError) {
        if object.state.withLock({ $0.traces == .none }) { return }
        do throws(RuntimeError) { try await cleanUp(object) } catch {
            throw ContainerError(error)
        }
        object.state.withLock { $0.traces = .none }
    }

    /// Its document is gone: first on the disk as well, then the rest goes.
    private func eraseFiles(of object: ContainerObject) throws(ContainerError) {
        do {
            try documents.synchronizeRemoval(of: object.document, id: object.id)
            try services.snapshots.remove(object.document.layer(of: object.id))
            try Directory.open(services.root + "/containers").removeTree(try PathBytes(object.id))
        } catch {
            throw Self.storage("cannot remove container \(object.shortID)", error)
        }
    }
}
