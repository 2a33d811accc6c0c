public import BerthLinux

/// How files are copied into a directory that has something already, as ``TreeExtractor/init(copyingInto:_:)`` does it.
public struct CopyRules: Sendable {
    /// Whose the copies are.
    public enum Owner: Sendable, Hashable {
        /// Whose the archive says.
        case asWritten
        /// The copying program's own.
        case creator
        /// This user's and group's.
        case user(userID: UInt32, groupID: UInt32)
    }
    /// Default ``Owner/asWritten``.
    public var owner = Owner.asWritten
    /// Whether something that is no directory may take the place of a directory with all that it has, or the other way round. Default: no.
    public var replacesOtherKinds = false
    /// Where symbolic links among the directories on the way lead. Default `nil`: nowhere, they are an error.
    public var links: CopyLinks?
    /// What entries, and the targets of hard links, are called instead of their names. Default `nil`: as they are.
    public var rename: (@Sendable ([UInt8]) -> [UInt8])?
    /// How the directory is called, for errors. Default `/`.
    public var displayName = "/"

    /// The defaults.
    public init() {}

    /// What the archive says of an entry, but for what the rules say.
    func applied(to found: TarEntry) -> TarEntry {
        var entry = found
        if let rename {
            entry.name = rename(entry.name)
            if entry.kind == .hardLink { entry.linkName = rename(entry.linkName) }
        }
        if case .user(let userID, let groupID) = owner { (entry.userID, entry.groupID) = (userID, groupID) }
        return entry
    }

    /// Whether an entry is to be unpacked.
    ///
    /// - Throws: `storage` where it may not take the place of what is there.
    func allows(_ entry: TarEntry, _ path: [PathBytes], in parent: borrowing Directory) throws(TarError) -> Bool {
        guard let name = path.last else { return false }
        let status: FileStatus
        let isMountPoint: Bool
        do throws(Errno) {
            status = try parent.status(name)
            isMountPoint = try parent.isMountPoint(name)
        } catch {
            // Nothing is there, or not any more: somebody else may use the tree.
            if error == .ENOENT { return true }
            throw .storage("look at the place of", entry, error)
        }
        let place = displayPath(path)
        switch (status.kind == .directory, entry.kind == .directory) {
        case (true, true): return true
        case (true, false) where !replacesOtherKinds:
            throw TarError(.storage, "cannot overwrite directory \"\(place)\" with non-directory \"\(displayName)\"")
        case (false, true) where !replacesOtherKinds:
            throw TarError(.storage, "cannot overwrite non-directory \"\(place)\" with directory \"\(displayName)\"")
        default:
            // In its own namespace the kernel refuses that; for other namespaces it would take the mount away.
            guard !isMountPoint else {
                throw TarError(.storage, "unlinkat \(place): device or resource busy: something is mounted there", underlying: .EBUSY)
            }
            return true
        }
    }

    private func displayPath(_ path: [PathBytes]) -> String {
        (displayName.hasSuffix("/") ? String(displayName.dropLast()) : displayName) + path.map { "/\($0)" }.joined()
    }
}

/// Symbolic links are followed as whoever has a certain root follows them, and never lead out of it.
public final class CopyLinks: Sendable {
    private let root: Directory
    private let path: PathBytes

    /// - Parameters:
    ///   - root: what links are followed in.
    ///   - path: where, in it, the directory lies that is copied into; no link on the way to it.
    public init(in root: consuming Directory, at path: PathBytes) {
        self.root = root
        self.path = path
    }

    /// Opens a directory by its path in the one that is copied into.
    func open(_ names: ArraySlice<PathBytes>) throws(Errno) -> Directory {
        var all = path
        for name in names { all = try all.appending(name) }
        return try root.openDirectoryInRoot(all)
    }
}

extension Directory {
    /// How often the kernel is asked again that saw something move on the way: a container may go on moving it.
    private static var attemptLimit: Int { 64 }

    /// Opens a directory as whoever has this one as the root would, following links. An empty path, or `/`, is the root.
    ///
    /// - Throws: `EAGAIN` if what lies on the way is moved all the time.
    public borrowing func openDirectoryInRoot(_ path: PathBytes) throws(Errno) -> Directory {
        let relative = try Self.relative(path)
        return try Self.asking { (_) throws(Errno) in try openDirectory(relative, .inRoot) }
    }

    /// The status of what a path leads to, as whoever has this directory as the root would find it, following links.
    ///
    /// - Throws: as ``openDirectoryInRoot(_:)``.
    public borrowing func statusInRoot(_ path: PathBytes) throws(Errno) -> FileStatus {
        let relative = try Self.relative(path)
        return try Self.asking { (_) throws(Errno) in try openPath(relative, .inRoot).status() }
    }

    private static func relative(_ path: PathBytes) throws(Errno) -> PathBytes {
        let rest = path.bytes.drop { $0 == UInt8(ascii: "/") }
        return rest.isEmpty ? "." : try PathBytes(rest)
    }

    private static func asking<Value: ~Copyable>(_ body: (Int) throws(Errno) -> Value) throws(Errno) -> Value {
        for attempt in 1..<attemptLimit {
            do { return try body(attempt) } catch { guard error == .EAGAIN else { throw error } }
        }
        return try body(attemptLimit)
    }
}
