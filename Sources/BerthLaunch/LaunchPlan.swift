/// Everything that has to be done to become a container, or to run a further process in one, compiled ahead.
///
/// A plan is a value: compiling one needs no privileges, and its bytes are the seam between the engine and the monitor.
public struct LaunchPlan: Hashable, Sendable {
    /// The version of the bytes.
    public static var version: UInt16 { 1 }

    /// What the first process's standard streams are.
    public enum StandardStreams: UInt8, Hashable, Sendable {
        /// A terminal, made by a step of the plan.
        case terminal = 1
        /// Pipes, with one for standard input.
        case pipes = 2
        /// Pipes for output; standard input is empty.
        case pipesWithoutInput = 3
    }

    /// Done by whoever clones, before: cgroups and their limits.
    public var preparation: [LaunchStep]
    /// Namespaces that the child is born into.
    public var namespaces: NamespaceKinds
    /// A cgroup v2 directory that the child is born into.
    public var cgroup: String?
    /// Done by the child, in order; the last executes the program.
    public var steps: [LaunchStep]
    /// What the standard streams are.
    public var streams: StandardStreams
    /// Whether the child is to be born into the process id namespace of the process that is given with the plan.
    public var entersProcesses: Bool

    /// A plan of these.
    public init(
        preparation: [LaunchStep] = [], namespaces: NamespaceKinds, cgroup: String? = nil, steps: [LaunchStep], streams: StandardStreams,
        entersProcesses: Bool = false
    ) {
        self.preparation = preparation
        self.namespaces = namespaces
        self.cgroup = cgroup
        self.steps = steps
        self.streams = streams
        self.entersProcesses = entersProcesses
    }
}

/// Why bytes are no plan.
public enum LaunchPlanError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The version is not ours.
    case version(UInt16)
    /// They end too early, or a length leads out of its step.
    case malformed(offset: Int)
    /// A step of a kind that we do not know.
    case unknownStep(UInt16, offset: Int)
    /// More than the bound of 16 MiB.
    case tooLong(byteCount: Int)
    /// The last step must execute a program, and no other may.
    case noProgram

    /// A sentence for people.
    public var description: String {
        switch self {
        case .version(let version): "the launch plan has version \(version), and this monitor performs version \(LaunchPlan.version)"
        case .malformed(let offset): "the launch plan is malformed at offset \(offset)"
        case .unknownStep(let kind, let offset): "the launch plan has a step of the unknown kind \(kind) at offset \(offset)"
        case .tooLong(let count): "the launch plan has \(count) bytes, and the bound is \(16 << 20)"
        case .noProgram: "the launch plan does not end with the execution of a program"
        }
    }
}

/// The step that could not be done, and why.
public struct LaunchFailure: Error, Hashable, Sendable {
    /// What the step was about, for a program that decides.
    public enum Stage: UInt8, Hashable, Sendable {
        /// Something before the program: the container could not be made.
        case preparation = 1
        /// The working directory.
        case workingDirectory = 2
        /// The program itself: not found, or not executable.
        case program = 3
    }
    /// What the step was about.
    public let stage: Stage
    /// The kernel's reason.
    public let errnoValue: Int32
    /// A sentence: what could not be done, on what, and why.
    public let reason: String

    /// A failure of these.
    public init(stage: Stage, errnoValue: Int32, reason: String) {
        (self.stage, self.errnoValue, self.reason) = (stage, errnoValue, reason)
    }
}
