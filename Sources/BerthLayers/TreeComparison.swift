internal import BerthLinux
internal import BerthSnapshots
internal import BerthTar

/// How a container's tree differs from its image's: what is told of it, and what of it a layer has.
protocol TreeComparison: AnyObject {
    /// What Docker would tell, in its order.
    var changes: [TreeChange] { get }
    /// Whether a layer of it would have nothing in it.
    var isEmpty: Bool { get }
    /// How many bytes the files of a layer of it take, at least: holes, which take none here and may there, are not counted.
    var byteCount: UInt64 { get }
    /// What becomes of a file of the container's own tree when that is packed as a layer.
    func decide(_ entry: inout TarEntry) throws(TarError) -> TreePacker.Decision
}

/// The bytes that files take on a disk, each file once.
struct SpaceCount {
    private(set) var byteCount: UInt64 = 0
    private var seen: Set<UInt64> = []

    mutating func add(_ status: FileStatus) {
        guard status.kind == .regular, status.linkCount < 2 || seen.insert(status.inode).inserted else { return }
        byteCount += UInt64(max(0, min(status.byteCount, status.allocatedByteCount)))
    }
}

/// Names that are instructions in a layer (OCI image specification, *Image Layer Filesystem Changeset*, "Whiteouts").
enum Whiteout {
    static let prefix = Array(".wh.".utf8)
    static let opaque = Array(".wh..wh..opq".utf8)
    static let reserved = Array(".wh..wh.".utf8)
    /// How overlay writes down that something is removed.
    static let kind = FileStatus.Kind.characterDevice(DeviceNumber(major: 0, minor: 0))
    static let opaqueAttribute = "trusted.overlay.opaque"

    /// The entry that removes a name: always the same bytes.
    static func entry(of path: [UInt8]) -> TarEntry {
        let cut = (path.lastIndex(of: UInt8(ascii: "/")) ?? -1) + 1
        return TarEntry(name: path[..<cut] + prefix + path[cut...], kind: .file, permissions: 0o600)
    }

    /// The entry that hides all that layers below have in a directory, whose name ends in a slash.
    static func opaqueEntry(in directory: [UInt8]) -> TarEntry {
        TarEntry(name: directory + opaque, kind: .file, permissions: 0o600)
    }

    /// - Parameter owner: what has the file.
    /// - Throws: `unrepresentable` for a file whose name means something else in a layer.
    static func refuse(_ path: [UInt8], of owner: String = "the container") throws(TarError) {
        let trimmed = path.last == UInt8(ascii: "/") ? path.dropLast() : path[...]
        let name = trimmed[((trimmed.lastIndex(of: UInt8(ascii: "/")) ?? -1) + 1)...]
        guard name.starts(with: prefix) else { return }
        throw TarError(
            .unrepresentable,
            "\(owner) has the file '/\(String(decoding: trimmed.prefix(512), as: UTF8.self))': no layer can have a name that begins with '.wh.', which says there that something was removed"
        )
    }
}

/// Goes through a container's own tree, and beside it through what is below, directory by directory.
final class ComparedTrees {
    private let own: TreeCursor
    private let below: TreeCursor
    /// How many directories it is in that are not below.
    private var newDepth = 0

    init(_ own: consuming Directory, _ below: consuming Directory) {
        self.own = TreeCursor(own)
        self.below = TreeCursor(below)
    }

    var depth: Int { own.depth }
    private var isBelow: Bool { newDepth == 0 }

    /// Lends both directories.
    func withDirectories<Result: ~Copyable>(
        _ body: (_ own: borrowing Directory, _ below: borrowing Directory) throws(Errno) -> Result
    ) throws(Errno) -> Result {
        try own.withDirectory { (own) throws(Errno) in try below.withDirectory { (below) throws(Errno) in try body(own, below) } }
    }

    func status(_ name: PathBytes) throws(Errno) -> FileStatus? {
        try own.withDirectory { (own) throws(Errno) in try own.statusIfThere(name) }
    }

    func statusBelow(_ name: PathBytes) throws(Errno) -> FileStatus? {
        guard isBelow else { return nil }
        return try below.withDirectory { (below) throws(Errno) in try below.statusIfThere(name) }
    }

    func attributes(_ name: PathBytes) throws(Errno) -> [String: [UInt8]] {
        try own.withDirectory { (own) throws(Errno) in try own.extendedAttributes(of: name) }
    }

    func attributesBelow(_ name: PathBytes) throws(Errno) -> [String: [UInt8]] {
        guard isBelow else { return [:] }
        return try below.withDirectory { (below) throws(Errno) in try below.extendedAttributes(of: name) }
    }

    /// The names of the container's directory, the last first.
    func entries() throws(Errno) -> [PathBytes] {
        guard depth <= TreePacker.maximumDepth else { throw .ENAMETOOLONG }
        return try own.withDirectory { (own) throws(Errno) in try own.entries() }.map(\.name)
            .sorted { $1.bytes.lexicographicallyPrecedes($0.bytes) }
    }

    func entriesBelow() throws(Errno) -> [PathBytes] {
        guard isBelow else { return [] }
        return try below.withDirectory { (below) throws(Errno) in try below.entries() }.map(\.name)
            .sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
    }

    /// Goes into a directory of the container, which may be none below.
    func enter(_ name: PathBytes) throws(Errno) {
        try own.enter(name)
        guard isBelow else { return newDepth += 1 }
        do throws(Errno) { try below.enter(name) } catch {
            guard error == .ENOENT || error == .ENOTDIR || error == .ELOOP else { throw error }
            newDepth = 1
        }
    }

    func leave() {
        own.leave()
        if isBelow { below.leave() } else { newDepth -= 1 }
    }

    /// Whether the directories that it is in are the same but for their times and what they have.
    ///
    /// The root of a container is made root's and open to all, whatever the image says: that is no change of the container's.
    func haveSameAttributes() throws(Errno) -> Bool {
        let isRoot = depth == 0
        return try withDirectories { (own, below) throws(Errno) in
            let (new, old) = (try own.status(""), try below.status(""))
            let isAsMade = isRoot && new.permissions == 0o755 && new.userID == 0 && new.groupID == 0
            guard isAsMade || new.permissions == old.permissions && new.userID == old.userID && new.groupID == old.groupID else {
                return false
            }
            let attributes = (try own.extendedAttributes(of: ""), try below.extendedAttributes(of: ""))
            return PackedAttributes.packed(attributes.0) == PackedAttributes.packed(attributes.1)
        }
    }
}

extension TarEntry {
    /// Its path from the root on, without a slash at its end; empty for the root.
    var path: [UInt8] {
        if name == TreePacker.rootName { return [] }
        return name.last == UInt8(ascii: "/") ? Array(name.dropLast()) : name
    }
}

func joined(_ path: [UInt8], _ name: PathBytes) -> [UInt8] { path.isEmpty ? name.bytes : path + [UInt8(ascii: "/")] + name.bytes }
