internal import DockerAPI
internal import NIOHTTP1

/// What Docker's API has and this daemon has not: said by name, so that nobody takes it for a mistake of their own.
enum AbsentRoutes {
    static var routes: [Route] { lookups + missing.map { method, pattern, what in Route(method, pattern) { _ in throw absent(what) } } }

    private static func absent(_ what: String) -> APIFailure { APIFailure(.notImplemented, "not supported here: \(what)") }

    /// Clients that look a name up everywhere are told that it is not here, and go on.
    private static var lookups: [Route] {
        [
            Route(.GET, "/plugins/{name}/json") { throw APIFailure.notFound("plugin \"\($0.subject)\" not found") }
        ]
            + ["services", "nodes", "tasks", "secrets", "configs"].map { kind in
                Route(.GET, "/\(kind)/{id}") { _ in
                    throw APIFailure(
                        .serviceUnavailable,
                        "This node is not a swarm manager: engines of this kind are for one machine, and have no swarms."
                    )
                }
            }
    }

    private static let missing: [(HTTPMethod, String, String)] = [
        (.POST, "/build", "building images"), (.POST, "/session", "building images"),
        (.GET, "/plugins", "plugins"),
        (.GET, "/swarm", "swarms"), (.POST, "/swarm/init", "swarms"), (.POST, "/swarm/join", "swarms"), (.POST, "/swarm/leave", "swarms"),
        (.GET, "/nodes", "swarms"), (.GET, "/services", "swarms"), (.GET, "/tasks", "swarms"), (.GET, "/secrets", "swarms"),
        (.GET, "/configs", "swarms"),
    ]
}
