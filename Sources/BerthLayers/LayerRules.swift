internal import BerthLinux
internal import BerthSnapshots
internal import BerthTar

/// What a layer may say, and what some of its names mean (OCI image specification, *Image Layer Filesystem Changeset*).
final class LayerRules {
    private let style: WhiteoutStyle
    /// What this layer has put there, with the directories on the way, where layers are not kept apart: what removes everything below it leaves
    /// that alone.
    private var unpacked: Set<[PathBytes]> = []
    /// What this layer has removed and not made anew, where that is written down as a device: no link may be made to it.
    private var removed: Set<[PathBytes]> = []

    /// Whether the layer says what the root itself is.
    private(set) var hasRoot = false

    /// What a name that begins with a slash is.
    enum AbsoluteNames: Sendable {
        /// A mistake: of a root file system, whose names are its own.
        case refused
        /// One of the root's: builders write layers so, and every tool takes them so.
        case beneathRoot
    }
    private let absoluteNames: AbsoluteNames

    init(style: WhiteoutStyle, _ absoluteNames: AbsoluteNames) { (self.style, self.absoluteNames) = (style, absoluteNames) }

    /// Refuses what no layer may say.
    ///
    /// - Returns: `false` for what means nothing: names that begin with `.wh..wh.` are the business of file systems of long ago.
    func isAllowed(_ entry: TarEntry, at path: [PathBytes]) throws(TarError) -> Bool {
        try refuseWhatIsOverlays(entry)
        if absoluteNames == .refused, entry.name.first == UInt8(ascii: "/") {
            throw TarError(.escapes, "the entry '\(entry.displayName)' has an absolute name")
        }
        if path.isEmpty { hasRoot = true }
        for name in path.dropLast() where name.bytes.starts(with: Whiteout.prefix) {
            if name.bytes.starts(with: Whiteout.reserved) { return false }
            throw TarError(.corrupt, "the entry '\(entry.displayName)' lies below '\(name)', which says that something is removed")
        }
        if entry.kind == .hardLink {
            let target = (try? PathBytes(entry.linkName).components) ?? []  // what is wrong with it is said where the link is made
            if removed.contains(target) || target.contains(where: { $0.bytes.starts(with: Whiteout.prefix) }) {
                throw TarError(
                    .corrupt,
                    "the entry '\(entry.displayName)' is a hard link to '\(String(decoding: entry.linkName.prefix(512), as: UTF8.self))', which the layer removes"
                )
            }
        }
        return true
    }

    /// - Returns: `false` for a name that is an instruction, which has been followed.
    func isToBeUnpacked(_ entry: TarEntry, at path: [PathBytes], in parent: borrowing Directory) throws(TarError) -> Bool {
        guard let name = path.last else { return true }
        do throws(Errno) {
            guard name.bytes.starts(with: Whiteout.prefix) else {
                try notePresence(of: entry, at: path, name, in: parent)
                return true
            }
            if name.bytes == Whiteout.opaque {
                try makeOpaque(parent, at: Array(path.dropLast()))
            } else if !name.bytes.starts(with: Whiteout.reserved) {
                let gone = try PathBytes(name.bytes.dropFirst(Whiteout.prefix.count))
                guard gone.isName else { throw .EINVAL }
                try remove(gone, at: path.dropLast() + [gone], from: parent)
            }
            return false
        } catch {
            let code: TarError.Code = error == .EINVAL ? .corrupt : .storage
            throw TarError(code, "cannot follow the whiteout '\(entry.displayName)': \(error)", underlying: error)
        }
    }

    /// A layer could otherwise tell overlay to show what is not its to show.
    private func refuseWhatIsOverlays(_ entry: TarEntry) throws(TarError) {
        for attribute in entry.extendedAttributes.keys where attribute.hasPrefix("trusted.overlay.") || attribute.hasPrefix("user.overlay.")
        {
            throw TarError(
                .corrupt, "the entry '\(entry.displayName)' has the attribute '\(attribute)', which is overlay's own: no layer may say it")
        }
        if entry.kind == .characterDevice(DeviceNumber(major: 0, minor: 0)) {
            throw TarError(
                .corrupt,
                "the entry '\(entry.displayName)' is the character device 0:0, which is overlay's sign for a removed file: no layer may say it"
            )
        }
    }

    private func notePresence(
        of entry: TarEntry, at path: [PathBytes], _ name: PathBytes, in parent: borrowing Directory
    ) throws(Errno) {
        switch style {
        case .removal:
            var path = path
            while !path.isEmpty, unpacked.insert(path).inserted { path.removeLast() }
        case .overlay:
            guard !removed.isEmpty, removed.remove(path) != nil, entry.kind == .directory,
                try Self.kind(of: name, in: parent) == Whiteout.kind
            else {
                return
            }
            // A directory in the place of what was removed does not show what that had in it.
            try parent.removeFile(name)
            try parent.makeDirectory(name, permissions: 0o700)
            try Self.setOpaque(try parent.openDirectory(name))
        }
    }

    private static func kind(of name: PathBytes, in parent: borrowing Directory) throws(Errno) -> FileStatus.Kind? {
        do { return try parent.status(name).kind } catch {
            if error == .ENOENT { return nil }
            throw error
        }
    }

    /// Removes what the layers below have of that name. What this layer has put there already stays: a whiteout is about what lies below.
    private func remove(_ name: PathBytes, at path: [PathBytes], from parent: borrowing Directory) throws(Errno) {
        let kind = try Self.kind(of: name, in: parent)
        switch style {
        case .overlay:
            if kind == .directory {
                try Self.setOpaque(try parent.openDirectory(name))
            } else if kind == nil {
                try parent.makeNode(name, Whiteout.kind, permissions: 0)
                removed.insert(path)
            }
        case .removal:
            if kind == .directory, unpacked.contains(path) {
                try removeWhatIsFromBelow(try parent.openDirectory(name), at: path)
            } else if kind != nil, !unpacked.contains(path) {
                try parent.removeTree(name)
            }
        }
    }

    /// Nothing of the layers below is seen in this directory; what this layer has put there already stays.
    private func makeOpaque(_ directory: borrowing Directory, at path: [PathBytes]) throws(Errno) {
        switch style {
        case .overlay: try Self.setOpaque(directory)
        case .removal: try removeWhatIsFromBelow(directory, at: path)
        }
    }

    private static func setOpaque(_ directory: borrowing Directory) throws(Errno) {
        try directory.setExtendedAttribute(Whiteout.opaqueAttribute, to: [UInt8(ascii: "y")], of: "")
    }

    private func removeWhatIsFromBelow(_ directory: borrowing Directory, at path: [PathBytes]) throws(Errno) {
        for entry in try directory.entries() {
            let below = path + [entry.name]
            if !unpacked.contains(below) {
                try directory.removeTree(entry.name)
            } else if try directory.status(entry.name).kind == .directory {
                try removeWhatIsFromBelow(try directory.openDirectory(entry.name), at: below)
            }
        }
    }
}
