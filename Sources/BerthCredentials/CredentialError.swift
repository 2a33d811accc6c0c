public import BerthLinux

/// Why credentials could not be had or kept. It holds no secret.
public struct CredentialError: Error, Sendable, CustomStringConvertible {
    /// What a caller can branch on.
    public struct Code: Hashable, Sendable {
        private enum Value { case invalid, storage, helperMissing, helperFailed, timedOut, tooLarge }
        private let value: Value
        /// The configuration file is not of the form that Docker writes, or a name is none.
        public static var invalid: Self { Self(value: .invalid) }
        /// The disk, or the rights to it.
        public static var storage: Self { Self(value: .storage) }
        /// The credential helper that the configuration names is not on `PATH`.
        public static var helperMissing: Self { Self(value: .helperMissing) }
        /// The credential helper says that it could not.
        public static var helperFailed: Self { Self(value: .helperFailed) }
        /// The credential helper did not end in time.
        public static var timedOut: Self { Self(value: .timedOut) }
        /// There are more bytes than are allowed.
        public static var tooLarge: Self { Self(value: .tooLarge) }
    }
    /// The kind.
    public let code: Code
    /// A sentence: what failed, on what, why, what to try.
    public let description: String
    /// The kernel's reason, where it gave one.
    public let underlying: Errno?

    init(_ code: Code, _ description: String, underlying: Errno? = nil) {
        (self.code, self.description, self.underlying) = (code, description, underlying)
    }
}
