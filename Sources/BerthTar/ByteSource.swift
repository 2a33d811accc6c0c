public import BerthLinux

/// Bytes that are read once, from the beginning to the end.
public protocol ByteSource: AnyObject {
    /// Reads some bytes into the buffer: as many as are there, at least one; 0 at the end.
    ///
    /// - Throws: why there is no more: what was read before is not to be trusted as a whole.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ByteSourceError) -> Int
}

/// Why bytes ended before their time.
public struct ByteSourceError: Error, Sendable, CustomStringConvertible {
    /// What a caller can branch on.
    public enum Kind: Hashable, Sendable {
        /// The bytes are not what they should be.
        case corrupt
        /// There are more than are allowed.
        case tooLarge
        /// Their format is not known here.
        case unsupported
        /// They could not be read.
        case storage
        /// Nobody wants them any more.
        case cancelled
    }
    /// The kind.
    public let kind: Kind
    /// A sentence: what failed, why.
    public let description: String
    /// The kernel's reason, where it gave one.
    public let underlying: Errno?

    /// An error of these.
    public init(_ kind: Kind, _ description: String, underlying: Errno? = nil) {
        (self.kind, self.description, self.underlying) = (kind, description, underlying)
    }
}

/// What a descriptor gives.
public final class DescriptorSource: ByteSource {
    private let descriptor: OwnedDescriptor

    /// Reads from where the descriptor is.
    public init(_ descriptor: consuming OwnedDescriptor) { self.descriptor = descriptor }

    /// Reads.
    public func read(into buffer: UnsafeMutableRawBufferPointer) throws(ByteSourceError) -> Int {
        do throws(Errno) { return try unsafe descriptor.read(into: buffer) } catch {
            throw ByteSourceError(.storage, "cannot read the archive: \(error)", underlying: error)
        }
    }
}
