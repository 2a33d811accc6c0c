public import BerthLinux
internal import BerthSnapshots
internal import BerthState
internal import Synchronization

// Copy-up: what an image has where a volume is mounted goes into the volume, if there is nothing in that yet.
//
// `volumes/<name>/.filling-<random>` is being copied to: it is incomplete, and a kill leaves it to be removed. Complete and synced, it is renamed to
// `.filled-<random>`: from then on it is what the volume has, and whoever opens the store next finishes the moving. Of a volume that is a directory of the host's,
// and of a part of a volume, both lie in that directory, for they are to be on one file system with it, and whoever fills it next finishes: at its start the engine
// touches nothing of the host's, and does not know of parts.
extension VolumeStore {
    static let filling = ".filling-"
    static let filled = ".filled-"
    /// What those begin with in a directory of the host's, where names are other people's.
    private static let own = ".berth"

    /// Where a volume's files are, and where they are made ready.
    private struct Place: ~Copyable {
        let files: Directory
        let workshop: Directory
        /// What names in the workshop begin with.
        let prefix: String

        /// Whether there are no files but what is being made ready.
        func isEmpty() throws(Errno) -> Bool {
            try files.entries().allSatisfy { !prefix.isEmpty && $0.name.description.hasPrefix(prefix + ".fill") }
        }

        func entries(beginningWith word: String) throws(Errno) -> [PathBytes] {
            try workshop.entries().map(\.name).filter { $0.description.hasPrefix(prefix + word) }
        }
    }

    /// `nil` for a volume that is a file system, which only its containers mount, a directory of the host's that is not to be written, and a part that is not there.
    private func place(of name: String, _ part: String) throws(VolumeError) -> Place? {
        let source = try source(of: name)
        do throws(Errno) {
            switch source {
            case .directory where !part.isEmpty: return try Self.place(of: part, in: try Directory.open("\(path)/\(name)/_data"))
            case .directory:
                let own = try Directory.open("\(path)/\(name)")
                return Place(files: try own.openDirectory("_data"), workshop: own, prefix: "")
            case .bind(let path, let options):
                if options.contains("ro") { return nil }
                if !part.isEmpty { return try Self.place(of: part, in: try Directory.open(path)) }
                return Place(files: try Directory.open(path), workshop: try Directory.open(path), prefix: Self.own)
            case .fileSystem: return nil
            }
        } catch {
            // That what is bound is missing, or no directory, its container's start says.
            if source.isBind || !part.isEmpty, error == .ENOENT || error == .ENOTDIR { return nil }
            throw .storage("cannot look at the files of volume \(name)", error)
        }
    }

    private static func place(of part: String, in volume: borrowing Directory) throws(Errno) -> Place {
        let files = try volume.openDirectory(try PathBytes(part), .inRoot)
        return Place(files: try files.duplicate(), workshop: files, prefix: own)
    }

    /// Puts what a directory holds into a volume that holds nothing, with owners, modes, times, links and attributes; the volume's own directory becomes as
    /// that one is. If there is something in it nothing happens, nor in one that is a file system of its own. Killed at any moment, the volume is empty or the next
    /// start makes it whole. Blocks; any number may do so at once, and the first one fills it.
    ///
    /// - Parameters:
    ///   - part: a path below the volume's root: that is filled instead of all of it, if it is there. No link in it leads out.
    ///   - directory: what to copy. No link in it is followed.
    /// - Throws: `notFound`, `conflict`, `storage`.
    public func fill(_ name: String, part: String = "", from directory: borrowing Directory) throws(VolumeError) {
        let object = try object(name)
        guard let place = try place(of: name, part) else { return }
        do throws(Errno) {
            try object.filling.withLock { (count) throws(Errno) in
                // Nobody fills it: what is there a kill has left.
                if count == 0 { for name in try place.entries(beginningWith: Self.filling) { try place.workshop.removeTree(name) } }
                try Self.finish(in: place)
                count += 1
            }
            defer { object.filling.withLock { $0 -= 1 } }
            guard try place.isEmpty() else { return }
            let suffix = RandomID.make().prefix(16)
            let (incomplete, complete) = (
                try PathBytes(place.prefix + Self.filling + suffix), try PathBytes(place.prefix + Self.filled + suffix)
            )
            do throws(Errno) {
                try place.workshop.makeDirectory(incomplete, permissions: 0o700)
                let target = try place.workshop.openDirectory(incomplete)
                try TreeCopy(of: try directory.duplicate(), to: try target.duplicate()).run()
                try target.synchronizeFileSystem()
            } catch {
                try? place.workshop.removeTree(incomplete)  // what stays is removed by the next start
                throw error
            }
            try object.filling.withLock { (_) throws(Errno) in
                guard try place.isEmpty() else { return try place.workshop.removeTree(incomplete) }
                try place.workshop.rename(incomplete, to: complete, replacing: .nothing)
                try place.workshop.synchronize()
                try Self.move(complete, in: place)
            }
        } catch {
            throw .storage("cannot copy the image's files into volume \(name)", error)
        }
    }

    /// Whether a volume can be filled: it holds nothing, or what it is to hold is not all in its place, and is no file system of its own. Blocks.
    ///
    /// - Throws: `notFound`, `conflict`, `storage`.
    public func canBeFilled(_ name: String, part: String = "") throws(VolumeError) -> Bool {
        guard let place = try place(of: name, part) else { return false }
        do throws(Errno) {
            if try place.isEmpty() { return true }
            return try !place.entries(beginningWith: Self.filled).isEmpty
        } catch {
            throw .storage("cannot look at the files of volume \(name)", error)
        }
    }

    /// Moves what is complete into place. What is there already under a name is somebody's: it stays.
    private static func move(_ complete: PathBytes, in place: borrowing Place) throws(Errno) {
        do {
            let from = try place.workshop.openDirectory(complete)
            for entry in try from.entries() {
                do throws(Errno) { try from.rename(entry.name, to: entry.name, in: place.files, replacing: .nothing) } catch {
                    guard error == .EEXIST else { throw error }
                }
            }
            try TreeCopy.copyAttributes(from: from, to: place.files)
            try place.files.synchronize()
        }
        try place.workshop.removeTree(complete)
    }

    /// What a kill has left of a copy, when nobody copies.
    func finishFilling(_ object: VolumeObject) throws(Errno) {
        let own = try Directory.open("\(path)/\(object.volume.name)")
        let names = try own.entries().map(\.name)
        for name in names where name.description.hasPrefix(Self.filling) { try own.removeTree(name) }
        guard names.contains(where: { $0.description.hasPrefix(Self.filled) }) else { return }
        try Self.finish(in: Place(files: try own.openDirectory("_data"), workshop: own, prefix: ""))
    }

    private static func finish(in place: borrowing Place) throws(Errno) {
        for name in try place.entries(beginningWith: filled) { try move(name, in: place) }
    }
}
