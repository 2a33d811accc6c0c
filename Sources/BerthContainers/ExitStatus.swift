public import BerthOCI

/// How a container's process ended, or why it could not be started.
public struct ExitStatus: Hashable, Sendable, Codable {
    /// The exit code; 128 and the signal for one that a signal ended; 126 and 127 for one that could not be started.
    public var code: Int32
    /// Whether the kernel killed something in the container for want of memory.
    public var outOfMemory: Bool
    /// When it began; `nil` if it did not, or if that is unknown.
    public var startedAt: Timestamp?
    /// When it ended; `nil` if that is unknown.
    public var finishedAt: Timestamp?
    /// Why the code is not the process's own, where it is not.
    public var reason: String?

    /// A status of these.
    public init(
        code: Int32, outOfMemory: Bool = false, startedAt: Timestamp? = nil, finishedAt: Timestamp? = nil, reason: String? = nil
    ) {
        (self.code, self.outOfMemory, self.startedAt, self.finishedAt, self.reason) = (code, outOfMemory, startedAt, finishedAt, reason)
    }
}

/// What a container is in, in Docker's words.
public enum ContainerStatus: String, Hashable, Sendable, Codable, CaseIterable {
    /// Made, and never run.
    case created
    /// Its process runs.
    case running
    /// Its process is there and stands still.
    case paused
    /// Its process has ended, and is started again in a moment.
    case restarting
    /// Its process has ended.
    case exited
    /// It is being removed.
    case removing
    /// Its document cannot be read: it is set aside, keeps its name and files, and can only be looked at. Docker's word for what cannot be used is `dead`.
    case unreadable = "dead"

    /// Whether it has a process, or will have one by itself: what a list shows that does not ask for all.
    public var isActive: Bool { self == .running || self == .paused || self == .restarting }
}

/// What a wait is for.
public enum WaitCondition: String, Hashable, Sendable, CaseIterable {
    /// No process, which may be so already.
    case notRunning = "not-running"
    /// The next end of a process.
    case nextExit = "next-exit"
    /// That the container is gone.
    case removed
}
