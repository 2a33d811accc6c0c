internal import BerthLinux
internal import BerthReactor

extension VolumeStore {
    /// How many bytes the files of a volume have, each file once. Of one with options it is what lies in its own directory: nothing.
    ///
    /// It may change meanwhile; then what is counted is the old or the new.
    /// - Throws: `notFound`, `conflict`, `storage`, `busy`.
    public func byteCount(of name: String) async throws(VolumeError) -> UInt64 {
        let object = try object(name)
        return try await object.lane.run { () throws(VolumeError) in
            do throws(Errno) { return try Self.byteCount(below: try Directory.open(object.volume.mountPoint)) } catch {
                // Removed meanwhile.
                if error == .ENOENT { throw .noSuchVolume(name) }
                throw .storage("cannot look at the files of volume \(name)", error)
            }
        }
    }

    private static func byteCount(below root: borrowing Directory) throws(Errno) -> UInt64 {
        var total: UInt64 = 0
        var seen: Set<UInt64> = []
        var waiting: [[PathBytes]] = [[]]
        while let path = waiting.popLast() {
            do throws(Errno) {
                var directory = try root.duplicate()
                for name in path { directory = try directory.openDirectory(name) }
                for entry in try directory.entries() {
                    guard let status = try directory.statusIfThere(entry.name) else { continue }
                    if status.kind == .directory {
                        waiting.append(path + [entry.name])
                    } else if status.linkCount < 2 || seen.insert(status.inode).inserted {
                        total += UInt64(max(0, status.byteCount))
                    }
                }
            } catch {
                // A directory that is gone has no bytes, and one that has become a link is no directory.
                guard error == .ENOENT || error == .ENOTDIR || error == .ELOOP else { throw error }
                if path.isEmpty { throw error }
            }
        }
        return total
    }
}
