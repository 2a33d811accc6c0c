internal import CBerth
internal import Glibc

/// A mount that is attached nowhere: nobody sees it but through its descriptor, and it goes with the last one.
public struct DetachedMount: ~Copyable, Sendable {
    /// The mount's root, opened as a path.
    public let descriptor: OwnedDescriptor

    /// Takes a detached mount.
    public init(adopting descriptor: consuming OwnedDescriptor) { self.descriptor = descriptor }

    /// Makes an overlay.
    ///
    /// Every option that the kernel's configuration could preset is set: `redirect_dir`, `metacopy`, `index` and `xino` off.
    /// - Parameters:
    ///   - base: the directory to which all names are relative.
    ///   - lowers: the read-only directories, the uppermost first; at least one.
    ///   - upper: the writable directory, with `work` beside it on the same file system.
    ///   - label: the context of SELinux's of all that is in it; empty: each file's own.
    ///   - isVolatile: nothing that is written is ever synced, also not at the end of the mount: for an upper that is thrown away with what it is for, and
    ///     that no other boot mounts. The kernel's mark that says so is taken off one that was mounted before.
    /// - Throws: `EINVAL` where the file system cannot carry an upper, or for too many layers of a kernel before 6.5.
    public static func overlay(
        base: String, lowers: [String], upper: String, work: String, label: String = "", isVolatile: Bool = false
    ) throws(Errno) -> DetachedMount {
        let directory = try Directory.open(base)
        if isVolatile { try unmark(work, in: directory) }
        let names = try lowers.map { (name) throws(Errno) in try PathBytes(name) }
        let (upper, work, label) = (try PathBytes(upper), try PathBytes(work), try PathBytes(label))
        var pointers: [UnsafePointer<CChar>?] = unsafe []
        let copies = unsafe names.map { name in unsafe name.withCString { unsafe strdup($0) } }
        defer { unsafe copies.forEach { unsafe free($0) } }
        unsafe copies.forEach { unsafe pointers.append(UnsafePointer($0)) }
        let raw = try directory.descriptor.withRawDescriptor { (base) throws(Errno) in
            try unsafe upper.withCString { (upper) throws(Errno) in
                try unsafe work.withCString { (work) throws(Errno) in
                    try unsafe label.withCString { (label) throws(Errno) in
                        try check { unsafe berth_overlay(base, pointers, pointers.count, upper, work, label, 0, isVolatile ? 1 : 0) }
                    }
                }
            }
        }
        return DetachedMount(adopting: OwnedDescriptor(adopting: raw))
    }

    /// Of a mount of this boot nothing is lost: it may be mounted again.
    private static func unmark(_ work: String, in directory: borrowing Directory) throws(Errno) {
        do throws(Errno) { try directory.openDirectory(try PathBytes("\(work)/work")).removeTree("incompat") } catch {
            guard error == .ENOENT else { throw error }  // it was never mounted
        }
    }

    /// A copy of the mounts at a path of the host.
    public static func bind(_ path: String) throws(Errno) -> DetachedMount {
        let path = try PathBytes(path)
        return DetachedMount(
            adopting: OwnedDescriptor(
                adopting: try unsafe path.withCString { (path) throws(Errno) in try check { unsafe berth_detached_bind(path) } }))
    }

    /// A view of a directory of the host's for reading: nothing in it can be written, no access time changes, and no device in it opens, whoever may
    /// make one there meanwhile. What is mounted below it is seen too.
    public static func reading(_ path: String) throws(Errno) -> Directory {
        try bind(path).restrictedToReading()
    }

    /// A view for reading, as ``reading(_:)``, of layers put together; the uppermost first. A single one is seen as it is.
    ///
    /// - Parameters:
    ///   - base: the directory to which the names are relative.
    ///   - layers: at least one. When others change them meanwhile, what is seen of them is old or new.
    /// - Throws: `EINVAL` for too many layers of a kernel before 6.5.
    public static func reading(base: String, layers: [String]) throws(Errno) -> Directory {
        guard layers.count > 1 else { return try reading(base + "/" + (layers.first ?? "")) }
        let directory = try Directory.open(base)
        let names = try layers.map { (name) throws(Errno) in try PathBytes(name) }
        let copies = unsafe names.map { name in unsafe name.withCString { unsafe strdup($0) } }
        defer { unsafe copies.forEach { unsafe free($0) } }
        let pointers = unsafe copies.map { unsafe UnsafePointer($0) }
        let raw = try directory.descriptor.withRawDescriptor { (base) throws(Errno) in
            try check { unsafe berth_overlay_for_reading(base, pointers, pointers.count) }
        }
        return try DetachedMount(adopting: OwnedDescriptor(adopting: raw)).restrictedToReading()
    }

    private consuming func restrictedToReading() throws(Errno) -> Directory {
        _ = try descriptor.withRawDescriptor { (raw) throws(Errno) in try check { berth_restrict_to_reading(raw) } }
        return Directory(adopting: descriptor)
    }
}
