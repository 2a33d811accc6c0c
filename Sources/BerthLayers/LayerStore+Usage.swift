internal import BerthLinux
public import BerthSnapshots
internal import BerthTar

extension LayerStore {
    /// How many bytes the files have that a container has added or changed, as Docker counts them (`SizeRw`): a changed file whole, a file of several
    /// names once, a symbolic link by its target's length.
    ///
    /// It may change meanwhile; then what is counted is the old or the new.
    /// - Parameter mountPoints: what is no change of the container's.
    /// - Throws: `storage`; `tooLarge` for directories nested too deep.
    public func changedByteCount(
        of container: WritableLayer, on parent: LayerName?, leavingOut mountPoints: MountPoints = .none
    ) throws(LayerError) -> UInt64 {
        switch snapshots.whiteouts {
        case .overlay:
            // Its own directory has nothing but what is new.
            return try Self.byteCount(in: try ownTree(of: try plan(container))) { _ in true }
        case .removal:
            let (own, comparison) = try compare(container, on: parent, leavingOut: mountPoints)
            let changed = Set(comparison.changes.filter { $0.kind != .deleted }.map(\.path))
            return try Self.byteCount(in: own.take()) { changed.contains($0) }
        }
    }

    /// Sums up the files below a directory.
    ///
    /// - Parameter isCounted: asked with the path from the root on, which begins with a slash, as ``TreeChange`` has it.
    private static func byteCount(in root: consuming Directory, _ isCounted: ([UInt8]) -> Bool) throws(LayerError) -> UInt64 {
        do throws(Errno) {
            let cursor = TreeCursor(root)
            var (sum, seen): (UInt64, Set<UInt64>) = (0, [])
            var waiting: [(path: [UInt8], names: [PathBytes])] = [([], try names(at: cursor))]
            while let (parent, names) = waiting.last {
                guard let name = names.last else {
                    waiting.removeLast()
                    cursor.leave()
                    continue
                }
                waiting[waiting.count - 1].names.removeLast()
                let path = parent + [UInt8(ascii: "/")] + name.bytes
                let status = try cursor.withDirectory { (own) throws(Errno) in try own.statusIfThere(name) }
                guard let status else { continue }
                if status.kind == .directory {
                    do throws(Errno) { try cursor.enter(name) } catch {
                        if error == .ENOENT || error == .ENOTDIR || error == .ELOOP { continue }  // gone meanwhile
                        throw error
                    }
                    waiting.append((path, try Self.names(at: cursor)))
                } else if isCounted(path), status.linkCount < 2 || seen.insert(status.inode).inserted {
                    sum += UInt64(max(0, status.byteCount))
                }
            }
            return sum
        } catch {
            if error == .ENAMETOOLONG { throw .tooDeep }
            throw LayerError(.storage, "cannot count the container's files: \(error)", underlying: error)
        }
    }

    private static func names(at cursor: TreeCursor) throws(Errno) -> [PathBytes] {
        guard cursor.depth <= TreePacker.maximumDepth else { throw .ENAMETOOLONG }
        return try cursor.withDirectory { (own) throws(Errno) in try own.entries() }.map(\.name)
    }
}

extension LayerError {
    /// A container's tree that nothing goes through.
    static var tooDeep: LayerError {
        LayerError(
            .tooLarge, "the container's directories are nested deeper than \(TreePacker.maximumDepth), which is the limit",
            underlying: .ENAMETOOLONG)
    }
}
