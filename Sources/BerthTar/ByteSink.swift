public import BerthLinux

/// Takes bytes one after the other, from the beginning to the end.
public protocol ByteSink: AnyObject {
    /// Takes all of these bytes before it returns; it keeps no reference to them.
    ///
    /// - Throws: why no more are taken. How many of these were is not known: what was written before is not to be trusted as a whole.
    func write(_ bytes: borrowing RawSpan) throws(ByteSinkError)
}

/// Why bytes were not taken.
public struct ByteSinkError: Error, Sendable, CustomStringConvertible {
    /// What a caller can branch on.
    public enum Kind: Hashable, Sendable {
        /// They could not be written.
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

/// Writes into a descriptor: a file, a pipe or a socket.
public final class DescriptorSink: ByteSink {
    private let descriptor: OwnedDescriptor
    /// How many bytes were written.
    public private(set) var byteCount: UInt64 = 0

    /// Writes to where the descriptor is.
    public init(_ descriptor: consuming OwnedDescriptor) { self.descriptor = descriptor }

    /// Writes. A reader that has gone is `cancelled`.
    public func write(_ bytes: borrowing RawSpan) throws(ByteSinkError) {
        do throws(Errno) {
            try SystemCallSeam.passWrite()
            try descriptor.writeAll(bytes)
        } catch {
            let kind: ByteSinkError.Kind = error == .EPIPE || error == .ECONNRESET ? .cancelled : .storage
            throw ByteSinkError(kind, "cannot write the archive: \(error)", underlying: error)
        }
        byteCount += UInt64(bytes.byteCount)
    }
}
