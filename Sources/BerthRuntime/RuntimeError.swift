public import BerthLinux
public import BerthReactor

/// Why a container could not be started or reached.
public struct RuntimeError: Error, Sendable, CustomStringConvertible, LaneRefusable {
    /// What a caller can branch on.
    public struct Code: Hashable, Sendable {
        private enum Value {
            case invalid, unsupported, commandNotFound, commandNotExecutable, workingDirectory, notRunning, monitor, system, cancelled, busy
        }
        private let value: Value
        /// The specification says something that cannot be.
        public static var invalid: Self { Self(value: .invalid) }
        /// The specification asks for what does not exist here.
        public static var unsupported: Self { Self(value: .unsupported) }
        /// The program is not there (exit code 127).
        public static var commandNotFound: Self { Self(value: .commandNotFound) }
        /// The program cannot be executed (exit code 126).
        public static var commandNotExecutable: Self { Self(value: .commandNotExecutable) }
        /// The working directory cannot be entered (exit code 126).
        public static var workingDirectory: Self { Self(value: .workingDirectory) }
        /// There is no such process any more.
        public static var notRunning: Self { Self(value: .notRunning) }
        /// The monitor could not be started or does not answer.
        public static var monitor: Self { Self(value: .monitor) }
        /// The kernel refused.
        public static var system: Self { Self(value: .system) }
        /// The task was cancelled.
        public static var cancelled: Self { Self(value: .cancelled) }
        /// Too many calls wait for the same lane.
        public static var busy: Self { Self(value: .busy) }
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

    /// With what went wrong after it.
    func with(_ further: [String]) -> RuntimeError {
        RuntimeError(code, ([description] + further).joined(separator: "; "), underlying: underlying)
    }

    static func system(_ what: String, _ error: Errno) -> RuntimeError { RuntimeError(.system, "\(what): \(error)", underlying: error) }

    /// The lane of this name is full.
    public static func busy(lane: String, waitingCount: Int) -> RuntimeError {
        RuntimeError(.busy, "\(lane) is busy: \(waitingCount) calls wait already; try again when they are done")
    }
}
