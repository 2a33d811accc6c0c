public import BerthLinux

/// Copies what is in a directory into an empty one, with all that files have: owners, modes, times, extended attributes, devices, holes, and
/// which names are of one file. No link is followed.
///
/// However deep the tree is, few directories are open at a time.
public final class TreeCopy {
    private let source: Directory
    private let target: Directory
    /// The first name of each file that has several.
    private var firstNames: [UInt64: (path: [PathBytes], name: PathBytes)] = [:]
    private var waiting: [[PathBytes]] = [[]]
    /// Set when nothing is put into them any more.
    private var directories: [(path: [PathBytes], status: FileStatus)] = []

    /// A copy of what is in `source` to `target`, which is empty.
    public init(of source: consuming Directory, to target: consuming Directory) {
        self.source = source
        self.target = target
    }

    /// Copies. On failure part of it is there.
    public func run() throws(Errno) {
        let own = try source.status("")
        try Self.copyAttributes(of: "", own, from: source, to: target)
        directories.append(([], own))
        while let path = waiting.popLast() { try copyEntries(of: path) }
        for (path, status) in directories {
            try Self.open(target, path).setTimes("", access: status.accessTime, modification: status.modificationTime)
        }
    }

    /// What a directory is itself, without anything that is in it.
    public static func copyAttributes(from: borrowing Directory, to: borrowing Directory) throws(Errno) {
        let status = try from.status("")
        try copyAttributes(of: "", status, from: from, to: to)
        try to.setTimes("", access: status.accessTime, modification: status.modificationTime)
    }

    private static func open(_ root: borrowing Directory, _ path: [PathBytes]) throws(Errno) -> Directory {
        var directory = try root.duplicate()
        for name in path { directory = try directory.openDirectory(name) }
        return directory
    }

    private func copyEntries(of path: [PathBytes]) throws(Errno) {
        let from = try Self.open(source, path)
        let to = try Self.open(target, path)
        for entry in try from.entries() {
            let name = entry.name
            let status = try from.status(name)
            if status.kind != .directory && status.linkCount > 1 {
                if let first = firstNames[status.inode] {
                    try to.makeHardLink(name, to: first.name, in: try Self.open(target, first.path))
                    continue
                }
                firstNames[status.inode] = (path, name)
            }
            switch status.kind {
            case .directory:
                try to.makeDirectory(name, permissions: 0o700)
                waiting.append(path + [name])
                directories.append((path + [name], status))
            case .regular:
                let file = try to.createFile(name, permissions: 0o600)
                try from.openForReading(name).copyContents(to: file)
            case .symbolicLink: try to.makeSymbolicLink(name, to: try from.readLink(name))
            case .characterDevice, .blockDevice, .fifo, .socket: try to.makeNode(name, status.kind, permissions: 0o600)
            }
            try Self.copyAttributes(of: name, status, from: from, to: to)
            if status.kind != .directory { try to.setTimes(name, access: status.accessTime, modification: status.modificationTime) }
        }
    }

    /// Owner, mode and extended attributes, but for those by which overlay says what it knows of a directory.
    private static func copyAttributes(
        of name: PathBytes, _ status: FileStatus, from: borrowing Directory, to: borrowing Directory
    ) throws(Errno) {
        // A change of owner clears set-id bits and capabilities: it comes first.
        try to.setOwner(name, userID: status.userID, groupID: status.groupID)
        if status.kind != .symbolicLink { try to.setPermissions(name, status.permissions) }
        for attribute in try from.extendedAttributeNames(name)
        where !attribute.hasPrefix("trusted.overlay.") && attribute != "security.selinux" {
            if let value = try from.extendedAttribute(attribute, of: name) { try to.setExtendedAttribute(attribute, to: value, of: name) }
        }
    }
}
