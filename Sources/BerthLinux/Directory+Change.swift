internal import CBerth
internal import Glibc

// Calls that change a directory. Each takes one name; anything else is EINVAL. Each passes the seam.
extension Directory {
    /// Creates a directory. `EEXIST` if there is something of that name.
    ///
    /// - Parameter permissions: less the process's umask; ``setPermissions(_:_:)`` sets them exactly.
    public borrowing func makeDirectory(_ name: PathBytes, permissions: UInt32 = 0o755) throws(Errno) {
        try requireName(name)
        try SystemCallSeam.pass("mkdirat")
        _ = try unsafe call(name) { unsafe mkdirat($0, $1, permissions) }
    }

    /// Creates the directories of a path that are missing, and opens the last. Existing ones stay as they are.
    public borrowing func makeDirectories(_ path: PathBytes, permissions: UInt32 = 0o755) throws(Errno) -> Directory {
        var directory = try duplicate()
        for name in path.components {
            do { try directory.makeDirectory(name, permissions: permissions) } catch { if error != .EEXIST { throw error } }
            directory = try directory.openDirectory(name)
        }
        return directory
    }

    /// Creates a file that must not exist, open for reading and writing.
    public borrowing func createFile(_ name: PathBytes, permissions: UInt32 = 0o644) throws(Errno) -> OwnedDescriptor {
        try requireName(name)
        try SystemCallSeam.pass("openat:create")
        return try resolve(name, flags: O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, permissions: permissions & 0o7777, .withoutLinks)
    }

    /// Creates a file of this directory's file system that has no name, open for reading and writing: it goes with its last descriptor.
    ///
    /// - Throws: `EOPNOTSUPP` where the file system has none such.
    public borrowing func createUnnamedFile() throws(Errno) -> OwnedDescriptor {
        try SystemCallSeam.pass("openat:create")
        return try resolve(".", flags: O_RDWR | O_DIRECTORY | CInt(BERTH_O_TMPFILE), permissions: 0o600, .withoutLinks)
    }

    /// Opens a file for appending, creating it where it is missing.
    public borrowing func openForAppending(_ name: PathBytes, permissions: UInt32 = 0o644) throws(Errno) -> OwnedDescriptor {
        try requireName(name)
        try SystemCallSeam.pass("openat:create")
        return try resolve(name, flags: O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, permissions: permissions & 0o7777, .withoutLinks)
    }

    /// Opens an existing file for reading and writing.
    public borrowing func openForWriting(_ name: PathBytes) throws(Errno) -> OwnedDescriptor {
        try requireName(name)
        return try resolve(name, flags: O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, .withoutLinks)
    }

    /// Creates a symbolic link. The target is data: it is not looked at.
    public borrowing func makeSymbolicLink(_ name: PathBytes, to target: PathBytes) throws(Errno) {
        try requireName(name)
        try SystemCallSeam.pass("symlinkat")
        _ = try unsafe target.withCString { (target) throws(Errno) in try unsafe call(name) { unsafe symlinkat(target, $0, $1) } }
    }

    /// Gives the file `existing` of the directory `source` a further name here. A link is not followed.
    public borrowing func makeHardLink(_ name: PathBytes, to existing: PathBytes, in source: borrowing Directory) throws(Errno) {
        try requireName(name)
        try requireName(existing)
        try SystemCallSeam.pass("linkat")
        _ = try source.descriptor.withRawDescriptor { (source) throws(Errno) in
            try unsafe existing.withCString { (existing) throws(Errno) in
                try unsafe call(name) { unsafe linkat(source, existing, $0, $1, 0) }
            }
        }
    }

    /// Creates a device, a named pipe or a socket's name.
    ///
    /// - Throws: `EINVAL` for kinds that other calls make; `EPERM` without the right to make devices.
    public borrowing func makeNode(_ name: PathBytes, _ kind: FileStatus.Kind, permissions: UInt32) throws(Errno) {
        try requireName(name)
        let (type, device): (mode_t, UInt64) =
            switch kind {
            case .characterDevice(let number): (S_IFCHR, number.encoded)
            case .blockDevice(let number): (S_IFBLK, number.encoded)
            case .fifo: (S_IFIFO, 0)
            case .socket: (S_IFSOCK, 0)
            case .regular, .directory, .symbolicLink: throw .EINVAL
            }
        try SystemCallSeam.pass("mknodat")
        _ = try unsafe call(name) { unsafe mknodat($0, $1, type | (permissions & 0o777), dev_t(device)) }
    }

    /// Removes a name that is no directory.
    public borrowing func removeFile(_ name: PathBytes) throws(Errno) {
        try requireName(name)
        try SystemCallSeam.pass("unlinkat")
        _ = try unsafe call(name) { unsafe unlinkat($0, $1, 0) }
    }

    /// Removes an empty directory.
    public borrowing func removeDirectory(_ name: PathBytes) throws(Errno) {
        try requireName(name)
        try SystemCallSeam.pass("unlinkat:directory")
        _ = try unsafe call(name) { unsafe unlinkat($0, $1, AT_REMOVEDIR) }
    }

    /// Removes a name with everything below it, never following a link nor leaving the file system. Something that is not there is removed already.
    ///
    /// What others make in it meanwhile is removed too, unless they go on and on: then it is `ENOTEMPTY`.
    /// On failure part of it may be gone; calling again goes on. However deep it is, at most 64 directories are open at a time: what lies
    /// deeper is first moved up.
    public borrowing func removeTree(_ name: PathBytes) throws(Errno) {
        for attempt in 0... {
            do {
                return try removeTreeOnce(name)
            } catch {
                // Somebody has made something in it meanwhile: a monitor that writes down how its container ended, say.
                guard error == .ENOTEMPTY, attempt < Self.maximumRemovalAttempts else { throw error }
            }
        }
    }

    /// How often a tree is gone through again in which others still make something.
    private static var maximumRemovalAttempts: Int { 16 }

    private borrowing func removeTreeOnce(_ name: PathBytes) throws(Errno) {
        if try removeUnlessDirectory(name) { return }
        do {
            let top = try openDirectory(name)
            let device = try descriptor.status().device
            guard try top.descriptor.status().device == device else { throw Errno.EXDEV }
            // Again while something has been moved up.
            while try top.removeContents(on: device, depth: 0, movingDeepTo: top) {}
        }
        do { try removeDirectory(name) } catch { if error != .ENOENT { throw error } }
    }

    /// - Returns: `false` for a directory, which is still there.
    private borrowing func removeUnlessDirectory(_ name: PathBytes) throws(Errno) -> Bool {
        do {
            try removeFile(name)
            return true
        } catch {
            if error == .ENOENT { return true }
            // unlink of a directory is EISDIR on Linux; POSIX and some file systems say EPERM.
            guard error == .EISDIR || error == .EPERM else { throw error }
            return false
        }
    }

    /// - Returns: whether something was moved to the top, where it still is.
    private borrowing func removeContents(on device: UInt64, depth: Int, movingDeepTo top: borrowing Directory) throws(Errno) -> Bool {
        var hasMoved = false
        for entry in try entries() where try !removeUnlessDirectory(entry.name) {
            if depth == 60 {
                var random = SystemRandomNumberGenerator()
                try rename(entry.name, to: try PathBytes(".deep-" + String(random.next(), radix: 16)), in: top, replacing: .nothing)
                hasMoved = true
                continue
            }
            do {
                let directory = try openDirectory(entry.name)
                guard try directory.descriptor.status().device == device else { throw Errno.EXDEV }
                if try directory.removeContents(on: device, depth: depth + 1, movingDeepTo: top) { hasMoved = true }
            }
            try removeDirectory(entry.name)
        }
        return hasMoved
    }

    /// Whether a rename may replace what is there.
    public enum Replacing: Sendable {
        /// A file or empty directory of the new name is replaced in one step.
        case existing
        /// `EEXIST` if there is something of the new name.
        case nothing
        /// Both names change places in one step.
        case exchanging
    }

    /// Renames in one step.
    public borrowing func rename(
        _ name: PathBytes, to newName: PathBytes, in target: borrowing Directory, replacing: Replacing = .existing
    ) throws(Errno) {
        try requireName(name)
        try requireName(newName)
        let flags: CUnsignedInt =
            switch replacing {
            case .existing: 0
            case .nothing: 1
            case .exchanging: 2
            }
        try SystemCallSeam.pass("renameat2")
        _ = try target.descriptor.withRawDescriptor { (target) throws(Errno) in
            try unsafe newName.withCString { (newName) throws(Errno) in
                try unsafe call(name) { unsafe berth_renameat2($0, $1, target, newName, flags) }
            }
        }
    }

    /// Renames within this directory.
    public borrowing func rename(_ name: PathBytes, to newName: PathBytes, replacing: Replacing = .existing) throws(Errno) {
        try rename(name, to: newName, in: self, replacing: replacing)
    }

    /// fsync(2) of the directory: names made, renamed and removed before are on the disk when this returns.
    public borrowing func synchronize() throws(Errno) {
        try descriptor.synchronize()
    }

    /// syncfs(2): everything written to this file system before is on the disk when this returns.
    public borrowing func synchronizeFileSystem() throws(Errno) {
        try SystemCallSeam.pass("syncfs")
        _ = try descriptor.withRawDescriptor { (raw) throws(Errno) in try check { berth_syncfs(raw) } }
    }

    /// syncfs(2) as a hint, for whoever syncs again later: what is written by now is on its way when this returns, or has failed to be, which that one is
    /// told.
    public borrowing func beginWritebackOfFileSystem() {
        descriptor.withRawDescriptor { raw in _ = berth_syncfs(raw) }
    }

    /// A hint, as ext4's attribute `T` is (chattr(1)): what is made in this directory are trees that have nothing to do with each other, each to lie where there
    /// is space, and not beside the others. Other file systems take no notice.
    ///
    /// ext4 gives no inode out again that was freed in the last minutes: where many were, beside each other, it looks at each of them for every new file, and
    /// takes several times as long to unpack a layer where another was just removed.
    public borrowing func spreadSubdirectories() {
        descriptor.withRawDescriptor { raw in _ = berth_spread_subdirectories(raw) }
    }

    /// Writes a file whole: whoever opens `name` sees the old contents or the new ones, never a part.
    ///
    /// A temporary file of the name `.tmp-` and the name is written, synced and renamed, then the directory is synced. A temporary file left
    /// by a kill is replaced by the next write.
    /// - Parameter durability: with `.none` nothing is synced: for directories that a reboot empties.
    public borrowing func replaceFile(
        _ name: PathBytes, with bytes: borrowing RawSpan, permissions: UInt32 = 0o600, durability: Durability = .synchronized
    ) throws(Errno) {
        try writeReplacement(of: name, with: bytes, permissions: permissions, isSynchronized: durability != .none)
        try useReplacement(of: name, isSynchronized: durability == .synchronized)
    }

    /// The first half of ``replaceFile(_:with:permissions:durability:)``, for whoever syncs what is written together with much else: writes the temporary file. If
    /// that fails, nothing is left.
    public borrowing func writeReplacement(
        of name: PathBytes, with bytes: borrowing RawSpan, permissions: UInt32 = 0o600, isSynchronized: Bool
    ) throws(Errno) {
        let temporary = try Self.temporaryName(of: name)
        do { try removeFile(temporary) } catch { if error != .ENOENT { throw error } }
        do {
            let file = try createFile(temporary, permissions: permissions)
            if bytes.byteCount > 0 {
                try SystemCallSeam.pass("write")
                try file.writeAll(bytes)
            }
            if isSynchronized { try file.synchronize() }
        } catch {
            // The temporary name is ours alone and the next write replaces it: its removal is only tidiness.
            try? removeFile(temporary)
            throw error
        }
    }

    /// The second half: gives the temporary file, which is on the disk by now, the name. If that fails, the temporary file is not left.
    public borrowing func useReplacement(of name: PathBytes, isSynchronized: Bool) throws(Errno) {
        let temporary = try Self.temporaryName(of: name)
        do { try rename(temporary, to: name) } catch {
            // As above.
            try? removeFile(temporary)
            throw error
        }
        if isSynchronized { try synchronize() }
    }

    /// What a file is called that is being written whole: `.tmp-` and its name.
    ///
    /// - Throws: `EINVAL` for what is no name.
    public static func temporaryName(of name: PathBytes) throws(Errno) -> PathBytes {
        guard name.isName else { throw .EINVAL }
        return try PathBytes(Array(".tmp-".utf8) + name.bytes)
    }

    /// What a write promises about a loss of power.
    public enum Durability: Sendable {
        /// On the disk when the call returns.
        case synchronized
        /// The contents are on the disk before the name is given; a loss of power may undo the change, and leaves nothing empty or in part.
        case contents
        /// In the kernel's memory only.
        case none
    }
}
