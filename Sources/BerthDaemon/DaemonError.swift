/// Why a daemon could not be started.
public struct DaemonError: Error, Sendable, CustomStringConvertible {
    /// What a caller can branch on.
    public struct Code: Hashable, Sendable {
        private enum Value { case invalidAddress, inUse, system }
        private let value: Value
        /// What it should listen on makes no sense.
        public static var invalidAddress: Self { Self(value: .invalidAddress) }
        /// Somebody listens there already, or something that is no socket is there.
        public static var inUse: Self { Self(value: .inUse) }
        /// The kernel refused.
        public static var system: Self { Self(value: .system) }
    }
    /// The kind.
    public let code: Code
    /// A sentence: what failed, on what, why, what to try.
    public let description: String

    /// An error of these.
    public init(_ code: Code, _ description: String) { (self.code, self.description) = (code, description) }
}
