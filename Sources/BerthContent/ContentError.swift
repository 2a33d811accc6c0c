public import BerthLinux
public import BerthOCI
public import BerthReactor

/// Why some content could not be kept or had.
public struct ContentError: Error, Sendable, CustomStringConvertible, LaneRefusable {
    /// What a caller can branch on.
    public struct Code: Hashable, Sendable {
        private enum Value { case notFound, digestMismatch, tooLarge, noSpace, storage, cancelled, busy }
        private let value: Value
        /// There is no blob of that digest.
        public static var notFound: Self { Self(value: .notFound) }
        /// The bytes are not those of the digest that was expected.
        public static var digestMismatch: Self { Self(value: .digestMismatch) }
        /// There are more bytes than the caller's bound.
        public static var tooLarge: Self { Self(value: .tooLarge) }
        /// The file system has no place for it, which was seen before anything was written.
        public static var noSpace: Self { Self(value: .noSpace) }
        /// The disk, or the rights to it.
        public static var storage: Self { Self(value: .storage) }
        /// The work was cancelled.
        public static var cancelled: Self { Self(value: .cancelled) }
        /// Too many calls wait for the same lane.
        public static var busy: Self { Self(value: .busy) }
    }
    /// The kind.
    public let code: Code
    /// The content, where it has a name.
    public let digest: Digest?
    /// A sentence: what failed, on what, why.
    public let description: String
    /// The kernel's reason, where it gave one.
    public let underlying: Errno?

    /// An error of these.
    public init(_ code: Code, _ description: String, digest: Digest? = nil, underlying: Errno? = nil) {
        (self.code, self.description, self.digest, self.underlying) = (code, description, digest, underlying)
    }

    static func storage(_ what: String, _ error: Errno, _ digest: Digest? = nil) -> ContentError {
        ContentError(.storage, "\(what): \(error)", digest: digest, underlying: error)
    }

    /// A file system has no place for what is to come: said before anything is written.
    ///
    /// - Parameter path: a directory of that file system.
    public static func noSpace(for what: String, needing needed: UInt64, at path: String, having free: UInt64) -> ContentError {
        ContentError(
            .noSpace,
            "there is not enough space for \(what): it needs at least \(needed) bytes, and the file system of '\(path)' has \(free) left: remove images and containers that are not needed ('prune' does, and 'system df' says what takes space), or make that file system larger",
            underlying: .ENOSPC)
    }

    /// The lane of this name is full.
    public static func busy(lane: String, waitingCount: Int) -> ContentError {
        ContentError(.busy, "\(lane) is busy: \(waitingCount) calls wait already; try again when they are done")
    }
}
