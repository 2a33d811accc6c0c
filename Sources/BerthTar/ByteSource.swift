public import BerthLinux

/// Bytes that are read once, from the beginning to the end.
public protocol ByteSource: AnyObject {
    /// Reads some bytes into the buffer: as many as are there, at least one; 0 at the end.
    ///
    /// - Throws: why there is no more: what was read before is not to be trusted as a whole.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ByteSourceError) -> Int
    /// Ends a read that waits, and every later one, with the error `cancelled`. The one call that another thread may make.
    func interrupt()
}

extension ByteSource {
    /// Nothing: of a source that does not wait for anybody.
    public func interrupt() {}
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

/// Ends the reading of sources that wait for somebody: from any thread, also before they are made.
public final class SourceInterruption: Sendable {
    fileprivate let value: Interruption

    /// One that has not happened.
    ///
    /// - Throws: `storage` where there are no more descriptors.
    public init() throws(ByteSourceError) {
        do throws(Errno) { value = try Interruption() } catch {
            throw ByteSourceError(.storage, "cannot read the archive: \(error)", underlying: error)
        }
    }

    /// Ends reads that wait, and all later ones, with the error `cancelled`. Repeating does nothing.
    public func signal() { value.signal() }
}

/// What a descriptor gives.
public final class DescriptorSource: ByteSource {
    private let descriptor: OwnedDescriptor
    private let interruption: SourceInterruption?

    /// Reads from where the descriptor is.
    public init(_ descriptor: consuming OwnedDescriptor) {
        self.descriptor = descriptor
        interruption = nil
    }

    /// Reads from where the descriptor is, until it is interrupted: for pipes and sockets, whose other end may keep a reader waiting.
    public init(interruptible descriptor: consuming OwnedDescriptor) throws(ByteSourceError) {
        self.descriptor = descriptor
        interruption = try SourceInterruption()
    }

    /// Reads from where the descriptor is, until somebody who has the interruption ends it, or this is interrupted.
    public init(_ descriptor: consuming OwnedDescriptor, until interruption: SourceInterruption) {
        self.descriptor = descriptor
        self.interruption = interruption
    }

    /// Reads.
    public func read(into buffer: UnsafeMutableRawBufferPointer) throws(ByteSourceError) -> Int {
        do throws(Errno) {
            if try interruption?.value.waitForInput(of: descriptor) ?? true { return try unsafe descriptor.read(into: buffer) }
        } catch {
            throw ByteSourceError(.storage, "cannot read the archive: \(error)", underlying: error)
        }
        throw ByteSourceError(.cancelled, "the archive is not wanted any more")
    }

    /// Ends reading, if it is interruptible.
    public func interrupt() { interruption?.signal() }
}
