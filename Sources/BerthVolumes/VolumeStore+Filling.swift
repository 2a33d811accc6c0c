public import BerthLinux
internal import BerthSnapshots
internal import BerthState
internal import Synchronization

// Copy-up: what an image has where a volume is mounted goes into the volume, if there is nothing in that yet.
//
// `volumes/<name>/.filling-<random>` is being copied to: it is incomplete, and a kill leaves it to be removed. Complete and synced, it is renamed to
// `.filled-<random>`: from then on it is what the volume has, and whoever opens the store next finishes the moving.
extension VolumeStore {
    static let filling = ".filling-"
    static let filled = ".filled-"

    /// Puts what a directory holds into a volume that holds nothing, with owners, modes, times, links and attributes; the volume's own directory becomes as
    /// that one is. If there is something in it nothing happens, nor in one with options. Killed at any moment, the volume is empty or the next
    /// start makes it whole. Blocks; any number may do so at once, and the first one fills it.
    ///
    /// - Parameter directory: what to copy. No link in it is followed.
    /// - Throws: `notFound`, `conflict`, `storage`.
    public func fill(_ name: String, from directory: borrowing Directory) throws(VolumeError) {
        let object = try object(name)
        guard case .directory = try source(of: name) else { return }
        do throws(Errno) {
            let own = try Directory.open("\(path)/\(name)")
            try object.filling.withLock { (_) throws(Errno) in try Self.finish(in: own) }
            guard try own.openDirectory("_data").entries().isEmpty else { return }
            let suffix = RandomID.make().prefix(16)
            let (incomplete, complete) = (try PathBytes(Self.filling + suffix), try PathBytes(Self.filled + suffix))
            do throws(Errno) {
                try own.makeDirectory(incomplete, permissions: 0o700)
                let target = try own.openDirectory(incomplete)
                try TreeCopy(of: try directory.duplicate(), to: try target.duplicate()).run()
                try target.synchronizeFileSystem()
            } catch {
                try? own.removeTree(incomplete)  // what stays is removed by the next start
                throw error
            }
            try object.filling.withLock { (_) throws(Errno) in
                guard try own.openDirectory("_data").entries().isEmpty else { return try own.removeTree(incomplete) }
                try own.rename(incomplete, to: complete, replacing: .nothing)
                try own.synchronize()
                try Self.move(complete, in: own)
            }
        } catch {
            throw .storage("cannot copy the image's files into volume \(name)", error)
        }
    }

    /// Whether a volume can be filled: it holds nothing, or what it is to hold is not all in its place, and has no options. Blocks.
    ///
    /// - Throws: `notFound`, `conflict`, `storage`.
    public func canBeFilled(_ name: String) throws(VolumeError) -> Bool {
        guard case .directory = try source(of: name) else { return false }
        do throws(Errno) {
            let own = try Directory.open("\(path)/\(name)")
            if try own.openDirectory("_data").entries().isEmpty { return true }
            return try own.entries().contains { $0.name.description.hasPrefix(Self.filled) }
        } catch {
            throw .storage("cannot look at the files of volume \(name)", error)
        }
    }

    /// Moves what is complete into place. What is there already under a name is somebody's: it stays.
    private static func move(_ complete: PathBytes, in own: borrowing Directory) throws(Errno) {
        do {
            let from = try own.openDirectory(complete)
            let to = try own.openDirectory("_data")
            for entry in try from.entries() {
                do throws(Errno) { try from.rename(entry.name, to: entry.name, in: to, replacing: .nothing) } catch {
                    guard error == .EEXIST else { throw error }
                }
            }
            try TreeCopy.copyAttributes(from: from, to: to)
            try to.synchronize()
        }
        try own.removeTree(complete)
    }

    /// What a kill has left of a copy, when nobody copies.
    func finishFilling(_ object: VolumeObject) throws(Errno) {
        let own = try Directory.open("\(path)/\(object.volume.name)")
        for entry in try own.entries() where entry.name.description.hasPrefix(Self.filling) { try own.removeTree(entry.name) }
        try Self.finish(in: own)
    }

    private static func finish(in own: borrowing Directory) throws(Errno) {
        for entry in try own.entries() where entry.name.description.hasPrefix(filled) { try move(entry.name, in: own) }
    }
}
