internal import BerthLinux
public import BerthOCI
internal import BerthTar

/// A layer that is kept as a blob, whatever it will lie on. This value keeps nothing alive: a lease does, or an image.
public struct KeptLayer: Hashable, Sendable {
    /// The archive, as it is kept.
    public let blob: Descriptor
    /// The digest of its uncompressed tar.
    public let diffID: Digest

    /// Only who has compared both digests with the bytes makes one.
    package init(blob: Descriptor, diffID: Digest) { (self.blob, self.diffID) = (blob, diffID) }
}

/// A directory of the host of which a layer is to be made.
public struct PackedDirectory: Hashable, Sendable {
    /// Who owns files, by number.
    public struct Owner: Hashable, Sendable {
        /// The user.
        public var userID: UInt32
        /// The group.
        public var groupID: UInt32

        /// An owner of these.
        public init(userID: UInt32, groupID: UInt32) { (self.userID, self.groupID) = (userID, groupID) }
    }

    /// The directory, as the host names it. Nobody may change it for the worse meanwhile: links on the way to it are followed, those in it never.
    public var path: String
    /// Where its contents are in the image. Default: its root, whose own attributes are then no part of the layer.
    public var location = "/"
    /// Who owns everything. Default `nil`: whoever does here.
    public var owner: Owner?
    /// When everything was written last, also what is newer or older. Default `nil`: when it was; the same files of another time are another layer then.
    public var modifiedAt: Timestamp?

    /// A directory as it is, for an image's root.
    public init(path: String) { self.path = path }

    /// The names at the beginning of every entry's.
    func prefix() throws(LayerError) -> [UInt8] {
        do throws(Errno) {
            let names = try PathBytes(location).components
            guard !names.contains(where: { $0.bytes == Array("..".utf8) || $0.bytes.starts(with: Whiteout.prefix) }) else { throw .EINVAL }
            return names.flatMap { $0.bytes + [UInt8(ascii: "/")] }
        } catch {
            throw LayerError(.invalid, "a layer cannot have its files at '\(location.prefix(512))': \(error)", underlying: error)
        }
    }

    /// What becomes of a file, beneath a prefix.
    func decide(_ entry: inout TarEntry, beneath prefix: [UInt8]) throws(TarError) -> TreePacker.Decision {
        if entry.name == TreePacker.rootName {
            if prefix.isEmpty { return .contents(after: []) }
            entry.name = prefix
        } else {
            entry.name = prefix + entry.name
        }
        try Whiteout.refuse(entry.name, of: "the directory")
        if let owner { (entry.userID, entry.groupID) = (owner.userID, owner.groupID) }
        if let modifiedAt {
            let seconds = modifiedAt.seconds
            entry.modificationTime = FileTime(seconds: seconds, nanoseconds: modifiedAt.nanoseconds - seconds * 1_000_000_000)
        }
        return .pack
    }
}
