internal import BerthContent
internal import BerthOCI
internal import BerthReactor

/// What a server reads from. What it says to be in a repository may be gone by the time it is opened: then it is `notFound`.
protocol RegistryReading: Sendable {
    func repositoryPaths() async throws(RegistryFailure) -> [RepositoryPath]
    /// What a repository shows; `nil` if there is none of that name.
    func contents(of path: RepositoryPath) async throws(RegistryFailure) -> RepositoryRecord?
    func findManifest(_ reference: ManifestReference, in path: RepositoryPath) async throws(RegistryFailure) -> ManifestRecord?
    /// How many bytes a blob of a repository has.
    func findBlob(_ digest: Digest, in path: RepositoryPath) async throws(RegistryFailure) -> UInt64?
    /// Opens what was found.
    func open(_ digest: Digest, in path: RepositoryPath) async throws(RegistryFailure) -> OpenedBlob
    /// A manifest's bytes, compared with its digest.
    func read(_ manifest: ManifestRecord) async throws(RegistryFailure) -> [UInt8]
}

extension RegistryStore: RegistryReading {
    func repositoryPaths() async throws(RegistryFailure) -> [RepositoryPath] { paths }
    func contents(of path: RepositoryPath) async throws(RegistryFailure) -> RepositoryRecord? { record(of: path) }
    func findManifest(_ reference: ManifestReference, in path: RepositoryPath) async throws(RegistryFailure) -> ManifestRecord? {
        manifest(reference, in: path)
    }
    func findBlob(_ digest: Digest, in path: RepositoryPath) async throws(RegistryFailure) -> UInt64? { blob(digest, in: path) }
    func open(_ digest: Digest, in path: RepositoryPath) async throws(RegistryFailure) -> OpenedBlob {
        try await blobLane.run { [content] () throws(RegistryFailure) in
            try orRefusal { () throws(ContentError) in OpenedBlob(try content.open(digest)) }
        }
    }
    func read(_ manifest: ManifestRecord) async throws(RegistryFailure) -> [UInt8] {
        try await blobLane.run { [content] () throws(RegistryFailure) in
            do throws(ContentError) { return try content.read(manifest.digest, limit: ReceivedManifest.maximumByteCount) } catch {
                // Not what the client has sent: what the disk gives back.
                throw error.code == .digestMismatch ? RegistryFailure(500, .unknown, error.description) : RegistryFailure(error)
            }
        }
    }
}
