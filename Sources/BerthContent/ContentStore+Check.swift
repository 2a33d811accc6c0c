internal import BerthLinux
public import BerthOCI
internal import Synchronization

// What a check of the store asks, and what it does about it.
extension ContentStore {
    /// Whether `index.json` says exactly this. One that is missing, or is no file, says something else.
    public func hasIndex(_ index: Index) throws(ContentError) -> Bool {
        let bytes = try Self.encoded(index)
        do throws(Errno) { return try root.readFile("index.json", limit: bytes.count) == bytes } catch {
            if [.ENOENT, .EFBIG, .EINVAL, .ELOOP].contains(error) { return false }
            throw .storage("cannot read index.json", error)
        }
    }

    /// Whether the file `oci-layout` says that this is an image layout.
    public func hasMarker() throws(ContentError) -> Bool {
        do throws(Errno) { return try root.readFile("oci-layout", limit: 4096) == Array(Self.marker.utf8) } catch {
            if [.ENOENT, .EFBIG, .EINVAL, .ELOOP].contains(error) { return false }
            throw .storage("cannot read oci-layout", error)
        }
    }

    /// Writes the file `oci-layout` anew.
    public func writeMarker() throws(ContentError) {
        do throws(Errno) { try Self.writeMarker(in: root) } catch { throw .storage("cannot write oci-layout", error) }
    }

    /// What lies in `ingest` and nobody brings any more nor could go on with, by its path below the store.
    public func leftovers() throws(ContentError) -> [String] {
        do throws(Errno) {
            return try leftoverNames().map { "ingest/\($0)" }.sorted()
        } catch { throw .storage("cannot list what comes in", error) }
    }

    /// Removes what ``leftovers()`` tells of. Repeating is fine.
    public func removeLeftovers() throws(ContentError) {
        do throws(Errno) {
            for name in try leftoverNames() { try ingests.removeTree(name) }
        } catch { throw .storage("cannot remove what nobody brings any more", error) }
    }

    private func leftoverNames() throws(Errno) -> [PathBytes] {
        var names: [PathBytes] = []
        for name in try ingests.entries().map(\.name) where !pendingNames.contain(name) {
            if try !Self.isContinuable(name, in: ingests) { names.append(name) }
        }
        return names
    }

    /// Puts a damaged blob where nobody takes it for one, in one step: it is not a blob any more, and is not deleted.
    ///
    /// - Returns: where it is now, below the store; `nil` if it was not there.
    public func setAside(_ digest: Digest) throws(ContentError) -> String? {
        let name = "\(digest.algorithm.rawValue)-\(digest.hex).unreadable-\(realtimeNanoseconds())"
        do throws(Errno) {
            let aside = try root.makeDirectories("set-aside", permissions: 0o700)
            try root.synchronize()
            let own = try directory(of: digest)
            try removing.withLock { _ throws(Errno) in
                try own.rename(try PathBytes(digest.hex), to: try PathBytes(name), in: aside, replacing: .nothing)
            }
            try aside.synchronize()
            try own.synchronize()
            return "set-aside/\(name)"
        } catch {
            if error == .ENOENT { return nil }
            throw .storage("cannot set blob \(digest) aside", error, digest)
        }
    }
}
