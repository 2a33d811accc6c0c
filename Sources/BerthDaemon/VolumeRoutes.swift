internal import Berth
internal import DockerAPI
internal import NIOHTTP1

/// Volumes: made, listed, looked at and removed.
struct VolumeRoutes: Sendable {
    let engine: Engine

    var routes: [Route] {
        [
            Route(.GET, "/volumes") { try await list($0) },
            Route(.POST, "/volumes/create") { try await create($0) },
            Route(.POST, "/volumes/prune") { try await prune($0) },
            Route(.GET, "/volumes/{name}") { try await inspect($0) },
            Route(.PUT, "/volumes/{name}") { try await update($0) },
            Route(.DELETE, "/volumes/{name}") { try await remove($0) },
        ]
    }

    private func list(_ call: Call) async throws {
        let filter = try VolumeFilter(try Filters.parse(call.query["filters"] ?? ""))
        let found = engine.volumes.all().filter { volume in filter.matches(volume) { !engine.volumes.users(of: volume.name).isEmpty } }
        let warnings = engine.volumes.unreadable.sorted { $0.key < $1.key }.map { "volume \($0.key) is unreadable: \($0.value)" }
        try await call.reply.json(VolumeList(found.map { VolumeResource($0) }, warnings: warnings.isEmpty ? nil : warnings))
    }

    private func inspect(_ call: Call) async throws {
        try await call.reply.json(VolumeResource(try engine.volumes.find(call.subject)))
    }

    private func create(_ call: Call) async throws {
        let request = try VolumeCreateRequest(parsing: try await call.jsonBody())
        try await call.reply.json(VolumeResource(try await engine.volumes.create(VolumeConfiguration(request))), .created)
    }

    /// Docker has it for the volumes of a swarm alone.
    private func update(_ call: Call) async throws {
        guard call.query["version"] != nil else { throw APIFailure.invalid("invalid volume version: '': it must be a number") }
        throw APIFailure(
            .serviceUnavailable,
            "This node is not a swarm manager: only volumes of a swarm can be updated, and engines of this kind are for one machine.")
    }

    private func remove(_ call: Call) async throws {
        try await engine.volumes.remove(call.subject, force: call.query.bool("force"))
        try await call.reply.empty(.noContent)
    }

    private func prune(_ call: Call) async throws {
        let pruning = try VolumePruning(try Filters.parse(call.query["filters"] ?? ""), version: call.version)
        let pruned = try await engine.volumes.prune { !pruning.matches($0) }
        try await call.reply.json(VolumePruneReport(names: pruned.names, reclaimedByteCount: pruned.reclaimedByteCount))
    }
}
