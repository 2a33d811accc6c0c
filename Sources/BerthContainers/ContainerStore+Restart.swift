internal import BerthOCI
internal import BerthReactor
internal import BerthRuntime
internal import Synchronization

extension Container {
    /// Ends its process, if it runs, as ``stop(signal:timeoutSeconds:)`` does, and starts it again. It runs when this returns, and has not removed itself
    /// between.
    ///
    /// A restart that has begun comes to its end also when the task that asked for it is cancelled. An engine that is killed in the middle leaves a container
    /// that has ended, which its policy starts again.
    /// - Throws: as ``stop(signal:timeoutSeconds:)`` and ``start()``.
    public func restart(signal: String? = nil, timeoutSeconds: Int? = nil) async throws(ContainerError) {
        try await store.restart(store.object(id), signal: signal, timeoutSeconds: timeoutSeconds)
    }
}

extension ContainerObject.State {
    /// Its process has ended.
    ///
    /// - Returns: how long until it is started again; `nil`: it is not, and stays as it is.
    mutating func exited(_ exit: ExitStatus) -> Duration? {
        process = nil
        checker?.cancel()
        health?.ended()
        guard lifecycle.exited(exit) else { return nil }
        let nanoseconds = (exit.finishedAt?.nanoseconds ?? 0) - (exit.startedAt?.nanoseconds ?? 0)
        return awaitRestart(code: exit.code, after: .nanoseconds(max(0, nanoseconds)))
    }

    /// It could not be started. Where a policy has tried, and it may be otherwise another time, it tries again.
    mutating func startFailed(_ exit: ExitStatus, isWorthAnother: Bool) -> Duration? {
        let isAgain = lifecycle.isStartedAgain
        lifecycle.startFailed(exit)
        return isAgain && isWorthAnother ? awaitRestart(code: exit.code, after: .zero) : nil
    }

    private mutating func awaitRestart(code: Int32, after duration: Duration) -> Duration? {
        let delay = backOff.ended(document.configuration.restart, code: code, isStopped: isStopping, after: duration)
        return delay != nil && lifecycle.awaitRestart() ? delay : nil
    }
}

extension ContainerError {
    /// Whether a start that failed so may succeed another time without anybody's doing.
    var isWorthAnotherStart: Bool {
        code != .commandNotFound && code != .commandNotExecutable && code != .invalid && code != .unsupported && code != .imageNotFound
    }
}

// Ending to begin again: asked for, or by policy.
extension ContainerStore {
    func checkLife(_ configuration: ContainerConfiguration) throws(ContainerError) {
        try configuration.restart.check()
        try HealthPlan.check(configuration.healthcheck)
        guard configuration.restart.kind == .no || !configuration.removesItself else {
            throw ContainerError(.invalid, "can't create 'AutoRemove' container with restart policy")
        }
    }

    func restart(_ object: ContainerObject, signal: String?, timeoutSeconds: Int?) async throws(ContainerError) {
        _ = try stopSignal(of: object.document, signal)
        let outcome = await Task.detached { () async -> Result<Void, ContainerError> in
            do throws(ContainerError) {
                try await self.stopAndStart(object, signal, timeoutSeconds)
                return .success(())
            } catch { return .failure(error) }
        }.value
        try outcome.get()
        publish("restart", object)
    }

    private func stopAndStart(_ object: ContainerObject, _ signal: String?, _ timeoutSeconds: Int?) async throws(ContainerError) {
        object.state.withLock { $0.isBetweenRuns = true }
        defer { object.state.withLock { $0.isBetweenRuns = false } }
        do throws(ContainerError) {
            try await stop(object, signal: signal, timeoutSeconds: timeoutSeconds, isLasting: false)
        } catch {
            // What does not run is only started.
            guard error.code == .notModified else { throw error }
        }
        do throws(ContainerError) { try await start(object) } catch {
            // Somebody else has started it meanwhile: it runs.
            guard error.code == .notModified else { throw error }
        }
    }

    /// What a stop sends first.
    func stopSignal(of document: ContainerDocument, _ asked: String? = nil) throws(ContainerError) -> SignalNumber {
        let name = [asked, document.configuration.stopSignal, document.imageExecution.stopSignal].lazy.compactMap { $0 }.first {
            !$0.isEmpty
        }
        return try name.map { text throws(ContainerError) in try SignalNumber(parsing: text) } ?? .terminate
    }

    /// Takes the process, if there is one, to be ended: what then ends was not a failure.
    func claimStop(_ object: ContainerObject) async throws(ContainerError) -> (RuntimeContainer?, Promise<ExitStatus>) {
        while true {
            let (process, end) = try await whatRuns(object)
            guard let process else { return (nil, end) }
            // One that has just ended may be about to be started again.
            let isClaimed = object.state.withLock { state in
                guard state.process === process else { return false }
                state.isStopping = true
                return true
            }
            if isClaimed { return (process, end) }
        }
    }

    // MARK: By policy

    /// Starts it again when the time has come.
    func scheduleRestart(_ object: ContainerObject, after delay: Duration) {
        let task = Task.detached { [self] in
            // The count is worth keeping, and not worth giving up for.
            let count = object.state.withLock { $0.backOff.count }
            _ = try? await save(object) { $0.restartMemory?.count = count }
            if delay > .zero {
                // Cancelled: it is not started again, or the engine closes.
                do throws(ReactorError) { try await services.reactor.sleep(for: delay) } catch { return }
            }
            guard !Task.isCancelled, object.state.withLock({ $0.lifecycle.restartDue() }) else { return }
            do throws(ContainerError) { try await begin(object) } catch {
                warn(object, "container \(object.shortID) could not be started again: \(error.description)")
            }
        }
        object.state.withLock { $0.restarter = task }
    }

    /// Has it not be started again.
    ///
    /// - Parameter isLasting: whether also not by the next engine.
    /// - Returns: whether it was to be.
    func cancelRestart(_ object: ContainerObject, isLasting: Bool = true) async throws(ContainerError) -> Bool {
        let cancelled = object.state.withLock { state -> (Promise<ExitStatus>, ExitStatus?, Task<Void, Never>?)? in
            guard state.lifecycle.restartCancelled() else { return nil }
            defer { state.end = Promise() }
            return (state.end, state.lifecycle.lastExit, state.restarter)
        }
        guard let (end, exit, task) = cancelled else { return false }
        task?.cancel()
        // Whoever waits for it to rest has waited long enough.
        end.fulfil(exit ?? ExitStatus(code: 0))
        if isLasting { try await rememberStop(object) }
        return true
    }

    /// Writes down that it is meant to run, before it does: otherwise the next engine would not know.
    func rememberStart(_ object: ContainerObject) async throws(ContainerError) {
        let (document, backOff) = object.state.withLock { ($0.document, $0.backOff) }
        guard document.configuration.restart.kind != .no else { return }
        var memory = RestartMemory()
        (memory.isWanted, memory.hasBeenStarted, memory.count) = (true, true, backOff.count)
        let wanted = memory
        guard document.restartMemory != wanted else { return }
        try await save(object) { $0.restartMemory = wanted }
    }

    /// Writes down that somebody has stopped it, before it ends.
    func rememberStop(_ object: ContainerObject) async throws(ContainerError) {
        let document = object.document
        guard document.configuration.restart.kind != .no, document.restartMemory?.isWanted == true else { return }
        try await save(object) { $0.restartMemory?.isWanted = false }
    }

    /// Has what is meant to run and does not be started: first those that others share a sandbox of.
    func restartWhatIsWanted(_ objects: [ContainerObject]) {
        let wanted = objects.filter { object in
            object.state.withLock { state in
                guard state.unknown == nil, state.lifecycle.phase == .idle, let memory = state.document.restartMemory else { return false }
                let code = state.lifecycle.lastExit?.code ?? 255
                return state.backOff.engineStarted(state.document.configuration.restart, memory, code: code)
                    && state.lifecycle.awaitRestart()
            }
        }
        for object in wanted {
            let hasOwner = object.document.sandboxOwner.map { owner in wanted.contains { $0.id == owner } } ?? false
            scheduleRestart(object, after: hasOwner ? RestartBackOff.firstDelay : .zero)
        }
    }

    /// What waits to be started again waits for the next engine.
    func closeRestarts(_ objects: [ContainerObject]) async {
        let tasks = objects.flatMap { object in object.state.withLock { [$0.restarter, $0.checker] } }.compactMap(\.self)
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
    }
}
