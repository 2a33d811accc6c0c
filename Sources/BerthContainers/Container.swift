internal import BerthLinux
internal import BerthOCI
internal import BerthRuntime
internal import Synchronization

/// A container, by its id: a small value that never goes stale. What it names may be gone; then every method throws `notFound`.
public struct Container: Sendable, Hashable {
    /// 64 hexadecimal digits.
    public let id: String
    let store: ContainerStore

    init(_ object: ContainerObject, in store: ContainerStore) { (id, self.store) = (object.id, store) }

    /// Two are the same if their ids are.
    public static func == (a: Self, b: Self) -> Bool { a.id == b.id }
    /// By id.
    public func hash(into hasher: inout Hasher) { hasher.combine(id) }

    private func object() throws(ContainerError) -> ContainerObject { try store.object(id) }

    /// Its name.
    public var name: String {
        get throws(ContainerError) { try object().name }
    }

    /// Starts its process. It runs when this returns.
    ///
    /// A start that has begun comes to its end also when the task that asked for it is cancelled.
    /// - Throws: `notModified` if it runs; `commandNotFound`, `commandNotExecutable` for the command; `conflict`, `invalid`, `runtime`. It is
    ///   then as it was, and can be started again.
    public func start() async throws(ContainerError) { try await store.start(object()) }

    /// Asks its process to end, and kills it when it has not by then. It has ended when this returns.
    ///
    /// - Parameters:
    ///   - signal: what is sent first; `nil` is what the container or its image says, else `SIGTERM`.
    ///   - timeoutSeconds: how long to wait before `SIGKILL`; negative is for ever; `nil` is what the container says, else 10.
    /// - Throws: `notModified` if it does not run.
    public func stop(signal: String? = nil, timeoutSeconds: Int? = nil) async throws(ContainerError) {
        try await store.stop(object(), signal: signal, timeoutSeconds: timeoutSeconds)
    }

    /// Sends a signal to its process. After `KILL`, it has ended when this returns.
    ///
    /// - Parameter signal: a name, with or without `SIG`, or a number; the empty text is `KILL`.
    /// - Throws: `invalid` for what is no signal, `conflict` if it does not run.
    public func kill(signal: String = "KILL") async throws(ContainerError) { try await store.kill(object(), signal: signal) }

    /// Removes it: process, layer, log and name. Nothing of it is listed when this returns, and its name is free.
    ///
    /// The files of its layer may be going still. Closing the engine waits for them; what a program leaves that ends without is removed by the next engine.
    /// A loss of power in that moment may bring the container back, as it was.
    ///
    /// - Parameters:
    ///   - force: whether it may be killed first.
    ///   - removingVolumes: whether the volumes that nobody has named and no other container has go too. Those of one that removes itself always do.
    /// - Throws: `conflict` if it runs and may not be killed, or is being removed already; `storage`: it can be tried again.
    public func remove(force: Bool = false, removingVolumes: Bool = false) async throws(ContainerError) {
        try await store.remove(object(), force: force, removingVolumes: removingVolumes)
    }

    /// Registers a wait, now; the exit that it is for is not missed however long its value is waited for later.
    ///
    /// - Throws: `notFound`.
    public func waiter(_ condition: WaitCondition = .notRunning) throws(ContainerError) -> ExitWaiter {
        let object = try object()
        switch condition {
        case .removed: return ExitWaiter(object.state.withLock { $0.removal })
        case .nextExit: return ExitWaiter(object.state.withLock { $0.end })
        case .notRunning:
            return object.state.withLock { state in
                guard !state.lifecycle.isActive else { return ExitWaiter(state.end) }
                let promise = Promise<ExitStatus>()
                promise.fulfil(state.lifecycle.lastExit ?? ExitStatus(code: 0))
                return ExitWaiter(promise)
            }
        }
    }

    /// Waits until it has ended, or is gone.
    ///
    /// - Returns: how it ended; at once if that has been.
    /// - Throws: `cancelled`.
    public func wait(_ condition: WaitCondition = .notRunning) async throws(ContainerError) -> ExitStatus {
        try await waiter(condition).value()
    }

    /// Takes its streams. Before it runs, the attachment waits for the start and then misses nothing; while it runs, it has what comes from now on.
    ///
    /// - Throws: `notFound`, `conflict` while it is being removed.
    public func attach(_ options: AttachOptions = AttachOptions()) async throws(ContainerError) -> Attachment {
        try await store.attach(object(), options)
    }

    /// Sets its terminal's size.
    ///
    /// - Throws: `conflict` if it does not run, `invalid` if it has no terminal.
    public func resize(rows: UInt16, columns: UInt16) async throws(ContainerError) {
        let object = try object()
        let process = try object.runningProcess()
        do throws(RuntimeError) { try await process.resize(rows: rows, columns: columns) } catch {
            if error.underlying == .ENOTTY { throw ContainerError(.invalid, "container \(object.name) has no terminal") }
            throw ContainerError(error)
        }
        store.publish("resize", object, ["height": String(rows), "width": String(columns)])
    }

    /// What it has written, from its log.
    ///
    /// - Throws: `unsupported` if it keeps no log.
    public func logs(_ options: LogOptions = LogOptions()) throws(ContainerError) -> LogStream {
        try LogStream(store, object(), options)
    }

    /// Prepares a further process in it, which ``Execution/start(_:)`` starts.
    ///
    /// - Throws: `conflict` if it does not run, `invalid`.
    public func makeExecution(_ configuration: ExecutionConfiguration) async throws(ContainerError) -> Execution {
        try await store.makeExecution(in: object(), configuration)
    }

    /// All that is known of it.
    public func details() throws(ContainerError) -> ContainerDetails { store.details(of: try object()) }
}

/// A wait that is registered.
public struct ExitWaiter: Sendable {
    private let promise: Promise<ExitStatus>
    init(_ promise: Promise<ExitStatus>) { self.promise = promise }

    /// Waits.
    ///
    /// - Throws: `cancelled`.
    public func value() async throws(ContainerError) -> ExitStatus {
        guard let status = await promise.value() else { throw .cancelled }
        return status
    }
}

extension ContainerStore {
    func attach(_ object: ContainerObject, _ options: AttachOptions) async throws(ContainerError) -> Attachment {
        let terminal = object.document.configuration.terminal
        let attachment = Attachment(options, terminal: terminal) { [weak self] in self?.publish("detach", object) }
        while true {
            // A start has taken its clients already: this one comes right after it.
            let (process, starting) = try object.state.withLock { state throws(ContainerError) in
                switch state.lifecycle.phase {
                case .idle:
                    state.pending.removeAll { $0.waiting == nil }
                    guard state.pending.count < 64 else { throw ContainerError.busy(lane: "the container's start", waitingCount: 64) }
                    state.pending.append(ContainerObject.PendingAttachment(attachment: attachment))
                    return (RuntimeContainer?.none, Promise<Void>?.none)
                case .starting: return (nil, state.startEnd)
                case .running: return (state.process, nil)
                case .paused:
                    throw ContainerError(.conflict, "container \(object.id) is paused, unpause the container before attach")
                case .restarting:
                    throw ContainerError(
                        .conflict, "container \(object.id) is restarting, wait until the container is running before attach")
                case .removing, .removed:
                    throw ContainerError(.conflict, "container \(object.id) is being removed: it cannot be attached to")
                }
            }
            if let starting {
                guard await starting.value() != nil else { throw .cancelled }
                continue
            }
            if let process {
                do throws(RuntimeError) { attachment.bind(try await process.attach(attachment.choice)) } catch {
                    throw ContainerError(error)
                }
            }
            publish("attach", object)
            return attachment
        }
    }
}
