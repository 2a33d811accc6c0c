internal import DockerAPI
internal import NIOHTTP1

/// What Docker's API has and this daemon has not: said by name, so that nobody takes it for a mistake of their own.
///
/// Where a Docker that was never told of the thing answers in a way that is true here as well, the answer is that one: clients that look everywhere go on.
enum AbsentRoutes {
    static var routes: [Route] { missing + plugins + swarms }

    private static func route(_ method: HTTPMethod, _ pattern: String, _ failure: APIFailure) -> Route {
        Route(method, pattern) { _ in throw failure }
    }

    private static func absent(_ what: String) -> APIFailure { APIFailure(.notImplemented, "not supported here: \(what)") }

    private static var missing: [Route] {
        [
            (.POST, "/build", "building images"), (.POST, "/session", "building images"), (.GET, "/plugins/privileges", "plugins"),
            (.POST, "/plugins/pull", "plugins"), (.POST, "/plugins/create", "plugins"), (.POST, "/swarm/init", "swarms"),
            (.POST, "/swarm/join", "swarms"),
        ].map { route($0, $1, absent($2)) }
    }

    /// There is none.
    private static var plugins: [Route] {
        let ofOne: [(HTTPMethod, String)] = [
            (.GET, "/plugins/{name}/json"), (.DELETE, "/plugins/{name}"), (.POST, "/plugins/{name}/enable"),
            (.POST, "/plugins/{name}/disable"), (.POST, "/plugins/{name}/upgrade"), (.POST, "/plugins/{name}/push"),
            (.POST, "/plugins/{name}/set"),
        ]
        return [Route(.GET, "/plugins") { try await $0.reply.json(Array("[]".utf8)) }]
            + ofOne.map { method, pattern in Route(method, pattern) { throw APIFailure.notFound("plugin \"\($0.subject)\" not found") } }
    }

    /// This machine is in none.
    private static var swarms: [Route] {
        let outside = APIFailure(
            .serviceUnavailable, "This node is not a swarm manager: engines of this kind are for one machine, and have no swarms.")
        let own: [(HTTPMethod, String)] = [
            (.GET, "/swarm"), (.POST, "/swarm/leave"), (.POST, "/swarm/update"), (.GET, "/swarm/unlockkey"), (.POST, "/swarm/unlock"),
            (.GET, "/services/{id}/logs"), (.GET, "/tasks/{id}/logs"),
        ]
        let kinds = ["services", "nodes", "tasks", "secrets", "configs"].flatMap { kind -> [(HTTPMethod, String)] in
            [
                (.GET, "/\(kind)"), (.POST, "/\(kind)/create"), (.GET, "/\(kind)/{id}"), (.DELETE, "/\(kind)/{id}"),
                (.POST, "/\(kind)/{id}/update"),
            ]
        }
        return (own + kinds).map { route($0, $1, outside) }
    }
}
