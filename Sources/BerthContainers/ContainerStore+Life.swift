internal import BerthLaunch
internal import BerthImages
internal import BerthLinux
internal import BerthNetworking
internal import BerthOCI
internal import BerthReactor
internal import BerthRuntime
internal import BerthSnapshots
internal import BerthState
internal import Synchronization

// Starting and ending.
extension ContainerStore {
    /// How long a process has to be gone after it was killed. One that is not is held by the kernel, as in a file system that hangs.
    static var killPatience: Duration { .seconds(10) }
    /// How often that is waited for what has ended, and is only not cleared away.
    static var clearingTurns: Int { 12 }
    /// How often it is waited for while its monitor says nothing, which is only slow where hundreds end at the same moment.
    static var silentTurns: Int { 3 }

    func start(_ object: ContainerObject) async throws(ContainerError) {
        try object.requireKnown()
        while true {
            let (decision, pending) = object.state.withLock { ($0.lifecycle.startRequested(), $0.startEnd) }
            switch decision {
            case .start:
                object.state.withLock { ($0.backOff, $0.isStopping) = (RestartBackOff(), false) }
                return try await begin(object)
            case .alreadyRunning: throw ContainerError(.notModified, "container \(object.id) runs already")
            case .isPaused: throw ContainerError(.conflict, "cannot start a paused container, try unpause instead")
            case .beingRemoved: throw ContainerError(.conflict, "container \(object.id) is being removed: it cannot be started")
            case .alreadyStarting:
                // Whoever comes second is told what became of the first.
                guard await pending.value() != nil else { throw .cancelled }
            }
        }
    }

    /// Starts what it is said of that it is being started.
    func begin(_ object: ContainerObject) async throws(ContainerError) {
        // A start that has begun is brought to its end, whoever asked for it and has gone.
        let outcome: Result<Void, ContainerError> = await Task.detached { () async -> Result<Void, ContainerError> in
            do throws(ContainerError) {
                try await self.launch(object)
                return .success(())
            } catch {
                return .failure(error)
            }
        }.value
        tellStartEnd(object)
        try outcome.get()
    }

    /// Nobody starts it after all, of which it was said that it is being started.
    func withdrawStart(_ object: ContainerObject) {
        object.state.withLock { $0.lifecycle.startWithdrawn() }
        tellStartEnd(object)
    }

    private func tellStartEnd(_ object: ContainerObject) {
        let ended = object.state.withLock { state in
            defer { state.startEnd = Promise() }
            return state.startEnd
        }
        ended.fulfil(())
    }

    private func launch(_ object: ContainerObject) async throws(ContainerError) {
        // What is just being copied into its layer is brought to its end.
        while let copying = object.copyHold.pending { _ = await copying.value() }
        let document = object.document
        let pending = object.state.withLock { $0.takePending() }
        do throws(ContainerError) {
            let memories = memories(of: document)
            try await memoryClaims.hold(memories)
            defer { memoryClaims.release(memories) }
            try requireStillLayers(document)
            try await rememberStart(object)
            // Its root and its sandbox have nothing to do with each other.
            async let preparing = prepare(object, document)
            let attachment = await attached(object, document)
            let prepared = await preparing
            let process = try await run(object, document, attachment, prepared, pending.map(\.choice))
            let streams = process.takeInitialStreams()
            for (attachment, stream) in zip(pending, streams) { attachment.bind(stream) }
            object.state.withLock { state in
                state.process = process
                (state.hasLeftNetworks, state.isEnding, state.hasExited) = (false, false, false)
                state.lifecycle.started(processID: process.processID, at: Timestamp(nanoseconds: process.startedAt))
            }
            // Before it can end and be removed. If it cannot be written, the next start forgets it as well.
            if document.startFailure != nil { try? await remember(object, failure: nil) }
            publishMounts("mount", of: document, object)
            publish("start", object)
            watch(object, process)
        } catch {
            await detachNetwork(object)
            for attachment in pending { attachment.bind(nil) }
            let code: Int32 =
                switch error.code {
                case .commandNotFound: 127
                case .commandNotExecutable: 126
                default: 128
                }
            let failure = ExitStatus(code: code, finishedAt: .now, reason: error.description)
            // That it failed is worth keeping, and not worth failing for. Until it is written, nobody removes what it is written to.
            try? await remember(object, failure: failure)
            let delay = object.state.withLock { $0.startFailed(failure, isWorthAnother: error.isWorthAnotherStart) }
            if let delay { scheduleRestart(object, after: delay) }
            let isKept = object.state.withLock { $0.edit == .underWay }
            if document.configuration.removesItself, !isKept { try? await remove(object, force: true) }  // kept, it can still be removed
            throw error
        }
    }

    private func remember(_ object: ContainerObject, failure: ExitStatus?) async throws(ContainerError) {
        let isAgain = object.state.withLock { $0.lifecycle.isStartedAgain }
        try await save(object) { document in
            document.startFailure = failure
            // What has never run is not started by the next engine.
            if failure != nil, !isAgain { document.restartMemory?.isWanted = false }
        }
    }

    /// The monitor, with the root.
    private func prepare(_ object: ContainerObject, _ document: ContainerDocument) async -> Result<PreparedMonitor, ContainerError> {
        let (id, services) = (object.id, services)
        object.state.withLock { $0.traces = .unknown }
        do throws(ContainerError) {
            return .success(
                try await object.lane.run { () throws(ContainerError) in
                    let root: RootMount
                    do throws(SnapshotError) {
                        root =
                            switch try services.snapshots.mounts(of: document.layer(of: id)) {
                            case .overlay(let base, let lowers, let upper, let work):
                                .overlay(
                                    base: base, lowers: lowers, upper: upper, work: work, label: document.securityLabels?.mount ?? "")
                            case .directory(let path): .directory(path)
                            }
                    } catch {
                        throw Self.storage("cannot mount the root of container \(id.prefix(12))", error)
                    }
                    do throws(RuntimeError) {
                        return try services.runtime.prepare(
                            .init(
                                id: id, stateDirectory: "\(services.root)/containers/\(id)", root: root,
                                isRemovedAtItsEnd: document.configuration.removesItself))
                    } catch { throw ContainerError(error) }
                })
        } catch { return .failure(error) }
    }

    private func attached(_ object: ContainerObject, _ document: ContainerDocument) async -> Result<SandboxAttachment, ContainerError> {
        do throws(ContainerError) {
            let attachment = try await attachNetwork(object, document)
            if attachment.endpoints.isEmpty { publishPlaces("connect", object, document) }
            return .success(attachment)
        } catch { return .failure(error) }
    }

    /// Starts the process, where there are a monitor and a sandbox for it. Otherwise the monitor that there is goes.
    private func run(
        _ object: ContainerObject, _ document: ContainerDocument, _ attached: Result<SandboxAttachment, ContainerError>,
        _ prepared: Result<PreparedMonitor, ContainerError>, _ streams: [MonitorRequest.StreamChoice]
    ) async throws(ContainerError) -> RuntimeContainer {
        let monitor: PreparedMonitor
        let (attachment, start): (SandboxAttachment, Runtime.Start)
        do throws(ContainerError) {
            attachment = try attached.get()
            monitor = try prepared.get()
            start = try await self.start(object, document, attachment, streams)
        } catch {
            if let unused = try? prepared.get() {
                // An answer means that nothing is left of it.
                try? await object.lane.run { () throws(RuntimeError) in self.services.runtime.abandon(unused) }
            }
            throw error
        }
        // The namespaces are held until the container is in them.
        defer { extendLifetime((attachment, start)) }
        do throws(RuntimeError) { return try await services.runtime.start(start, by: monitor, in: object.lane) } catch {
            if let owner = document.sandboxOwner, attachment.isGone || hasEnded(owner) { throw notRunning(owner) }
            throw ContainerError(error, executing: document.configuration.arguments(image: document.imageExecution))
        }
    }

    /// What is started.
    private func start(
        _ object: ContainerObject, _ document: ContainerDocument, _ attachment: SandboxAttachment,
        _ streams: [MonitorRequest.StreamChoice]
    ) async throws(ContainerError) -> Runtime.Start {
        let id = object.id
        let directory = "\(services.root)/containers/\(id)"
        let configuration = services.defaults.inForce(document.configuration)
        let input = SpecificationInput(
            id: id, configuration: configuration, image: document.imageExecution, hostname: hostname(of: document, id),
            network: attachment.namespace,
            files: ContainerFiles.names.map { ("/etc/\($0)", "\(directory)/\($0)") }, hostDevices: [],
            seccomp: try seccomp(of: configuration), joined: try join(configuration.namespaces), linkVariables: linkVariables(of: document),
            mounts: document.placedMounts,
            mountSources: try await mountSources(object, document))
        let userText = configuration.user.flatMap { $0.isEmpty ? nil : $0 } ?? document.imageExecution.user ?? ""
        let log = try await object.lane.run { () throws(ContainerError) in try self.log(of: object, document) }
        var start = Runtime.Start(
            log: log,
            input: !configuration.openStandardInput ? .none : configuration.standardInputOnce ? .once : .open
        ) { root throws(RuntimeError) in
            do throws(ContainerError) {
                try self.writeFiles(document, id, attachment.files)
                try self.relabel(document, id, input.mountSources)
                var input = input
                if configuration.privileged { input.hostDevices = HostDevices.all() }
                input.appArmorProfile = try self.appArmorProfile(of: object, configuration)
                input.securityLabels = document.securityLabels
                input.devices = try ResolvedDevices(of: configuration, describedIn: self.services.defaults.deviceDirectories)
                var user = try UserResolver.resolve(userText, in: root)
                user.add(try UserResolver.groups(configuration.addedGroups, in: root) + input.devices.groups)
                return try input.specification(runningAs: user)
            } catch {
                throw RuntimeError(error.code == .storage ? .system : .invalid, error.description, underlying: error.underlying)
            }
        }
        start.initialStreams = streams
        // Whoever shares others' processes has their process 1.
        start.hasInit = configuration.runsInit == true && configuration.namespaces.pid.isOwn
        do throws(RuntimeError) { start.heldSockets = try RuntimeContainer.handed(attachment.sockets) } catch {
            throw ContainerError(error)
        }
        return start
    }

    /// What belongs to a container at its start, beside its root.
    private func writeFiles(_ document: ContainerDocument, _ id: String, _ files: SandboxFiles?) throws(ContainerError) {
        try restoreFiles(document, id)
        if let files { try write(files, id) }
        do throws(SnapshotError) { try Self.makeSources(document.placedMounts) } catch {
            throw Self.storage("cannot mount the root of container \(id.prefix(12))", error)
        }
    }

    /// As Docker's `-v` does: a source that is not there is made a directory.
    private static func makeSources(_ mounts: [ContainerMount]) throws(SnapshotError) {
        for mount in mounts where mount.createsSource == true && !HostFile.exists(mount.source) {
            do throws(Errno) { _ = try Directory.open("/").makeDirectories(try PathBytes(mount.source), permissions: 0o755) } catch {
                throw SnapshotError(.storage, "error while creating mount source path '\(mount.source)': \(error)", underlying: error)
            }
        }
    }

    // MARK: Ending

    /// Follows a process to its end.
    func watch(_ object: ContainerObject, _ process: RuntimeContainer) {
        beginChecking(object, process)
        let watcher = Task.detached {
            // Only when the engine closes there is no record: the next one finds it again.
            guard let record = await self.follow(object, process) else { return }
            await self.ended(object, ExitStatus(record))
        }
        object.state.withLock { $0.watcher = watcher }
    }

    /// Waits for the end, however often the monitor drops the connection. `nil`: the wait was cancelled.
    private func follow(_ object: ContainerObject, _ first: RuntimeContainer) async -> ExitRecord? {
        var process = first
        while true {
            do throws(RuntimeError) {
                if let record = try await process.wait() { return record }
                // The connection is gone. Whether the monitor is, is asked of the monitor.
                switch try await services.runtime.reconnect(
                    id: object.id, stateDirectory: "\(services.root)/containers/\(object.id)", in: object.lane)
                {
                case .running(let again):
                    process = again
                    object.state.withLock { $0.process = again }
                case .ended(let record), .lost(let record): return record
                case .nothing:
                    return ExitRecord(
                        code: 137, signal: 9, startedAt: process.startedAt, finishedAt: Timestamp.now.nanoseconds, reason: "monitor lost")
                }
            } catch {
                if error.code == .cancelled { return nil }
                warn(object, error.description)
                do throws(ReactorError) { try await services.reactor.sleep(for: .seconds(1)) } catch { return nil }
            }
        }
    }

    /// What confines it, loaded. What the host has been given for that is told.
    func appArmorProfile(of object: ContainerObject, _ configuration: ContainerConfiguration) throws(ContainerError) -> String? {
        try AppArmor.profile(of: configuration) {
            warn(object, "the AppArmor profile '\(AppArmor.defaultProfile)' was handed to the kernel, to confine containers")
        }
    }

    func warn(_ object: ContainerObject, _ message: String) {
        services.events.publish(Event(type: "daemon", action: "warning", actorID: object.id, attributes: ["message": message]))
    }

    /// Lets go of everything that runs: it runs on, and whoever opens the root next finds it. What is asked of the store from here on is undefined.
    public func close() async {
        let objects = objects()
        let watchers = objects.compactMap { object in object.state.withLock { $0.watcher } }
        for watcher in watchers { watcher.cancel() }
        for watcher in watchers { await watcher.value }
        await closeRestarts(objects)
        for erased in index.withLock({ Array($0.erasing.values) }) { _ = await erased.value() }
        await closeKeepers()
        for object in objects { object.state.withLock { $0.process }?.close() }
    }

    func ended(_ object: ContainerObject, _ exit: ExitStatus) async {
        object.state.withLock { ($0.isEnding, $0.hasExited) = (true, true) }
        await clearAway(object)
        await detachNetwork(object)
        await releasePause(object)
        let (executions, end, delay, removesItself) = object.state.withLock {
            state -> ([String], Promise<ExitStatus>, Duration?, Bool) in
            let delay = state.exited(exit)
            defer {
                state.executions = []
                state.end = Promise()
            }
            return (state.executions, state.end, delay, state.document.configuration.removesItself && !state.isKept)
        }
        index.withLock { index in for id in executions { index.executions[id]?.containerEnded() } }
        if exit.outOfMemory { publish("oom", object) }
        publish("die", object, ["exitCode": String(exit.code)])
        publishMounts("unmount", of: object.document, object)
        if let delay { scheduleRestart(object, after: delay) }
        end.fulfil(exit)
        index.withLock { index in for id in executions { index.executions[id] = nil } }
        if removesItself {
            do throws(ContainerError) { try await remove(object, force: true) } catch {
                // Somebody else may be at it already; then it is done as well.
                guard error.code != .conflict else { return }
                warn(object, error.description)
                // Who waits for the removal waits no longer: it is there and can be removed.
                let removal = object.state.withLock { state in
                    defer { state.removal = Promise() }
                    return state.removal
                }
                var told = exit
                told.reason = error.description
                removal.fulfil(told)
            }
        }
    }

    /// What is left is cleared away before anybody is told: an answer to a wait or a stop means that nothing is left. Of one that removes itself nobody can be told but
    /// that, and what has no process any more goes with the rest of it.
    private func clearAway(_ object: ContainerObject) async {
        let configuration = object.document.configuration
        // With its process 1 all of its processes have ended.
        if configuration.removesItself, configuration.namespaces.pid.isOwn {
            let goesWithTheRest = object.state.withLock { state in
                if !state.isKept { state.traces = .withoutProcesses }
                return !state.isKept
            }
            if goesWithTheRest { return }
        }
        do throws(RuntimeError) {
            try await endRemainingProcesses(of: object)
            try await cleanUp(object)
            object.state.withLock { $0.traces = .none }
        } catch {
            warn(object, error.description)
        }
    }

    /// Removes what a container that has ended has in the runtime, and tells what its hooks did wrong.
    func cleanUp(_ object: ContainerObject) async throws(RuntimeError) {
        for wrong in try await services.runtime.cleanUp(id: object.id, in: object.lane) { warn(object, wrong) }
    }

    func kill(_ object: ContainerObject, signal text: String) async throws(ContainerError) {
        let signal = try text.isEmpty ? .kill : SignalNumber(parsing: text)
        // The end is that of the process which gets the signal: taken together, whatever comes after it.
        let stopSignal = try stopSignal(of: object.document)
        let isMeantToEnd = signal == .kill || signal == stopSignal
        let (running, end) = isMeantToEnd ? try await claimStop(object) : try await whatRuns(object)
        let notRunning = ContainerError(
            .conflict, "Cannot kill container: \(object.name): Container \(object.id) is not running")
        guard let process = running else {
            // One that is to be started again is not, after a signal that ends it; any other finds nobody.
            if isMeantToEnd {
                guard try await cancelRestart(object) else { throw notRunning }
            } else {
                guard object.state.withLock({ $0.lifecycle.isActive }) else { throw notRunning }
            }
            return
        }
        if isMeantToEnd { try await rememberStop(object) }
        do throws(RuntimeError) { try process.signal(signal.rawValue) } catch {
            guard error.code != .notRunning else { throw notRunning }
            throw ContainerError(error)
        }
        if signal == .kill { noteKilled(object, process) }
        // What stands still does not end.
        if isMeantToEnd { await endPause(object) }
        publish("kill", object, ["signal": String(signal.rawValue)])
        // Docker answers when the container is gone.
        if signal == .kill { try await killed(object, end) }
    }

    /// The process, if there is one, and the promise of its end. One that is being started is waited for.
    func whatRuns(_ object: ContainerObject) async throws(ContainerError) -> (RuntimeContainer?, Promise<ExitStatus>) {
        try object.requireKnown()
        while true {
            let (process, end, starting) = object.state.withLock { state in
                (state.process, state.end, state.lifecycle.phase == .starting ? state.startEnd : nil)
            }
            guard let starting else { return (process, end) }
            guard await starting.value() != nil else { throw .cancelled }
        }
    }

    /// What has been killed is not made to stand still any more.
    func noteKilled(_ object: ContainerObject, _ process: RuntimeContainer) {
        object.state.withLock { state in if state.process === process { state.isEnding = true } }
    }

    /// Waits for what has been killed.
    ///
    /// - Throws: `busy` if it has not ended in time, `cancelled`.
    func killed(_ object: ContainerObject, _ end: Promise<ExitStatus>) async throws(ContainerError) {
        let (runtime, id) = (services.runtime, object.id)
        let seconds = Self.killPatience.components.seconds
        for turn in 1...Self.clearingTurns {
            guard try await value(of: end, within: Self.killPatience) == nil else { return }
            // What has ended is being cleared away: of hundreds that end at the same moment, each waits for its turn.
            if object.state.withLock({ $0.hasExited }) { continue }
            if try await lane.run({ () throws(ContainerError) in runtime.hasProcesses(of: id) }) {
                throw ContainerError(
                    .busy,
                    "container \(object.id) was killed and has not ended after \(seconds) s: the kernel holds a process of it, as in a file system that does not answer. It ends when that does; then try again"
                )
            }
            if turn >= Self.silentTurns { break }
        }
        throw ContainerError(
            .busy,
            "container \(object.id) was killed and no process of it is left, but its monitor has not said so: somebody may have stopped it. It goes on when that does; then try again"
        )
    }

    /// A promise's value, or `nil` if it has not come by then.
    func value<Value: Sendable>(of promise: Promise<Value>, within bound: Duration) async throws(ContainerError) -> Value? {
        let reactor = services.reactor
        let value = await withTaskGroup(of: Value?.self) { group in
            group.addTask { await promise.value() }
            group.addTask {
                try? await reactor.sleep(for: bound)  // cancelled: the value has come
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
        if value == nil, Task.isCancelled { throw .cancelled }
        return value
    }

    func stop(
        _ object: ContainerObject, signal: String?, timeoutSeconds: Int?, isLasting: Bool = true
    ) async throws(ContainerError) {
        let document = object.document
        let number = try stopSignal(of: document, signal)
        let seconds = timeoutSeconds ?? document.configuration.stopTimeoutSeconds ?? 10
        let (running, end) = try await claimStop(object)
        guard let process = running else {
            guard try await cancelRestart(object, isLasting: isLasting) else {
                throw ContainerError(.notModified, "container \(object.id) does not run")
            }
            return publish("stop", object)
        }
        // The next engine must not start what has been told to end.
        if isLasting { try await rememberStop(object) }

        // A stop that has begun goes on when whoever asked for it has gone.
        let work = Task.detached { [self] () -> Result<Void, ContainerError> in
            do throws(ContainerError) {
                send(number.rawValue, to: process, of: object)
                // What stands still cannot do as it is told.
                await endPause(object)
                if seconds < 0 {
                    guard await end.value() != nil else { throw .cancelled }
                } else if try await value(of: end, within: .seconds(seconds)) == nil {
                    send(9, to: process, of: object)
                    noteKilled(object, process)
                    await endPause(object)
                    try await killed(object, end)
                }
                return .success(())
            } catch { return .failure(error) }
        }
        // The work is done when the process has ended, or will not.
        let outcome = Promise<Result<Void, ContainerError>>()
        Task.detached { outcome.fulfil(await work.value) }
        guard let result = await outcome.value() else { throw .cancelled }
        try result.get()
        publish("stop", object)
    }

    private func send(_ signal: Int32, to process: RuntimeContainer, of object: ContainerObject) {
        do throws(RuntimeError) { try process.signal(signal) } catch {
            if error.code != .notRunning { warn(object, error.description) }  // it has just ended
            return
        }
        publish("kill", object, ["signal": String(signal)])
    }
}

extension ExitStatus {
    init(_ record: ExitRecord) {
        self.init(
            code: record.code, outOfMemory: record.outOfMemory, startedAt: Timestamp(nanoseconds: record.startedAt),
            finishedAt: Timestamp(nanoseconds: record.finishedAt), reason: record.reason)
    }
}

extension ContainerStore {
    /// How a container's log is kept, and what each line of it has with it.
    private func log(of object: ContainerObject, _ document: ContainerDocument) throws(ContainerError) -> MonitoredLog {
        let configuration = document.configuration
        let imageID = document.imageID.description
        let facts = LogAttributes.Facts(
            labels: configuration.mergedLabels(image: document.imageExecution),
            environment: configuration.mergedEnvironment(image: document.imageExecution),
            names: [
                .shortID: object.shortID, .id: object.id, .name: document.name,
                // As Docker has it, with the name of the algorithm.
                .shortImageID: String(imageID.prefix(12)), .imageID: imageID, .image: configuration.image, .daemon: "berth",
            ])
        let hostname: String
        do throws(Errno) {
            hostname = String(decoding: try HostFile.read("/proc/sys/kernel/hostname", limit: 256).prefix { $0 != 10 }, as: UTF8.self)
        } catch { throw Self.storage("cannot read the host's name", error) }
        return try configuration.logSettings().log(named: "\(object.id)-json.log", hostname: hostname, facts)
    }
}
