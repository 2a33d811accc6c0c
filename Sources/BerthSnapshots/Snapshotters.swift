/// The snapshotters by name.
public enum Snapshotters {
    /// Opens the one of this name, below an engine's root.
    ///
    /// - Throws: `notFound` for other names.
    public static func open(_ name: String, in root: String) throws(SnapshotError) -> any Snapshotter {
        switch name {
        case "overlay2": return try Overlay2(directory: root + "/overlay2")
        case "vfs": return try Vfs(directory: root + "/vfs")
        default: throw SnapshotError(.notFound, "there is no snapshotter '\(name)'")
        }
    }
}
