internal import DockerAPI
internal import NIOHTTP1

/// One request, with all that is needed to answer it.
final class Call {
    let head: HTTPRequestHead
    /// What stands in the path where the route has a name in braces.
    let subject: String
    let query: Query
    let version: APIVersion
    let parts: RequestParts
    let reply: Reply

    init(_ head: HTTPRequestHead, subject: String, query: Query, version: APIVersion, parts: RequestParts, reply: Reply) {
        (self.head, self.subject, self.query, self.version) = (head, subject, query, version)
        (self.parts, self.reply) = (parts, reply)
    }

    /// The largest JSON body of a request: one of these may hold a whole filter of system calls.
    private static var jsonLimit: Int { 4 << 20 }

    /// The body, which must be JSON where there is one.
    func jsonBody() async throws -> [UInt8] {
        let bytes = try await parts.body(limit: Self.jsonLimit)
        guard !bytes.isEmpty else { return bytes }
        let type = head.headers.first(name: "Content-Type") ?? ""
        guard type.split(separator: ";").first?.lowercased() == "application/json" else {
            throw APIFailure.invalid("unsupported Content-Type header (\(type)): must be 'application/json'")
        }
        return bytes
    }

    /// How many bytes the body has, where the client says it.
    var contentLength: UInt64? { head.headers.first(name: "Content-Length").flatMap { UInt64($0) } }

    /// Whether the client asks for the connection itself.
    var upgrades: Bool { head.headers.contains(name: "Upgrade") }
}

/// A method and a path, and who answers there.
struct Route: Sendable {
    typealias Handler = @Sendable (Call) async throws -> Void

    let method: HTTPMethod
    /// The path up to the name in braces, and behind it.
    private let prefix: String
    private let suffix: String?
    /// Names of images have slashes in them, and those that containers have by links; nothing else does.
    private let takesSlashes: Bool
    let handler: Handler

    init(_ method: HTTPMethod, _ pattern: String, _ handler: @escaping Handler) {
        (self.method, self.handler) = (method, handler)
        if let open = pattern.firstIndex(of: "{"), let close = pattern.firstIndex(of: "}") {
            (prefix, suffix) = (String(pattern[..<open]), String(pattern[pattern.index(after: close)...]))
        } else {
            (prefix, suffix) = (pattern, nil)
        }
        takesSlashes = ["/images/", "/containers/", "/distribution/"].contains(where: pattern.hasPrefix) || pattern.contains("/v1/images/")
    }

    /// What the path has where the pattern has braces; the empty text for a pattern without; `nil` if it is another path.
    func subject(of path: Substring) -> Substring? {
        guard let suffix else { return path == prefix ? "" : nil }
        guard path.hasPrefix(prefix), path.hasSuffix(suffix), path.utf8.count > prefix.utf8.count + suffix.utf8.count else { return nil }
        let middle = path.dropFirst(prefix.count).dropLast(suffix.count)
        return takesSlashes || !middle.contains("/") ? middle : nil
    }
}

/// Finds out who answers a request.
struct Router: Sendable {
    private let routes: [Route]

    /// These; of two that fit, the earlier one answers.
    init(_ routes: [Route]) { self.routes = routes }

    /// Reads the target: the version of the API, the path, the parameters.
    ///
    /// - Throws: 400 for a version that is not spoken here, 404 for a path or a method that nobody answers.
    func call(_ head: HTTPRequestHead, _ parts: RequestParts, _ reply: Reply) throws(APIFailure) -> (Route, Call) {
        let target = head.uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let (version, path) = try Self.version(of: target.first ?? "/")
        for route in routes where route.method == head.method {
            guard let subject = route.subject(of: path) else { continue }
            let query = try Query(parsing: target.count == 2 ? target[1] : "")
            let name = try Query.decoded(subject, plusIsSpace: false)
            return (route, Call(head, subject: name, query: query, version: version, parts: parts, reply: reply))
        }
        throw .notFound("page not found")
    }

    /// Takes `/v1.41` off the front of a path. Without it, the newest is spoken.
    private static func version(of path: Substring) throws(APIFailure) -> (APIVersion, Substring) {
        guard path.hasPrefix("/v"), let end = path.dropFirst().firstIndex(of: "/"),
            let version = APIVersion(parsing: path[..<end].dropFirst(2))
        else { return (.newest, path) }
        guard version >= .oldest else {
            throw .invalid(
                "client version \(version) is too old. Minimum supported API version is \(APIVersion.oldest), please upgrade your client to a newer version"
            )
        }
        guard version <= .newest else {
            throw .invalid("client version \(version) is too new. Maximum supported API version is \(APIVersion.newest)")
        }
        return (version, path[end...])
    }
}
