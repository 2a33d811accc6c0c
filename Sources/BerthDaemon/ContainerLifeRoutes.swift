internal import Berth
internal import DockerAPI
internal import NIOHTTP1

/// What becomes of a container that is there: started anew, held still, renamed, changed.
struct ContainerLifeRoutes: Sendable {
    let engine: Engine

    var routes: [Route] {
        [
            Route(.POST, "/containers/{id}/restart") { try await restart($0) },
            Route(.POST, "/containers/{id}/pause") { try await pause($0) },
            Route(.POST, "/containers/{id}/unpause") { try await unpause($0) },
            Route(.POST, "/containers/{id}/rename") { try await rename($0) },
            Route(.POST, "/containers/{id}/update") { try await update($0) },
            Route(.POST, "/containers/prune") { try await prune($0) },
        ]
    }

    private func container(_ call: Call) throws(ContainerError) -> Container { try engine.containers.find(call.subject) }

    private func restart(_ call: Call) async throws {
        try await container(call).restart(signal: call.query["signal"], timeoutSeconds: try call.query.integer("t"))
        try await call.reply.empty(.noContent)
    }

    private func pause(_ call: Call) async throws {
        try await container(call).pause()
        try await call.reply.empty(.noContent)
    }

    private func unpause(_ call: Call) async throws {
        try await container(call).unpause()
        try await call.reply.empty(.noContent)
    }

    private func rename(_ call: Call) async throws {
        try await container(call).rename(to: call.query["name"] ?? "")
        try await call.reply.empty(.noContent)
    }

    private func update(_ call: Call) async throws {
        let request = try ContainerUpdateRequest(parsing: try await call.jsonBody())
        let container = try container(call)
        var update = ContainerUpdate()
        update.resources = try Resources(request.host)
        // All of these are Docker's words for "as many as there are"; before that version nobody asked for it.
        if let limit = request.host.pidsLimit, limit <= 0 { update.resources.pidsLimit = -1 }
        if call.version < APIVersion(1, 40) { update.resources.pidsLimit = nil }
        if !request.host.restartPolicy.name.isEmpty { update.restart = try RestartPolicy(request.host.restartPolicy) }
        try await call.reply.json(ContainerUpdateResponse(warnings: try await container.update(update)))
    }

    private func prune(_ call: Call) async throws {
        let pruning = try ContainerPruning(filters: try Filters.parse(call.query["filters"] ?? ""))
        try await call.reply.json(ContainerPruneReport(try await engine.containers.prune(pruning)))
    }
}

extension ContainerPruneReport {
    /// What a pruning has done.
    init(_ pruned: ContainersPruned) { self.init(ids: pruned.ids, reclaimedByteCount: pruned.reclaimedByteCount) }
}

extension ContainerPruning {
    /// Which containers a request to prune means.
    init(filters: [String: [String]]) throws(APIFailure) {
        self.init()
        for (key, values) in filters {
            switch key {
            case "until":
                until = try Timestamp(untilFilter: values)
            case "label": labels = values
            case "label!": excludedLabels = values
            default: throw .invalid("invalid filter '\(key)'")
            }
        }
    }
}

extension RestartPolicy {
    /// What a client says.
    init(_ policy: HostConfig.RestartPolicy) throws(APIFailure) {
        guard let kind = policy.name.isEmpty ? .no : Kind(rawValue: policy.name) else {
            throw .invalid(
                "invalid restart policy: unknown policy '\(policy.name)'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'")
        }
        self.init(kind, maximumRetryCount: Int(clamping: policy.maximumRetryCount))
    }
}

extension HostConfig.RestartPolicy {
    /// What is said of it.
    init(_ policy: RestartPolicy) { self.init(name: policy.kind.rawValue, maximumRetryCount: Int64(policy.maximumRetryCount)) }
}
