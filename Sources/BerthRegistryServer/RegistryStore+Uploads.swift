internal import BerthContent
internal import BerthLinux
internal import BerthOCI
internal import BerthReactor
internal import BerthState
internal import NIOCore
internal import Synchronization

// Bytes that are to be blobs (OCI distribution specification, *Pushing blobs*).
extension RegistryStore {
    /// Begins an upload.
    func beginUpload(to path: RepositoryPath, _ algorithm: Digest.Algorithm) async throws(RegistryFailure) -> Upload {
        let limit = configuration.uploadLimit
        let isFull = state.withLock { state in
            if state.uploads.count + state.comingUploadCount >= limit { return true }
            state.comingUploadCount += 1
            return false
        }
        guard !isFull else { throw .tooMany("\(limit) uploads are in progress, and that is the most", retryAfterSeconds: 10) }
        defer { state.withLock { $0.comingUploadCount -= 1 } }
        let id = RandomID.make()
        let file = try await documentLane.run { [self] () throws(RegistryFailure) in
            do {
                let name = try PathBytes(id)
                try uploadsDirectory.makeDirectory(name, permissions: 0o700)
                let file = try UploadFile(in: try uploadsDirectory.openDirectory(name), algorithm, isNew: true)
                // A loss of power may take it away: then the client begins anew.
                try uploadDocuments.write(
                    UploadRecord(repository: path.description, algorithm: algorithm.rawValue), id: id, durability: .none)
                return file
            } catch { throw RegistryFailure(.init(.storage, "cannot begin an upload: \(error)", underlying: error as? Errno)) }
        }
        let upload = Upload(id: id, repository: path, file: file)
        state.withLock { $0.uploads[id] = upload }
        return upload
    }

    /// The upload of an id, if it is this repository's.
    func upload(_ id: String, of path: RepositoryPath) throws(RegistryFailure) -> Upload {
        guard let upload = state.withLock({ $0.uploads[id] }), upload.repository == path else { throw .uploadUnknown(id) }
        return upload
    }

    /// Adds bytes to an upload whose turn the caller has.
    func append(_ pieces: [ByteBuffer], to upload: Upload) async throws(RegistryFailure) {
        let count = pieces.reduce(0) { $0 + $1.readableBytes }
        guard count > 0 else { return }
        let quota = configuration.quota
        try state.withLock { state throws(RegistryFailure) in
            try state.usage.admit(UInt64(count), to: upload.repository, quota)
            state.usage.add(upload: Int64(count), to: upload.repository)
        }
        do throws(RegistryFailure) {
            try await blobLane.run { () throws(RegistryFailure) in try upload.file.append(pieces) }
        } catch {
            state.withLock { $0.usage.add(upload: -Int64(count), to: upload.repository) }
            throw error
        }
    }

    /// Makes what has come a blob of the repository. Other bytes than the digest says end the upload: more of them would not help.
    func finish(_ upload: Upload, as digest: Digest) async throws(RegistryFailure) {
        let lease = content.leases.begin()
        defer { _ = lease.end() }
        do throws(RegistryFailure) {
            try await blobLane.run { [content] () throws(RegistryFailure) in
                let hasher = try upload.file.hasher(digest.algorithm)
                try orRefusal { () throws(ContentError) in
                    try content.adopt(UploadFile.name, in: upload.file.directory, hashedBy: hasher, expecting: digest, for: lease)
                }
            }
            grace.touch(digest)
            let byteCount = upload.file.byteCount
            try await change(upload.repository) { $0.add(blob: digest, byteCount: byteCount) }
        } catch {
            try await remove(upload)
            throw error
        }
        try await remove(upload)
    }

    /// Ends an upload; nothing of it stays. Repeating does nothing.
    func remove(_ upload: Upload) async throws(RegistryFailure) {
        let wasThere = state.withLock { state in
            guard state.uploads.removeValue(forKey: upload.id) != nil else { return false }
            state.usage.add(upload: -Int64(upload.file.byteCount), to: upload.repository)
            return true
        }
        guard wasThere else { return }
        try await documentLane.run { [self] () throws(RegistryFailure) in
            do throws(Errno) { try uploadsDirectory.removeTree(try PathBytes(upload.id)) } catch {
                throw RegistryFailure(.init(.storage, "cannot remove an upload: \(error)", underlying: error))
            }
        }
    }

    /// The uploads of an earlier process. What is no whole upload is removed: its client begins anew.
    static func uploads(in directory: borrowing Directory, _ documents: DocumentStore<UploadRecord>) throws -> [String: Upload] {
        let records = Dictionary(uniqueKeysWithValues: try documents.load().found.map { ($0.id, $0.document) })
        var uploads: [String: Upload] = [:]
        for entry in try directory.entries() {
            let id = entry.name.description
            if let record = records[id], RandomID.isValid(id), let repository = RepositoryPath(record.repository),
                let algorithm = Digest.Algorithm(rawValue: record.algorithm)
            {
                let own = try directory.openDirectory(entry.name)
                if try own.contains(UploadFile.name) {
                    uploads[id] = Upload(id: id, repository: repository, file: try UploadFile(in: own, algorithm, isNew: false))
                    continue
                }
            }
            try directory.removeTree(entry.name)
        }
        return uploads
    }

    /// Takes a blob that another repository shows into this one (OCI distribution specification, *Mounting a blob from another repository*).
    ///
    /// - Parameter sources: where the caller may read.
    /// - Returns: whether it is here now.
    func mount(_ digest: Digest, from sources: [RepositoryPath], to path: RepositoryPath) async throws(RegistryFailure) -> Bool {
        let lease = content.leases.begin()
        defer { _ = lease.end() }
        lease.hold(.blob(digest))
        let byteCount = state.withLock { state -> UInt64? in
            for source in sources { if let byteCount = state.repositories[source]?.blobs[digest] { return byteCount } }
            return nil
        }
        guard let byteCount else { return false }
        let isThere = try await blobLane.run { [content] () throws(RegistryFailure) in
            try orRefusal { () throws(ContentError) in try content.contains(digest, for: lease) }
        }
        guard isThere else { return false }
        try await change(path) { [self] (record) throws(RegistryFailure) in
            guard record.blobs[digest] == nil else { return }
            try admit(byteCount, to: path, sharing: digest)
            record.add(blob: digest, byteCount: byteCount)
        }
        grace.touch(digest)
        return true
    }
}
