public import BerthLaunch
public import BerthLinux
public import BerthOCI
internal import BerthReactor
internal import Synchronization

/// What names a running container's process for ever.
struct ContainerFacts: Hashable, Sendable {
    let id: String
    let stateDirectory: String
    let processID: Int32
    let startTicks: UInt64
    let startedAt: Int64
}

/// A container that runs, or ran a moment ago.
public final class RuntimeContainer: Sendable {
    let facts: ContainerFacts
    private let connection: MonitorConnection
    private let reactor: Reactor
    private let base: LaunchInput
    private let filters: FilterCache
    private let initialStreams: Mutex<[AttachStream]>

    init(
        _ facts: ContainerFacts, _ connection: MonitorConnection, _ reactor: Reactor, executions base: LaunchInput, _ filters: FilterCache,
        initialStreams: [AttachStream] = []
    ) {
        (self.facts, self.connection, self.reactor, self.base, self.filters) = (facts, connection, reactor, base, filters)
        self.initialStreams = Mutex(initialStreams)
    }

    /// The streams that were chosen when it was started, in that order; none the second time, and none after ``Runtime/reconnect(id:stateDirectory:in:)``.
    public func takeInitialStreams() -> [AttachStream] {
        initialStreams.withLock { streams in
            let taken = streams
            streams = []
            return taken
        }
    }

    /// The first process's id in the engine's namespace.
    public var processID: Int32 { facts.processID }
    /// When it was started, in nanoseconds since 1970.
    public var startedAt: Int64 { facts.startedAt }

    /// What its monitor holds for its sandbox. It goes on being of use after the container's end where the monitor stays.
    public var sandbox: SandboxMonitor { SandboxMonitor(connection) }

    /// Waits for the end.
    ///
    /// - Returns: how it ended, or `nil` if the monitor went without saying so: ``Runtime/recordLoss(_:in:)`` is for that.
    /// - Throws: `cancelled`.
    public func wait() async throws(RuntimeError) -> ExitRecord? {
        if let status = try await connection.exit() { return ExitRecord(status) }
        guard let record = ExitRecord.read(in: facts.stateDirectory), record.startedAt == facts.startedAt else { return nil }
        return record
    }

    /// Sends a signal to the first process, whatever its monitor is doing. `notRunning` if it has ended.
    public func signal(_ number: Int32) throws(RuntimeError) {
        do throws(Errno) {
            // Held by a descriptor before it is believed to be the one: ids are used again.
            let process = try ProcessHandle(opening: facts.processID)
            guard try ProcessTable.startTicks(of: facts.processID) == facts.startTicks else { throw .ESRCH }
            try process.signal(number)
        } catch {
            guard error == .ESRCH || error == .ENOENT else {
                throw .system("cannot send a signal to container \(facts.id.prefix(12))", error)
            }
            throw RuntimeError(.notRunning, "the container is not running")
        }
    }

    /// Lets go of the monitor: waits are `cancelled`, requests fail, the container runs on.
    public func close() { connection.close() }

    /// Sets the terminal's size. `system` with `ENOTTY` if it has none.
    public func resize(rows: UInt16, columns: UInt16) async throws(RuntimeError) {
        _ = try await connection.request(.resize(rows: rows, columns: columns, execution: 0))
    }

    /// Takes streams. Several clients may; each sees all output from now on.
    public func attach(_ streams: MonitorRequest.StreamChoice) async throws(RuntimeError) -> AttachStream {
        let received = try await connection.request(.attach(streams))
        guard let socket = received.takeDescriptor() else { throw RuntimeError(.monitor, "the monitor gave no streams") }
        return try AttachStream(socket, reactor: reactor)
    }

    /// Starts a further process in the container.
    ///
    /// - Parameters:
    ///   - process: what to run; users are numbers already.
    ///   - seccomp: the container's filter.
    /// - Throws: `commandNotFound`, `commandNotExecutable`, `workingDirectory`, `notRunning` and the rest.
    public func execute(
        _ process: RuntimeSpec.Process, seccomp: RuntimeSpec.Seccomp?, hasInput: Bool, streams: MonitorRequest.StreamChoice
    ) async throws(RuntimeError) -> RuntimeExecution {
        var input = base
        input.specification = RuntimeSpec()
        input.specification.process = process
        input.hasInput = hasInput
        input.filter = try filters.filter(for: seccomp)
        let plan = try LaunchPlan.compileExecution(input)
        let number = connection.beginExecution()
        do throws(RuntimeError) {
            let received = try await connection.request(.execute(.init(number: number, streams: streams)), sending: plan.encoded())
            guard case .started(let id, _, let at) = received.answer, let socket = received.takeDescriptor() else {
                throw RuntimeError(.monitor, "the monitor's answer to an execution makes no sense")
            }
            return RuntimeExecution(
                processID: id, startedAt: at, stream: try AttachStream(socket, reactor: reactor), number: number, connection: connection)
        } catch {
            connection.forgetExecution(number)
            throw error
        }
    }

    /// The container's root as it is now, through its first process. The descriptor is valid as long as it is held.
    public func openRoot() throws(RuntimeError) -> Directory {
        do throws(Errno) { return try ProcessTable.openRoot(of: facts.processID, startTicks: facts.startTicks) } catch {
            throw rootError(error)
        }
    }

    private func rootError(_ error: Errno) -> RuntimeError {
        // A process that is not there has just ended.
        error == .ENOENT || error == .ESRCH
            ? RuntimeError(.notRunning, "container \(facts.id) is not running")
            : .system("cannot open the root of container \(facts.id.prefix(12))", error)
    }
}

/// A further process in a container.
public final class RuntimeExecution: Sendable {
    /// Its id in the engine's namespace.
    public let processID: Int32
    /// When it was started, in nanoseconds since 1970.
    public let startedAt: Int64
    /// Its streams, as chosen.
    public let stream: AttachStream
    private let number: UInt64
    private let connection: MonitorConnection

    init(processID: Int32, startedAt: Int64, stream: AttachStream, number: UInt64, connection: MonitorConnection) {
        (self.processID, self.startedAt, self.stream, self.number, self.connection) = (processID, startedAt, stream, number, connection)
    }

    deinit { connection.forgetExecution(number) }

    /// Waits for its end. `nil`: the container's monitor has gone.
    public func wait() async -> ExitRecord? { await connection.exit(ofExecution: number).map { ExitRecord($0) } }

    /// Sets its terminal's size.
    public func resize(rows: UInt16, columns: UInt16) async throws(RuntimeError) {
        _ = try await connection.request(.resize(rows: rows, columns: columns, execution: number))
    }

    /// Sends it a signal.
    public func signal(_ signal: Int32) async throws(RuntimeError) {
        _ = try await connection.request(.signal(number: signal, execution: number))
    }
}
