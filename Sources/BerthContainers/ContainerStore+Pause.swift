internal import BerthImages
internal import BerthLinux
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
        try await object.lane.run { () throws(ContainerError) in
            try object.pauseTurn.withLock { _ throws(ContainerError) in try self.beginPause(object) }
        }
        publish("pause", object)
    }

    /// In its turn.
    private func beginPause(_ object: ContainerObject) throws(ContainerError) {
        let notRunning = ContainerError(.conflict, "Container \(object.id) is not running")
        switch object.state.withLock({ $0.lifecycle.phase }) {
        case .running: break
        case .paused: throw ContainerError(.conflict, "Container \(object.id) is already paused")
        case .restarting:
            throw ContainerError(.conflict, "Container \(object.id) is restarting, wait until the container is running")
        default: throw notRunning
        }
        do throws(RuntimeError) { try services.runtime.notePause(of: object.id) } catch {
            // It has just ended.
            throw error.underlying == .ENOENT ? notRunning : ContainerError(error)
        }
        do throws(ImageError) { try freeze(object) } catch {
            services.runtime.forgetPause(of: object.id)
            throw ContainerError(.runtime, "Cannot pause container \(object.id): \(error.description)", underlying: error.underlying)
        }
        // What has been killed meanwhile must not be kept from its end.
        guard object.state.withLock({ !$0.isEnding && $0.lifecycle.paused() }) else {
            letGo(object)
            throw notRunning
        }
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
        guard object.state.withLock({ $0.lifecycle.isPaused }) else { return false }
        do throws(ContainerError) {
            return try await object.lane.run { () throws(ContainerError) in
                object.pauseTurn.withLock { _ in
                    guard object.state.withLock({ $0.lifecycle.unpaused() }) else { return false }
                    self.letGo(object)
                    return true
                }
            }
        } catch {
            warn(object, "container \(object.shortID) cannot be resumed: \(error.description)")
            return false
        }
    }

    /// Lets it move for its end, and tells so, as Docker does.
    func endPause(_ object: ContainerObject) async {
        if await releasePause(object) { publish("unpause", object) }
    }

    private func letGo(_ object: ContainerObject) {
        // In this order: what is noted and not frozen would be frozen by the next engine.
        services.runtime.forgetPause(of: object.id)
        unfreeze(object)
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
