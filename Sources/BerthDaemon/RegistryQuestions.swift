internal import Berth
internal import BerthAPI
internal import DockerAPI
internal import NIOHTTP1

/// What is asked of registries themselves: logins, searches, what they have.
struct RegistryQuestions: Sendable {
    let engine: Engine

    var routes: [Route] {
        [
            Route(.POST, "/auth") { try await logIn($0) },
            Route(.GET, "/images/search") { try await search($0) },
            Route(.GET, "/distribution/{name}/json") { try await inspect($0) },
            Route(.GET, BerthPath.manifest) { try await manifest($0) },
            Route(.DELETE, BerthPath.manifest) { try await remove($0) },
            Route(.GET, BerthPath.tags) { try await tags($0) },
            Route(.GET, BerthPath.repositories) { try await repositories($0) },
        ]
    }

    private func logIn(_ call: Call) async throws {
        let auth = try RegistryAuth(body: try await call.jsonBody())
        guard let credentials = RegistryCredentials(auth) else {
            throw APIFailure(.unauthorized, "neither a user nor a token is given for \(Self.registry(of: auth.serverAddress))")
        }
        let kept = try await engine.registry.verify(credentials, for: Self.registry(of: auth.serverAddress))
        var token = ""
        if case .identityToken(_, let given) = kept.kind, kept != credentials { token = given }
        try await call.reply.json(LoginResult(identityToken: token))
    }

    /// The name of a registry as references have it, of what clients say.
    private static func registry(of text: String) -> String {
        var host = text[...]
        for scheme in ["https://", "http://"] where host.hasPrefix(scheme) { host = host.dropFirst(scheme.count) }
        host = host.prefix { $0 != "/" }
        return ["", "docker.io", "index.docker.io", "registry-1.docker.io"].contains(host) ? "docker.io" : String(host)
    }

    private func search(_ call: Call) async throws {
        guard var words = call.query["term"] else { throw APIFailure.invalid("the parameter 'term' is missing: what to search for") }
        var registry = "docker.io"
        if let slash = words.firstIndex(of: "/"), Self.namesRegistry(words[..<slash]) {
            (registry, words) = (String(words[..<slash]), String(words[words.index(after: slash)...]))
        }
        let filters = try SearchFilters(try Filters.parse(call.query["filters"] ?? ""))
        let (limit, credentials) = (try call.query.integer("limit") ?? 25, try RegistryRoutes.credentials(call))
        let found: [Registry.SearchResult]
        do throws(TransferError) {
            found = try await engine.registry.search(words, in: registry, limit: limit, credentials: credentials)
        } catch {
            // Docker's API knows no other status of a search that comes to nothing.
            throw APIFailure(.internalServerError, error.description)
        }
        try await call.reply.json(found.filter(filters.match).map { SearchItem($0) })
    }

    private static func namesRegistry(_ text: Substring) -> Bool { text.contains(".") || text.contains(":") || text == "localhost" }

    private func inspect(_ call: Call) async throws {
        let (reference, repository, registry) = try repository(askedInsecurely: call, call.subject)
        defer { registry?.close() }
        let described = try await repository.describe(ManifestReference(of: reference))
        try await call.reply.json(DistributionInspect(descriptor: described.manifest.descriptor, platforms: described.platforms))
    }

    private func repository(_ name: String?, _ call: Call) throws -> (ImageReference, RegistryRepository) {
        guard let name else { throw APIFailure.invalid("the parameter 'name' is missing: a repository, with a tag or a digest") }
        let reference = try ImageReference(parsing: name)
        let credentials = try RegistryRoutes.credentials(call)
        return (reference, engine.registry.repository(RepositoryName(of: reference), credentials: credentials))
    }

    /// The same; with `insecure`, as if the registry were named an insecure one, by a client of its own, which is to be closed.
    private func repository(
        askedInsecurely call: Call, _ name: String?
    ) throws -> (ImageReference, RegistryRepository, Registry?) {
        let (reference, repository) = try repository(name, call)
        guard call.query.bool("insecure") else { return (reference, repository, nil) }
        var configuration = engine.registry.configuration
        configuration.insecureRegistries.append(reference.registry)
        let registry = Registry(configuration)
        let credentials = try RegistryRoutes.credentials(call)
        return (reference, registry.repository(RepositoryName(of: reference), credentials: credentials), registry)
    }

    private func manifest(_ call: Call) async throws {
        let (reference, repository, registry) = try repository(askedInsecurely: call, call.query["name"])
        defer { registry?.close() }
        let found = try await repository.manifest(ManifestReference(of: reference))
        try await call.reply.document(
            ManifestDocument(
                mediaType: found.descriptor.mediaType.rawValue, digest: found.descriptor.digest.description,
                text: String(decoding: found.bytes, as: UTF8.self)))
    }

    private func remove(_ call: Call) async throws {
        let (reference, repository) = try repository(call.query["name"], call)
        try await repository.delete(ManifestReference(of: reference))
        try await call.reply.document(NameList([reference.familiar]))
    }

    private func tags(_ call: Call) async throws {
        try await call.reply.document(NameList(try await repository(call.query["name"], call).1.tags()))
    }

    private func repositories(_ call: Call) async throws {
        guard let registry = call.query["registry"] else { throw APIFailure.invalid("the parameter 'registry' is missing") }
        let credentials = try RegistryRoutes.credentials(call)
        try await call.reply.document(NameList(try await engine.registry.catalogue(of: registry, credentials: credentials)))
    }
}

/// What of a search is wanted.
private struct SearchFilters {
    private var isOfficial: Bool?
    private var isAutomated: Bool?
    private var starCount = 0

    init(_ filters: [String: [String]]) throws {
        for (name, values) in filters {
            switch name {
            case "is-official": isOfficial = try Self.truth(name, values)
            case "is-automated": isAutomated = try Self.truth(name, values)
            case "stars":
                for value in values {
                    guard let count = Int(value) else { throw APIFailure.invalid("invalid filter 'stars=\(value)'") }
                    starCount = max(starCount, count)
                }
            default: throw APIFailure.invalid("invalid filter '\(name)'")
            }
        }
    }

    private static func truth(_ name: String, _ values: [String]) throws -> Bool {
        guard values.count == 1, let value = ["true": true, "1": true, "false": false, "0": false][values[0]] else {
            throw APIFailure.invalid("invalid filter '\(name)=\(values.joined(separator: ", "))'")
        }
        return value
    }

    func match(_ result: Registry.SearchResult) -> Bool {
        // Nothing is built by registries any more.
        result.starCount >= starCount && isOfficial ?? result.isOfficial == result.isOfficial && isAutomated != true
    }
}

extension SearchItem {
    fileprivate init(_ result: Registry.SearchResult) {
        self.init(name: result.name, description: result.description, starCount: result.starCount, isOfficial: result.isOfficial)
    }
}
