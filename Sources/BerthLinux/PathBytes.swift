/// A path, or one name, as the kernel takes it: bytes without NUL, in no particular encoding.
///
/// Names in layers need not be UTF-8, so a `String` cannot carry them. A value says nothing about where it leads; only
/// resolving it beneath a ``Directory`` does.
public struct PathBytes: Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// The bytes, without the terminating NUL.
    public let bytes: [UInt8]

    /// Checks and keeps the bytes.
    ///
    /// - Throws: `EINVAL` for bytes that contain NUL, `ENAMETOOLONG` for more than 4,095 bytes (`PATH_MAX` less the NUL).
    public init(_ bytes: some Sequence<UInt8>) throws(Errno) {
        let bytes = Array(bytes)
        guard !bytes.contains(0) else { throw .EINVAL }
        guard bytes.count < 4096 else { throw .ENAMETOOLONG }
        self.bytes = bytes
    }

    /// The string's UTF-8.
    ///
    /// - Throws: as ``init(_:)-swift.init``.
    public init(_ string: String) throws(Errno) {
        try self.init(string.utf8)
    }

    /// A literal of the program's own, which must have no NUL in it.
    public init(stringLiteral value: StaticString) {
        bytes = Array(String(describing: value).utf8)
        precondition(!bytes.contains(0) && bytes.count < 4096, "a literal path has no NUL and is shorter than PATH_MAX")
    }

    private init(unchecked bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// The names between the slashes; empty ones and `.` are left out, `..` is not.
    public var components: [PathBytes] {
        bytes.split(separator: UInt8(ascii: "/")).filter { !$0.elementsEqual(".".utf8) }.map { PathBytes(unchecked: Array($0)) }
    }

    /// Whether this is exactly one name: not empty, no slash, neither `.` nor `..`.
    public var isName: Bool {
        !bytes.isEmpty && !bytes.contains(UInt8(ascii: "/")) && bytes != Array(".".utf8) && bytes != Array("..".utf8)
    }

    /// The path with one more name at its end.
    ///
    /// - Throws: `ENAMETOOLONG`.
    public func appending(_ name: PathBytes) throws(Errno) -> PathBytes {
        if bytes.isEmpty { return name }
        return try PathBytes(bytes.last == UInt8(ascii: "/") ? bytes + name.bytes : bytes + [UInt8(ascii: "/")] + name.bytes)
    }

    /// The path as text for people: bytes that are not UTF-8 are shown as U+FFFD.
    public var description: String { String(decoding: bytes, as: UTF8.self) }

    /// Lends the path with its terminating NUL.
    public func withCString<Result: ~Copyable, Failure: Error>(_ body: (UnsafePointer<CChar>) throws(Failure) -> Result) throws(Failure)
        -> Result
    {
        try unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: bytes.count + 1) { (buffer) throws(Failure) -> Result in
            for index in bytes.indices { unsafe buffer[index] = CChar(bitPattern: bytes[index]) }
            unsafe buffer[bytes.count] = 0
            return try unsafe body(buffer.baseAddress!)
        }
    }
}
