/// A program that a specification wants run at some moment of a container's life (OCI runtime specification, *POSIX-platform Hooks*).
///
/// It reads the container's state as JSON from its standard input, and has failed unless it ends with 0 in time.
public struct LaunchHook: Hashable, Sendable {
    /// What it is called where it fails.
    public var name: String
    /// The program.
    public var path: String
    /// All of its arguments, the program's name among them.
    public var arguments: [String]
    /// All of its environment, `NAME=value`.
    public var environment: [String]
    /// The state's text up to the process id, which is known late.
    public var stateBeforeProcess: String
    /// The state's text after it.
    public var stateAfterProcess: String
    /// How long it may take.
    public var milliseconds: Int64
    /// Whether the monitor runs it, in the host's namespaces, while the container's process waits. Else that process does, in its own.
    public var isOutside: Bool

    /// All of them.
    public init(
        name: String, path: String, arguments: [String], environment: [String], stateBeforeProcess: String, stateAfterProcess: String,
        milliseconds: Int64, isOutside: Bool
    ) {
        self.name = name
        self.path = path
        self.arguments = arguments
        self.environment = environment
        self.stateBeforeProcess = stateBeforeProcess
        self.stateAfterProcess = stateAfterProcess
        self.milliseconds = milliseconds
        self.isOutside = isOutside
    }
}
