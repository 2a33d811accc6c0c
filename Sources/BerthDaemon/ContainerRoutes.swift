internal import Berth
internal import DockerAPI
internal import NIOHTTP1

/// Containers: made, listed, looked at, started, ended and removed.
struct ContainerRoutes: Sendable {
    let engine: Engine

    var routes: [Route] {
        [
            Route(.GET, "/containers/json") { try await list($0) },
            Route(.POST, "/containers/create") { try await create($0) },
            Route(.GET, "/containers/{id}/json") { try await inspect($0) },
            Route(.POST, "/containers/{id}/start") { try await start($0) },
            Route(.POST, "/containers/{id}/stop") { try await stop($0) },
            Route(.POST, "/containers/{id}/kill") { try await kill($0) },
            Route(.POST, "/containers/{id}/wait") { try await wait($0) },
            Route(.POST, "/containers/{id}/resize") { try await resize($0) },
            Route(.GET, "/containers/{id}/changes") { try await changes($0) },
            Route(.GET, "/containers/{id}/export") { try await export($0) },
            Route(.POST, "/commit") { try await commit($0) },
            Route(.DELETE, "/containers/{id}") { try await remove($0) },
        ]
    }

    private func container(_ call: Call) throws(ContainerError) -> Container { try engine.containers.find(call.subject) }

    private func list(_ call: Call) async throws {
        let limit = try call.query.integer("limit").flatMap { $0 > 0 ? $0 : nil }
        let found = try engine.containers.list(
            ContainerQuery(
                includesAll: call.query.bool("all"), limit: limit, filters: try Filters.parse(call.query["filters"] ?? "")))
        let usages = call.query.bool("size") ? try await engine.containers.usage(of: found) : [:]
        let now = Timestamp.now
        var writer = JSONWriter(reservingByteCount: found.count * ContainerSummary.usualByteCount)
        // Each is written as soon as it is made: a list of summaries is copied more than it is read.
        writer.array { writer in
            for container in found { writer.value(ContainerSummary(container, now: now, usage: usages[container.id], for: call.version)) }
        }
        try await call.reply.json(writer.bytes)
    }

    private func create(_ call: Call) async throws {
        let request = try ContainerCreateRequest(parsing: try await call.jsonBody(), version: call.version)
        var configuration = try ContainerConfiguration(request, version: call.version)
        configuration.name = call.query["name"]
        let platform = try Platform(parameter: call.query["platform"])
        let container: Container
        do throws(ContainerError) { container = try await engine.containers.create(configuration, platform: platform) } catch {
            // Clients take "not found" for the image's, and go and pull it.
            throw error.code == .notFound ? APIFailure.invalid(error.description) : APIFailure(error)
        }
        let isDiscarded = configuration.network == .host && !configuration.networking.publishedPorts.isEmpty
        let warnings =
            request.warnings + engine.containers.warnings(about: configuration)
            + (isDiscarded ? ["Published ports are discarded when using host network mode"] : [])
            + (platform == nil ? warnings(aboutImage: configuration.image) : [])
            + (await FirewallWarnings(engine: engine).about(try container.details()))
        try await call.reply.json(ContainerCreateResponse(id: container.id, warnings: warnings), .created)
    }

    /// Whether an image runs on this machine is asked only where nobody has said for which platform it is to be.
    private func warnings(aboutImage name: String) -> [String] {
        guard let platform = try? engine.images.find(name).configuration.platform,  // one that is gone by now is nothing to warn of
            platform.preference(for: ImageStore.machine) == nil
        else { return [] }
        return [
            "The requested image's platform (\(platform)) does not match the detected host platform (\(ImageStore.machine)) and no specific platform was requested"
        ]
    }

    private func inspect(_ call: Call) async throws {
        let container = try container(call)
        let usage = call.query.bool("size") ? try await container.usage() : nil
        try await call.reply.json(ContainerInspect(try container.details(), usage: usage).json(for: call.version))
    }

    private func start(_ call: Call) async throws {
        for name in ["checkpoint", "checkpoint-dir"] { try call.query.refuse(name, "checkpoints do not exist here") }
        let body = try await call.parts.body(limit: 1 << 20)
        guard body.isEmpty || body == Array("null".utf8) || body == Array("{}".utf8) else {
            throw APIFailure.invalid("starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24")
        }
        try await container(call).start()
        try await call.reply.empty(.noContent)
    }

    private func stop(_ call: Call) async throws {
        try await container(call).stop(signal: call.query["signal"], timeoutSeconds: try call.query.integer("t"))
        try await call.reply.empty(.noContent)
    }

    private func kill(_ call: Call) async throws {
        try await container(call).kill(signal: call.query["signal"] ?? "KILL")
        try await call.reply.empty(.noContent)
    }

    private func wait(_ call: Call) async throws {
        let text = call.query["condition"] ?? WaitCondition.notRunning.rawValue
        guard let condition = WaitCondition(rawValue: text) else { throw APIFailure.invalid("invalid condition: \"\(text)\"") }
        let waiter = try container(call).waiter(condition)
        // The answer begins when the wait is registered: who has its first bytes may start the container.
        try await call.reply.begin(type: "application/json")
        let exit = try await waiter.value()
        // A process that could not be started has no code of its own: Docker's clients ask the start's answer for the reason.
        try await call.reply.end(with: ContainerWaitResponse(statusCode: exit.code).json + [10])
    }

    private func resize(_ call: Call) async throws {
        let (rows, columns) = try call.query.terminalSize()
        try await container(call).resize(rows: rows, columns: columns)
        try await call.reply.whole(.ok, type: "text/plain; charset=utf-8", [])
    }

    private func changes(_ call: Call) async throws {
        let changes = try await container(call).changes()
        try await call.reply.json(changes.map { FilesystemChange($0) })
    }

    private func export(_ call: Call) async throws {
        let container = try container(call)
        try await call.reply.begin(type: "application/x-tar")
        let sink = ReplySink(call.reply.channel)
        try await container.export(to: sink)
        try await call.reply.end()
    }

    private func commit(_ call: Call) async throws {
        let execution = try CommitBody.execution(try await call.jsonBody())
        guard let name = call.query["container"] else { throw APIFailure.invalid("the parameter 'container' is missing: which to commit") }
        var options = CommitOptions(as: try call.query["repo"].map { try ImageRoutes.reference($0, call.query["tag"]) })
        (options.author, options.message) = (call.query["author"] ?? "", call.query["comment"] ?? "")
        options.changes = call.query.all("changes")
        // Who does not say is taken to want it.
        options.pauses = call.query["pause"] == nil || call.query.bool("pause")
        options.execution = execution
        let image = try await engine.containers.find(name).commit(options).value
        try await call.reply.json(IDResponse(id: image.id.description), .created)
    }

    private func remove(_ call: Call) async throws {
        if call.query.bool("link") {
            try await engine.containers.removeLink(named: call.subject)
            return try await call.reply.empty(.noContent)
        }
        // `v` asks for volumes to be removed as well; a container has none here.
        try await container(call).remove(force: call.query.bool("force"), removingVolumes: call.query.bool("v"))
        try await call.reply.empty(.noContent)
    }
}

extension Platform {
    /// The parameter `platform` of a request to make a container; `nil` where there is none.
    init?(parameter text: String?) throws(APIFailure) {
        guard let text else { return nil }
        guard let platform = Platform(parsing: text) else {
            throw .invalid("\"\(text)\" is an invalid platform: it must be OS[/ARCHITECTURE[/VARIANT]]")
        }
        self = platform
    }
}

extension Query {
    /// The parameters `h` and `w`.
    func terminalSize() throws(APIFailure) -> (rows: UInt16, columns: UInt16) {
        (try terminalSide("h", "height"), try terminalSide("w", "width"))
    }

    /// Docker takes 32 bits, and the kernel has 16.
    private func terminalSide(_ key: String, _ name: String) throws(APIFailure) -> UInt16 {
        let text = self[key] ?? ""
        if let side = UInt16(text) { return side }
        let isNumber = !text.drop { $0 == "-" }.isEmpty && text.drop { $0 == "-" }.allSatisfy { $0.isASCII && $0.isNumber }
        throw .invalid("invalid resize \(name) \"\(text)\": \(isNumber ? "value out of range" : "invalid syntax")")
    }
}
