internal import BerthLinux

/// Layers as directories that the kernel's overlay file system puts together. The layout is Docker's of the same name:
/// `<id>/{diff,link,lower,work}` and `l/<26 characters>`, symbolic links that keep mount options short.
public final class Overlay2: Snapshotter {
    private let directories: LayerDirectories

    /// Opens the store at `<root>/overlay2`, removing what a kill has left unfinished.
    public init(directory path: String) throws(SnapshotError) {
        directories = try LayerDirectories(path: path) { (root, id) throws(Errno) in try Self.removeLink(of: id, in: root) }
        do throws(Errno) { _ = try directories.root.makeDirectories("l") } catch { throw .storage("cannot make '\(path)/l'", error) }
    }

    /// Whether a directory's file system can carry an overlay's upper: tried with a mount that nobody sees, and with what removals are
    /// written down as.
    ///
    /// - Parameter path: an existing directory; nothing is left in it.
    /// - Returns: `nil` if it can, else why not.
    public static func obstacle(at path: String) -> String? {
        do throws(Errno) {
            let root = try Directory.open(path)
            try root.removeTree(".overlay-probe")
            let obstacle = try probe(root, path)
            try root.removeTree(".overlay-probe")
            return obstacle
        } catch {
            return "an overlay cannot be tried at '\(path)': \(error)"
        }
    }

    private static func probe(_ root: borrowing Directory, _ path: String) throws(Errno) -> String? {
        for name in ["lower", "upper", "work"] { _ = try root.makeDirectories(try PathBytes(".overlay-probe/\(name)")) }
        let probe = try root.openDirectory(".overlay-probe")
        guard try probe.entries().allSatisfy({ $0.isDirectory != nil }) else {
            return "the file system at '\(path)' does not say in its listings what is a directory, which an overlay needs"
        }
        do throws(Errno) {
            try probe.setExtendedAttribute("trusted.overlay.opaque", to: [UInt8(ascii: "y")], of: "lower")
            try probe.makeNode("removed", .characterDevice(DeviceNumber(major: 0, minor: 0)), permissions: 0)
            _ = try DetachedMount.overlay(base: path + "/.overlay-probe", lowers: ["lower"], upper: "upper", work: "work")
        } catch {
            return "the file system at '\(path)' cannot carry an overlay: \(error)"
        }
        return nil
    }

    /// `overlay2`.
    public var name: String { "overlay2" }
    /// As overlay wants them.
    public var whiteouts: WhiteoutStyle { .overlay }
    /// All read-only layers, from memory.
    public func layers() -> [LayerName: LayerInformation] { directories.layers() }
    /// The containers that have a layer, from memory.
    public func writableLayers() -> Set<String> { directories.writable() }

    /// Makes a directory for a layer on another. If that fails, nothing is left.
    public func prepareLayer(on parent: LayerName?) throws(SnapshotError) -> PreparedLayer {
        try directories.prepare(on: parent, files: "diff") { (id) throws(SnapshotError) in try make(id, on: parent, hasWork: false) }
    }

    /// Makes a prepared directory a layer: its files are synced before the name exists. A layer of that name that is there already stays,
    /// and the prepared one goes.
    public func commit(_ prepared: PreparedLayer, as information: LayerInformation) throws(SnapshotError) {
        try directories.commit(prepared.id, information)
    }

    /// Removes a prepared directory. Repeating is fine.
    public func discard(_ prepared: PreparedLayer) { directories.discard(prepared.id) }

    /// Removes a read-only layer. `inUse` while another lies on it; one that is not there is removed already.
    public func removeLayer(_ name: LayerName) throws(SnapshotError) { try directories.removeLayer(name) }

    /// Makes a container's layer. `exists` if there is one of that id; if it fails otherwise, nothing is left.
    public func makeWritable(_ id: String, on parent: LayerName?) throws(SnapshotError) -> WritableLayer {
        try directories.makeWritable(id) { () throws(SnapshotError) in try make(id, on: parent, hasWork: true) }
    }

    /// How a container's root is mounted. `notFound` if it has no layer.
    public func mounts(of layer: WritableLayer) throws(SnapshotError) -> MountPlan {
        try directories.requireWritable(layer.id)
        do throws(Errno) {
            let own = try directories.root.openDirectory(try PathBytes(layer.id))
            let lower = String(decoding: try own.readFile("lower", limit: 64 << 10), as: UTF8.self)
            return .overlay(
                base: directories.path, lowers: lower.split(separator: ":").map(String.init), upper: "\(layer.id)/diff",
                work: "\(layer.id)/work")
        } catch {
            throw .storage("cannot read the writable layer '\(layer.id)'", error)
        }
    }

    /// Removes a container's layer. Repeating is fine.
    public func remove(_ layer: WritableLayer) throws(SnapshotError) { try directories.removeWritable(layer.id) }

    /// Makes `<id>/{diff,link,lower,work}` and the short link to `diff`.
    private func make(_ id: String, on parent: LayerName?, hasWork: Bool) throws(SnapshotError) {
        let chain = try directories.chain(from: parent)
        do throws(Errno) {
            var lowers: [String] = []
            for entry in chain {
                let link = try directories.root.openDirectory(try PathBytes(entry.directory)).readFile("link", limit: 100)
                lowers.append("l/" + String(decoding: link, as: UTF8.self))
            }
            try directories.root.makeDirectory(try PathBytes(id), permissions: 0o710)
            let own = try directories.root.openDirectory(try PathBytes(id))
            try own.makeDirectory("diff", permissions: 0o755)
            if let top = chain.first {
                // The uppermost directory says what the root is: the same as below, if nobody says otherwise.
                try TreeCopy.copyAttributes(
                    from: try directories.root.openDirectory(try PathBytes(top.directory + "/diff")), to: try own.openDirectory("diff"))
            }
            if hasWork || chain.isEmpty {
                // A container's root is root's and open to all, as Docker has it, whatever the archive's own folder was and whatever the umask is.
                try own.setOwner("diff", userID: 0, groupID: 0)
                try own.setPermissions("diff", 0o755)
            }
            let link = Self.newLink()
            try Self.write(link, to: "link", in: own, synced: hasWork)
            let empty = lowers.isEmpty && hasWork
            if empty { try own.makeDirectory("empty", permissions: 0o755) }
            // An overlay needs a layer below also where the image has none.
            let lower = empty ? "\(id)/empty" : lowers.joined(separator: ":")
            try Self.write(lower, to: "lower", in: own, synced: hasWork)
            if hasWork { try own.makeDirectory("work", permissions: 0o700) }
            try directories.root.openDirectory("l").makeSymbolicLink(try PathBytes(link), to: try PathBytes("../\(id)/diff"))
        } catch {
            throw .storage("cannot make a layer's directory", error)
        }
    }

    /// A file of a new directory's. A container's are on the disk before its document is; a read-only layer is synced as a whole.
    private static func write(_ text: String, to name: PathBytes, in directory: borrowing Directory, synced: Bool) throws(Errno) {
        let file = try directory.createFile(name, permissions: 0o600)
        if !text.isEmpty { try SystemCallSeam.passWrite() }
        try unsafe file.writeAll(text.utf8Span.span.bytes)
        if synced { try file.synchronize() }
    }

    private static func removeLink(of id: String, in root: borrowing Directory) throws(Errno) {
        do throws(Errno) {
            let link = try PathBytes(try root.openDirectory(try PathBytes(id)).readFile("link", limit: 100))
            // One that was stopped in its writing has no link yet.
            guard link.isName else { return }
            try root.openDirectory("l").removeFile(link)
        } catch {
            if error != .ENOENT { throw error }
        }
    }

    /// 26 characters of base 32: as many as Docker's.
    private static func newLink() -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)
        var random = SystemRandomNumberGenerator()
        return String(decoding: (0..<26).map { _ in alphabet[Int(random.next(upperBound: UInt8(32)))] }, as: UTF8.self)
    }
}
