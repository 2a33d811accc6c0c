public import BerthLinux

/// One member of an archive.
public struct TarEntry: Hashable, Sendable {
    /// What it is.
    public enum Kind: Hashable, Sendable {
        /// A file with data.
        case file
        /// Another name for an earlier entry.
        case hardLink
        /// A link whose target is data.
        case symbolicLink
        /// A directory.
        case directory
        /// A device.
        case characterDevice(DeviceNumber)
        /// A device.
        case blockDevice(DeviceNumber)
        /// A named pipe.
        case fifo
    }

    /// A part of a sparse file that has data.
    public struct Region: Hashable, Sendable {
        /// Where, in bytes.
        public var offset: UInt64
        /// How many bytes.
        public var byteCount: UInt64

        /// A region of these.
        public init(offset: UInt64, byteCount: UInt64) { (self.offset, self.byteCount) = (offset, byteCount) }
    }

    /// How many bytes it counts for where it is unpacked, as Docker counts a layer's: a file by its length, holes included, a symbolic link by its target's, and
    /// anything else by nothing.
    public var unpackedByteCount: UInt64 {
        switch kind {
        case .file: byteCount
        case .symbolicLink: UInt64(linkName.count)
        default: 0
        }
    }

    /// The name as the archive has it: any bytes but NUL.
    public var name: [UInt8]
    /// What it is.
    public var kind: Kind
    /// The lower twelve bits of its mode.
    public var permissions: UInt32
    /// Its owner.
    public var userID: UInt32
    /// Its group.
    public var groupID: UInt32
    /// How long the file is.
    public var byteCount: UInt64
    /// When it was written last.
    public var modificationTime: FileTime
    /// The target of a link: any bytes but NUL.
    public var linkName: [UInt8]
    /// Extended attributes, by name.
    public var extendedAttributes: [String: [UInt8]]
    /// Where a sparse file has data, in order; `nil` for one without holes.
    public var regions: [Region]?

    /// An entry of these. What only some kinds have is empty for the others.
    public init(
        name: [UInt8], kind: Kind, permissions: UInt32, userID: UInt32 = 0, groupID: UInt32 = 0, byteCount: UInt64 = 0,
        modificationTime: FileTime = FileTime(seconds: 0), linkName: [UInt8] = [], extendedAttributes: [String: [UInt8]] = [:],
        regions: [Region]? = nil
    ) {
        (self.name, self.kind, self.permissions, self.userID, self.groupID) = (name, kind, permissions, userID, groupID)
        (self.byteCount, self.modificationTime, self.linkName) = (byteCount, modificationTime, linkName)
        (self.extendedAttributes, self.regions) = (extendedAttributes, regions)
    }

    /// How many bytes of data it has: holes have none.
    public var dataByteCount: UInt64 { regions.map { $0.reduce(0) { $0 + $1.byteCount } } ?? byteCount }

    /// The name for people.
    public var displayName: String { String(decoding: name.prefix(512), as: UTF8.self) }
}
