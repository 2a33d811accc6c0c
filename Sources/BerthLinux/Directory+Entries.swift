internal import CBerth
internal import Glibc

/// One name in a directory, as a listing gives it.
public struct DirectoryEntry: Hashable, Sendable {
    /// The name: never `.` or `..`.
    public let name: PathBytes
    /// Whether the file system said that it is a directory. `nil`: it did not say, ask for the status.
    public let isDirectory: Bool?
    /// Whether the file system said that it is a file of ordinary bytes.
    public let isRegular: Bool

    /// An entry of these.
    public init(name: PathBytes, isDirectory: Bool?, isRegular: Bool) {
        (self.name, self.isDirectory, self.isRegular) = (name, isDirectory, isRegular)
    }
}

extension Directory {
    /// Everything in the directory, in the file system's order.
    ///
    /// What is added or removed meanwhile may be there or not, as with readdir(3).
    public borrowing func entries() throws(Errno) -> [DirectoryEntry] {
        // An open file of its own: the position of a listing belongs to the open file and would be shared with duplicates.
        let listing = try resolve(".", flags: O_RDONLY | O_DIRECTORY, .withoutLinks)
        var entries: [DirectoryEntry] = []
        var buffer = [UInt8](repeating: 0, count: 32 << 10)
        while true {
            let count = try listing.withRawDescriptor { (raw) throws(Errno) in
                try check { unsafe berth_getdents64(raw, &buffer, 32 << 10) }
            }
            if count == 0 { return entries }
            try Self.parse(buffer.span.extracting(0..<count), into: &entries)
        }
    }

    /// linux_dirent64: inode 8 bytes, offset 8, record length 2, type 1, then the name with its NUL.
    private static func parse(_ records: borrowing Span<UInt8>, into entries: inout [DirectoryEntry]) throws(Errno) {
        var offset = 0
        while offset + 19 < records.count {
            let length = Int(records[offset + 16]) | Int(records[offset + 17]) << 8
            guard length > 19, offset + length <= records.count else { throw .EIO }
            var name: [UInt8] = []
            var index = offset + 19
            while index < offset + length, records[index] != 0 {
                name.append(records[index])
                index += 1
            }
            let type = records[offset + 18]
            offset += length
            let path = try PathBytes(name)
            guard path.isName else { continue }
            entries.append(
                DirectoryEntry(
                    name: path, isDirectory: type == UInt8(DT_UNKNOWN) ? nil : type == UInt8(DT_DIR), isRegular: type == UInt8(DT_REG)))
        }
    }
}
