internal import BerthImages
internal import BerthReactor
internal import BerthRuntime
internal import Synchronization

extension Container {
    /// Has all its processes stand still. They do when this returns, and still do under the next engine.
    ///
    /// - Throws: `conflict` if it does not run, or stands still already; `runtime` for processes that cannot be made to, which then go on.
    public func pause() async throws(ContainerError) { try await store.pause(store.object(id)) }

    /// Has its processes go on.
    ///
    /// - Throws: `conflict` if they do not stand still.
    public func unpause() async throws(ContainerError) { try await store.unpause(store.object(id)) }
}

// Standing still, for as long as somebody wants it. A commit wants it for a moment, and does not end it.
extension ContainerStore {
    func pause(_ object: ContainerObject) async throws(ContainerError) {
        try object.requireKnown()
        switch object.state.withLock({ $0.lifecycle.phase }) {
        case .running: break
        case .paused: throw ContainerError(.conflict, "Container \(object.id) is already paused")
        case .restarting:
            throw ContainerError(.conflict, "Container \(object.id) is restarting, wait until the container is running")
        default: throw ContainerError(.conflict, "Container \(object.id) is not running")
        }
        let runtime = services.runtime
        try await object.lane.run { () throws(ContainerError) in
            do throws(RuntimeError) { try runtime.notePause(of: object.id) } catch { throw ContainerError(error) }
            do throws(ImageError) { try self.freeze(object) } catch {
                runtime.forgetPause(of: object.id)
                throw ContainerError(.runtime, "Cannot pause container \(object.id): \(error.description)", underlying: error.underlying)
            }
        }
        guard object.state.withLock({ $0.lifecycle.paused() }) else {
            // It has ended meanwhile, or somebody else was first.
            await letGo(object)
            throw ContainerError(.conflict, "Container \(object.id) is not running")
        }
        publish("pause", object)
    }

    func unpause(_ object: ContainerObject) async throws(ContainerError) {
        try object.requireKnown()
        guard object.state.withLock({ $0.lifecycle.isPaused }) else {
            throw ContainerError(.conflict, "Container \(object.id) is not paused")
        }
        guard await releasePause(object) else { throw ContainerError(.conflict, "Container \(object.id) is not paused") }
        publish("unpause", object)
    }

    /// Ends a pause, whoever wanted it. Repeating is fine.
    ///
    /// - Returns: whether there was one.
    @discardableResult func releasePause(_ object: ContainerObject) async -> Bool {
        guard object.state.withLock({ $0.lifecycle.unpaused() }) else { return false }
        await letGo(object)
        return true
    }

    /// Lets it move for its end, and tells so, as Docker does.
    func endPause(_ object: ContainerObject) async {
        if await releasePause(object) { publish("unpause", object) }
    }

    private func letGo(_ object: ContainerObject) async {
        let runtime = services.runtime
        do throws(ContainerError) {
            try await object.lane.run { () throws(ContainerError) in
                // In this order: what is noted and not frozen would be frozen by the next engine.
                runtime.forgetPause(of: object.id)
                self.unfreeze(object)
            }
        } catch { warn(object, "container \(object.shortID) cannot be resumed: \(error.description)") }
    }

    /// Finds out whether it stands still because somebody has wanted it. What an engine that was killed has frozen for a moment goes on.
    func recoverPause(_ object: ContainerObject) async throws(RuntimeError) -> Bool {
        let runtime = services.runtime
        let isNoted = try await object.lane.run { () throws(RuntimeError) in try runtime.isPauseNoted(of: object.id) }
        guard isNoted else {
            try await thaw(object)
            return false
        }
        try await object.lane.run { () throws(RuntimeError) in
            guard object.freezeCount.withLock({ $0 == 0 }) else { return }
            do throws(ImageError) { try self.freeze(object, isKnownToRun: true) } catch {
                throw RuntimeError(.system, error.description, underlying: error.underlying)
            }
        }
        return true
    }

    /// Processes can only be added to what moves.
    func requireExecutable(_ object: ContainerObject) throws(ContainerError) {
        try object.requireKnown()
        switch object.state.withLock({ $0.lifecycle.phase }) {
        case .paused: throw ContainerError(.conflict, "Container \(object.id) is paused, unpause the container before exec")
        case .restarting: throw ContainerError(.conflict, "Container \(object.id) is restarting, wait until the container is running")
        default: _ = try object.runningProcess()
        }
    }
}
