public import BerthLinux

/// Layers as plain directories, each with everything of the layers below: for file systems that cannot carry an overlay.
///
/// It needs nothing of the file system but that it keeps files, and pays with space and time: a layer, and a container, is a whole copy of what it
/// lies on, but for the blocks that the file system can share. The layout is `<id>/dir`.
public final class Vfs: Snapshotter {
    let directories: LayerDirectories

    /// Opens the store at `<root>/vfs`, removing what a kill has left unfinished.
    public init(directory path: String) throws(SnapshotError) { directories = try LayerDirectories(path: path) }

    /// `vfs`.
    public var name: String { "vfs" }
    /// The directory that it was opened at.
    public var path: String { directories.path }
    /// What is removed is removed.
    public var whiteouts: WhiteoutStyle { .removal }
    /// A layer's directory has all layers below in it.
    public var keepsLayersApart: Bool { false }
    /// Layers whose documents cannot be read, with the reason. They keep their files.
    public var unreadable: [String: String] { directories.unreadable }
    /// All read-only layers, from memory.
    public func layers() -> [LayerName: LayerInformation] { directories.layers() }
    /// The containers that have a layer, from memory.
    public func writableLayers() -> Set<String> { directories.writable() }

    /// Makes a directory for a layer with a copy of the one that it lies on. If that fails, nothing is left.
    public func prepareLayer(on parent: LayerName?) throws(SnapshotError) -> PreparedLayer {
        try directories.prepare(on: parent, files: "dir") { (id) throws(SnapshotError) in try make(id, on: parent) }
    }

    /// Makes prepared directories layers, each on those before it. A layer of that name that is there already stays, and the prepared one goes.
    ///
    /// - Throws: `invalid` for a layer that lies on another than it was prepared on: that one's files are in it.
    public func commit(_ layers: [(prepared: PreparedLayer, information: LayerInformation)]) throws(SnapshotError) {
        for (prepared, information) in layers where prepared.parent != information.parent {
            throw SnapshotError(.invalid, "layer \(information.name.chainID) was prepared on another one than it is to lie on")
        }
        try directories.commit(layers) { (prepared, own, parent) throws(Errno) in
            guard let parent, prepared.impliedDirectories.contains([]) else { return }
            // What was unpacked has changed the root's times, and nobody has said so.
            try TreeCopy.copyAttributes(
                from: try directories.root.openDirectory(try PathBytes(parent + "/dir")), to: try own.openDirectory("dir"))
        }
    }

    /// Removes a prepared directory. Repeating is fine.
    public func discard(_ prepared: PreparedLayer) { directories.discard(prepared.id) }

    /// The directory with the files of a read-only layer. `notFound` if there is no such layer.
    public func directory(of name: LayerName) throws(SnapshotError) -> String {
        "\(directories.path)/\(try directories.entry(of: name).directory)/dir"
    }

    /// Removes a read-only layer, and then those below it, down to the first that another lies on or that somebody wants. `inUse` while another
    /// lies on the first.
    ///
    /// - Parameter isWanted: asked in the moment in which a layer would cease to exist: whether it is to stay.
    /// - Returns: what was known of those that are gone, the uppermost first.
    public func removeLayers(from top: LayerName, unless isWanted: (LayerName) -> Bool) throws(SnapshotError) -> [LayerInformation] {
        try directories.removeLayers(from: top, unless: isWanted)
    }

    /// Makes a container's layer with a copy of the image. `exists` if there is one of that id; if it fails otherwise, nothing is left.
    public func makeWritable(_ id: String, on parent: LayerName?, durability: Directory.Durability) throws(SnapshotError) -> WritableLayer {
        try directories.makeWritable(id) { () throws(SnapshotError) in
            try make(id, on: parent)
            guard durability == .synchronized else { return }
            do throws(Errno) { try directories.root.synchronizeFileSystem() } catch {
                throw .storage("cannot sync a container's copy", error)
            }
        }
    }

    /// How a container's root is mounted: as it is. `notFound` if it has no layer.
    public func mounts(of layer: WritableLayer) throws(SnapshotError) -> MountPlan {
        try directories.requireWritable(layer.id)
        return .directory("\(directories.path)/\(layer.id)/dir")
    }

    /// Removes a container's layer. Repeating is fine.
    public func remove(_ layer: WritableLayer) throws(SnapshotError) { try directories.removeWritable(layer.id) }

    private func make(_ id: String, on parent: LayerName?) throws(SnapshotError) {
        // The whole chain is looked at, so that layers are bounded as with overlay2; its uppermost has everything.
        let below = try directories.chain(from: parent).first
        do throws(Errno) {
            try directories.root.makeDirectory(try PathBytes(id), permissions: 0o710)
            let own = try directories.root.openDirectory(try PathBytes(id))
            try own.makeDirectory("dir", permissions: 0o755)
            try own.setPermissions("dir", 0o755)  // whatever this process's umask is: it may become a container's root
            guard let below else { return }
            try TreeCopy(
                of: try directories.root.openDirectory(try PathBytes(below.directory + "/dir")), to: try own.openDirectory("dir")
            ).run()
        } catch {
            throw .storage(below.map { "cannot copy layer \($0.information.name.chainID)" } ?? "cannot make a layer's directory", error)
        }
    }
}
