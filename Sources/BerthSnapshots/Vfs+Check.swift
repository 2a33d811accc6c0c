public import BerthLinux
internal import BerthOCI

extension Vfs {
    /// What is wrong with a layer's directory and its document.
    public func faults(of name: LayerName) throws(SnapshotError) -> [String] {
        try directories.faults(of: name, files: "dir") { (_, _) throws(Errno) in [] }
    }

    /// Whether a container's files are there. What they were made of is no longer needed.
    public func faults(of layer: WritableLayer, on parent: LayerName?) throws(SnapshotError) -> [String] {
        try directories.requireWritable(layer.id)
        do throws(Errno) {
            guard try directories.isDirectory(try PathBytes(layer.id), in: directories.root),
                try directories.isDirectory("dir", in: try directories.root.openDirectory(try PathBytes(layer.id)))
            else { return ["its files are missing"] }
            return []
        } catch { throw .storage("cannot look at the writable layer '\(layer.id)'", error) }
    }

    /// Writes a layer's document anew.
    public func mend(_ name: LayerName) throws(SnapshotError) { try directories.mend(name, files: "dir") { (_, _) throws(Errno) in } }
    /// Nothing: there is nothing beside a container's files.
    public func mend(_ layer: WritableLayer, on parent: LayerName?) throws(SnapshotError) { try directories.requireWritable(layer.id) }
    /// None: a layer's directory has everything that lies below.
    public func directory(below name: LayerName, at path: [PathBytes]) throws(SnapshotError) -> Directory? { nil }

    /// Makes prepared files a layer's.
    public func replaceFiles(of name: LayerName, with prepared: PreparedLayer) throws(SnapshotError) {
        guard try directories.entry(of: name).information.parent == prepared.parent else {
            throw SnapshotError(.invalid, "layer \(name.chainID) was prepared on another one than it lies on")
        }
        try directories.replaceFiles(of: name, with: prepared, files: "dir") { (own, entry) throws(Errno) in
            // The same as when it was made.
            try self.complete(prepared, own, on: entry.information.parent)
        }
    }

    /// Directories that are no layers.
    public func leftovers() throws(SnapshotError) -> [String] {
        do throws(Errno) { return try directories.unclaimed().map(\.description).sorted() } catch {
            throw .storage("cannot list what is left of layers", error)
        }
    }

    /// Removes them.
    public func removeLeftovers() throws(SnapshotError) {
        do throws(Errno) { try directories.removeUnclaimed() } catch { throw .storage("cannot remove what is left of layers", error) }
    }

    private func complete(_ prepared: PreparedLayer, _ own: borrowing Directory, on parent: LayerName?) throws(Errno) {
        // A parent that is not there has been found missing by whoever prepared the layer.
        guard let parent, prepared.impliedDirectories.contains([]), let below = try? directories.entry(of: parent) else { return }
        try TreeCopy.copyAttributes(
            from: try directories.root.openDirectory(try PathBytes(below.directory + "/dir")), to: try own.openDirectory("dir"))
    }
}
