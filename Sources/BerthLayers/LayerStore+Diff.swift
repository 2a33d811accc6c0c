public import BerthLinux
public import BerthSnapshots
public import BerthTar

// What a container has changed. Its layer is read and not used up; it may change meanwhile, and then what is read is the old or the new.
extension LayerStore {
    /// How a container's root differs from its image's, as Docker tells it and in its order.
    ///
    /// - Parameters:
    ///   - container: the container's layer.
    ///   - parent: the layer that it lies on.
    ///   - mountPoints: what is no change of the container's.
    /// - Throws: `storage`.
    public func changes(
        of container: WritableLayer, on parent: LayerName?, leavingOut mountPoints: MountPoints = .none
    ) throws(LayerError) -> [TreeChange] {
        try compare(container, on: parent, leavingOut: mountPoints).comparison.changes
    }

    /// Writes what a container has changed as a layer's tar.
    ///
    /// The same changes give the same bytes. Nothing but two blocks of zeros is written where nothing has changed.
    /// - Throws: `invalid` for a name that no layer can have, with the path; `storage`; `cancelled` where the sink says so. What was written is then
    ///   no layer.
    public func writeDiff(
        of container: WritableLayer, on parent: LayerName?, leavingOut mountPoints: MountPoints = .none, to sink: any ByteSink
    ) throws(LayerError) {
        let (own, comparison) = try compare(container, on: parent, leavingOut: mountPoints)
        try Self.pack(own.take(), comparison, to: sink)
    }

    /// Writes a container's whole root as a tar: what is mounted in it is not part of it, and the root itself is no entry, as with Docker.
    ///
    /// - Throws: `storage`, `tooLarge` for directories nested too deep, `cancelled` where the sink says so.
    public func writeRoot(of container: WritableLayer, to sink: any ByteSink) throws(LayerError) {
        try writeRoot(whole(of: try plan(container)), to: sink)
    }

    /// The same of a root that is open: of a container that runs, as it has it. The kernel does not say what is seen where a layer that is written to is mounted
    /// a second time.
    public func writeRoot(_ root: consuming Directory, to sink: any ByteSink) throws(LayerError) {
        let behind = WriteBehind(sink)
        defer { behind.stop() }
        do throws(TarError) {
            let writer = TarWriter(behind)
            try TreePacker(into: writer).pack(root)
            try writer.finish()
        } catch { throw LayerError(error) }
        do throws(ByteSinkError) { try behind.finish() } catch {
            throw LayerError(error.kind == .cancelled ? .cancelled : .storage, error.description, underlying: error.underlying)
        }
    }

    // MARK: Comparing

    /// A directory on its way to whom it is for.
    final class DirectoryBox {
        private var value: Directory?
        init(_ value: consuming Directory) { self.value = consume value }
        func take() -> Directory {
            guard let value = value.take() else { preconditionFailure("a directory is taken once") }
            return value
        }
    }

    func compare(
        _ container: WritableLayer, on parent: LayerName?, leavingOut mountPoints: MountPoints
    ) throws(LayerError) -> (own: DirectoryBox, comparison: any TreeComparison) {
        let plan = try plan(container)
        let own = DirectoryBox(try ownTree(of: plan))
        let trees = ComparedTrees(try ownTree(of: plan), try treeBelow(plan, parent))
        do throws(Errno) {
            let comparison: any TreeComparison =
                switch snapshots.whiteouts {
                case .overlay: try OverlayComparison(trees, mountPoints)
                case .removal: try CopyComparison(trees, mountPoints)
                }
            return (own, comparison)
        } catch {
            if error == .ENAMETOOLONG { throw .tooDeep }
            throw LayerError(.storage, "cannot compare the container with its image: \(error)", underlying: error)
        }
    }

    static func pack(_ own: consuming Directory, _ comparison: any TreeComparison, to sink: any ByteSink) throws(LayerError) {
        do throws(TarError) {
            let writer = TarWriter(sink)
            try TreePacker(into: writer) { (entry) throws(TarError) in try comparison.decide(&entry) }.pack(own)
            try writer.finish()
        } catch { throw LayerError(error) }
    }

    func plan(_ container: WritableLayer) throws(LayerError) -> MountPlan {
        do throws(SnapshotError) { return try snapshots.mounts(of: container) } catch { throw LayerError(error) }
    }

    private func whole(of plan: MountPlan) throws(LayerError) -> Directory {
        try Self.reading { () throws(Errno) in
            switch plan {
            case .directory(let path): try DetachedMount.reading(path)
            case .overlay(let base, let lowers, let upper, _): try DetachedMount.reading(base: base, layers: [upper] + lowers)
            }
        }
    }

    func ownTree(of plan: MountPlan) throws(LayerError) -> Directory {
        try Self.reading { () throws(Errno) in
            switch plan {
            case .directory(let path): try DetachedMount.reading(path)
            case .overlay(let base, _, let upper, _): try DetachedMount.reading(base + "/" + upper)
            }
        }
    }

    private func treeBelow(_ plan: MountPlan, _ parent: LayerName?) throws(LayerError) -> Directory {
        if case .overlay(let base, let lowers, _, _) = plan {
            return try Self.reading { () throws(Errno) in try DetachedMount.reading(base: base, layers: lowers) }
        }
        guard let parent else {
            throw LayerError(.unsupported, "an image without layers is not compared where layers are kept by '\(snapshots.name)'")
        }
        let path: String
        do throws(SnapshotError) { path = try snapshots.directory(of: parent) } catch { throw LayerError(error) }
        return try Self.reading { () throws(Errno) in try DetachedMount.reading(path) }
    }

    private static func reading(_ open: () throws(Errno) -> Directory) throws(LayerError) -> Directory {
        do throws(Errno) { return try open() } catch {
            throw LayerError(.storage, "cannot read the container's root: \(error)", underlying: error)
        }
    }
}
