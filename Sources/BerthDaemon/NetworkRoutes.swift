internal import Berth
internal import DockerAPI
internal import NIOHTTP1

/// Networks: made, listed, looked at and removed, and containers' places in them.
struct NetworkRoutes: Sendable {
    let engine: Engine

    var routes: [Route] {
        [
            Route(.GET, "/networks") { try await list($0) },
            Route(.GET, "/networks/") { try await list($0) },
            Route(.POST, "/networks/create") { try await create($0) },
            Route(.POST, "/networks/prune") { try await prune($0) },
            Route(.GET, "/networks/{id}") { try await inspect($0) },
            Route(.DELETE, "/networks/{id}") { try await remove($0) },
            Route(.POST, "/networks/{id}/connect") { try await connect($0) },
            Route(.POST, "/networks/{id}/disconnect") { try await disconnect($0) },
        ]
    }

    private func list(_ call: Call) async throws {
        let filter = try NetworkFilter(try Filters.parse(call.query["filters"] ?? ""))
        await engine.networks.prepareToShow()
        let found = engine.networks.all().filter { network in
            filter.matches(network) { !engine.networks.endpoints(of: network.id).isEmpty }
        }
        try await call.reply.json(
            found.map { network in
                let resource = resource(network)
                return call.version < APIVersion(1, 28) ? resource : resource.withoutContainers
            })
    }

    private func resource(_ network: Network) -> NetworkResource {
        NetworkResource(network, engine.networks.endpoints(of: network.id))
    }

    private func inspect(_ call: Call) async throws {
        // A scope that is not ours names nothing here.
        if let scope = call.query["scope"], scope != "local" { throw APIFailure.notFound("network \(call.subject) not found") }
        await engine.networks.prepareToShow()
        try await call.reply.json(resource(try engine.networks.find(call.subject)))
    }

    private func create(_ call: Call) async throws {
        let request = try NetworkCreateRequest(parsing: try await call.jsonBody(), version: call.version)
        let network = try await engine.networks.create(try NetworkConfiguration(request))
        let warnings = await FirewallWarnings(engine: engine).about(network)
        try await call.reply.json(NetworkCreateResponse(id: network.id, warning: warnings.joined(separator: "\n")), .created)
    }

    private func remove(_ call: Call) async throws {
        try await engine.networks.remove(call.subject)
        try await call.reply.empty(.noContent)
    }

    private func prune(_ call: Call) async throws {
        let pruning = try NetworkPruning(try Filters.parse(call.query["filters"] ?? ""))
        // Docker keeps a network only for containers that run; one of a container that does not is missed at its next start.
        try await call.reply.json(NetworkPruneReport(names: try await engine.networks.prune { !pruning.matches($0) }))
    }

    private func connect(_ call: Call) async throws {
        let request = try NetworkConnectRequest(parsing: try await call.jsonBody(), version: call.version)
        let network = try engine.networks.find(call.subject)
        try await engine.containers.find(request.container).connect(try EndpointConfiguration(request.endpoint, network: network.name))
        try await call.reply.empty(.ok)
    }

    private func disconnect(_ call: Call) async throws {
        let request = try NetworkDisconnectRequest(parsing: try await call.jsonBody())
        try await engine.containers.find(request.container).disconnect(from: call.subject, isForced: request.isForced)
        try await call.reply.empty(.ok)
    }
}
