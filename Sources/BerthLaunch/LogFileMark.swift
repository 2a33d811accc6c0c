/// Which file of a log a compressed one was: written by a monitor, read by whoever reads the log meanwhile and must not take it for another.
///
/// It stands in the header of a gzip file (RFC 1952, 2.3.1.1), as the field `BL` of version 1.
public struct LogFileMark: Hashable, Sendable {
    /// The number that the file had.
    public var inode: UInt64
    /// When it was last written: seconds since 1970.
    public var seconds: Int64
    /// And nanoseconds.
    public var nanoseconds: UInt32

    /// These.
    public init(inode: UInt64, seconds: Int64, nanoseconds: UInt32) {
        (self.inode, self.seconds, self.nanoseconds) = (inode, seconds, nanoseconds)
    }

    /// How many bytes the header has.
    public static var headerByteCount: Int { fixed.count + 20 }

    /// A gzip file of deflate with one field more, of 21 bytes behind its own four: no time, made on Unix.
    private static var fixed: [UInt8] {
        [0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 3, 25, 0, UInt8(ascii: "B"), UInt8(ascii: "L"), 21, 0, 1]
    }

    /// The header of a gzip file that says this.
    public var gzipHeader: [UInt8] {
        func bytes(_ value: some FixedWidthInteger, _ count: Int) -> [UInt8] {
            (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
        }
        return Self.fixed + bytes(inode, 8) + bytes(seconds, 8) + bytes(nanoseconds, 4)
    }

    /// Reads one; `nil` where the file's first bytes are no such header.
    public init?(gzipHeader: [UInt8]) {
        guard gzipHeader.count >= Self.headerByteCount, gzipHeader.starts(with: Self.fixed) else { return nil }
        func value(at offset: Int, _ count: Int) -> UInt64 {
            gzipHeader[(Self.fixed.count + offset)...].prefix(count).reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        self.init(inode: value(at: 0, 8), seconds: Int64(bitPattern: value(at: 8, 8)), nanoseconds: UInt32(value(at: 16, 4)))
    }
}
