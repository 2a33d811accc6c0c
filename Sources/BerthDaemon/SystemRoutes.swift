internal import Berth
internal import DockerAPI
internal import NIOCore
internal import NIOHTTP1

/// The daemon itself, and what happens in it.
struct SystemRoutes: Sendable {
    let engine: Engine
    let isDebugging: Bool

    var routes: [Route] {
        [
            Route(.HEAD, "/_ping") { try await ping($0) },
            Route(.GET, "/_ping") { try await ping($0) },
            Route(.GET, "/version") { try await version($0) },
            Route(.GET, "/info") { try await info($0) },
            Route(.GET, "/events") { try await events($0) },
            Route(.GET, "/system/df") { try await dataUsage($0) },
        ]
    }

    private func ping(_ call: Call) async throws {
        let headers = [("Cache-Control", "no-cache, no-store, must-revalidate"), ("Pragma", "no-cache"), ("Swarm", "inactive")]
        let body = call.head.method == .HEAD ? [] : Array("OK".utf8)
        try await call.reply.whole(.ok, type: "text/plain; charset=utf-8", body, headers: headers)
    }

    private func version(_ call: Call) async throws {
        let facts = engine.information()
        try await call.reply.json(
            SystemVersion(
                version: Engine.version, commit: "", architecture: Platform.host.architecture, kernelVersion: facts.kernelVersion))
    }

    private func info(_ call: Call) async throws {
        var info = SystemInfo(engine.information(), isDebugging: isDebugging)
        info.warnings += await FirewallWarnings(engine: engine).aboutEverything().map { "WARNING: \($0)" }
        // What clients of older versions do not know.
        if call.version < APIVersion(1, 49) { info.firewall = nil }
        if call.version < APIVersion(1, 50) { (info.deviceNames, info.saysThatBridgesAreNotFiltered) = (nil, true) }
        try await call.reply.json(info)
    }

    private func dataUsage(_ call: Call) async throws {
        let kinds = try call.query.all("type").map { text throws(APIFailure) in
            guard let kind = DataUsage.Kind(rawValue: text) else { throw .invalid("unknown object type: \(text)") }
            return kind
        }
        let asked = kinds.isEmpty ? Set(DataUsage.Kind.allCases) : Set(kinds)
        try await call.reply.json(DataUsage(asked, try await engine.usage(), now: .now, for: call.version).json(for: call.version))
    }

    private func events(_ call: Call) async throws {
        let filter = try EventFilter(try Filters.parse(call.query["filters"] ?? ""))
        let since = try call.query.time("since")
        let until = try call.query.time("until")
        let stream = engine.events.subscribe(since: since?.nanoseconds, until: until?.nanoseconds)
        try await call.reply.begin(type: "application/json")
        for try await event in stream {
            guard filter.matches(event) else { continue }
            try await call.reply.write(EventMessage(event).json + [10])
        }
        try await call.reply.end()
    }
}
