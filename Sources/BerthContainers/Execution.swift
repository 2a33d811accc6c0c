internal import BerthLaunch
internal import BerthLinux
internal import BerthNetworking
internal import BerthOCI
internal import BerthReactor
internal import BerthRuntime
internal import BerthState
internal import Synchronization

/// A further process that is to run in a container.
public struct ExecutionConfiguration: Sendable, Hashable {
    /// The command and its arguments.
    public var command: [String]
    /// `NAME=value`, laid over the container's environment.
    public var environment: [String] = []
    /// Where it starts. Default `nil`: where the container's process did.
    public var workingDirectory: String?
    /// `user`, `user:group`. Default `nil`: the container's.
    public var user: String?
    /// Whether it gets a terminal.
    public var terminal = false
    /// How many rows its terminal has at first, unless its start says it. Default `nil`: nobody has said it.
    public var initialTerminalRows: UInt16?
    /// How many columns, likewise.
    public var initialTerminalColumns: UInt16?
    /// Whether it has all capabilities.
    public var privileged = false
    /// Whether its client gives standard input.
    public var attachesInput = false
    /// Whether its client reads standard output.
    public var attachesOutput = false
    /// Whether its client reads standard error.
    public var attachesErrors = false
    /// The keys with which its client leaves.
    public var detachKeys = DetachKeys.standard

    /// A process of this command.
    public init(command: [String]) { self.command = command }
}

/// A further process in a container: prepared, running, or ended.
public final class Execution: Sendable {
    /// How it stands.
    public enum Phase: Hashable, Sendable {
        /// It has not been started.
        case created
        /// It is being started.
        case starting
        /// It runs: its process id in the engine's namespace.
        case running(processID: Int32)
        /// It has ended with this code, or could not be started.
        case ended(code: Int32)
    }

    /// 64 hexadecimal digits.
    public let id: String
    /// The container.
    public let container: Container
    /// What runs.
    public let configuration: ExecutionConfiguration

    private struct State {
        var phase = Phase.created
        var process: RuntimeExecution?
        /// The size that its terminal is to have once it has one.
        var awaitedSize: (rows: UInt16, columns: UInt16)?
    }
    private let state = Mutex(State())
    private let end = Promise<Int32>()
    private let store: ContainerStore
    private let object: ContainerObject

    init(id: String, _ object: ContainerObject, _ store: ContainerStore, _ configuration: ExecutionConfiguration) {
        (self.id, self.object, self.store, self.configuration) = (id, object, store, configuration)
        container = Container(object, in: store)
    }

    /// How it stands.
    public var phase: Phase { state.withLock { $0.phase } }

    /// Starts it, and takes the streams that its configuration names.
    ///
    /// - Parameters:
    ///   - rows: the terminal's, if it has one; `nil`: as its configuration says.
    ///   - columns: likewise.
    /// - Throws: `conflict` if it was started already or its container does not run, `commandNotFound`, `commandNotExecutable`.
    public func start(rows: UInt16? = nil, columns: UInt16? = nil, detached: Bool = false) async throws(ContainerError) -> Attachment {
        try state.withLock { state throws(ContainerError) in
            guard state.phase == .created else {
                throw ContainerError(.conflict, "Error: Exec command \(id) is already running or has ended: make another one")
            }
            state.phase = .starting
        }
        var options = AttachOptions(
            input: configuration.attachesInput && !detached, output: configuration.attachesOutput && !detached,
            errors: configuration.attachesErrors && !detached)
        options.detachKeys = configuration.detachKeys
        // Whoever has read to the end can ask how it ended.
        let attachment = Attachment(options, terminal: configuration.terminal, settled: { [end] in _ = await end.value() }, detached: {})
        do throws(ContainerError) {
            let process = try await store.execute(
                configuration, in: object, attachment.choice, rows ?? configuration.initialTerminalRows,
                columns ?? configuration.initialTerminalColumns)
            attachment.bind(process.stream)
            let size = state.withLock { state in
                (state.phase, state.process) = (.running(processID: process.processID), process)
                return state.awaitedSize
            }
            // Of one that has ended meanwhile, nobody sees the size.
            if let size { try? await process.resize(rows: size.rows, columns: size.columns) }
            store.publish("exec_start: \(configuration.command.joined(separator: " "))", object, ["execID": id])
            Task.detached { [self] in
                let record = await process.wait()
                finish(record?.code ?? 137)
            }
            return attachment
        } catch {
            attachment.bind(nil)
            finish(error.code == .commandNotFound ? 127 : 126)
            throw error
        }
    }

    /// Waits for its end.
    ///
    /// - Returns: the exit code; 128 and the signal for one that a signal ended.
    /// - Throws: `cancelled`.
    public func wait() async throws(ContainerError) -> Int32 {
        guard let code = await end.value() else { throw .cancelled }
        return code
    }

    /// Sets its terminal's size. One that has not been started yet gets it when it is.
    ///
    /// - Throws: `invalid` if it has no terminal, or has ended.
    public func resize(rows: UInt16, columns: UInt16) async throws(ContainerError) {
        guard configuration.terminal else { throw ContainerError(.invalid, "Exec command \(id) has no terminal") }
        let process = try state.withLock { state throws(ContainerError) -> RuntimeExecution? in
            switch state.phase {
            case .created, .starting: state.awaitedSize = (rows, columns)
            case .running: break
            case .ended: throw ContainerError(.invalid, "Exec command \(id) is not running")
            }
            return state.process
        }
        do throws(RuntimeError) { try await process?.resize(rows: rows, columns: columns) } catch { throw ContainerError(error) }
    }

    /// Kills its process, and waits until that is gone. One that was not started, or has ended, is gone.
    func end() async {
        // What it is just being started as is killed when it is there.
        while true {
            let (phase, process) = state.withLock { ($0.phase, $0.process) }
            switch phase {
            case .created, .ended: return
            case .starting:
                do throws(ReactorError) { try await store.services.reactor.sleep(for: .milliseconds(20)) } catch { return }
            case .running:
                // It has just ended.
                do throws(RuntimeError) { try await process?.signal(9) } catch {
                    guard error.code != .notRunning else { break }
                    store.warn(object, "execution \(id.prefix(12)) cannot be ended: \(error.description)")
                }
                _ = await end.value()
                return
            }
        }
    }

    private func finish(_ code: Int32) {
        let isFirst = state.withLock { state in
            if case .ended = state.phase { return false }
            state = State(phase: .ended(code: code))
            return true
        }
        guard isFirst else { return }
        end.fulfil(code)
        store.publish("exec_die", object, ["execID": id, "exitCode": String(code)])
        store.forget(self, of: object)
    }

    /// Its container has ended, and so has it.
    func containerEnded() {
        let isFirst = state.withLock { state in
            if case .ended = state.phase { return false }
            state = State(phase: .ended(code: 137))
            return true
        }
        if isFirst { end.fulfil(137) }
    }
}

extension ContainerStore {
    /// The most executions of one container that are remembered after they have ended.
    static var rememberedExecutionLimit: Int { 128 }
    /// The most of one container altogether.
    static var executionLimit: Int { 4096 }

    func makeExecution(in object: ContainerObject, _ configuration: ExecutionConfiguration) async throws(ContainerError) -> Execution {
        guard let first = configuration.command.first, !first.isEmpty else { throw ContainerError(.invalid, "No exec command specified") }
        if let directory = configuration.workingDirectory, !directory.isEmpty, !directory.hasPrefix("/") {
            throw ContainerError(.invalid, "the working directory '\(directory)' is invalid, it needs to be an absolute path")
        }
        try requireExecutable(object)
        let execution = Execution(id: RandomID.make(), object, self, configuration)
        let count = object.state.withLock { state in
            guard state.executions.count < Self.executionLimit else { return -1 }
            state.executions.append(execution.id)
            return state.executions.count
        }
        guard count >= 0 else {
            throw ContainerError.busy(lane: "executions of container \(object.shortID)", waitingCount: Self.executionLimit)
        }
        index.withLock { $0.executions[execution.id] = execution }
        publish("exec_create: \(configuration.command.joined(separator: " "))", object, ["execID": execution.id])
        return execution
    }

    /// Old ones that have ended are forgotten: what has just ended can still be asked about.
    func forget(_ ended: Execution, of object: ContainerObject) {
        let ids = object.state.withLock { $0.executions }
        guard ids.count > Self.rememberedExecutionLimit else { return }
        let over = ids.count - Self.rememberedExecutionLimit
        let gone = index.withLock { index in
            let old = ids.filter { id in
                if case .ended = index.executions[id]?.phase { return id != ended.id }
                return false
            }.prefix(over)
            for id in old { index.executions[id] = nil }
            return Set(old)
        }
        object.state.withLock { $0.executions.removeAll { gone.contains($0) } }
    }

    func execute(
        _ execution: ExecutionConfiguration, in object: ContainerObject, _ streams: MonitorRequest.StreamChoice, _ rows: UInt16?,
        _ columns: UInt16?
    ) async throws(ContainerError) -> RuntimeExecution {
        try requireExecutable(object)
        let process = try object.runningProcess()
        let document = object.document
        let configuration = document.configuration
        let userText =
            execution.user.flatMap { $0.isEmpty ? nil : $0 } ?? configuration.user.flatMap { $0.isEmpty ? nil : $0 }
            ?? document.imageExecution.user ?? ""
        let hostname = hostname(of: document, object.id)
        let linkVariables = linkVariables(of: document)
        let specification = try await object.lane.run { () throws(ContainerError) -> RuntimeSpec.Process in
            let root: Directory
            do throws(RuntimeError) { root = try process.openRoot() } catch { throw ContainerError(error) }
            var user = try UserResolver.resolve(userText, in: root)
            user.add(try UserResolver.groups(configuration.addedGroups, in: root))
            var adapted = self.services.defaults.inForce(configuration)
            adapted.terminal = execution.terminal
            adapted.entrypoint = execution.command
            adapted.command = nil
            if let directory = execution.workingDirectory, !directory.isEmpty { adapted.workingDirectory = directory }
            (adapted.initialTerminalRows, adapted.initialTerminalColumns) = (rows, columns)
            if execution.privileged { adapted.privileged = true }
            var input = SpecificationInput(
                id: object.id, configuration: adapted, image: document.imageExecution, hostname: hostname, network: .new, files: [],
                hostDevices: [], seccomp: nil)
            input.linkVariables = linkVariables
            // As the container's own, also of one that is privileged.
            input.appArmorProfile = try self.appArmorProfile(of: object, configuration)
            input.securityLabels = document.securityLabels
            var result = try input.process(runningAs: user)
            result.env = Environment.overlay(execution.environment, on: result.env ?? [])
            return result
        }
        let filter = execution.privileged ? nil : try seccomp(of: configuration)
        do throws(RuntimeError) {
            return try await process.execute(
                specification, seccomp: filter, hasInput: streams.contains(.input), streams: streams)
        } catch {
            throw ContainerError(error, executing: execution.command)
        }
    }
}
