public import BerthReactor

/// Why a sandbox could not be attached to a network.
public struct NetworkError: Error, Sendable, CustomStringConvertible, LaneRefusable {
    /// What a caller can branch on.
    public struct Code: Hashable, Sendable {
        private enum Value { case notFound, invalid, unsupported, conflict, system, busy }
        private let value: Value
        /// No such network.
        public static var notFound: Self { Self(value: .notFound) }
        /// The question itself is wrong.
        public static var invalid: Self { Self(value: .invalid) }
        /// What is asked for does not exist here.
        public static var unsupported: Self { Self(value: .unsupported) }
        /// It does not go with what the sandbox, or another, is.
        public static var conflict: Self { Self(value: .conflict) }
        /// The kernel refused.
        public static var system: Self { Self(value: .system) }
        /// Too many calls wait.
        public static var busy: Self { Self(value: .busy) }
    }
    /// The kind.
    public let code: Code
    /// A sentence: what failed, on what, why, what to try.
    public let description: String

    /// An error of these.
    public init(_ code: Code, _ description: String) { (self.code, self.description) = (code, description) }

    /// The lane of this name is full.
    public static func busy(lane: String, waitingCount: Int) -> NetworkError {
        NetworkError(.busy, "\(lane) is busy: \(waitingCount) calls wait already; try again when they are done")
    }
}
