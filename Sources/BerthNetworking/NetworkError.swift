internal import BerthLinux
internal import BerthNetlink
public import BerthReactor
internal import BerthState

/// Why a network could not be made, changed or removed, or a sandbox not attached to it.
public struct NetworkError: Error, Sendable, CustomStringConvertible, LaneRefusable {
    /// What a caller can branch on.
    public struct Code: Hashable, Sendable {
        private enum Value { case notFound, invalid, unsupported, conflict, forbidden, storage, system, busy }
        private let value: Value
        /// No such network.
        public static var notFound: Self { Self(value: .notFound) }
        /// The question itself is wrong.
        public static var invalid: Self { Self(value: .invalid) }
        /// What is asked for does not exist here.
        public static var unsupported: Self { Self(value: .unsupported) }
        /// It does not go with what the sandbox, or another, is.
        public static var conflict: Self { Self(value: .conflict) }
        /// Docker's word for what a rule of the engine's forbids: a network in use is removed, a predefined one made.
        public static var forbidden: Self { Self(value: .forbidden) }
        /// The disk, or the rights to it.
        public static var storage: Self { Self(value: .storage) }
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

extension NetworkError {
    /// What the kernel refused.
    init(_ error: NetlinkError) { self.init(.system, error.description) }
    /// What somebody has said of something, and all that is wrong with it, as Docker lists it.
    static func invalid(_ what: String, _ mistakes: [String]) -> NetworkError {
        let list = mistakes.count == 1 ? mistakes[0] : mistakes.map { "* \($0)" }.joined(separator: "\n")
        return NetworkError(.invalid, "invalid \(what):\n\(list)")
    }
    /// What could not be kept.
    init(_ error: StateError) { self.init(.storage, error.description) }
}
