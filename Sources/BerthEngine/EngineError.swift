public import BerthLinux

/// Why an engine could not be opened.
public struct EngineError: Error, Sendable, CustomStringConvertible {
    /// What a caller can branch on.
    public struct Code: Hashable, Sendable {
        private enum Value { case inUse, storage, newer, runtime }
        private let value: Value
        /// Another engine has the root, or the exec-root.
        public static var inUse: Self { Self(value: .inUse) }
        /// The root cannot be read or written.
        public static var storage: Self { Self(value: .storage) }
        /// A later version has written the root.
        public static var newer: Self { Self(value: .newer) }
        /// This machine, or this user, cannot run containers.
        public static var runtime: Self { Self(value: .runtime) }
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
}
