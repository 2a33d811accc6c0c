internal import BerthContent
internal import BerthOCI
internal import BerthReactor
internal import Synchronization

extension RegistryStore {
    /// Keeps a manifest, under its digest and these tags. Repeating does nothing.
    ///
    /// - Parameter isSparse: whether what it names may come later.
    /// - Throws: `MANIFEST_BLOB_UNKNOWN` if it names what is not in the repository.
    func put(
        _ manifest: ReceivedManifest, as digest: Digest, tags: [String], in path: RepositoryPath, isSparse: Bool = false
    ) async throws(RegistryFailure) {
        let lease = content.leases.begin()
        defer { _ = lease.end() }
        lease.hold(.blob(digest))
        grace.touch(digest)
        try await blobLane.run { [content] () throws(RegistryFailure) in
            try orRefusal { () throws(ContentError) in
                if try content.contains(digest, for: lease) { return }
                _ = try content.add(manifest.bytes, digest.algorithm, for: lease)
            }
        }
        let mustExist = !configuration.takesSparseManifests && !isSparse
        try await change(path) { [self] (record) throws(RegistryFailure) in
            if mustExist {
                let missing = manifest.blobs.first { record.blobs[$0] == nil } ?? manifest.manifests.first { record.manifests[$0] == nil }
                if let missing {
                    throw RegistryFailure(
                        404, .manifestBlobUnknown, "the manifest names \(missing), which is not in this repository: push that first")
                }
            }
            if record.manifests[digest] == nil { try admit(UInt64(manifest.bytes.count), to: path, sharing: digest) }
            record.add(manifest.record(named: digest), tags: tags)
        }
    }

    /// What a tag or a digest names, and a promise that it stays for a while.
    func manifest(_ reference: ManifestReference, in path: RepositoryPath) -> ManifestRecord? {
        look(at: path) { record in
            let digest: Digest? =
                switch reference {
                case .digest(let digest): digest
                case .tag(let tag): record?.tags[tag]
                }
            guard let digest, let manifest = record?.manifests[digest] else { return nil }
            grace.touch(digest)
            return manifest
        }
    }

    /// How many bytes a blob of a repository has, and a promise that it stays for a while.
    func blob(_ digest: Digest, in path: RepositoryPath) -> UInt64? {
        look(at: path) { record in
            guard let byteCount = record?.blobs[digest] else { return nil }
            grace.touch(digest)
            return byteCount
        }
    }

    /// Removes a blob from a repository; whether it was there. Its bytes go as soon as nobody relies on them.
    func remove(blob digest: Digest, from path: RepositoryPath) async throws(RegistryFailure) {
        try await change(path) { (record) throws(RegistryFailure) in
            guard record.blobs[digest] != nil else { throw .blobUnknown(digest) }
            record.remove(blob: digest)
        }
        try await removeContent([digest])
    }

    /// Removes a tag, or a manifest with its tags.
    func remove(_ reference: ManifestReference, from path: RepositoryPath) async throws(RegistryFailure) {
        try await change(path) { (record) throws(RegistryFailure) in
            switch reference {
            case .tag(let tag):
                guard record.tags[tag] != nil else { throw .manifestUnknown(reference) }
                record.remove(tag: tag)
            case .digest(let digest):
                guard record.manifests[digest] != nil else { throw .manifestUnknown(reference) }
                record.remove(manifest: digest)
            }
        }
        if case .digest(let digest) = reference { try await removeContent([digest]) }
    }

    /// Removes bytes that no repository shows and nobody relies on.
    ///
    /// - Returns: how many are gone.
    @discardableResult
    func removeContent(_ digests: Set<Digest>) async throws(RegistryFailure) -> UInt64 {
        guard unreadable.isEmpty else { return 0 }
        return try await blobLane.run { [self] () throws(RegistryFailure) in
            var byteCount: UInt64 = 0
            for digest in digests {
                try orRefusal { () throws(ContentError) in
                    let size: UInt64
                    do throws(ContentError) { size = try content.byteCount(of: digest) } catch {
                        if error.code == .notFound { return }
                        throw error
                    }
                    try content.remove(digest) { state.withLock { $0.usage.isLinked(digest) } }
                    if try !content.contains(digest) { byteCount += size }
                }
            }
            return byteCount
        }
    }
}
