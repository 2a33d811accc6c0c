internal import CBerth
internal import Glibc

/// An open directory beneath which paths are resolved.
///
/// No string is a safe path: whatever lies below a root file system, a layer or our own state is reached through a value
/// of this type. A path given to it is resolved by the kernel (openat2(2)), never leads above it, and by default follows no
/// symbolic link on the way; a link as the last name is never followed by the calls that change something.
///
/// Calls that change something take one *name* in this directory; ``openDirectory(_:_:)`` gives the directory that it is in.
public struct Directory: ~Copyable, Sendable {
    /// How symbolic links on the way are treated.
    public enum Resolution: Sendable {
        /// A symbolic link anywhere is the error `ELOOP`; leading out by `..` is `EXDEV`.
        case withoutLinks
        /// Links are followed as long as they stay beneath the directory; one that leads out, or is absolute, is `EXDEV`.
        case beneath
        /// Links are followed as if this directory were the root: absolute ones start here, `..` stops here.
        case inRoot

        var flags: UInt64 {
            let always = UInt64(BERTH_RESOLVE_NO_MAGICLINKS)
            return switch self {
            case .withoutLinks: always | UInt64(BERTH_RESOLVE_BENEATH | BERTH_RESOLVE_NO_SYMLINKS)
            case .beneath: always | UInt64(BERTH_RESOLVE_BENEATH)
            case .inRoot: always | UInt64(BERTH_RESOLVE_IN_ROOT)
            }
        }
    }

    /// The directory itself, for `fstat`, `mount` and the like.
    public let descriptor: OwnedDescriptor

    /// Takes an open directory.
    ///
    /// - Parameter descriptor: a directory opened for reading or with `O_PATH`. With `O_PATH` the calls that list or sync fail with `EBADF`.
    public init(adopting descriptor: consuming OwnedDescriptor) {
        self.descriptor = descriptor
    }

    /// Opens a directory of the host by its path, following links: for paths that the operator gave, never for ones from inside an image.
    public static func open(_ path: String) throws(Errno) -> Directory {
        let path = try PathBytes(path)
        let raw = try unsafe path.withCString { (path) throws(Errno) in
            try check { unsafe Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        }
        return Directory(adopting: OwnedDescriptor(adopting: raw))
    }

    /// A second handle for the same directory.
    public borrowing func duplicate() throws(Errno) -> Directory {
        Directory(adopting: try descriptor.duplicate())
    }

    borrowing func resolve(_ path: PathBytes, flags: CInt, permissions: UInt32 = 0, _ resolution: Resolution) throws(Errno)
        -> OwnedDescriptor
    {
        let raw = try descriptor.withRawDescriptor { (directory) throws(Errno) in
            try unsafe path.withCString { (text) throws(Errno) in
                try check { unsafe berth_openat2(directory, text, UInt64(flags | O_CLOEXEC), UInt64(permissions), resolution.flags) }
            }
        }
        return OwnedDescriptor(adopting: raw)
    }

    /// Lends the directory's number and the name to one system call, and turns -1 into an error.
    @inline(__always)
    borrowing func call<Result: SignedInteger>(_ name: PathBytes, _ body: (CInt, UnsafePointer<CChar>) -> Result) throws(Errno) -> Result {
        try descriptor.withRawDescriptor { (directory) throws(Errno) in
            try unsafe name.withCString { (text) throws(Errno) in
                try check { unsafe body(directory, text) }
            }
        }
    }

    /// Opens a directory beneath this one. An empty path is this directory.
    public borrowing func openDirectory(_ path: PathBytes, _ resolution: Resolution = .withoutLinks) throws(Errno) -> Directory {
        if path.bytes.isEmpty { return try duplicate() }
        return Directory(adopting: try resolve(path, flags: O_RDONLY | O_DIRECTORY, resolution))
    }

    /// Opens a file beneath this directory for reading, without ever waiting for the other end of a named pipe.
    public borrowing func openForReading(_ path: PathBytes, _ resolution: Resolution = .withoutLinks) throws(Errno) -> OwnedDescriptor {
        try resolve(path, flags: O_RDONLY | O_NONBLOCK | O_NOCTTY, resolution)
    }

    /// Opens one name for reading if it is no symbolic link, which is `ELOOP`, without ever waiting for the other end of a named pipe.
    public borrowing func openFile(_ name: PathBytes) throws(Errno) -> OwnedDescriptor {
        try requireName(name)
        let raw = try unsafe call(name) { unsafe openat($0, $1, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC) }
        return OwnedDescriptor(adopting: raw)
    }

    /// Names a file of any kind beneath this directory without opening it (`O_PATH`): for `fstat` or as a mount's target.
    public borrowing func openPath(_ path: PathBytes, _ resolution: Resolution = .withoutLinks) throws(Errno) -> OwnedDescriptor {
        try resolve(path, flags: CInt(BERTH_O_PATH), resolution)
    }

    /// Reads a whole file.
    ///
    /// - Parameter limit: the most bytes that are read; `EFBIG` if the file has more. Something that is no regular file is `EINVAL`.
    public borrowing func readFile(_ path: PathBytes, limit: Int, _ resolution: Resolution = .withoutLinks) throws(Errno) -> [UInt8] {
        // Only named at first: opening a device may do something already.
        let named = try openPath(path, resolution)
        guard try named.status().kind == .regular else { throw .EINVAL }
        return try HostFile.open("/proc/self/fd/\(named.withRawDescriptor { $0 })").readToEnd(limit: limit)
    }

    /// lstat(2): the last name is not followed. An empty path is this directory.
    public borrowing func status(_ path: PathBytes) throws(Errno) -> FileStatus {
        if path.bytes.isEmpty { return try descriptor.status() }
        if path.isName {
            var status = stat()
            _ = try unsafe call(path) { unsafe fstatat($0, $1, &status, AT_SYMLINK_NOFOLLOW) }
            return FileStatus(status)
        }
        return try resolve(path, flags: CInt(BERTH_O_PATH) | O_NOFOLLOW, .withoutLinks).status()
    }

    /// The same; `nil` if there is nothing of that name.
    public borrowing func statusIfThere(_ path: PathBytes) throws(Errno) -> FileStatus? {
        do throws(Errno) { return try status(path) } catch {
            guard error == .ENOENT else { throw error }
            return nil
        }
    }

    /// Whether there is something of that name; a link counts, wherever it leads.
    public borrowing func contains(_ name: PathBytes) throws(Errno) -> Bool {
        try statusIfThere(name) != nil
    }

    /// A symbolic link's target, as it is.
    public borrowing func readLink(_ name: PathBytes) throws(Errno) -> PathBytes {
        try requireName(name)
        var target = [CChar](repeating: 0, count: 4096)
        let count = try unsafe call(name) { unsafe readlinkat($0, $1, &target, 4096) }
        return try PathBytes(target[..<count].map { UInt8(bitPattern: $0) })
    }

    borrowing func requireName(_ name: PathBytes) throws(Errno) {
        guard name.isName else { throw .EINVAL }
    }
}
