public import BerthLinux
public import BerthOCI
internal import Synchronization

/// Content that has come whole and is no blob yet: whoever has this can read it, and nobody else sees it.
///
/// It goes with the last reference to this value, unless it is committed; a kill leaves it in `ingest`, where the next opening removes it. One that was
/// continued by its digest, and is what it should be, stays in `ingest` for the next who wants it (``ContentStore/makeIngest(continuing:for:)``).
public final class PendingBlob: Sendable {
    /// The digest of the bytes.
    public let digest: Digest
    /// How many there are.
    public let byteCount: UInt64
    private let store: ContentStore
    private let pending: PendingFile
    private let lease: Lease
    private let committing = Mutex(())

    init(_ store: ContentStore, _ pending: PendingFile, _ lease: Lease, digest: Digest, byteCount: UInt64) {
        (self.store, self.pending, self.lease) = (store, pending, lease)
        (self.digest, self.byteCount) = (digest, byteCount)
        // What came under the name of other bytes helps nobody who wants those.
        if let wanted = pending.digest, wanted != digest { pending.doNotKeep() }
    }

    /// Opens it for reading, from its beginning; also once it is a blob.
    public func open() throws(ContentError) -> OwnedDescriptor {
        do throws(Errno) { return try pending.open() } catch {
            guard error == .ENOENT else { throw .storage("cannot read content that has come", error, digest) }
        }
        return try store.open(digest)
    }

    /// Removes it now, unless it is a blob: whoever still has a reference has nothing any more. Repeating is fine.
    public func discard() { pending.discard() }

    /// Makes it a blob: synced, named, and the name synced. A blob that is there already stays as it is; repeating is fine, also by several at the same
    /// moment: the second finds it there. The lease that it came under holds it from before it has its name.
    public func commit() throws(ContentError) { try store.commit([self]) }

    /// Syncs it and gives it its name, unless there is such a blob already. The name is not synced.
    fileprivate func giveName() throws(ContentError) {
        lease.hold(.blob(digest))
        do throws(Errno) {
            try committing.withLock { _ throws(Errno) in
                guard try !store.isThere(digest) else { return }
                try pending.commit(as: try PathBytes(digest.hex), in: try store.directory(of: digest.algorithm))
            }
        } catch {
            throw .storage("cannot commit blob \(digest)", error, digest)
        }
    }
}

extension ContentStore {
    /// Makes contents that have come here blobs, each as ``PendingBlob/commit()`` does; their names are synced together. When this throws, some may be blobs.
    public func commit(_ contents: [PendingBlob]) throws(ContentError) {
        for content in contents { try content.giveName() }
        for algorithm in Set(contents.map(\.digest.algorithm)) {
            // Also where all were there: who named them may have been stopped before this.
            do throws(Errno) { try directory(of: algorithm).synchronize() } catch { throw .storage("cannot commit blobs", error) }
        }
    }
}

/// The temporary names that somebody has. Of other files in `ingest` nobody knows any more.
final class PendingNames: Sendable {
    private let names = Mutex<Set<PathBytes>>([])
    /// - Returns: `false` if somebody has it already.
    func insert(_ name: PathBytes) -> Bool { names.withLock { $0.insert(name).inserted } }
    func remove(_ name: PathBytes) { names.withLock { _ = $0.remove(name) } }
    func contain(_ name: PathBytes) -> Bool { names.withLock { $0.contains(name) } }
}

/// A file under a temporary name, which goes with this value unless it is committed, or is to be continued by the next who wants it.
final class PendingFile: Sendable {
    private let directory: Directory
    private let name: PathBytes
    private struct State {
        var isThere = true
        var isKept: Bool
    }
    private let state: Mutex<State>
    private let names: PendingNames
    /// What the bytes are to be, where the file is found again by that.
    let digest: Digest?

    /// A file that nobody finds again.
    init(in directory: borrowing Directory, _ names: PendingNames) throws(Errno) {
        self.directory = try directory.duplicate()
        var random = SystemRandomNumberGenerator()
        name = try PathBytes("in-" + String(random.next(), radix: 16))
        (self.names, digest) = (names, nil)
        state = Mutex(State(isKept: false))
        _ = names.insert(name)
    }

    /// The file of those bytes; `nil` while somebody else is at it.
    init?(of digest: Digest, in directory: borrowing Directory, _ names: PendingNames) throws(Errno) {
        let name = try PartialName.path(of: digest)
        guard names.insert(name) else { return nil }
        do throws(Errno) { self.directory = try directory.duplicate() } catch {
            names.remove(name)
            throw error
        }
        (self.name, self.names, self.digest) = (name, names, digest)
        state = Mutex(State(isKept: true))
    }

    deinit {
        // Of nothing, nothing is to be continued.
        if !state.withLock({ $0.isKept }) || (try? directory.statusIfThere(name))??.byteCount == 0 { discard() }
        names.remove(name)
    }

    func discard() {
        guard
            state.withLock({ state in
                defer { state.isThere = false }
                return state.isThere
            })
        else { return }
        // Committed, it has no such name any more; else what is left is removed at the next opening, if not now.
        try? directory.removeFile(name)
    }

    /// From now on, the file goes with this value.
    func doNotKeep() { state.withLock { $0.isKept = false } }

    func create() throws(Errno) -> OwnedDescriptor { try directory.createFile(name, permissions: 0o644) }
    func open() throws(Errno) -> OwnedDescriptor { try directory.openForReading(name) }

    /// Opens what an earlier one has left, for going on; a new file where that is not there, or is longer than the whole.
    func openOrCreate(limit: UInt64) throws(Errno) -> OwnedDescriptor {
        if let status = try directory.statusIfThere(name) {
            if status.kind == .regular, UInt64(max(0, status.byteCount)) <= limit { return try directory.openForWriting(name) }
            try directory.removeTree(name)
        }
        return try create()
    }

    func commit(as newName: PathBytes, in target: borrowing Directory) throws(Errno) {
        try open().synchronize()
        try directory.rename(name, to: newName, in: target)
    }
}

/// The names of partial blobs that are found again by their digest: `part-sha256-<hex>`.
enum PartialName {
    static func path(of digest: Digest) throws(Errno) -> PathBytes { try PathBytes("part-\(digest.algorithm.rawValue)-\(digest.hex)") }

    static func isOne(_ name: PathBytes) -> Bool {
        let parts = name.description.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "part" else { return false }
        return (try? Digest(parsing: "\(parts[1]):\(parts[2])")) != nil  // any other name is not one of ours
    }
}
