public import BerthLinux
public import BerthReactor
internal import BerthState

/// Why a volume could not be made, found, filled or removed. Its words are Docker's where Docker has them.
public struct VolumeError: Error, Sendable, CustomStringConvertible, LaneRefusable {
    /// What a caller can branch on.
    public struct Code: Hashable, Sendable {
        private enum Value { case notFound, invalid, conflict, inUse, storage, busy }
        private let value: Value
        /// No such volume, or no such driver.
        public static var notFound: Self { Self(value: .notFound) }
        /// The question itself is wrong.
        public static var invalid: Self { Self(value: .invalid) }
        /// It does not go with what the volume is.
        public static var conflict: Self { Self(value: .conflict) }
        /// A container has it.
        public static var inUse: Self { Self(value: .inUse) }
        /// The disk, or the rights to it.
        public static var storage: Self { Self(value: .storage) }
        /// Too many calls wait.
        public static var busy: Self { Self(value: .busy) }
    }
    /// The kind.
    public let code: Code
    /// A sentence: what failed, on what, why, what to try.
    public let description: String
    /// The kernel's reason, where it gave one.
    public let underlying: Errno?

    /// An error of these.
    public init(_ code: Code, _ description: String, underlying: Errno? = nil) {
        (self.code, self.description, self.underlying) = (code, description, underlying)
    }

    /// The lane of this name is full.
    public static func busy(lane: String, waitingCount: Int) -> VolumeError {
        VolumeError(.busy, "\(lane) is busy: \(waitingCount) calls wait already; try again when they are done")
    }
}

extension VolumeError {
    init(_ error: StateError) { self.init(.storage, error.description, underlying: error.underlying) }

    static func storage(_ what: String, _ error: Errno) -> VolumeError { VolumeError(.storage, "\(what): \(error)", underlying: error) }

    static func noSuchVolume(_ name: String) -> VolumeError { VolumeError(.notFound, "get \(name): no such volume") }
}
