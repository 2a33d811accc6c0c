internal import BerthContent
internal import BerthOCI
internal import FoundationEssentials
internal import NIOHTTP1

// OCI distribution specification, *Content Discovery*.
extension RegistryService {
    /// The most entries of a list; a `Link` leads to the next.
    private static var pageLimit: Int { 1000 }
    /// The most bytes of descriptors in a list of referrers: clients take no larger manifest than this.
    private static var referrersByteCount: Int { ReceivedManifest.maximumByteCount - 4096 }

    private struct TagList: Encodable {
        var name: String
        var tags: [String]
    }
    private struct Catalogue: Encodable {
        var repositories: [String]
    }

    /// end-8
    func tags(of path: RepositoryPath, _ call: Call) async throws(RegistryFailure) -> Response {
        guard let record = try await reading.contents(of: path) else {
            throw RegistryFailure(404, .nameUnknown, "there is no repository '\(path)'")
        }
        let all = record.tags.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        let (page, link) = try page(of: all, at: "/v2/\(path)/tags/list", call)
        return try Response(200, json: TagList(name: path.description, tags: page), link)
    }

    /// Docker's own list of repositories: those that the caller may read.
    func catalogue(_ call: Call) async throws(RegistryFailure) -> Response {
        var all: [String] = []
        for path in try await reading.repositoryPaths() where mayList(path, call) { all.append(path.description) }
        let (page, link) = try page(of: all.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }, at: "/v2/_catalog", call)
        return try Response(200, json: Catalogue(repositories: page), link)
    }

    private func mayList(_ path: RepositoryPath, _ call: Call) -> Bool {
        if case .bearer(let grant) = call.caller { return grant.mayList }
        return gate.rights(of: call.caller, in: path).contains(.pull)
    }

    /// What comes behind `last`, at most `n` of it, and the way to the rest.
    private func page(of all: [String], at path: String, _ call: Call) throws(RegistryFailure) -> (
        [String], [(name: String, value: String)]
    ) {
        let asked = try call.query.count("n")
        let rest = call.query["last"].map { last in all.filter { last.utf8.lexicographicallyPrecedes($0.utf8) } } ?? all
        let count = min(asked ?? Self.pageLimit, Self.pageLimit)
        let page = Array(rest.prefix(count))
        guard let last = page.last, page.count < rest.count else { return (page, []) }
        return (page, [("Link", "<\(path)?n=\(asked ?? count)&last=\(Query.encoded(last))>; rel=\"next\"")])
    }

    // MARK: referrers

    private struct Referrer: Codable {
        var mediaType: MediaType
        var digest: Digest
        var size: UInt64
        var artifactType: String?
        var annotations: [String: String]?
    }
    private struct Referrers: Encodable {
        var schemaVersion = 2
        var mediaType = MediaType.index
        var manifests: [Referrer]
    }

    /// end-12. There is a list of any digest: of a repository that is not there, an empty one.
    func referrers(of subject: Digest, in path: RepositoryPath, _ call: Call) async throws(RegistryFailure) -> Response {
        let type = call.query["artifactType"]
        let last = call.query["last"] ?? ""
        var list = Referrers(manifests: [])
        var (byteCount, isFull) = (0, false)
        for record in try await reading.contents(of: path)?.referrers(of: subject) ?? [] where record.digest.description > last {
            guard let referrer = try await describe(record) else { continue }
            if let type, referrer.artifactType != type { continue }
            let size = try self.byteCount(of: referrer)
            guard list.manifests.isEmpty || byteCount + size <= Self.referrersByteCount else {
                isFull = true
                break
            }
            byteCount += size
            list.manifests.append(referrer)
        }
        var headers: [(name: String, value: String)] = type == nil ? [] : [("OCI-Filters-Applied", "artifactType")]
        if isFull, let end = list.manifests.last {
            let filter = type.map { "artifactType=\(Query.encoded($0))&" } ?? ""
            headers.append(("Link", "</v2/\(path)/referrers/\(subject)?\(filter)last=\(end.digest)>; rel=\"next\""))
        }
        return try Response(200, json: list, type: MediaType.index.rawValue, headers)
    }

    /// - Returns: `nil` for what has gone since it was listed.
    private func describe(_ record: ManifestRecord) async throws(RegistryFailure) -> Referrer? {
        let bytes: [UInt8]
        do throws(RegistryFailure) { bytes = try await reading.read(record) } catch {
            if error.status == 404 { return nil }
            throw error
        }
        let manifest = try ReceivedManifest(bytes, contentType: record.mediaType.rawValue)
        return Referrer(
            mediaType: record.mediaType, digest: record.digest, size: record.byteCount, artifactType: manifest.artifactType,
            annotations: manifest.annotations)
    }

    private func byteCount(of referrer: Referrer) throws(RegistryFailure) -> Int {
        do { return try JSONEncoder().encode(referrer).count + 1 } catch {
            throw RegistryFailure(500, .unknown, "a referrer cannot be encoded: \(error)")
        }
    }
}
