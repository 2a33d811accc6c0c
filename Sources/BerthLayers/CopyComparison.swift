internal import BerthLinux
internal import BerthTar

/// Compares a container's own copy of everything with the image's.
///
/// What is told is what Docker tells for such drivers, by metadata alone: not the times of directories, and of attributes only capabilities. What a layer has
/// is more: whatever differs, and all names of a file of which one does.
final class CopyComparison: TreeComparison {
    private(set) var changes: [TreeChange] = []
    var byteCount: UInt64 { space.byteCount }
    private var space = SpaceCount()
    private let mountPoints: MountPoints
    /// Paths that the layer has.
    private var packed: Set<[UInt8]> = []
    /// By directory, the names that were removed from it.
    private var deleted: [[UInt8]: [[UInt8]]] = [:]
    /// Names of files that have several, in both trees.
    private var names: [[UInt8]: (own: UInt64?, below: UInt64?)] = [:]

    var isEmpty: Bool { packed.isEmpty && deleted.isEmpty }

    init(_ trees: ComparedTrees, _ mountPoints: MountPoints) throws(Errno) {
        self.mountPoints = mountPoints
        try compareAll(trees)
        packWhatBelongsTogether()
        if isEmpty, try !trees.haveSameAttributes() { packed.insert([]) }
        packed.formUnion(deleted.keys)
        // A directory's time changes when something is unpacked into it: those on the way are in the layer to set it.
        for path in packed {
            var path = path
            repeat {
                path = Array(path[..<(path.lastIndex(of: UInt8(ascii: "/")) ?? 0)])
            } while packed.insert(path).inserted && !path.isEmpty
        }
    }

    /// A directory that is being compared.
    private struct Level {
        var path: [UInt8]
        var names: [PathBytes]
        var present: Set<PathBytes>
        /// Where in the changes it would be told of, had something in it changed; `nil` where it is told of already.
        var place: Int?
    }

    private func compareAll(_ trees: ComparedTrees) throws(Errno) {
        var levels = [try level(trees, [], place: nil)]
        while let level = levels.last {
            guard let name = level.names.last else {
                try finish(level, trees)
                levels.removeLast()
                trees.leave()
                continue
            }
            levels[levels.count - 1].names.removeLast()
            guard let status = try trees.status(name) else { continue }
            let (path, old) = (joined(level.path, name), try trees.statusBelow(name))
            note(status, old, path)
            let begin = changes.count
            let isTold = try compare(name, status, old, path, trees)
            if packed.contains(path) { space.add(status) }
            guard status.kind == .directory else { continue }
            try trees.enter(name)
            levels.append(try self.level(trees, path, place: isTold ? nil : begin))
        }
    }

    private func level(_ trees: ComparedTrees, _ path: [UInt8], place: Int?) throws(Errno) -> Level {
        let names = try trees.entries()
        return Level(path: path, names: names, present: Set(names), place: place)
    }

    private func finish(_ level: Level, _ trees: ComparedTrees) throws(Errno) {
        for name in try trees.entriesBelow() where !level.present.contains(name) {
            changes.append(TreeChange(.deleted, joined(level.path, name)))
            deleted[level.path, default: []].append(joined(level.path, name))
        }
        // What has changed in it has changed it.
        if let place = level.place, changes.count > place { changes.insert(TreeChange(.modified, level.path), at: place) }
    }

    /// - Returns: whether it is told of.
    private func compare(
        _ name: PathBytes, _ new: FileStatus, _ old: FileStatus?, _ path: [UInt8], _ trees: ComparedTrees
    ) throws(Errno) -> Bool {
        guard let old else {
            if mountPoints.includes(path, new) { return false }
            packed.insert(path)
            changes.append(TreeChange(.added, path))
            return true
        }
        var isTold = new.kind != old.kind || new.permissions != old.permissions || new.userID != old.userID || new.groupID != old.groupID
        if new.kind != .directory {
            isTold = isTold || new.byteCount != old.byteCount || !new.modificationTime.isSame(as: old.modificationTime)
        }
        let attributes = (try trees.attributes(name), try trees.attributesBelow(name))
        isTold = isTold || attributes.0["security.capability"] != attributes.1["security.capability"]
        if isTold { changes.append(TreeChange(.modified, path)) }
        var isSame = !isTold && PackedAttributes.packed(attributes.0) == PackedAttributes.packed(attributes.1)
        if isSame, new.modificationTime != old.modificationTime {
            // That of a directory has changed when the engine made something in it.
            isSame = new.kind == .directory ? try hasMountPoints(name, path, trees) : false
        }
        if !isSame { packed.insert(path) }
        return isTold
    }

    private func hasMountPoints(_ name: PathBytes, _ path: [UInt8], _ trees: ComparedTrees) throws(Errno) -> Bool {
        try trees.withDirectories { (own, below) throws(Errno) in
            try mountPoints.wereMade(in: path, try own.openDirectory(name), try below.openDirectory(name))
        }
    }

    // MARK: Hard links

    private func note(_ new: FileStatus, _ old: FileStatus?, _ path: [UInt8]) {
        guard new.kind != .directory else { return }
        let (own, below) = (new.linkCount > 1 ? new.inode : nil, old.flatMap { $0.linkCount > 1 ? $0.inode : nil })
        if own != nil || below != nil { names[path] = (own, below) }
    }

    /// A name that was given to another file, or has lost or won other names, is in the layer with all of them: a layer can only link to what it has.
    private func packWhatBelongsTogether() {
        let groups = Dictionary(grouping: names.filter { $0.value.own != nil }) { $0.value.own }
        for group in groups.values {
            let differs = Set(group.map { $0.value.below }).count > 1 || group.count > 1 && group[0].value.below == nil
            if differs || group.contains(where: { packed.contains($0.key) }) { for (path, _) in group { packed.insert(path) } }
        }
        // Names that were one file's below and are not here.
        for group in Dictionary(grouping: names.filter { $0.value.below != nil }, by: { $0.value.below }).values
        where Set(group.map { $0.value.own }).count > 1 || group.count > 1 && group[0].value.own == nil {
            for (path, _) in group { packed.insert(path) }
        }
    }

    func decide(_ entry: inout TarEntry) throws(TarError) -> TreePacker.Decision {
        let path = entry.path
        // With anything below it, a directory is in the layer itself.
        guard packed.contains(path) else { return .skip }
        if !path.isEmpty { try Whiteout.refuse(path) }
        return .pack(then: (deleted[path] ?? []).map(Whiteout.entry(of:)))
    }
}
