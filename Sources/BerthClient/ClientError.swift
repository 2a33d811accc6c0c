public import BerthLinux

/// Why a request came to nothing.
public struct ClientError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of failure it is.
    public struct Code: Sendable, Hashable {
        private enum Value { case address, connection, lost, malformed, limit, refused, local }
        private let value: Value
        /// The address of the daemon is none, or of a kind that this client cannot reach.
        public static var address: Code { Code(value: .address) }
        /// Nobody answers at the address, or not to us.
        public static var connection: Code { Code(value: .connection) }
        /// The connection ended in the middle of an answer.
        public static var lost: Code { Code(value: .lost) }
        /// The answer is not HTTP, or not the JSON that it should be.
        public static var malformed: Code { Code(value: .malformed) }
        /// The answer is larger than this client takes.
        public static var limit: Code { Code(value: .limit) }
        /// The daemon answered with an error; ``ClientError/status`` is its HTTP status.
        public static var refused: Code { Code(value: .refused) }
        /// Something on this side: a file that cannot be read, a stream that cannot be written.
        public static var local: Code { Code(value: .local) }
    }

    /// What kind of failure it is.
    public let code: Code
    /// The HTTP status of an answer that refuses; 0 otherwise.
    public let status: Int
    /// A sentence: what failed, why, and what to try. Of a refusal, the daemon's own words.
    public let reason: String
    /// What the kernel said, where it was the kernel.
    public let underlying: Errno?

    /// An error of these.
    public init(_ code: Code, _ reason: String, status: Int = 0, underlying: Errno? = nil) {
        (self.code, self.reason, self.status, self.underlying) = (code, reason, status, underlying)
    }

    /// The sentence as Docker's users know it.
    public var description: String { code == .refused ? "Error response from daemon: \(reason)" : reason }
}
