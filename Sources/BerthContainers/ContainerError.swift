internal import BerthLayers
public import BerthLinux
public import BerthReactor
internal import BerthRuntime

/// Why something could not be done with a container. Its words are Docker's where Docker has them.
public struct ContainerError: Error, Sendable, CustomStringConvertible, LaneRefusable {
    /// What a caller can branch on.
    public struct Code: Hashable, Sendable {
        private enum Value {
            case notFound, conflict, notModified, invalid, imageNotFound, commandNotFound, commandNotExecutable, unsupported, storage
            case runtime, network, forbidden, cancelled, busy
        }
        private let value: Value
        /// No such container, execution or log.
        public static var notFound: Self { Self(value: .notFound) }
        /// What is asked does not go with what the container is: a name in use, a container that runs or does not.
        public static var conflict: Self { Self(value: .conflict) }
        /// It is as asked already.
        public static var notModified: Self { Self(value: .notModified) }
        /// The question itself is wrong.
        public static var invalid: Self { Self(value: .invalid) }
        /// No such image.
        public static var imageNotFound: Self { Self(value: .imageNotFound) }
        /// The command is not in the container (exit code 127).
        public static var commandNotFound: Self { Self(value: .commandNotFound) }
        /// The command cannot be executed, or its working directory not entered (exit code 126).
        public static var commandNotExecutable: Self { Self(value: .commandNotExecutable) }
        /// What is asked for does not exist here.
        public static var unsupported: Self { Self(value: .unsupported) }
        /// Files of the container could not be read or written.
        public static var storage: Self { Self(value: .storage) }
        /// The kernel or the monitor refused.
        public static var runtime: Self { Self(value: .runtime) }
        /// The network could not be had.
        public static var network: Self { Self(value: .network) }
        /// Docker's word for what a rule of the engine's forbids: a container is connected to a network that it is in.
        public static var forbidden: Self { Self(value: .forbidden) }
        /// The task was cancelled, or the engine closed.
        public static var cancelled: Self { Self(value: .cancelled) }
        /// Too many calls wait for the same container.
        public static var busy: Self { Self(value: .busy) }
    }
    /// The kind.
    public let code: Code
    /// A sentence: what failed, on what, why, what to try.
    public private(set) var description: String
    /// The kernel's reason, where it gave one.
    public let underlying: Errno?

    /// An error of these.
    public init(_ code: Code, _ description: String, underlying: Errno? = nil) {
        (self.code, self.description, self.underlying) = (code, description, underlying)
    }

    /// The lane of this name is full.
    public static func busy(lane: String, waitingCount: Int) -> ContainerError {
        ContainerError(.busy, "\(lane) is busy: \(waitingCount) calls wait already; try again when they are done")
    }

    init(_ error: LayerError) {
        let code: Code =
            switch error.code {
            case .invalid, .tooLarge: .invalid
            case .unsupported: .unsupported
            case .cancelled: .cancelled
            case .busy: .busy
            default: .storage
            }
        self.init(code, error.description, underlying: error.underlying)
    }

    static func noSuchContainer(_ text: String) -> ContainerError { ContainerError(.notFound, "No such container: \(text)") }

    static func storage(_ what: String, _ error: Errno) -> ContainerError {
        ContainerError(.storage, "\(what): \(error)", underlying: error)
    }

    static var cancelled: ContainerError { ContainerError(.cancelled, "the wait was cancelled") }

    /// That a command could not be executed, in Docker's words: its clients make exit codes of them.
    init(_ error: RuntimeError, executing arguments: [String]) {
        self.init(error)
        let program = arguments.first ?? ""
        let reason: String
        switch (error.code, error.underlying) {
        case (.commandNotFound, _) where !program.contains("/"): reason = "executable file not found in $PATH"
        case (.commandNotFound, _): reason = "stat \(program): no such file or directory"
        case (.commandNotExecutable, .EACCES?): reason = "permission denied"
        case (.commandNotExecutable, .EISDIR?): reason = "is a directory"
        case (.commandNotExecutable, .ENOEXEC?): reason = "exec format error"
        default: return
        }
        description = "unable to start container process: exec: \"\(program)\": \(reason)"
    }
}
