internal import BerthLinux
internal import BerthTar

/// Compares the upper directory of an overlay with what is below it. Only what is in the upper directory can have changed.
final class OverlayComparison: TreeComparison {
    private(set) var changes: [TreeChange] = []
    private(set) var isEmpty = true
    var byteCount: UInt64 { space.byteCount }
    private var space = SpaceCount()
    private let mountPoints: MountPoints
    /// Directories that are told of already.
    private var told: Set<[UInt8]> = []
    /// What a layer does not have, because the engine made it.
    private var omitted: Set<[UInt8]> = []

    init(_ trees: ComparedTrees, _ mountPoints: MountPoints) throws(Errno) {
        self.mountPoints = mountPoints
        try compareAll(trees)
        omitted.subtract(told)
        // The root is in the upper directory always. It is in the layer if something else is, for that changes its time, or if it has changed itself.
        if try !trees.haveSameAttributes() { isEmpty = false }
    }

    private func compareAll(_ trees: ComparedTrees) throws(Errno) {
        var waiting: [(path: [UInt8], names: [PathBytes])] = [([], try trees.entries())]
        while let (parent, names) = waiting.last {
            guard let name = names.last else {
                waiting.removeLast()
                trees.leave()
                continue
            }
            waiting[waiting.count - 1].names.removeLast()
            guard let status = try trees.status(name) else { continue }
            let (path, old) = (joined(parent, name), try trees.statusBelow(name))
            guard status.kind == .directory else {
                if old == nil, mountPoints.includes(path, status) {
                    omitted.insert(path)
                } else {
                    space.add(status)
                    tell(status.kind == Whiteout.kind ? .deleted : old == nil ? .added : .modified, path, in: parent)
                }
                continue
            }
            try trees.enter(name)
            try compareDirectory(trees, status, old, path, in: parent)
            waiting.append((path, try trees.entries()))
        }
    }

    private func compareDirectory(
        _ trees: ComparedTrees, _ status: FileStatus, _ old: FileStatus?, _ path: [UInt8], in parent: [UInt8]
    ) throws(Errno) {
        if try trees.attributes("")[Whiteout.opaqueAttribute] == [UInt8(ascii: "y")] { return tellDirectory(.deleted, path, in: parent) }
        guard let old, old.kind == .directory else {
            guard old == nil, mountPoints.includes(path, status) else {
                return tellDirectory(old == nil ? .added : .modified, path, in: parent)
            }
            omitted.insert(path)
            return
        }
        // What the engine has made in it has changed its size and time.
        let hasMountPoints = try trees.withDirectories { (own, below) throws(Errno) in try mountPoints.wereMade(in: path, own, below) }
        let isSame =
            status.permissions == old.permissions
            && (hasMountPoints || status.byteCount == old.byteCount && status.modificationTime.isSame(as: old.modificationTime))
        guard isSame else { return tellDirectory(.modified, path, in: parent) }
        // It is here for something in it, or for what nobody is told of.
        if hasMountPoints, try trees.haveSameAttributes() { omitted.insert(path) } else { isEmpty = false }
    }

    private func tellDirectory(_ kind: TreeChange.Kind, _ path: [UInt8], in parent: [UInt8]) {
        told.insert(path)
        tell(kind, path, in: parent)
    }

    /// What comes or goes changes the directory that it is in, whatever that says of itself.
    private func tell(_ kind: TreeChange.Kind, _ path: [UInt8], in parent: [UInt8]) {
        isEmpty = false
        if kind != .modified, !parent.isEmpty, told.insert(parent).inserted { changes.append(TreeChange(.modified, parent)) }
        changes.append(TreeChange(kind, path))
    }

    func decide(_ entry: inout TarEntry) throws(TarError) -> TreePacker.Decision {
        if entry.name == TreePacker.rootName { return isEmpty ? .skip : .pack }
        let path = entry.path
        try Whiteout.refuse(path)
        if omitted.contains(path) { return .contents(after: []) }
        if entry.kind == .characterDevice(DeviceNumber(major: 0, minor: 0)) { return .replace(with: [Whiteout.entry(of: path)]) }
        let isOpaque = entry.kind == .directory && entry.extendedAttributes[Whiteout.opaqueAttribute] == [UInt8(ascii: "y")]
        return isOpaque ? .pack(then: [Whiteout.opaqueEntry(in: entry.name)]) : .pack
    }
}
