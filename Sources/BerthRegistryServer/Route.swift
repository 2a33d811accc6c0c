internal import BerthContent
internal import BerthOCI
internal import NIOHTTP1

/// What a request's path names (OCI distribution specification, *Endpoints*).
enum Route: Hashable {
    /// end-1
    case version
    case catalogue
    case metrics
    /// end-3, end-7, end-9
    case manifest(RepositoryPath, ManifestReference)
    /// end-2, end-10
    case blob(RepositoryPath, Digest)
    /// end-4, end-11
    case uploads(RepositoryPath)
    /// end-5, end-6, end-13, end-14
    case upload(RepositoryPath, id: String)
    /// end-8
    case tags(RepositoryPath)
    /// end-12
    case referrers(RepositoryPath, Digest)

    /// Parses a path, from its end: a repository may be called anything.
    init(path: Substring) throws(RegistryFailure) {
        let path = try Query.decoded(path)
        if path == "/v2/" || path == "/v2" { self = .version; return }
        if path == "/v2/_catalog" { self = .catalogue; return }
        if path == "/metrics" { self = .metrics; return }
        guard path.hasPrefix("/v2/") else { throw Self.nothing }
        let parts = path.dropFirst("/v2/".count).split(separator: "/", omittingEmptySubsequences: false)
        func name(dropping count: Int) throws(RegistryFailure) -> RepositoryPath {
            let text = parts.dropLast(count).joined(separator: "/")
            if let name = RepositoryPath(text) { return name }
            throw RegistryFailure(
                400, .nameInvalid,
                "'\(text.prefix(64))' is no name of a repository: it has lowercase letters and digits, with '.', '_', '__' or '-' between them, and at most \(RepositoryPath.maximumByteCount) bytes"
            )
        }
        guard parts.count >= 3 else { throw Self.nothing }
        let (last, kind) = (parts[parts.count - 1], parts[parts.count - 2])
        if kind == "manifests" {
            self = .manifest(try name(dropping: 2), try Self.reference(last))
        } else if kind == "referrers" {
            self = .referrers(try name(dropping: 2), try Self.digest(last))
        } else if kind == "tags", last == "list" {
            self = .tags(try name(dropping: 2))
        } else if parts.count >= 4, parts[parts.count - 3] == "blobs", kind == "uploads" {
            self = last.isEmpty ? .uploads(try name(dropping: 3)) : .upload(try name(dropping: 3), id: String(last))
        } else if kind == "blobs" {
            self = last == "uploads" ? .uploads(try name(dropping: 2)) : .blob(try name(dropping: 2), try Self.digest(last))
        } else {
            throw Self.nothing
        }
    }

    private static var nothing: RegistryFailure { RegistryFailure(404, .unsupported, "there is nothing at this path") }

    private static func digest(_ text: Substring) throws(RegistryFailure) -> Digest {
        do throws(Digest.ParseError) { return try Digest(parsing: text) } catch { throw .digestInvalid(error.description) }
    }

    private static func reference(_ text: Substring) throws(RegistryFailure) -> ManifestReference {
        if text.contains(":") { return .digest(try digest(text)) }
        guard Tag.isValid(text) else {
            throw .manifestInvalid(
                "'\(text.prefix(64))' is no tag: it has letters, digits, '.', '_' and '-', and at most \(Tag.maximumByteCount) bytes")
        }
        return .tag(String(text))
    }

    /// The repository; `nil` for what is of none.
    var repository: RepositoryPath? {
        switch self {
        case .version, .catalogue, .metrics: nil
        case .manifest(let path, _), .blob(let path, _), .uploads(let path), .upload(let path, _), .tags(let path), .referrers(let path, _):
            path
        }
    }

    /// What a caller must be allowed to do in the repository.
    func needs(_ method: HTTPMethod) -> RegistryRights {
        switch (self, method) {
        case (.uploads, _), (.upload, _), (_, .PUT), (_, .POST), (_, .PATCH): .push
        case (_, .DELETE): .delete
        default: .pull
        }
    }

    /// The methods that it has; the first words of an answer to any other.
    var methods: [HTTPMethod] {
        switch self {
        case .version, .catalogue, .tags, .referrers, .metrics: [.GET, .HEAD]
        case .manifest: [.GET, .HEAD, .PUT, .DELETE]
        case .blob: [.GET, .HEAD, .DELETE]
        case .uploads: [.POST]
        case .upload: [.GET, .HEAD, .PATCH, .PUT, .DELETE]
        }
    }

    /// Its kind, for counting.
    var label: String {
        switch self {
        case .version: "version"
        case .catalogue: "catalogue"
        case .metrics: "metrics"
        case .manifest: "manifest"
        case .blob: "blob"
        case .uploads, .upload: "upload"
        case .tags: "tags"
        case .referrers: "referrers"
        }
    }
}
