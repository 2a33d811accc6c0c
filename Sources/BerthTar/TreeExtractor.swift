public import BerthLinux

/// Unpacks entries beneath a directory, and nowhere else.
///
/// No name and no link is ever followed out of the directory, nor through a symbolic link: a link is data. A name
/// that is absolute is one of the root's; one with a `..` in it is refused; the target of a hard link is taken from the root. A later entry replaces an earlier one, but a directory stays a directory and gets the
/// later one's attributes. Owners, modes with set-id bits, times to the nanosecond, attributes, devices and holes are kept.
///
/// Not to be shared between threads.
public final class TreeExtractor {
    /// The deepest that names may be nested.
    public static var maximumDepth: Int { 1024 }

    /// From this size on the disk begins with a file as soon as it is whole.
    private static let announcedByteCount: UInt64 = 256 << 10

    /// Asked about each entry, the root included, before anything is made for it, with the names on the way to it.
    ///
    /// - Returns: `false` to leave it out.
    public typealias Screen = (_ entry: TarEntry, _ path: [PathBytes]) throws(TarError) -> Bool
    /// Asked about each entry but the root before it is unpacked, with the directory that it belongs into.
    ///
    /// - Returns: `false` to leave it out: it has been dealt with.
    public typealias Filter = (_ entry: TarEntry, _ path: [PathBytes], _ parent: borrowing Directory) throws(TarError) -> Bool

    private let root: Directory
    private let maximumEntryCount: UInt64
    private let screen: Screen
    private let filter: Filter
    /// What is other where files are copied into a tree that somebody uses.
    let rules: CopyRules?
    /// The directory that the last entry was in: the next one mostly is, too.
    private var parent: (path: [PathBytes], directory: DirectoryBox)?
    /// Times of directories are set when nothing more is put into them.
    private var directoryTimes: [[PathBytes]: FileTime] = [:]

    /// Attributes that the file system does not keep, and that are missing now. Only those of users: without others files would mean something else,
    /// and that is an error.
    public internal(set) var droppedAttributes: Set<String> = []
    /// The directories that were made because something lies in them, and that no entry has said what they are. The root is not among them.
    public private(set) var impliedDirectories: Set<[PathBytes]> = []
    /// How many bytes the files have, with their holes, and the symbolic links by their targets' lengths: as Docker counts a layer. A file that a later
    /// entry has replaced is counted, too.
    public private(set) var byteCount: UInt64 = 0
    /// How many entries there were so far.
    public private(set) var entryCount: UInt64 = 0

    private final class DirectoryBox {
        let value: Directory
        init(_ value: consuming Directory) { self.value = value }
    }

    /// Unpacks into a directory, at most so many entries.
    public init(
        into root: consuming Directory, maximumEntryCount: UInt64 = .max, screen: @escaping Screen = { _, _ in true },
        filter: @escaping Filter = { _, _, _ in true }
    ) {
        self.root = root
        self.maximumEntryCount = maximumEntryCount
        self.screen = screen
        self.filter = filter
        rules = nil
    }

    /// Copies into a directory that has something already, by these rules. Whoever gave the archive has nothing to say of the directory itself.
    public init(copyingInto root: consuming Directory, _ rules: CopyRules) {
        self.root = root
        maximumEntryCount = .max
        screen = { (_, path) in !path.isEmpty }
        filter = { (entry, path, parent) throws(TarError) in try rules.allows(entry, path, in: parent) }
        self.rules = rules
    }

    /// Unpacks every entry. Whatever is thrown, what has been unpacked so far stays: the caller throws the directory away.
    public func extractAll(_ reader: TarReader) throws(TarError) {
        while let entry = try reader.next() { try extract(entry, from: reader) }
        try finish()
    }

    private func extract(_ found: TarEntry, from reader: TarReader) throws(TarError) {
        entryCount += 1
        let entry = rules?.applied(to: found) ?? found
        guard entryCount <= maximumEntryCount else {
            throw TarError(.tooLarge, "the archive has more than \(maximumEntryCount) entries, the limit that is set")
        }
        let path = try Self.components(of: entry.name, "its name", of: entry)
        guard try screen(entry, path) else { return }
        guard let name = path.last else {
            // The root itself: only its attributes.
            guard entry.kind == .directory else {
                throw TarError(.corrupt, "the entry '\(entry.displayName)' names the root, and is no directory")
            }
            try setAttributes(of: entry, ofFile: root.descriptor)
            directoryTimes[[]] = entry.modificationTime
            return
        }
        let parent = try openParent(path.dropLast(), of: entry)
        guard try filter(entry, path, parent.value) else { return }
        switch entry.kind {
        case .file: try writeFile(entry, name, in: parent.value, from: reader)
        case .hardLink: try makeHardLink(entry, path, in: parent.value)
        case .directory:
            try whileReplaced { () throws(TarError) in try makeDirectory(entry, path, name, in: parent.value) }
        default:
            try whileReplaced { () throws(TarError) in
                try make(entry, name, in: parent.value)
                try setAttributes(of: entry, name, in: parent.value)
                try setTimes(entry, name, in: parent.value)
            }
        }
    }

    /// Makes what is found by its name after it has been made: where somebody else puts something into the same place, it may be gone again by then.
    private func whileReplaced(_ make: () throws(TarError) -> Void) throws(TarError) {
        for _ in 0..<(rules == nil ? 0 : Self.replacementTurns) {
            do throws(TarError) { return try make() } catch { guard error.underlying == .ENOENT else { throw error } }
        }
        try make()
    }

    // MARK: Names

    /// The names on the way, without empty ones and `.`; `..` is refused.
    private static func components(of name: [UInt8], _ what: String, of entry: TarEntry) throws(TarError) -> [PathBytes] {
        var result: [PathBytes] = []
        for part in name.split(separator: UInt8(ascii: "/")) {
            if part.count <= 2, part.allSatisfy({ $0 == UInt8(ascii: ".") }) {
                if part.count == 1 { continue }
                throw TarError(.escapes, "the entry '\(entry.displayName)' has '..' in \(what): it could lead out of the root")
            }
            do throws(Errno) { result.append(try PathBytes(Array(part))) } catch {
                throw TarError(.corrupt, "the entry '\(entry.displayName)' has a name that cannot be one: \(error)", underlying: error)
            }
            guard part.count <= 255 else {
                throw TarError(.tooLarge, "the entry '\(entry.displayName)' has a name of \(part.count) bytes: file systems take 255")
            }
        }
        guard result.count <= maximumDepth else {
            throw TarError(
                .tooLarge, "the entry '\(entry.displayName)' lies \(result.count) directories deep: at most \(maximumDepth) are unpacked")
        }
        return result
    }

    /// Opens the directory of these names, making those that are missing. A symbolic link among them is an error.
    private func openParent(_ path: ArraySlice<PathBytes>, of entry: TarEntry) throws(TarError) -> DirectoryBox {
        if let parent, parent.path.elementsEqual(path) { return parent.directory }
        do throws(Errno) {
            let opened: DirectoryBox
            if let known = parent, path.count > known.path.count, path.starts(with: known.path) {
                opened = try descend(known.directory, path.dropFirst(known.path.count), of: path)
            } else {
                opened = try openFromRoot(path)
            }
            parent = (Array(path), opened)
            return opened
        } catch { throw .storage("make the directory of", entry, error) }
    }

    /// Mostly all of it is there, and one call opens it. Whatever else is wrong is found, and told, on the way there name by name.
    private func openFromRoot(_ path: ArraySlice<PathBytes>) throws(Errno) -> DirectoryBox {
        if let directory = try? openDirectory(path) { return DirectoryBox(directory) }
        return try descend(DirectoryBox(try root.duplicate()), path, of: path)
    }

    private func descend(
        _ from: DirectoryBox, _ names: ArraySlice<PathBytes>, of path: ArraySlice<PathBytes>
    ) throws(Errno) -> DirectoryBox {
        var current = from
        for (index, name) in zip(names.indices, names) {
            do { current = DirectoryBox(try current.value.openDirectory(name)) } catch {
                if error == .ELOOP, let links = rules?.links {
                    current = DirectoryBox(try links.open(path[...index]))
                    continue
                }
                guard error == .ENOENT else { throw error }
                try current.value.makeDirectory(name)
                try current.value.setPermissions(name, 0o755)  // whatever this process's umask is
                impliedDirectories.insert(Array(path[...index]))
                current = DirectoryBox(try current.value.openDirectory(name))
            }
        }
        return current
    }

    // MARK: Entries

    /// Makes a directory, and keeps it open: what comes next mostly lies in it.
    private func makeDirectory(
        _ entry: TarEntry, _ path: [PathBytes], _ name: PathBytes, in parent: borrowing Directory
    ) throws(TarError) {
        try make(entry, name, in: parent)
        let opened: DirectoryBox
        do throws(Errno) { opened = DirectoryBox(try parent.openDirectory(name)) } catch { throw .storage("unpack", entry, error) }
        try setAttributes(of: entry, ofFile: opened.value.descriptor)
        directoryTimes[path] = entry.modificationTime
        if !impliedDirectories.isEmpty { impliedDirectories.remove(path) }
        self.parent = (path, opened)
    }

    /// Makes what has no data.
    private func make(_ entry: TarEntry, _ name: PathBytes, in parent: borrowing Directory) throws(TarError) {
        guard entry.kind != .symbolicLink || (1..<4096).contains(entry.linkName.count) else {
            throw TarError(
                .corrupt, "the symbolic link '\(entry.displayName)' has a target of \(entry.linkName.count) bytes: it must have 1 to 4095")
        }
        do throws(Errno) { try makeNode(entry, name, in: parent) } catch { throw .storage("unpack", entry, error) }
    }

    private func makeNode(_ entry: TarEntry, _ name: PathBytes, in parent: borrowing Directory) throws(Errno) {
        switch entry.kind {
        case .file, .hardLink: throw .EINVAL  // they are made elsewhere
        case .directory:
            // Mostly that is right at once; set-id bits come when the owner is right.
            let permissions = entry.permissions & 0o777
            do { try parent.makeDirectory(name, permissions: permissions) } catch {
                guard error == .EEXIST else { throw error }
                if try parent.status(name).kind == .directory {
                    if rules == nil { try forgetAttributes(of: name, in: parent) }
                    return
                }
                try parent.removeFile(name)
                try parent.makeDirectory(name, permissions: permissions)
            }
        case .symbolicLink:
            let target = try PathBytes(entry.linkName)
            try replacing(name, in: parent) { (parent) throws(Errno) in try parent.makeSymbolicLink(name, to: target) }
            byteCount += entry.unpackedByteCount
        case .characterDevice(let device):
            try replacing(name, in: parent) { (parent) throws(Errno) in
                try parent.makeNode(name, .characterDevice(device), permissions: entry.permissions)
            }
        case .blockDevice(let device):
            try replacing(name, in: parent) { (parent) throws(Errno) in
                try parent.makeNode(name, .blockDevice(device), permissions: entry.permissions)
            }
        case .fifo:
            try replacing(name, in: parent) { (parent) throws(Errno) in try parent.makeNode(name, .fifo, permissions: entry.permissions) }
        }
    }

    /// A directory that is there already becomes what its entry says: without the attributes that it has and the entry has not.
    private func forgetAttributes(of name: PathBytes, in parent: borrowing Directory) throws(Errno) {
        // These two kinds are the file system's and the system's own.
        for attribute in try parent.extendedAttributeNames(name)
        where !attribute.hasPrefix("trusted.overlay.") && attribute != "security.selinux" {
            try parent.removeExtendedAttribute(attribute, of: name)
        }
    }

    /// Makes something in the place of what is there. Where a container runs, or a volume is another's as well, somebody else may be doing the same there.
    private func replacing<Made: ~Copyable>(
        _ name: PathBytes, in parent: borrowing Directory, _ make: (borrowing Directory) throws(Errno) -> Made
    ) throws(Errno) -> Made {
        for _ in 0..<Self.replacementTurns {
            do throws(Errno) { return try make(parent) } catch { guard error == .EEXIST else { throw error } }
            do throws(Errno) { try removeWhatIs(name, in: parent) } catch { guard error == .ENOENT else { throw error } }
        }
        return try make(parent)
    }

    /// How often something is removed that is there again when its place is to be taken.
    private static var replacementTurns: Int { 64 }

    private func removeWhatIs(_ name: PathBytes, in parent: borrowing Directory) throws(Errno) {
        if try parent.status(name).kind == .directory {
            // What is remembered of directories below it is not there any more.
            self.parent = nil
            try parent.removeTree(name)
        } else {
            try parent.removeFile(name)
        }
    }

    private func makeHardLink(_ entry: TarEntry, _ path: [PathBytes], in parent: borrowing Directory) throws(TarError) {
        let target = try Self.components(of: entry.linkName, "the name of the file that it is a link to", of: entry)
        let text = String(decoding: entry.linkName.prefix(512), as: UTF8.self)
        do throws(Errno) {
            guard let name = path.last, let last = target.last else { throw .EISDIR }
            let holder = try openDirectory(target.dropLast())
            guard try holder.status(last).kind != .directory else { throw .EISDIR }
            if target == path { return }  // it is there, and has this name
            try replacing(name, in: parent) { (parent) throws(Errno) in try parent.makeHardLink(name, to: last, in: holder) }
        } catch {
            switch error {
            case .ENOENT, .ENOTDIR:
                throw TarError(
                    .corrupt, "the entry '\(entry.displayName)' is a hard link to '\(text)', which the archive does not have before it",
                    underlying: error)
            case .EISDIR: throw TarError(.corrupt, "the entry '\(entry.displayName)' is a hard link to the directory '\(text)'")
            default: throw .storage("unpack", entry, error)
            }
        }
    }

    private func openDirectory(_ path: ArraySlice<PathBytes>) throws(Errno) -> Directory {
        let byteCount = path.reduce(0) { $0 + $1.bytes.count + 1 }
        guard byteCount < 4096 else {
            // Too long for the kernel to take at once.
            var directory = try root.duplicate()
            for name in path { directory = try directory.openDirectory(name) }
            return directory
        }
        var joined: [UInt8] = []
        joined.reserveCapacity(byteCount)
        for name in path {
            if !joined.isEmpty { joined.append(UInt8(ascii: "/")) }
            joined += name.bytes
        }
        do { return try root.openDirectory(try PathBytes(joined)) } catch {
            guard error == .ELOOP, let links = rules?.links else { throw error }
            return try links.open(path)
        }
    }

    private func createFile(_ entry: TarEntry, _ name: PathBytes, in parent: borrowing Directory) throws(TarError) -> OwnedDescriptor {
        // Set-id bits come when the owner is right.
        let permissions = entry.permissions & 0o777
        do throws(Errno) {
            return try replacing(name, in: parent) { (parent) throws(Errno) in try parent.createFile(name, permissions: permissions) }
        } catch { throw .storage("unpack", entry, error) }
    }

    private func writeFile(_ entry: TarEntry, _ name: PathBytes, in parent: borrowing Directory, from reader: TarReader) throws(TarError) {
        let file = try createFile(entry, name, in: parent)

        var regions = (entry.regions ?? [TarEntry.Region(offset: 0, byteCount: entry.byteCount)])[...]
        var position: UInt64 = 0
        var more = true
        while more {
            more = try unsafe reader.readData(
                { (bytes) throws(TarError) in
                    do throws(Errno) {
                        try unsafe Self.write(bytes, to: file, &regions, &position)
                    } catch { throw .storage("write", entry, error) }
                }, wrapping: { $0 })
        }
        do throws(Errno) {
            // A hole at the end has no data that would make the file so long.
            if entry.regions != nil { try file.truncate(to: Int64(entry.byteCount)) }
        } catch { throw .storage("set the size of", entry, error) }
        byteCount += entry.unpackedByteCount
        // The small ones are left to the sync, which writes them together.
        if entry.byteCount >= Self.announcedByteCount { file.beginWriteback(from: 0, byteCount: entry.byteCount) }
        try setAttributes(of: entry, ofFile: file)
        do throws(Errno) { try file.setTimes(access: entry.modificationTime, modification: entry.modificationTime) } catch {
            throw .storage("set the time of", entry, error)
        }
    }

    /// Writes data where it belongs: one piece may fill several regions.
    private static func write(
        _ bytes: UnsafeRawBufferPointer, to file: borrowing OwnedDescriptor, _ regions: inout ArraySlice<TarEntry.Region>,
        _ position: inout UInt64
    ) throws(Errno) {
        var rest = unsafe bytes[...]
        while unsafe !rest.isEmpty, let region = regions.first {
            if position != region.offset { try file.seek(to: Int64(region.offset)) }
            let count = Int(min(region.byteCount, UInt64(unsafe rest.count)))
            try SystemCallSeam.passWrite()
            try unsafe file.writeAll(RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: rest.prefix(count))))
            position = region.offset + UInt64(count)
            unsafe rest = unsafe rest.dropFirst(count)
            if UInt64(count) == region.byteCount {
                regions.removeFirst()
            } else {
                regions[regions.startIndex] = TarEntry.Region(offset: position, byteCount: region.byteCount - UInt64(count))
            }
        }
    }

    private func finish() throws(TarError) {
        for (path, time) in directoryTimes {
            do throws(Errno) { try openDirectory(path[...]).descriptor.setTimes(access: time, modification: time) } catch {
                // It was replaced by a later entry.
                guard error == .ENOENT || error == .ENOTDIR || error == .ELOOP else {
                    throw TarError(.storage, "cannot set the time of a directory: \(error)", underlying: error)
                }
            }
        }
        directoryTimes = [:]
    }
}
