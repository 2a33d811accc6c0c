public import BerthReactor

/// Why a registry's store could not be opened, a collection not be done, or a server not be started.
public struct RegistryServerError: Error, Sendable, CustomStringConvertible, LaneRefusable {
    /// What a caller can branch on.
    public struct Code: Hashable, Sendable {
        private enum Value { case inUse, storage, invalid, system, busy }
        private let value: Value
        /// Another process has the store, or listens at the address.
        public static var inUse: Self { Self(value: .inUse) }
        /// The disk, or the rights to it.
        public static var storage: Self { Self(value: .storage) }
        /// What the registry is to be makes no sense: a rule, a password file, a key, a certificate, an address.
        public static var invalid: Self { Self(value: .invalid) }
        /// The kernel refused.
        public static var system: Self { Self(value: .system) }
        /// Too many calls wait for the same lane.
        public static var busy: Self { Self(value: .busy) }
    }
    /// The kind.
    public let code: Code
    /// A sentence: what failed, on what, why, what to try.
    public let description: String

    /// An error of these.
    public init(_ code: Code, _ description: String) { (self.code, self.description) = (code, description) }

    /// The lane of this name is full.
    public static func busy(lane: String, waitingCount: Int) -> Self {
        Self(.busy, "\(lane) is busy: \(waitingCount) calls wait already; try again when they are done")
    }
}
