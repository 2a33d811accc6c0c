internal import BerthContent
internal import BerthLinux
public import BerthOCI
public import BerthTar

/// What layers show together, found out from their tars alone: nothing is unpacked.
///
/// Layers are added from the lowest up, each as the image specification says that it is applied (*Image Layer Filesystem Changeset*). A tree holds the
/// names and attributes of all files in memory, and no contents. Not to be shared between threads.
public final class LayeredTree {
    /// A file, link, device or pipe: what its names have in common.
    public final class File {
        /// Its attributes; the name is empty.
        public let entry: TarEntry
        /// The layer that has it, counted from the lowest.
        public let layer: Int
        /// Which of the layer's entries it is.
        public let ordinal: Int
        /// The digest of its contents, where it was asked for.
        public internal(set) var contents: Digest?
        /// Under how many names it is seen.
        public fileprivate(set) var nameCount = 1

        init(_ entry: TarEntry, layer: Int, ordinal: Int) { (self.entry, self.layer, self.ordinal) = (entry, layer, ordinal) }

        fileprivate init(copying other: File) {
            (entry, layer, ordinal) = (other.entry, other.layer, other.ordinal)
            (contents, nameCount) = (other.contents, other.nameCount)
        }
    }

    /// A directory.
    final class Folder {
        /// Its attributes; `nil` where only what lies in it was said.
        var entry: TarEntry?
        /// The layer that said so last.
        var layer: Int
        /// The uppermost layer that has it, or something in it.
        var touchedBy: Int
        var children: [PathBytes: Node] = [:]
        /// What is removed from layers that lie below all that were added.
        var removed: Set<PathBytes> = []
        /// Whether all that those have in it is removed.
        var isOpaque = false

        init(_ entry: TarEntry?, layer: Int) { (self.entry, self.layer, touchedBy) = (entry, layer, layer) }

        /// - Parameter files: the copies that were made: several names of one file are names of one copy.
        fileprivate init(copying other: Folder, _ files: inout [ObjectIdentifier: File]) {
            (entry, layer, touchedBy) = (other.entry, other.layer, other.touchedBy)
            (removed, isOpaque) = (other.removed, other.isOpaque)
            children = other.children.mapValues { child in
                switch child {
                case .folder(let inner): return .folder(Folder(copying: inner, &files))
                case .file(let file):
                    let copy = files[ObjectIdentifier(file)] ?? File(copying: file)
                    files[ObjectIdentifier(file)] = copy
                    return .file(copy)
                }
            }
        }
    }

    enum Node {
        case file(File)
        case folder(Folder)
    }

    /// What one layer does.
    public struct Effect: Hashable, Sendable {
        /// How many files, directories and whatever else it has.
        public var entryCount: UInt64 = 0
        /// How many bytes its files have.
        public var byteCount: UInt64 = 0
        /// How many files of the layers below it replaces or removes.
        public var hiddenFileCount: UInt64 = 0
        /// How many bytes these have: they are in the image, and no container sees them.
        public var hiddenByteCount: UInt64 = 0
    }

    let root: Folder
    /// What each layer does, the lowest first.
    public private(set) var effects: [Effect] = []
    private let maximumEntryCount: UInt64

    /// The layer that is being added.
    private var layer: Int { effects.count - 1 }

    /// A tree of no layers.
    ///
    /// - Parameter maximumEntryCount: the most entries of all layers together.
    public init(maximumEntryCount: UInt64 = 4_000_000) {
        self.maximumEntryCount = maximumEntryCount
        root = Folder(nil, layer: 0)
    }

    /// A tree of the same layers, which goes its own way: what is added to one is not in the other.
    public init(copying other: LayeredTree) {
        (maximumEntryCount, effects) = (other.maximumEntryCount, other.effects)
        var files: [ObjectIdentifier: File] = [:]
        root = Folder(copying: other.root, &files)
    }

    // MARK: Adding

    /// Adds a layer on top.
    ///
    /// - Parameter hashesContents: whether files get the digest of their contents.
    /// - Throws: what the reader throws, and `corrupt` for what no layer may say. The tree is of no use then.
    public func add(_ reader: TarReader, hashesContents: Bool = false) throws(TarError) {
        effects.append(Effect())
        var entryCount = effects.reduce(0) { $0 + $1.entryCount }
        var ordinal = 0
        while let entry = try reader.next() {
            entryCount += 1
            guard entryCount <= maximumEntryCount else {
                throw TarError(.tooLarge, "the layers have more than \(maximumEntryCount) entries, the limit that is set")
            }
            let file = try add(entry, ordinal)
            if let file, hashesContents, entry.kind == .file { file.contents = try Self.digest(of: entry, reader) }
            ordinal += 1
        }
    }

    private static func digest(of entry: TarEntry, _ reader: TarReader) throws(TarError) -> Digest {
        var hasher = DigestHasher()
        while try unsafe reader.readData({ (bytes) throws(TarError) in unsafe hasher.update(bytes) }, wrapping: { $0 }) {}
        // Two files of the same data with holes at different places differ.
        for region in entry.regions ?? [] { hasher.update(Array("\(region.offset)+\(region.byteCount),".utf8)) }
        return hasher.digest()
    }

    /// - Returns: the file that the entry makes, if it makes one.
    private func add(_ entry: TarEntry, _ ordinal: Int) throws(TarError) -> File? {
        let path = try Self.path(of: entry.name, entry)
        guard let name = path.last else {
            root.entry = Self.nameless(entry)
            root.layer = layer
            return nil
        }
        // Of file systems of long ago.
        if path.dropLast().contains(where: { $0.bytes.starts(with: Whiteout.reserved) }) { return nil }
        let parent = try folder(at: path.dropLast(), entry)
        if name.bytes.starts(with: Whiteout.prefix) {
            try follow(name, in: parent, entry)
            return nil
        }
        effects[layer].entryCount += 1
        switch entry.kind {
        case .directory:
            if case .folder(let existing)? = parent.children[name] {
                (existing.entry, existing.layer, existing.touchedBy) = (Self.nameless(entry), layer, layer)
                return nil
            }
            let made = Folder(Self.nameless(entry), layer: layer)
            // In the place of what a layer below has, or what is removed, it does not show what there is further down under its name.
            made.isOpaque = parent.removed.remove(name) != nil
            if case .file(let file)? = parent.children[name], file.layer != layer { made.isOpaque = true }
            put(.folder(made), name, in: parent)
            return nil
        case .hardLink:
            let target = try Self.path(of: entry.linkName, entry)
            guard case .file(let file)? = node(at: target[...]), file.layer == layer else {
                throw TarError(.corrupt, "the entry '\(entry.displayName)' is a hard link to something that its layer does not have")
            }
            if case .file(let existing)? = parent.children[name], existing === file { return nil }
            file.nameCount += 1
            put(.file(file), name, in: parent)
            return nil
        default:
            effects[layer].byteCount += entry.unpackedByteCount
            let file = File(Self.nameless(entry), layer: layer, ordinal: ordinal)
            put(.file(file), name, in: parent)
            return file
        }
    }

    private func put(_ node: Node, _ name: PathBytes, in parent: Folder) {
        if let old = parent.children.updateValue(node, forKey: name) {
            // What lies below may have something of that name as well, and it stays hidden.
            hide(old)
        }
        if case .file = node { parent.removed.remove(name) }
    }

    /// The folder of these names; those that are missing are made, as a layer that names only what lies in them says it.
    private func folder(at path: ArraySlice<PathBytes>, _ entry: TarEntry) throws(TarError) -> Folder {
        var current = root
        for name in path {
            if name.bytes.starts(with: Whiteout.prefix) {
                throw TarError(.corrupt, "the entry '\(entry.displayName)' lies below '\(name)', which says that something is removed")
            }
            switch current.children[name] {
            case .folder(let next):
                next.touchedBy = layer
                current = next
            case .file(let file) where file.layer == layer:
                throw TarError(.escapes, "the entry '\(entry.displayName)' lies below something that is no directory")
            case let old:
                // What it takes the place of may have been put over something of the layers below, which stays hidden.
                let made = Folder(nil, layer: layer)
                made.isOpaque = current.removed.remove(name) != nil || old != nil
                put(.folder(made), name, in: current)
                current = made
            }
        }
        return current
    }

    // MARK: Removing

    private func follow(_ name: PathBytes, in parent: Folder, _ entry: TarEntry) throws(TarError) {
        if name.bytes == Whiteout.opaque {
            parent.isOpaque = true
            parent.removed = []
            removeWhatIsFromBelow(in: parent)
        } else if !name.bytes.starts(with: Whiteout.reserved) {
            guard let gone = try? PathBytes(name.bytes.dropFirst(Whiteout.prefix.count)), gone.isName else {
                throw TarError(.corrupt, "the entry '\(entry.displayName)' says that something without a name is removed")
            }
            removeFromBelow(gone, in: parent)
        }
    }

    private func removeFromBelow(_ name: PathBytes, in parent: Folder) {
        switch parent.children[name] {
        case .folder(let folder) where folder.touchedBy == layer:
            // The layer has put it there already: only what lies below is meant.
            folder.isOpaque = true
            removeWhatIsFromBelow(in: folder)
        case .file(let file) where file.layer == layer: break
        case let old:
            if let old {
                hide(old)
                parent.children[name] = nil
            }
            if !parent.isOpaque { parent.removed.insert(name) }
        }
    }

    private func removeWhatIsFromBelow(in folder: Folder) {
        for (name, child) in folder.children {
            switch child {
            case .file(let file) where file.layer == layer: break
            case .folder(let inner) where inner.touchedBy == layer: removeWhatIsFromBelow(in: inner)
            default:
                hide(child)
                folder.children[name] = nil
            }
        }
    }

    /// Counts what is no longer seen.
    private func hide(_ node: Node) {
        switch node {
        case .folder(let folder): for child in folder.children.values { hide(child) }
        case .file(let file):
            file.nameCount -= 1
            guard file.nameCount == 0, file.layer != layer else { return }
            effects[layer].hiddenFileCount += 1
            effects[layer].hiddenByteCount += file.entry.unpackedByteCount
        }
    }

    // MARK: Looking

    private func node(at path: ArraySlice<PathBytes>) -> Node? {
        var current = Node.folder(root)
        for name in path {
            guard case .folder(let folder) = current, let next = folder.children[name] else { return nil }
            current = next
        }
        return current
    }

    /// The names on the way. Blobs of the store were unpacked by stricter rules; what they refuse does not come here.
    private static func path(of name: [UInt8], _ entry: TarEntry) throws(TarError) -> [PathBytes] {
        let path: [PathBytes]
        do throws(Errno) { path = try PathBytes(name).components } catch {
            throw TarError(.corrupt, "the entry '\(entry.displayName)' has a name that cannot be one: \(error)", underlying: error)
        }
        guard !path.contains(where: { $0.bytes.elementsEqual("..".utf8) }) else {
            throw TarError(.escapes, "the entry '\(entry.displayName)' has '..' in its name, or in that of the file that it is a link to")
        }
        return path
    }

    private static func nameless(_ entry: TarEntry) -> TarEntry {
        var entry = entry
        entry.name = []
        return entry
    }
}
