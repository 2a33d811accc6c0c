public import BerthLinux
public import BerthOCI

// Bytes that lay elsewhere before they were a blob.
extension ContentStore {
    /// Makes a file a blob, without copying it: compared, synced, named, and the name synced. It leaves its directory; where the blob is there already, it
    /// is removed. Where this throws, it stays.
    ///
    /// For whoever takes in bytes over a long time, in pieces, under a name of its own, and learns last what they are to be.
    /// - Parameters:
    ///   - name: a regular file that nobody writes to any more.
    ///   - directory: one on the store's file system.
    ///   - hasher: what every byte of the file has gone through, in order.
    ///   - expected: the digest that the bytes must have, of the hasher's algorithm.
    ///   - lease: holds the blob from before it has its name.
    /// - Throws: `digestMismatch`, `storage`.
    public func adopt(
        _ name: PathBytes, in directory: borrowing Directory, hashedBy hasher: DigestHasher, expecting expected: Digest, for lease: Lease
    ) throws(ContentError) {
        let found = hasher.digest()
        guard found == expected else {
            throw ContentError(
                .digestMismatch, "expected content with the digest \(expected), and what came has \(found)", digest: expected)
        }
        lease.hold(.blob(expected))
        do throws(Errno) {
            let target = try self.directory(of: expected)
            if try isThere(expected) {
                try directory.removeFile(name)
            } else {
                try directory.openForReading(name).synchronize()
                try directory.rename(name, to: try PathBytes(expected.hex), in: target)
            }
            // Also where it was there: who named it may have been stopped before this.
            try target.synchronize()
        } catch {
            throw .storage("cannot commit blob \(expected)", error, expected)
        }
    }
}
