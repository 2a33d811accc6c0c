internal import BerthLinux
internal import BerthTar

/// Which entries of which layers are left when layers become one, and under which names.
struct SquashPlan {
    /// What comes before everything with data: directories, and what is removed, each after the directory that it lies in.
    private(set) var skeleton: [TarEntry] = []
    /// For each layer, by the ordinal of an entry: its names, the first of which gets the data.
    private(set) var names: [[Int: [[UInt8]]]]

    /// What is left of a tree.
    ///
    /// - Parameter keepsRemovals: whether layers will lie below, of which something was removed.
    init(_ tree: LayeredTree, keepsRemovals: Bool) {
        names = Array(repeating: [:], count: tree.effects.count)
        if var root = tree.root.entry {
            root.name = Array("./".utf8)
            skeleton.append(root)
        }
        add(tree.root, at: [], keepsRemovals)
    }

    private mutating func add(_ folder: LayeredTree.Folder, at path: [UInt8], _ keepsRemovals: Bool) {
        if keepsRemovals {
            if folder.isOpaque { skeleton.append(Whiteout.opaqueEntry(in: path)) }
            for name in folder.removed.sorted(by: { $0.bytes.lexicographicallyPrecedes($1.bytes) }) {
                skeleton.append(Whiteout.entry(of: path + name.bytes))
            }
        }
        for (name, child) in folder.children.sorted(by: { $0.key.bytes.lexicographicallyPrecedes($1.key.bytes) }) {
            let below = path + name.bytes
            switch child {
            case .file(let file): names[file.layer][file.ordinal, default: []].append(below)
            case .folder(let inner):
                if var entry = inner.entry {
                    entry.name = below
                    skeleton.append(entry)
                }
                add(inner, at: below + [UInt8(ascii: "/")], keepsRemovals)
            }
        }
    }
}

extension SquashPlan {
    /// Writes the directories and removals.
    func writeSkeleton(to writer: TarWriter) throws(TarError) {
        for entry in skeleton { try writer.append(entry) }
    }

    /// Copies what is left of one layer. The layers follow each other from the lowest.
    func copy(_ reader: TarReader, layer: Int, to writer: TarWriter) throws(TarError) {
        var ordinal = 0
        while var entry = try reader.next() {
            defer { ordinal += 1 }
            guard let kept = names[layer][ordinal], let first = kept.first else { continue }
            entry.name = first
            try writer.append(entry)
            while try unsafe reader.readData(
                { (bytes) throws(TarError) in try unsafe writer.write(RawSpan(_unsafeBytes: bytes)) }, wrapping: { $0 })
            {}
            for name in kept.dropFirst() {
                var link = entry
                (link.name, link.kind, link.linkName, link.byteCount, link.regions) = (name, .hardLink, first, 0, nil)
                link.extendedAttributes = [:]
                try writer.append(link)
            }
        }
    }
}
