internal import BerthContent
internal import BerthLinux
internal import BerthOCI
internal import BerthReactor
internal import Synchronization

/// What a collection has removed.
public struct CollectedContent: Hashable, Sendable {
    /// Manifests that no tag led to.
    public var manifestCount = 0
    /// Blobs that no manifest of their repository named.
    public var blobCount = 0
    /// Uploads that nobody went on with.
    public var uploadCount = 0
    /// The bytes that are gone from the disk.
    public var byteCount: UInt64 = 0

    /// Nothing.
    public init() {}
}

extension RegistryStore {
    /// Removes what nobody needs, while everything else goes on: blobs that no manifest of their repository names, uploads that nobody goes on with, and,
    /// if asked for, manifests that no tag leads to, neither by an index nor by what they are attached to.
    ///
    /// What a client was told of within the grace stays, so that a push finds what it relies on. Repeating does nothing. Where this throws, some of it
    /// is removed.
    ///
    /// - Parameter untagged: whether manifests without a tag go.
    public func collect(untagged: Bool = false) async throws(RegistryServerError) -> CollectedContent {
        do throws(RegistryFailure) { return try await collectAll(untagged: untagged) } catch {
            throw RegistryServerError(.storage, "the registry's garbage cannot be collected: \(error.message)")
        }
    }

    private func collectAll(untagged: Bool) async throws(RegistryFailure) -> CollectedContent {
        var collected = CollectedContent()
        grace.pass()
        for upload in try await staleUploads(of: state.withLock { Array($0.uploads.values) }) {
            let turn = try await upload.take()
            defer { turn.end() }
            // Whoever had it until now may have gone on with it.
            guard try await !staleUploads(of: [upload]).isEmpty else { continue }
            try await remove(upload)
            collected.uploadCount += 1
        }
        for path in paths {
            let garbage = try await collect(path, untagged: untagged)
            collected.manifestCount += garbage.manifests.count
            collected.blobCount += garbage.blobs.count
        }
        // Also what a kill has left that was no repository's yet.
        let orphans = try await blobLane.run { [self] () throws(RegistryFailure) in
            let all = try orRefusal { () throws(ContentError) in try content.all() }
            return state.withLock { state in all.filter { !state.usage.isLinked($0) } }
        }
        collected.byteCount = try await removeContent(orphans)
        try await blobLane.run { [self] () throws(RegistryFailure) in try orRefusal { () throws(ContentError) in try writeIndex() } }
        return collected
    }

    private func collect(_ path: RepositoryPath, untagged: Bool) async throws(RegistryFailure) -> (
        manifests: Set<Digest>, blobs: Set<Digest>
    ) {
        try await documentLane.run { [self] () throws(RegistryFailure) in
            try turn(of: path).wait.withLock { _ throws(RegistryFailure) in
                guard let old = record(of: path) else { return ([], []) }
                // Decided and seen in one moment: whoever looks after it does not find what goes, and whoever looked before has touched it.
                let (garbage, new) = state.withLock { state -> ((manifests: Set<Digest>, blobs: Set<Digest>), RepositoryRecord?) in
                    let garbage = old.garbage(untagged: untagged) { content.leases.areHolding(.blob($0)) }
                    guard !garbage.manifests.isEmpty || !garbage.blobs.isEmpty else { return (garbage, nil) }
                    var new = old
                    new.remove(garbage)
                    let seen = new.isEmpty ? nil : new
                    state.usage.replace(state.repositories[path], by: seen, of: path)
                    state.repositories[path] = seen
                    return (garbage, new)
                }
                guard let new else { return garbage }
                do throws(RegistryFailure) { try write(new, path) } catch {
                    publish(old, path)
                    throw error
                }
                return garbage
            }
        }
    }

    private func staleUploads(of uploads: [Upload]) async throws(RegistryFailure) -> [Upload] {
        let oldest = Timestamp.now.seconds - configuration.uploadAge.components.seconds
        return try await documentLane.run { () throws(RegistryFailure) in
            do throws(Errno) {
                var stale: [Upload] = []
                for upload in uploads {
                    // One that has become a blob meanwhile has no file any more.
                    guard let status = try upload.file.directory.statusIfThere(UploadFile.name) else { continue }
                    if status.modificationTime.seconds <= oldest { stale.append(upload) }
                }
                return stale
            } catch { throw RegistryFailure(.init(.storage, "cannot look at the uploads: \(error)", underlying: error)) }
        }
    }
}
