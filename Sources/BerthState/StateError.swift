public import BerthLinux
public import BerthReactor

/// Why a document could not be kept or read.
public struct StateError: Error, Sendable, CustomStringConvertible, LaneRefusable {
    /// What a caller can branch on.
    public struct Code: Hashable, Sendable {
        private enum Value { case storage, invalid, busy, cancelled, slowReader }
        private let value: Value
        /// The disk, or the rights to it.
        public static var storage: Self { Self(value: .storage) }
        /// An id that cannot be a document's name.
        public static var invalid: Self { Self(value: .invalid) }
        /// Too many calls wait for the same lane.
        public static var busy: Self { Self(value: .busy) }
        /// The task, or the job, was cancelled.
        public static var cancelled: Self { Self(value: .cancelled) }
        /// A subscriber did not keep up, and has missed events.
        public static var slowReader: Self { Self(value: .slowReader) }
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

    /// The lane of this name is full.
    public static func busy(lane: String, waitingCount: Int) -> StateError {
        StateError(.busy, "\(lane) is busy: \(waitingCount) calls wait already; try again when they are done")
    }
}
