internal import BerthContent
internal import BerthOCI
internal import Logging
internal import NIOHTTP1

/// Answers requests: finds out what is asked, who asks and whether they may, and then does it.
struct RegistryService: Sendable {
    let reading: any RegistryReading
    /// `nil` for a registry that takes nothing.
    let writing: RegistryStore?
    let gate: Gate
    let metrics: Metrics?
    let log: Logger

    /// One request, with all that is needed to answer it.
    struct Call {
        let method: HTTPMethod
        let route: Route
        let query: Query
        let headers: HTTPHeaders
        let caller: Caller
        let body: RequestBody

        /// How many bytes the client says that its body has.
        var contentLength: UInt64? { headers.first(name: "Content-Length").flatMap { UInt64($0) } }
    }

    func answer(_ head: HTTPRequestHead, _ body: RequestBody) async -> Response {
        var label = "none"
        var response: Response
        do throws(RegistryFailure) {
            let parts = head.uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
            guard head.uri.utf8.count <= 8192 else {
                throw RegistryFailure(414, .unsupported, "the request's target has more than 8192 bytes")
            }
            let route = try Route(path: parts[0])
            label = route.label
            let needs = route.needs(head.method)
            let caller = try await gate.identify(head.headers.first(name: "Authorization"), for: route, needs: needs)
            try gate.admit(caller, to: route, needs)
            let query = try Query(parsing: parts.count == 2 ? parts[1] : "")
            response = try await answer(
                Call(method: head.method, route: route, query: query, headers: head.headers, caller: caller, body: body))
        } catch {
            if error.status >= 500 { log.error("\(head.method.rawValue) \(head.uri): \(error.message)") }
            response = Response(error)
        }
        response.headers.append(("Docker-Distribution-Api-Version", "registry/2.0"))
        metrics?.count(head.method, label, response.status)
        log.debug("\(head.method.rawValue) \(head.uri): \(response.status)")
        return response
    }

    private func answer(_ call: Call) async throws(RegistryFailure) -> Response {
        guard call.route.methods.contains(call.method) else {
            let allowed = call.route.methods.map(\.rawValue).joined(separator: ", ")
            throw RegistryFailure(405, .unsupported, "there is no \(call.method.rawValue) here, only \(allowed)").with("Allow", allowed)
        }
        switch (call.route, call.method) {
        case (.version, _): return Response(200, [("Content-Type", "application/json")], .bytes(Array("{}".utf8)))
        case (.metrics, _): return try await metricsText()
        case (.catalogue, _): return try await catalogue(call)
        case (.tags(let path), _): return try await tags(of: path, call)
        case (.referrers(let path, let digest), _): return try await referrers(of: digest, in: path, call)
        case (.manifest(let path, let reference), .PUT): return try await put(reference, in: path, call)
        case (.manifest(let path, let reference), .DELETE):
            try await writable("nothing can be removed").remove(reference, from: path)
            return Response(202)
        case (.manifest(let path, let reference), _): return try await manifest(reference, in: path, call)
        case (.blob(let path, let digest), .DELETE):
            try await writable("nothing can be removed").remove(blob: digest, from: path)
            return Response(202)
        case (.blob(let path, let digest), _): return try await blob(digest, in: path, call)
        case (.uploads(let path), _): return try await beginUpload(to: path, call)
        case (.upload(let path, let id), _): return try await upload(id, to: path, call)
        }
    }

    func writable(_ what: String) throws(RegistryFailure) -> RegistryStore {
        guard let writing else { throw .readOnly(what) }
        return writing
    }

    private func metricsText() async throws(RegistryFailure) -> Response {
        guard let metrics else { throw RegistryFailure(404, .unsupported, "there is nothing at this path") }
        return Response(200, [("Content-Type", "text/plain; version=0.0.4")], .bytes(Array(metrics.text(of: writing).utf8)))
    }
}
