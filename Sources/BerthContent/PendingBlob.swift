public import BerthLinux
public import BerthOCI
internal import Synchronization

/// Content that has come whole and is no blob yet: whoever has this can read it, and nobody else sees it.
///
/// It goes with the last reference to this value, unless it is committed; a kill leaves it in `ingest`, where the next opening removes it.
public final class PendingBlob: Sendable {
    /// The digest of the bytes.
    public let digest: Digest
    /// How many there are.
    public let byteCount: UInt64
    private let store: ContentStore
    private let pending: PendingFile
    private let lease: Lease

    init(_ store: ContentStore, _ pending: PendingFile, _ lease: Lease, digest: Digest, byteCount: UInt64) {
        (self.store, self.pending, self.lease) = (store, pending, lease)
        (self.digest, self.byteCount) = (digest, byteCount)
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

    /// Makes it a blob: synced, named, and the name synced. A blob that is there already stays as it is; repeating is fine. The lease that it came
    /// under holds it from before it has its name.
    public func commit() throws(ContentError) {
        lease.hold(.blob(digest))
        do throws(Errno) {
            let target = try store.directory(of: digest)
            let name = try PathBytes(digest.hex)
            if try !store.isThere(digest) { try pending.commit(as: name, in: target) }
            // Also where it was there: who named it may have been stopped before this.
            try target.synchronize()
        } catch {
            throw .storage("cannot commit blob \(digest)", error, digest)
        }
    }
}

/// The temporary names that somebody has. Of other files in `ingest` nobody knows any more.
final class PendingNames: Sendable {
    private let names = Mutex<Set<PathBytes>>([])
    func insert(_ name: PathBytes) { names.withLock { _ = $0.insert(name) } }
    func remove(_ name: PathBytes) { names.withLock { _ = $0.remove(name) } }
    func contain(_ name: PathBytes) -> Bool { names.withLock { $0.contains(name) } }
}

/// A file under a temporary name, which goes with this value unless it is committed.
final class PendingFile: Sendable {
    private let directory: Directory
    private let name: PathBytes
    private let isThere = Mutex(true)
    private let names: PendingNames

    init(in directory: borrowing Directory, _ names: PendingNames) throws(Errno) {
        self.directory = try directory.duplicate()
        var random = SystemRandomNumberGenerator()
        name = try PathBytes("in-" + String(random.next(), radix: 16))
        self.names = names
        names.insert(name)
    }

    deinit {
        discard()
        names.remove(name)
    }

    func discard() {
        guard
            isThere.withLock({ isThere in
                defer { isThere = false }
                return isThere
            })
        else { return }
        // Committed, it has no such name any more; else what is left is removed at the next opening, if not now.
        try? directory.removeFile(name)
    }

    func create() throws(Errno) -> OwnedDescriptor { try directory.createFile(name, permissions: 0o644) }
    func open() throws(Errno) -> OwnedDescriptor { try directory.openForReading(name) }

    func commit(as newName: PathBytes, in target: borrowing Directory) throws(Errno) {
        try open().synchronize()
        try directory.rename(name, to: newName, in: target)
    }
}
