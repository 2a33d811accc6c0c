internal import BerthOCI

/// How many bytes a registry may keep.
public struct RegistryQuota: Hashable, Sendable {
    /// In all, each blob once, with what is being uploaded. `nil` for no bound.
    public var byteCount: UInt64?
    /// In one repository, with what is being uploaded to it. `nil` for no bound.
    public var repositoryByteCount: UInt64?

    /// These bounds.
    public init(byteCount: UInt64? = nil, repositoryByteCount: UInt64? = nil) {
        (self.byteCount, self.repositoryByteCount) = (byteCount, repositoryByteCount)
    }
}

/// How much is kept, and by how many repositories each blob is shown.
struct Usage {
    private var links: [Digest: (count: Int, byteCount: UInt64)] = [:]
    private(set) var byteCount: UInt64 = 0
    private var repositories: [RepositoryPath: UInt64] = [:]
    private var uploads: [RepositoryPath: UInt64] = [:]
    private(set) var uploadByteCount: UInt64 = 0

    var blobCount: Int { links.count }
    func isLinked(_ digest: Digest) -> Bool { links[digest] != nil }

    /// A repository has another record than before.
    mutating func replace(_ old: RepositoryRecord?, by new: RepositoryRecord?, of path: RepositoryPath) {
        let (before, after) = (old?.contents ?? [], new?.contents ?? [])
        for digest in before.subtracting(after) {
            guard let link = links[digest] else { continue }
            links[digest] = link.count > 1 ? (link.count - 1, link.byteCount) : nil
            if link.count == 1 { byteCount -= link.byteCount }
        }
        for digest in after.subtracting(before) {
            let size = new?.byteCount(of: digest) ?? 0
            if links[digest] == nil { byteCount += size }
            links[digest] = ((links[digest]?.count ?? 0) + 1, size)
        }
        repositories[path] = new?.byteCount
    }

    /// Bytes come or go that are no blob yet.
    mutating func add(upload count: Int64, to path: RepositoryPath) {
        let total = Int64(uploads[path] ?? 0) + count
        uploads[path] = total > 0 ? UInt64(total) : nil
        uploadByteCount = UInt64(max(0, Int64(uploadByteCount) + count))
    }

    /// Refuses what goes beyond the quota.
    ///
    /// - Parameter isShared: whether another repository has the bytes already, so that none are kept in addition.
    func admit(_ count: UInt64, to path: RepositoryPath, _ quota: RegistryQuota, isShared: Bool = false) throws(RegistryFailure) {
        let kept = byteCount + uploadByteCount
        if !isShared, let limit = quota.byteCount, count > limit - min(kept, limit) {
            throw RegistryFailure(
                403, .denied, "the registry's quota of \(limit) bytes is used up: \(kept) are kept, and \(count) more were to come")
        }
        let own = (repositories[path] ?? 0) + (uploads[path] ?? 0)
        if let limit = quota.repositoryByteCount, count > limit - min(own, limit) {
            throw RegistryFailure(
                403, .denied, "the repository's quota of \(limit) bytes is used up: it has \(own), and \(count) more were to come")
        }
    }
}
