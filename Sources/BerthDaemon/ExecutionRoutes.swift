internal import Berth
internal import DockerAPI
internal import NIOCore
internal import NIOHTTP1

/// Further processes in containers.
struct ExecutionRoutes: Sendable {
    let engine: Engine

    var routes: [Route] {
        [
            Route(.POST, "/containers/{id}/exec") { try await create($0) },
            Route(.POST, "/exec/{id}/start") { try await start($0) },
            Route(.POST, "/exec/{id}/resize") { try await resize($0) },
            Route(.GET, "/exec/{id}/json") { try await inspect($0) },
        ]
    }

    private func create(_ call: Call) async throws {
        let request = try ExecCreateRequest(parsing: try await call.jsonBody())
        let container = try engine.containers.find(call.subject)
        var configuration = ExecutionConfiguration(command: request.command)
        configuration.environment = request.environment
        configuration.workingDirectory = request.workingDirectory.isEmpty ? nil : request.workingDirectory
        configuration.user = request.user.isEmpty ? nil : request.user
        (configuration.terminal, configuration.privileged) = (request.terminal, request.privileged)
        (configuration.attachesInput, configuration.attachesOutput) = (request.attachesStandardInput, request.attachesStandardOutput)
        configuration.attachesErrors = request.attachesStandardError
        (configuration.initialTerminalRows, configuration.initialTerminalColumns) = try Self.size(request.consoleSize, call.version)
        configuration.detachKeys = try DetachKeys(parsing: request.detachKeys)
        let execution = try await container.makeExecution(configuration)
        try await call.reply.json(IDResponse(id: execution.id), .created)
    }

    private func start(_ call: Call) async throws {
        let request = try ExecStartRequest(parsing: try await call.jsonBody())
        let execution = try engine.containers.execution(call.subject)
        let (rows, columns) = try Self.size(request.consoleSize, call.version)
        if request.detach {
            _ = try await execution.start(rows: rows, columns: columns, detached: true)
            return try await call.reply.whole(.ok, type: "text/plain; charset=utf-8", [])
        }
        guard execution.phase == .created else {
            throw APIFailure(.conflict, "Error: Exec command \(execution.id) is already running or has ended: make another one")
        }
        // As Docker has it: how it comes is what the start asks for, whatever the process has.
        let terminal = request.terminal
        try await call.reply.takeOver(upgrades: call.upgrades, type: StreamFrame.type(terminal: terminal, call.version))
        let attachment: Attachment
        do throws(ContainerError) { attachment = try await execution.start(rows: rows, columns: columns) } catch {
            // The connection is the process's already, as Docker has it: the reason goes where its output would have gone.
            let words = StreamFrame.message("\(error.description)\r\n", isError: false, terminal: terminal)
            return try await TakenConnection(call).close(saying: words)
        }
        await TakenConnection(call).carry(attachment, takesInput: execution.configuration.attachesInput, terminal: terminal)
    }

    private static func size(_ size: [Int64], _ version: APIVersion) throws(APIFailure) -> (UInt16?, UInt16?) {
        // Before 1.42 it said nothing.
        guard !size.isEmpty, size != [0, 0], version >= APIVersion(1, 42) else { return (nil, nil) }
        guard size.count == 2, let rows = UInt16(exactly: size[0]), let columns = UInt16(exactly: size[1]) else {
            throw .invalid("ConsoleSize must have two numbers, height and width, each 0 to 65535")
        }
        return (rows, columns)
    }

    private func resize(_ call: Call) async throws {
        let (rows, columns) = try call.query.terminalSize()
        try await engine.containers.execution(call.subject).resize(rows: rows, columns: columns)
        try await call.reply.whole(.ok, type: "text/plain; charset=utf-8", [])
    }

    private func inspect(_ call: Call) async throws {
        try await call.reply.json(ExecInspect(try engine.containers.execution(call.subject)))
    }
}

extension ExecInspect {
    /// What is known of a further process.
    init(_ execution: Execution) {
        self.init()
        let configuration = execution.configuration
        (id, containerID) = (execution.id, execution.container.id)
        switch execution.phase {
        case .created, .starting: break
        case .running(let process): (isRunning, processID) = (true, process)
        case .ended(let code): exitCode = code
        }
        (program, arguments) = (configuration.command.first ?? "", Array(configuration.command.dropFirst()))
        (terminal, privileged, user) = (configuration.terminal, configuration.privileged, configuration.user ?? "")
        opensStandardInput = configuration.attachesInput
        (opensStandardOutput, opensStandardError) = (configuration.attachesOutput, configuration.attachesErrors)
    }
}
