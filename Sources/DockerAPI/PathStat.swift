internal import BerthOCI

/// What is at a path in a container (`ContainerPathStat`), as the header `X-Docker-Container-Path-Stat` carries it.
public struct PathStat: Hashable, Sendable {
    /// The header's name.
    public static var headerName: String { "X-Docker-Container-Path-Stat" }

    /// The last part of the path.
    public var name: String
    /// How long it is.
    public var byteCount: Int64
    /// What it is and who may do what with it, in Go's numbers.
    public var mode: FileMode
    /// When it was written last: RFC 3339.
    public var modifiedAt: String
    /// Where a symbolic link leads.
    public var linkTarget: String

    /// A status of these.
    public init(name: String, byteCount: Int64, mode: FileMode, modifiedAt: String, linkTarget: String) {
        (self.name, self.byteCount, self.mode) = (name, byteCount, mode)
        (self.modifiedAt, self.linkTarget) = (modifiedAt, linkTarget)
    }

    /// The most bytes of a header that are read.
    private static var maximumByteCount: Int { 64 << 10 }

    /// Reads what a header says.
    ///
    /// - Returns: `nil` for what is none.
    public init?(header: String) {
        guard header.utf8.count <= Self.maximumByteCount, let bytes = Base64.decode(header), let value = try? JSONText.parse(bytes),
            case .object(let members) = value, case .string(let name)? = members["name"]
        else { return nil }
        func number(_ name: String) -> Int64? {
            switch members[name] {
            case .integer(let number)?: Int64(number)
            case .unsigned(let number)?: Int64(clamping: number)
            default: nil
            }
        }
        func text(_ name: String) -> String { if case .string(let text)? = members[name] { text } else { "" } }
        guard let mode = number("mode").flatMap(UInt32.init(exactly:)) else { return nil }
        self.init(
            name: name, byteCount: number("size") ?? 0, mode: FileMode(rawValue: mode), modifiedAt: text("mtime"),
            linkTarget: text("linkTarget"))
    }

    /// The header's text.
    public var header: String { Base64.encode(json, isURLSafe: false) }
}

extension PathStat: JSONWritable {
    /// Writes it.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("name", name)
            writer.member("size", byteCount)
            writer.member("mode", mode.rawValue)
            writer.member("mtime", modifiedAt)
            writer.member("linkTarget", linkTarget)
        }
    }
}

/// A file's kind and permissions, in the numbers that Go gives them.
public struct FileMode: Hashable, Sendable {
    /// Go's number.
    public var rawValue: UInt32
    /// A mode of Go's number.
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// What a file is.
    public enum Kind: Hashable, Sendable, CaseIterable {
        /// Ordinary bytes.
        case regular
        /// A directory.
        case directory
        /// A symbolic link.
        case symbolicLink
        /// A device of blocks.
        case blockDevice
        /// A device of characters.
        case characterDevice
        /// A named pipe.
        case fifo
        /// A socket.
        case socket

        var bits: UInt32 {
            switch self {
            case .regular: 0
            case .directory: 1 << 31
            case .symbolicLink: 1 << 27
            case .blockDevice: 1 << 26
            case .characterDevice: 1 << 26 | 1 << 21
            case .fifo: 1 << 25
            case .socket: 1 << 24
            }
        }
    }

    /// Of a kind, with the lower twelve bits of the kernel's mode.
    public init(_ kind: Kind, permissions: UInt32) {
        rawValue = kind.bits | permissions & 0o777
        for (bit, go) in [(UInt32(0o4000), UInt32(1 << 23)), (0o2000, 1 << 22), (0o1000, 1 << 20)] where permissions & bit != 0 {
            rawValue |= go
        }
    }

    /// Whether it is a directory.
    public var isDirectory: Bool { rawValue & Kind.directory.bits != 0 }
    /// Whether it is a symbolic link.
    public var isSymbolicLink: Bool { rawValue & Kind.symbolicLink.bits != 0 }
    /// Whether it is a device of either sort.
    public var isDevice: Bool { rawValue & Kind.blockDevice.bits != 0 }
}
