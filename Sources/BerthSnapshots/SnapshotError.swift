public import BerthLinux
public import BerthReactor

/// Why a layer could not be made, found or removed.
public struct SnapshotError: Error, Sendable, CustomStringConvertible, LaneRefusable {
    /// What a caller can branch on.
    public struct Code: Hashable, Sendable {
        private enum Value { case notFound, exists, inUse, invalid, storage, busy }
        private let value: Value
        /// There is no such layer.
        public static var notFound: Self { Self(value: .notFound) }
        /// There is one of that name.
        public static var exists: Self { Self(value: .exists) }
        /// Another layer lies on it.
        public static var inUse: Self { Self(value: .inUse) }
        /// A name that cannot be one.
        public static var invalid: Self { Self(value: .invalid) }
        /// The disk, or the rights to it.
        public static var storage: Self { Self(value: .storage) }
        /// Too many calls wait for the same lane.
        public static var busy: Self { Self(value: .busy) }
    }
    /// The kind.
    public let code: Code
    /// A sentence: what failed, on what, why.
    public let description: String
    /// The kernel's reason, where it gave one.
    public let underlying: Errno?

    /// An error of these.
    public init(_ code: Code, _ description: String, underlying: Errno? = nil) {
        (self.code, self.description, self.underlying) = (code, description, underlying)
    }

    static func storage(_ what: String, _ error: Errno) -> SnapshotError { SnapshotError(.storage, "\(what): \(error)", underlying: error) }

    /// The lane of this name is full.
    public static func busy(lane: String, waitingCount: Int) -> SnapshotError {
        SnapshotError(.busy, "\(lane) is busy: \(waitingCount) calls wait already; try again when they are done")
    }
}
