internal import CBerth
internal import Glibc

/// A container's root with everything that is mounted in it, seen through a descriptor alone.
///
/// It is a copy of the mounts: nobody else sees it, what is mounted later is not in it, and it goes when the value does. No device in it opens, and no
/// program in it runs, whoever may make one there meanwhile.
public struct MountedTree: ~Copyable, Sendable {
    /// The root. What is opened beneath it is of use only as long as the tree is there.
    public let root: Directory

    /// What is to be done with it.
    public enum Purpose: Sendable {
        /// Nothing in it can be written, and no time of access changes.
        case reading
        /// What can be written where it was mounted can be written.
        case writing
    }

    /// A directory or a file of the host, mounted over a place of a tree.
    public struct Mount: Sendable, Hashable {
        /// An absolute path of the host.
        public var source: String
        /// An absolute path in the tree, resolved beneath its root.
        public var target: String
        /// Whether nothing in it can be written.
        public var readOnly: Bool

        /// A mount of these.
        public init(source: String, target: String, readOnly: Bool) {
            (self.source, self.target, self.readOnly) = (source, target, readOnly)
        }
    }

    /// What lies below the mounts.
    public enum Base: Sendable {
        /// An overlay; names are relative to `base`, the uppermost lower directory first. Without `upper` nothing can be written.
        case overlay(base: String, lowers: [String], upper: String?, work: String?)
        /// A directory as it is.
        case directory(String)
    }

    /// Why a tree could not be put together.
    public struct Failure: Error {
        /// The kernel's reason.
        public let errno: Errno
        /// The mount that is to blame, if one is.
        public let mount: Mount?
        /// Whether there is nothing at the mount's target.
        public let lacksTarget: Bool
    }

    /// All that is mounted in a container's mount namespace, its root being that of the tree, but for what the kernel shows: without `/proc`, `/sys` and
    /// `/dev`, some of whose files never end. Blocks.
    ///
    /// - Parameters:
    ///   - namespace: a mount namespace's file of `/proc`.
    ///   - rootAlone: nothing that is mounted in the root. Default: all.
    public static func copy(
        ofNamespace namespace: borrowing OwnedDescriptor, for purpose: Purpose, rootAlone: Bool = false
    ) throws(Errno) -> MountedTree {
        let raw = try namespace.withRawDescriptor { (raw) throws(Errno) in
            try check { berth_tree_of_namespace(raw, purpose == .reading ? 1 : 0, rootAlone ? 1 : 0) }
        }
        return MountedTree(root: Directory(adopting: OwnedDescriptor(adopting: raw)))
    }

    /// Layers with mounts over them, in this order. Blocks.
    ///
    /// - Parameter place: an existing directory of the host; nothing in it changes.
    public static func make(_ base: Base, mounts: [Mount], at place: String, for purpose: Purpose) throws(Failure) -> MountedTree {
        var made: CInt = -1
        var (failed, lacksTarget) = (mounts.count, CInt(0))
        let parts: (base: String, lowers: [String], upper: String?, work: String?, directory: String?) =
            switch base {
            case .overlay(let base, let lowers, let upper, let work): (base, lowers, upper, work, nil)
            case .directory(let path): ("/", [], nil, nil, path)
            }
        var strings = CStrings()
        let lowers = unsafe parts.lowers.map { unsafe UnsafePointer<CChar>?(strings.keep($0)) }
        let list = unsafe mounts.map { mount in
            let target = String(mount.target.drop { $0 == "/" })
            return unsafe berth_tree_mount(
                source: strings.keep(mount.source), target: strings.keep(target.isEmpty ? "." : target), read_only: mount.readOnly ? 1 : 0)
        }
        let (upper, work) = unsafe (parts.upper.map { unsafe strings.keep($0) }, parts.work.map { unsafe strings.keep($0) })
        let (directory, place) = unsafe (parts.directory.map { unsafe strings.keep($0) }, strings.keep(place))
        defer { strings.free() }
        let error: Errno
        do throws(Errno) {
            let start = try Directory.open(parts.base)
            made = try start.descriptor.withRawDescriptor { (start) throws(Errno) in
                unsafe lowers.withUnsafeBufferPointer { lowers in
                    unsafe list.withUnsafeBufferPointer { list in
                        var tree = unsafe berth_tree(
                            base: start, lowers: lowers.baseAddress, lower_count: lowers.count, upper: upper, work: work,
                            directory: directory, place: place, mounts: list.baseAddress, mount_count: list.count,
                            for_reading: purpose == .reading ? 1 : 0)
                        return unsafe berth_tree_of_layers(&tree, &failed, &lacksTarget)
                    }
                }
            }
            error = .current
        } catch { throw Failure(errno: error, mount: nil, lacksTarget: false) }
        guard made >= 0 else {
            throw Failure(errno: error, mount: failed < mounts.count ? mounts[failed] : nil, lacksTarget: lacksTarget != 0)
        }
        return MountedTree(root: Directory(adopting: OwnedDescriptor(adopting: made)))
    }
}

/// Text for C that lives until it is freed.
@safe private struct CStrings {
    private var all: [UnsafeMutablePointer<CChar>] = unsafe []

    mutating func keep(_ text: String) -> UnsafePointer<CChar> {
        // strdup fails only where no memory is left, which ends the program anyway.
        guard let copy = unsafe strdup(text) else { preconditionFailure("out of memory") }
        unsafe all.append(copy)
        return unsafe UnsafePointer(copy)
    }

    mutating func free() { unsafe all.forEach { unsafe Glibc.free($0) } }
}

extension Directory {
    /// Whether something is mounted where this name is, which is not followed.
    public borrowing func isMountPoint(_ name: PathBytes) throws(Errno) -> Bool {
        try requireName(name)
        return try unsafe call(name) { unsafe berth_is_mount_root($0, $1) } == 1
    }
}

extension OwnedDescriptor {
    /// Whether it lies in a mount, or on a file system, that can only be read.
    public borrowing func isOnReadOnlyMount() throws(Errno) -> Bool {
        try withRawDescriptor { (raw) throws(Errno) in try check { berth_is_read_only(raw) } } == 1
    }
}
