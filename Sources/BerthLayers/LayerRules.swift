internal import BerthLinux
internal import BerthSnapshots
internal import BerthTar

/// What a layer may say, and what some of its names mean (OCI image specification, *Image Layer Filesystem Changeset*).
final class LayerRules {
    private let style: WhiteoutStyle
    /// What this layer has put there, where layers are not kept apart: what removes everything below it leaves that alone.
    private var unpacked: Set<[UInt8]> = []

    init(style: WhiteoutStyle) { self.style = style }

    private static let prefix = Array(".wh.".utf8)
    private static let opaque = Array(".wh..wh..opq".utf8)
    private static let reserved = Array(".wh..wh.".utf8)

    /// - Returns: `false` for a name that is an instruction, which has been followed.
    func isToBeUnpacked(_ entry: TarEntry, in parent: borrowing Directory, as name: PathBytes) throws(TarError) -> Bool {
        try refuseWhatIsOverlays(entry)
        let path = style == .removal ? Self.normalised(entry.name) : []
        guard name.bytes.starts(with: Self.prefix) else {
            if style == .removal { unpacked.insert(path) }
            return true
        }
        do throws(Errno) {
            if name.bytes == Self.opaque {
                try makeOpaque(parent, at: Array(path.dropLast(name.bytes.count)))
            } else if !name.bytes.starts(with: Self.reserved) {
                try remove(try PathBytes(name.bytes.dropFirst(Self.prefix.count)), from: parent)
            }
            // Other names that begin so are the business of file systems of long ago, and mean nothing.
            return false
        } catch {
            throw TarError(.storage, "cannot follow the whiteout '\(entry.displayName)': \(error)", underlying: error)
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

    private func remove(_ name: PathBytes, from parent: borrowing Directory) throws(Errno) {
        guard name.isName else { throw .EINVAL }
        do {
            if try parent.status(name).kind == .directory { try parent.removeTree(name) } else { try parent.removeFile(name) }
        } catch { guard error == .ENOENT else { throw error } }
        if style == .overlay { try parent.makeNode(name, .characterDevice(DeviceNumber(major: 0, minor: 0)), permissions: 0) }
    }

    /// Nothing of the layers below is seen in this directory; what this layer has put there already stays.
    private func makeOpaque(_ directory: borrowing Directory, at path: [UInt8]) throws(Errno) {
        switch style {
        case .overlay: try directory.setExtendedAttribute("trusted.overlay.opaque", to: [UInt8(ascii: "y")], of: "")
        case .removal: try removeWhatIsFromBelow(directory, at: path)
        }
    }

    private func removeWhatIsFromBelow(_ directory: borrowing Directory, at path: [UInt8]) throws(Errno) {
        for entry in try directory.entries() {
            let below = path + entry.name.bytes
            if !unpacked.contains(below) {
                try directory.removeTree(entry.name)
            } else if try directory.status(entry.name).kind == .directory {
                try removeWhatIsFromBelow(try directory.openDirectory(entry.name), at: below + [UInt8(ascii: "/")])
            }
        }
    }

    /// The names between slashes, without `.` and with `..` taken back.
    private static func normalised(_ name: [UInt8]) -> [UInt8] {
        var parts: [ArraySlice<UInt8>] = []
        for part in name.split(separator: UInt8(ascii: "/")) where !part.elementsEqual(".".utf8) {
            if part.elementsEqual("..".utf8) { _ = parts.popLast() } else { parts.append(part) }
        }
        return Array(parts.joined(separator: [UInt8(ascii: "/")]))
    }
}
