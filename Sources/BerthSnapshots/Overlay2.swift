public import BerthLinux

/// Layers as directories that the kernel's overlay file system puts together. The layout is Docker's of the same name:
/// `<id>/{diff,link,lower,work}` and `l/<26 characters>`, symbolic links that keep mount options short.
public final class Overlay2: Snapshotter {
    let directories: LayerDirectories

    /// Opens the store at `<root>/overlay2`, removing what a kill has left unfinished.
    public init(directory path: String) throws(SnapshotError) {
        directories = try LayerDirectories(path: path, useCount: Self.useCount) { (root, id) throws(Errno) in
            try Self.removeLink(of: id, in: root)
        }
        do throws(Errno) {
            _ = try directories.root.makeDirectories("l")
            try Self.removeDanglingLinks(in: directories.root)
        } catch { throw .storage("cannot make '\(path)/l'", error) }
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
    /// The directory that it was opened at.
    public var path: String { directories.path }
    /// As overlay wants them.
    public var whiteouts: WhiteoutStyle { .overlay }
    /// A layer's directory has nothing of the layers below.
    public var keepsLayersApart: Bool { true }
    /// Layers whose documents cannot be read, with the reason. They keep their files.
    public var unreadable: [String: String] { directories.unreadable }
    /// All read-only layers, from memory.
    public func layers() -> [LayerName: LayerInformation] { directories.layers() }
    /// The containers that have a layer, from memory.
    public func writableLayers() -> Set<String> { directories.writable() }

    /// Makes a directory for a layer, whatever it will lie on. If that fails, nothing is left.
    ///
    /// - Throws: `notFound` for a parent that is named and is not there.
    public func prepareLayer(on parent: LayerName?) throws(SnapshotError) -> PreparedLayer {
        if let parent { _ = try directories.entry(of: parent) }
        return try directories.prepare(on: parent, files: "diff") { (id) throws(SnapshotError) in try make(id) }
    }

    /// Makes prepared directories layers, each on those before it: their files are synced before the names exist. A layer of that name that is there
    /// already stays, and the prepared one goes.
    public func commit(_ layers: [(prepared: PreparedLayer, information: LayerInformation)]) throws(SnapshotError) {
        try directories.commit(layers) { (prepared, own, parent) throws(Errno) in
            guard let parent else { return try Self.write("", to: "lower", in: own) }
            let below = try directories.root.openDirectory(try PathBytes(parent))
            let lower = [try Self.lowerName(of: below)] + (try Self.lowerNames(in: below))
            try directories.copyAttributes(ofImplied: prepared.impliedDirectories, in: try own.openDirectory("diff"), from: lower)
            try Self.write(lower.joined(separator: ":"), to: "lower", in: own)
        }
    }

    /// Removes a prepared directory. Repeating is fine.
    public func discard(_ prepared: PreparedLayer) { directories.discard(prepared.id) }

    /// The directory with the files of a read-only layer. `notFound` if there is no such layer.
    public func directory(of name: LayerName) throws(SnapshotError) -> String {
        "\(directories.path)/\(try directories.entry(of: name).directory)/diff"
    }

    /// Removes a read-only layer, and then those below it, down to the first that another lies on or that somebody wants. `inUse` while another
    /// lies on the first.
    ///
    /// - Parameter isWanted: asked in the moment in which a layer would cease to exist: whether it is to stay.
    /// - Returns: what was known of those that are gone, the uppermost first.
    public func removeLayers(from top: LayerName, unless isWanted: (LayerName) -> Bool) throws(SnapshotError) -> [LayerInformation] {
        try directories.removeLayers(from: top, unless: isWanted)
    }

    /// Makes a container's layer. `exists` if there is one of that id; if it fails otherwise, nothing is left. It is lasting as its container's document is:
    /// the file system's journal has its directories before that, and what its files say can be written again.
    public func makeWritable(_ id: String, on parent: LayerName?, durability: Directory.Durability) throws(SnapshotError) -> WritableLayer {
        try directories.makeWritable(id) { () throws(SnapshotError) in try make(id, on: parent) }
    }

    /// How a container's root is mounted. `notFound` if it has no layer.
    public func mounts(of layer: WritableLayer) throws(SnapshotError) -> MountPlan {
        try directories.requireWritable(layer.id)
        do throws(Errno) {
            return .overlay(
                base: directories.path, lowers: try Self.lowerNames(in: try directories.root.openDirectory(try PathBytes(layer.id))),
                upper: "\(layer.id)/diff", work: "\(layer.id)/work")
        } catch {
            throw .storage("cannot read the writable layer '\(layer.id)'", error)
        }
    }

    /// Removes a container's layer. Repeating is fine.
    public func remove(_ layer: WritableLayer) throws(SnapshotError) { try directories.removeWritable(layer.id) }

    /// Makes `<id>/{diff,link}` of a read-only layer, and the short link to `diff`. What it lies on is written when it is known.
    private func make(_ id: String) throws(SnapshotError) {
        do throws(Errno) {
            let own = try makeDirectory(id)
            try makeLink(of: id, in: own)
        } catch {
            throw .storage("cannot make a layer's directory", error)
        }
    }

    /// Makes `<id>/{diff,link,lower,work}` of a container's layer, and the short link to `diff`.
    private func make(_ id: String, on parent: LayerName?) throws(SnapshotError) {
        let chain = try directories.chain(from: parent)
        do throws(Errno) {
            var lowers: [String] = []
            for entry in chain { lowers.append(try Self.lowerName(of: try directories.root.openDirectory(try PathBytes(entry.directory)))) }
            let own = try makeDirectory(id)
            if let top = chain.first {
                try TreeCopy.copyAttributes(
                    from: try directories.root.openDirectory(try PathBytes(top.directory + "/diff")), to: try own.openDirectory("diff"))
                try Self.openToAll(own)
            }
            // An overlay needs a layer below also where the image has none.
            if lowers.isEmpty {
                try own.makeDirectory("empty", permissions: 0o755)
                lowers = ["\(id)/empty"]
            }
            try own.makeDirectory("work", permissions: 0o700)
            try makeLink(of: id, in: own)
            try Self.write(lowers.joined(separator: ":"), to: "lower", in: own)
        } catch {
            throw .storage("cannot make a layer's directory", error)
        }
    }

    private func makeDirectory(_ id: String) throws(Errno) -> Directory {
        try directories.root.makeDirectory(try PathBytes(id), permissions: 0o710)
        let own = try directories.root.openDirectory(try PathBytes(id))
        try own.makeDirectory("diff", permissions: 0o755)
        try Self.openToAll(own)
        return own
    }

    /// A container's root is root's and open to all, as Docker has it, whatever the archive's own folder was and whatever the umask is.
    private static func openToAll(_ own: borrowing Directory) throws(Errno) {
        try own.setOwner("diff", userID: 0, groupID: 0)
        try own.setPermissions("diff", 0o755)
    }

    func makeLink(of id: String, in own: borrowing Directory) throws(Errno) {
        let link = Self.newLink()
        try Self.write(link, to: "link", in: own)
        try directories.root.openDirectory("l").makeSymbolicLink(try PathBytes(link), to: try PathBytes("../\(id)/diff"))
    }

    /// How many layers and containers have each of these directories in the list of what they lie on. What cannot be read of them lists none.
    private static func useCount(_ root: borrowing Directory, of ids: [String]) throws(Errno) -> [String: Int] {
        var links: [String: String] = [:]
        for id in ids {
            if let link = try? lowerName(of: try root.openDirectory(try PathBytes(id))) { links[link] = id }
        }
        var counts: [String: Int] = [:]
        for entry in try root.entries() where entry.isDirectory != false && entry.name.description != "l" {
            guard let own = try? root.openDirectory(entry.name), let lowers = try? lowerNames(in: own) else { continue }
            for link in Set(lowers) { if let id = links[link] { counts[id, default: 0] += 1 } }
        }
        return counts
    }

    /// The short name of a layer's directory.
    static func lowerName(of own: borrowing Directory) throws(Errno) -> String {
        "l/" + String(decoding: try own.readFile("link", limit: 100), as: UTF8.self)
    }

    /// The short names of those that a layer lies on, the uppermost first.
    static func lowerNames(in own: borrowing Directory) throws(Errno) -> [String] {
        String(decoding: try own.readFile("lower", limit: 64 << 10), as: UTF8.self).split(separator: ":").map(String.init)
    }

    /// A file of a new directory's. A read-only layer is synced as a whole. Of a container's nothing depends on it: ``mend(_:on:)`` writes what is lost again.
    private static func write(_ text: String, to name: PathBytes, in directory: borrowing Directory) throws(Errno) {
        let file = try directory.createFile(name, permissions: 0o600)
        if !text.isEmpty { try SystemCallSeam.passWrite() }
        try unsafe file.writeAll(text.utf8Span.span.bytes)
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

    /// Removes the links of directories that are gone. After a loss of power a directory that was to become a layer may have lost what its link is
    /// called, and then could not take it along.
    private static func removeDanglingLinks(in root: borrowing Directory) throws(Errno) {
        let links = try root.openDirectory("l")
        for entry in try links.entries() where entry.isDirectory != true {
            let target: PathBytes
            do throws(Errno) { target = try links.readLink(entry.name) } catch {
                // No link: nothing of ours.
                guard error == .EINVAL else { throw error }
                continue
            }
            let parts = target.bytes.split(separator: UInt8(ascii: "/"))
            guard parts.count == 3, parts[0].elementsEqual("..".utf8), parts[2].elementsEqual("diff".utf8) else { continue }
            if try !root.contains(try PathBytes(parts[1])) { try links.removeFile(entry.name) }
        }
    }

    /// 26 characters of base 32: as many as Docker's.
    static func newLink() -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)
        var random = SystemRandomNumberGenerator()
        return String(decoding: (0..<26).map { _ in alphabet[Int(random.next(upperBound: UInt8(32)))] }, as: UTF8.self)
    }
}
