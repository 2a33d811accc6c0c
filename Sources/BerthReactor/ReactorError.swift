public import BerthLinux

/// Why a wait ended without its event.
public struct ReactorError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What a caller can branch on.
    public struct Code: Hashable, Sendable {
        private enum Value { case cancelled, system }
        private let value: Value
        /// The task was cancelled.
        public static var cancelled: Self { Self(value: .cancelled) }
        /// The kernel refused.
        public static var system: Self { Self(value: .system) }
    }
    /// The kind.
    public let code: Code
    /// The kernel's reason, for `.system`.
    public let underlying: Errno?

    static var cancelled: ReactorError { ReactorError(code: .cancelled, underlying: nil) }
    static func system(_ error: Errno) -> ReactorError { ReactorError(code: .system, underlying: error) }

    /// A sentence for people.
    public var description: String {
        underlying.map { "cannot wait for an event: \($0)" } ?? "the wait was cancelled"
    }
}
