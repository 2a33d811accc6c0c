public import BerthLinux

/// Why an archive could not be read, unpacked or written.
public struct TarError: Error, Sendable, CustomStringConvertible {
    /// What a caller can branch on.
    public enum Code: Hashable, Sendable {
        /// The archive ends in the middle of something.
        case truncated
        /// What stands there cannot be.
        case corrupt
        /// A number, a name or a list is larger than is allowed.
        case tooLarge
        /// It is legal, and does not exist here.
        case unsupported
        /// An entry that would lie, or link, outside of where the archive is unpacked, or that goes through a symbolic link.
        case escapes
        /// The files could not be written.
        case storage
        /// An entry to be written whose data are not as many as it says.
        case wrongLength
        /// A file to be written that no entry can be of.
        case unrepresentable
        /// The bytes stopped coming.
        case source(ByteSourceError.Kind)
        /// The bytes are not taken.
        case sink(ByteSinkError.Kind)
    }
    /// The kind.
    public let code: Code
    /// A sentence: what failed, on which entry, why.
    public let description: String
    /// The kernel's reason, where it gave one.
    public let underlying: Errno?

    /// An error of these.
    public init(_ code: Code, _ description: String, underlying: Errno? = nil) {
        (self.code, self.description, self.underlying) = (code, description, underlying)
    }

    /// The same, of the bytes that an archive is read from.
    public init(_ error: ByteSourceError) { self.init(.source(error.kind), error.description, underlying: error.underlying) }

    init(_ error: ByteSinkError) { self.init(.sink(error.kind), error.description, underlying: error.underlying) }

    static func storage(_ what: String, _ entry: TarEntry, _ error: Errno) -> TarError {
        if error == .ELOOP || error == .EXDEV {
            return TarError(
                .escapes, "the entry '\(entry.displayName)' goes through a symbolic link, or out of the root", underlying: error)
        }
        if error == .ENOTDIR {
            return TarError(.escapes, "the entry '\(entry.displayName)' lies below something that is no directory", underlying: error)
        }
        return TarError(error == .EFBIG ? .tooLarge : .storage, "cannot \(what) '\(entry.displayName)': \(error)", underlying: error)
    }
}
