internal import BerthLinux
public import BerthOCI

// Partial blobs: what has come of a blob outlives whoever brought it, so that the next goes on where it stopped.
extension ContentStore {
    /// For how many days a partial blob that nobody goes on with is kept.
    public static let partialBlobDays: Int64 = 7

    /// A place for the bytes of a blob, which begins with those that are there already: what an earlier one has written and not committed, in this process
    /// or before it was killed. ``Ingest/byteCount`` says how many; the next to write is the one behind them.
    ///
    /// Dropped uncommitted, what has come stays for the next; ``Ingest/discard()`` throws it away, and so does a commit that finds other bytes than the
    /// digest says. A partial blob is not trusted: it is hashed anew here, and compared as a whole when it is committed. While somebody is at it, another
    /// begins at 0 with a place of its own, of which nothing is kept. Reads what is there, so it takes a moment for each gigabyte.
    ///
    /// - Parameters:
    ///   - blob: what it is to be. Of more bytes than it says, none are taken over.
    ///   - lease: holds the blob from before it has its name.
    public func makeIngest(continuing blob: Descriptor, for lease: Lease) throws(ContentError) -> Ingest {
        do throws(Errno) {
            if let pending = try PendingFile(of: blob.digest, in: ingests, pendingNames) {
                return try Ingest(self, continuing: pending, blob, for: lease)
            }
        } catch { throw .storage("cannot go on with blob \(blob.digest)", error, blob.digest) }
        return try makeIngest(blob.digest.algorithm, for: lease)
    }

    /// Removes the partial blobs that nobody is at. Repeating is fine.
    ///
    /// - Returns: how many bytes they had.
    public func removePartialBlobs() throws(ContentError) -> UInt64 {
        var byteCount: UInt64 = 0
        do throws(Errno) {
            for entry in try ingests.entries() where PartialName.isOne(entry.name) {
                guard pendingNames.insert(entry.name) else { continue }
                defer { pendingNames.remove(entry.name) }
                guard let status = try ingests.statusIfThere(entry.name) else { continue }
                try ingests.removeTree(entry.name)
                byteCount += UInt64(max(0, status.byteCount))
            }
        } catch { throw .storage("cannot remove partial blobs", error) }
        return byteCount
    }

    /// Whether it is a partial blob that somebody may still want.
    static func isContinuable(_ name: PathBytes, in ingests: borrowing Directory) throws(Errno) -> Bool {
        guard PartialName.isOne(name), let status = try ingests.statusIfThere(name), status.kind == .regular, status.byteCount > 0 else {
            return false
        }
        return status.modificationTime.seconds >= realtimeNanoseconds() / 1_000_000_000 - partialBlobDays * 86_400
    }
}
