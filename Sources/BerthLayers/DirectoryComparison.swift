internal import BerthContent
internal import BerthLinux
internal import BerthOCI
internal import BerthSnapshots
internal import BerthTar

/// Compares a layer's directory with what its tar says: everything that should be there, and nothing besides.
final class DirectoryComparison {
    private let cursor: TreeCursor
    private let style: WhiteoutStyle
    private let keepsUserAttributes: Bool
    /// The directory that one of that path is like if the layer says nothing of it.
    private let below: ([PathBytes]) throws(LayerError) -> ExpectedAttributes?
    private let isWanted: () throws(LayerError) -> Void
    private let hasher = FileHasher()
    /// Which file on the disk is which of the layer's, where it has several names.
    private var inodes: [ObjectIdentifier: UInt64] = [:]
    private(set) var verification: LayerVerification

    /// What is still to be compared of a directory, the last first.
    private struct Listing {
        var folder: LayeredTree.Folder
        var path: [PathBytes]
        var names: [PathBytes]
    }

    /// - Parameters:
    ///   - below: asked for directories that the layer has only because something lies in them; `nil` if there is none of that path below.
    ///   - isWanted: asked now and then. What it throws ends it.
    init(
        of root: consuming Directory, _ verification: LayerVerification, _ style: WhiteoutStyle,
        below: @escaping ([PathBytes]) throws(LayerError) -> ExpectedAttributes?, isWanted: @escaping () throws(LayerError) -> Void
    ) throws(LayerError) {
        do throws(Errno) { keepsUserAttributes = try root.keepsUserAttributes() } catch { throw Self.failure([], error) }
        cursor = TreeCursor(root)
        (self.verification, self.style, self.below, self.isWanted) = (verification, style, below, isWanted)
    }

    private static func failure(_ path: [PathBytes], _ error: Errno) -> LayerError {
        let text = path.map(\.description).joined(separator: "/")
        return LayerError(.storage, "cannot look at '/\(text.prefix(512))' of the layer: \(error)", underlying: error)
    }

    private func looking<Result>(_ path: [PathBytes], _ body: (borrowing Directory) throws(Errno) -> Result) throws(LayerError) -> Result {
        do throws(Errno) { return try cursor.withDirectory(body) } catch { throw Self.failure(path, error) }
    }

    private func tell(_ path: [PathBytes], _ what: String) {
        var bytes: [UInt8] = []
        for name in path { bytes += (bytes.isEmpty ? [] : [UInt8(ascii: "/")]) + name.bytes }
        verification.add(bytes, what)
    }

    /// Goes through all of it.
    func run(_ tree: LayeredTree) throws(LayerError) {
        try compareAttributes(of: tree.root, [], try looking([]) { (directory) throws(Errno) in try directory.status("") })
        var waiting = [try list(tree.root, [])]
        while let listing = waiting.last {
            guard let name = listing.names.last else {
                waiting.removeLast()
                cursor.leave()
                continue
            }
            waiting[waiting.count - 1].names.removeLast()
            let path = listing.path + [name]
            let status = try looking(path) { (directory) throws(Errno) in try directory.status(name) }
            guard let inner = try compare(listing.folder, name, path, status) else { continue }
            do throws(Errno) { try cursor.enter(name) } catch { throw Self.failure(path, error) }
            try compareAttributes(of: inner, path, status)
            waiting.append(try list(inner, path))
        }
    }

    /// Tells what is missing in a directory, and gives what is there.
    private func list(_ folder: LayeredTree.Folder, _ path: [PathBytes]) throws(LayerError) -> Listing {
        try isWanted()
        let names = try looking(path) { (directory) throws(Errno) in try directory.entries().map(\.name) }
        let there = Set(names)
        for name in folder.children.keys.filter({ !there.contains($0) }).sorted(by: Self.precedes) { tell(path + [name], "it is missing") }
        if style == .overlay {
            for name in folder.removed.filter({ !there.contains($0) }).sorted(by: Self.precedes) {
                tell(path + [name], "the sign that it is removed is missing")
            }
        }
        return Listing(folder: folder, path: path, names: names.sorted { Self.precedes($1, $0) })
    }

    private static func precedes(_ one: PathBytes, _ other: PathBytes) -> Bool { one.bytes.lexicographicallyPrecedes(other.bytes) }

    /// - Returns: the folder, if a directory is what there is and should be.
    private func compare(
        _ folder: LayeredTree.Folder, _ name: PathBytes, _ path: [PathBytes], _ status: FileStatus
    ) throws(LayerError) -> LayeredTree.Folder? {
        switch folder.children[name] {
        case nil:
            // What is removed in a directory that shows nothing from below is removed already.
            let isSign = style == .overlay && status.kind == Whiteout.kind && (folder.removed.contains(name) || folder.isOpaque)
            if !isSign { tell(path, "it is not in the layer") }
            return nil
        case .folder(let inner):
            if status.kind == .directory { return inner }
            tell(path, "it is no directory")
            return nil
        case .file(let file):
            try compare(file, name, path, status)
            return nil
        }
    }

    private func compareAttributes(of folder: LayeredTree.Folder, _ path: [PathBytes], _ status: FileStatus) throws(LayerError) {
        let found = try looking(path) { (directory) throws(Errno) in try directory.extendedAttributes(of: "") }
        // Where layers are not kept apart, what a later one puts into a directory without saying what that is changes its time.
        let hasTime = style == .overlay || folder.touchedBy == folder.layer || path.isEmpty
        let expected: ExpectedAttributes =
            if let entry = folder.entry { ExpectedAttributes(entry, hasTime: hasTime) } else { try below(path) ?? .implied }
        for difference in expected.differences(from: status, found, keepsUserAttributes: keepsUserAttributes) { tell(path, difference) }
        guard style == .overlay else { return }
        if folder.isOpaque != (found[Whiteout.opaqueAttribute] == [UInt8(ascii: "y")]) {
            tell(path, folder.isOpaque ? "it shows what layers below have in it" : "it hides what layers below have in it")
        }
    }

    private func compare(_ file: LayeredTree.File, _ name: PathBytes, _ path: [PathBytes], _ status: FileStatus) throws(LayerError) {
        guard status.kind == file.entry.kind.onDisk else { return tell(path, "it is another kind of file") }
        if status.linkCount != UInt64(file.nameCount) { tell(path, "it has \(status.linkCount) names, not \(file.nameCount)") }
        if file.nameCount > 1 {
            if let inode = inodes[ObjectIdentifier(file)] {
                if inode != status.inode { tell(path, "it is not the same file as under its other names") }
                return
            }
            inodes[ObjectIdentifier(file)] = status.inode
        }
        if status.kind == .symbolicLink {
            let target = try looking(path) { (directory) throws(Errno) in try directory.readLink(name) }
            if target.bytes != file.entry.linkName { tell(path, "it leads elsewhere") }
        }
        let found = try looking(path) { (directory) throws(Errno) in try directory.extendedAttributes(of: name) }
        let expected = ExpectedAttributes(file.entry)
        for difference in expected.differences(from: status, found, keepsUserAttributes: keepsUserAttributes) { tell(path, difference) }
        guard status.kind == .regular else { return }
        guard UInt64(status.byteCount) == file.entry.byteCount else {
            return tell(path, "it has \(status.byteCount) bytes, not \(file.entry.byteCount)")
        }
        guard let contents = file.contents else { return }
        let opened = try looking(path) { (directory) throws(Errno) in try LentFile(directory.openFile(name)) }
        if let difference = try hasher.difference(
            of: opened.descriptor, from: file.entry, contents, reading: { Self.failure(path, $0) }, between: isWanted)
        {
            tell(path, difference)
        }
    }

    private final class LentFile {
        let descriptor: OwnedDescriptor
        init(_ descriptor: consuming OwnedDescriptor) { self.descriptor = descriptor }
    }
}
