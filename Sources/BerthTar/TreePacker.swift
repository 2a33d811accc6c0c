public import BerthLinux

/// Packs a tree of files into an archive.
///
/// Sorted by the bytes of the names, a directory before what it has; the same tree gives the same archive. Owners, modes with set-id bits, times to the
/// nanosecond, attributes and devices are kept; further names of a file that was packed are hard links. A socket is nothing without the process that
/// made it, and is left out, as Docker does.
///
/// The tree may change meanwhile, as that of a running container: the archive is never damaged by it. What has gone since it was listed is left out,
/// a file that becomes shorter is filled up with zeros, and of one that becomes longer only the beginning is taken. Symbolic links are never followed.
/// Where others could put devices into the tree, give a root from ``BerthLinux/DetachedMount/reading(_:)``, in which none opens.
///
/// Not to be shared between threads.
public final class TreePacker {
    /// The deepest that directories may be nested.
    public static var maximumDepth: Int { TreeExtractor.maximumDepth }

    /// What becomes of a file.
    public enum Decision {
        /// It is packed, then these entries follow; if it is a directory, what it has comes after them.
        case pack(then: [TarEntry])
        /// These are written in its place, and if it is a directory, what it has comes after them.
        case contents(after: [TarEntry])
        /// These are written in its place, and nothing of what is below it.
        case replace(with: [TarEntry])

        /// It is packed.
        public static var pack: Decision { .pack(then: []) }
        /// It is left out with everything below it.
        public static var skip: Decision { .replace(with: []) }
    }
    /// Asked about each file before it is packed, the root, whose name is `./`, included. It sees all attributes, also those that are never packed, and
    /// may change the entry.
    public typealias Decide = (_ entry: inout TarEntry) throws(TarError) -> Decision

    private let writer: TarWriter
    private let decide: Decide
    /// The first name, and the attributes, of each file that has several.
    private var firstNames: [FileIdentity: FirstName] = [:]

    /// How many sockets were left out.
    public private(set) var socketCount: UInt64 = 0
    /// How many files became shorter while they were read, or had gone since they were listed.
    public private(set) var changedCount: UInt64 = 0
    /// How many bytes the packed files have.
    public private(set) var byteCount: UInt64 = 0

    private struct FileIdentity: Hashable {
        var device: UInt64
        var inode: UInt64
    }
    private struct FirstName {
        var name: [UInt8]
        var attributes: [String: [UInt8]]
    }

    /// Packs into a writer, which the caller finishes.
    ///
    /// - Parameter decide: what becomes of each file. Default: all are packed but the root itself, as Docker exports a container.
    public init(
        into writer: TarWriter,
        decide: @escaping Decide = { (entry) throws(TarError) in entry.name == TreePacker.rootName ? .contents(after: []) : .pack }
    ) {
        (self.writer, self.decide) = (writer, decide)
    }

    /// The name of the root's own entry.
    public static var rootName: [UInt8] { Array("./".utf8) }

    /// Packs everything in a directory.
    ///
    /// - Throws: `storage`, `tooLarge`, `unrepresentable`, what the writer and `decide` throw. The archive is not whole then.
    public func pack(_ root: consuming Directory) throws(TarError) {
        let cursor = TreeCursor(root)
        guard try packDirectory(at: cursor, Self.rootName) else { return }
        try packWaiting([Listing(path: [], entries: try list(cursor, []))], at: cursor)
    }

    /// Packs one file of a directory, and if it is a directory, everything in it. One that has gone is left out.
    ///
    /// - Throws: as ``pack(_:)``.
    public func pack(_ name: PathBytes, in directory: consuming Directory) throws(TarError) {
        let cursor = TreeCursor(directory)
        let entry = DirectoryEntry(name: name, isDirectory: nil, isRegular: true)
        guard try pack(entry, at: cursor, name.bytes) else { return }
        let inside = name.bytes + [UInt8(ascii: "/")]
        try packWaiting([Listing(path: inside, entries: try list(cursor, inside))], at: cursor)
    }

    private func packWaiting(_ first: [Listing], at cursor: TreeCursor) throws(TarError) {
        var waiting = first
        while let listing = waiting.last {
            guard let entry = listing.entries.last else {
                waiting.removeLast()
                cursor.leave()
                continue
            }
            waiting[waiting.count - 1].entries.removeLast()
            let path = listing.path + entry.name.bytes
            guard try pack(entry, at: cursor, path) else { continue }
            let inside = path + [UInt8(ascii: "/")]
            waiting.append(Listing(path: inside, entries: try list(cursor, inside)))
        }
    }

    /// What is still to be packed of a directory, the last first.
    private struct Listing {
        var path: [UInt8]
        var entries: [DirectoryEntry]
    }

    private func list(_ cursor: TreeCursor, _ path: [UInt8]) throws(TarError) -> [DirectoryEntry] {
        guard cursor.depth <= Self.maximumDepth else {
            throw TarError(
                .tooLarge, "'\(Self.display(path))' lies \(cursor.depth) directories deep: at most \(Self.maximumDepth) are packed")
        }
        do throws(Errno) {
            return try cursor.withDirectory { (directory) throws(Errno) in try directory.entries() }
                .sorted { $1.name.bytes.lexicographicallyPrecedes($0.name.bytes) }
        } catch { throw Self.failure("list", path, error) }
    }

    /// - Returns: whether it is a directory whose contents come next: then the cursor is in it.
    private func pack(_ entry: DirectoryEntry, at cursor: TreeCursor, _ path: [UInt8]) throws(TarError) -> Bool {
        // What the listing has said of it is tried; the open file says what it is.
        if entry.isRegular, try packFile(entry.name, at: cursor, path) { return false }
        if entry.isDirectory == true, try enter(entry.name, at: cursor, path) { return try packEntered(cursor, path) }
        guard let status = try status(of: entry.name, at: cursor, path) else { return false }
        switch status.kind {
        case .regular: if try !packFile(entry.name, at: cursor, path) { changedCount += 1 }
        case .directory:
            if try enter(entry.name, at: cursor, path) { return try packEntered(cursor, path) }
            changedCount += 1
        case .socket: socketCount += 1
        case .symbolicLink, .fifo, .characterDevice, .blockDevice: try packNode(entry.name, status, at: cursor, path)
        }
        return false
    }

    /// - Returns: `nil`, and counts it, if it has gone.
    private func status(of name: PathBytes, at cursor: TreeCursor, _ path: [UInt8]) throws(TarError) -> FileStatus? {
        do throws(Errno) { return try cursor.withDirectory { (parent) throws(Errno) in try parent.status(name) } } catch {
            guard Self.isGone(error) else { throw Self.failure("read", path, error) }
            changedCount += 1
            return nil
        }
    }

    // MARK: Directories

    /// - Returns: `false` if there is no directory of that name.
    private func enter(_ name: PathBytes, at cursor: TreeCursor, _ path: [UInt8]) throws(TarError) -> Bool {
        do throws(Errno) { try cursor.enter(name) } catch {
            if Self.isGone(error) { return false }
            throw Self.failure("open", path, error)
        }
        return true
    }

    private func packEntered(_ cursor: TreeCursor, _ path: [UInt8]) throws(TarError) -> Bool {
        let goesOn = try packDirectory(at: cursor, path + [UInt8(ascii: "/")])
        if !goesOn { cursor.leave() }
        return goesOn
    }

    private func packDirectory(at cursor: TreeCursor, _ path: [UInt8]) throws(TarError) -> Bool {
        let facts: (status: FileStatus, attributes: [String: [UInt8]])
        do throws(Errno) {
            facts = try cursor.withDirectory { (directory) throws(Errno) in
                (try directory.status(""), try directory.extendedAttributes(of: ""))
            }
        } catch { throw Self.failure("read", path, error) }
        return try writeEntry(path, facts.status, facts.attributes)
    }

    // MARK: Files

    /// - Returns: `false` if there is no file of that name.
    private func packFile(_ name: PathBytes, at cursor: TreeCursor, _ path: [UInt8]) throws(TarError) -> Bool {
        guard let file = try openFile(name, at: cursor, path) else { return false }
        let status: FileStatus
        let attributes: [String: [UInt8]]
        do throws(Errno) {
            status = try file.status()
            guard status.kind == .regular else { return false }
            attributes = try file.extendedAttributes()
        } catch { throw Self.failure("read", path, error) }
        _ = try writeEntry(path, status, attributes)
        while writer.owedByteCount > 0 {
            let count = try unsafe writer.writeData { (room) throws(TarError) in
                do throws(Errno) { return try unsafe file.read(into: room) } catch { throw Self.failure("read", path, error) }
            }
            byteCount += UInt64(count)
            guard count == 0 else { continue }
            changedCount += 1
            try writer.fillUp()
        }
        return true
    }

    private func openFile(_ name: PathBytes, at cursor: TreeCursor, _ path: [UInt8]) throws(TarError) -> OwnedDescriptor? {
        do throws(Errno) { return try cursor.withDirectory { (parent) throws(Errno) in try parent.openFile(name) } } catch {
            if Self.isGone(error) { return nil }
            throw Self.failure("open", path, error)
        }
    }

    private func packNode(_ name: PathBytes, _ status: FileStatus, at cursor: TreeCursor, _ path: [UInt8]) throws(TarError) {
        let facts: (target: [UInt8], attributes: [String: [UInt8]])
        do throws(Errno) {
            facts = try cursor.withDirectory { (parent) throws(Errno) in
                (status.kind == .symbolicLink ? try parent.readLink(name).bytes : [], try parent.extendedAttributes(of: name))
            }
        } catch {
            // EINVAL: it is no link any more.
            guard Self.isGone(error) || error == .EINVAL else { throw Self.failure("read", path, error) }
            changedCount += 1
            return
        }
        _ = try writeEntry(path, status, facts.attributes, linkName: facts.target)
    }

    // MARK: Entries

    /// Writes what is decided.
    ///
    /// - Returns: whether what the file has comes next.
    private func writeEntry(
        _ path: [UInt8], _ status: FileStatus, _ attributes: [String: [UInt8]], linkName: [UInt8] = []
    ) throws(TarError) -> Bool {
        guard let kind = TarEntry.Kind(status.kind) else { return false }
        var entry = TarEntry(
            name: path, kind: kind, permissions: status.permissions, userID: status.userID, groupID: status.groupID,
            byteCount: status.kind == .regular ? UInt64(max(0, status.byteCount)) : 0, modificationTime: status.modificationTime,
            linkName: linkName, extendedAttributes: attributes)
        let others: [TarEntry]
        let goesOn: Bool
        switch try decide(&entry) {
        case .pack(let following):
            try writeItself(&entry, status)
            (others, goesOn) = (following, true)
        case .contents(let instead): (others, goesOn) = (instead, true)
        case .replace(let instead): (others, goesOn) = (instead, false)
        }
        for other in others { try writer.append(other) }
        return goesOn
    }

    private func writeItself(_ entry: inout TarEntry, _ status: FileStatus) throws(TarError) {
        if !entry.extendedAttributes.isEmpty { entry.extendedAttributes = PackedAttributes.packed(entry.extendedAttributes) }
        if status.linkCount > 1, status.kind != .directory {
            let identity = FileIdentity(device: status.device, inode: status.inode)
            if let first = firstNames[identity] {
                // The attributes again: some tools set the owner of a link, which takes capabilities away.
                (entry.kind, entry.linkName, entry.byteCount) = (.hardLink, first.name, 0)
                entry.extendedAttributes = first.attributes
            } else {
                firstNames[identity] = FirstName(name: entry.name, attributes: entry.extendedAttributes)
            }
        }
        try writer.append(entry)
    }

    private static func isGone(_ error: Errno) -> Bool { error == .ENOENT || error == .ELOOP || error == .ENOTDIR || error == .ENXIO }

    static func display(_ path: [UInt8]) -> String { String(decoding: path.prefix(512), as: UTF8.self) }

    private static func failure(_ what: String, _ path: [UInt8], _ error: Errno) -> TarError {
        if error == .EILSEQ {
            return TarError(.unrepresentable, "'\(display(path))' has an attribute whose name is no text", underlying: error)
        }
        return TarError(.storage, "cannot \(what) '\(display(path))': \(error)", underlying: error)
    }
}

extension TarEntry.Kind {
    /// `nil` for a socket, which no archive has.
    init?(_ kind: FileStatus.Kind) {
        switch kind {
        case .regular: self = .file
        case .directory: self = .directory
        case .symbolicLink: self = .symbolicLink
        case .characterDevice(let device): self = .characterDevice(device)
        case .blockDevice(let device): self = .blockDevice(device)
        case .fifo: self = .fifo
        case .socket: return nil
        }
    }
}
