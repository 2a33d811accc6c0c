internal import BerthOCI

/// What a container is in, and what may become of it: decided here, performed elsewhere. No clock, no kernel.
struct Lifecycle: Hashable, Sendable {
    enum Phase: Hashable, Sendable {
        /// No process.
        case idle
        /// One is being started.
        case starting
        /// One runs.
        case running(processID: Int32)
        /// One is there and stands still.
        case paused(processID: Int32)
        /// None; it is started again in a moment.
        case restarting
        /// On its way out.
        case removing
        /// Gone.
        case removed
    }
    private(set) var phase = Phase.idle
    /// Whether a process of it has ever run.
    private(set) var hasRun = false
    /// When the last run began.
    private(set) var startedAt: Timestamp?
    /// How the last run, or the last attempt at one, ended. Kept while the next one runs.
    private(set) var lastExit: ExitStatus?
    /// Whether the start that is under way is a policy's.
    private(set) var isStartedAgain = false

    init() {}

    /// A container as it was found: it ran once, and ended so.
    init(endedWith exit: ExitStatus, hasRun: Bool) {
        (lastExit, self.hasRun, startedAt) = (exit, hasRun, exit.startedAt)
    }

    var status: ContainerStatus {
        switch phase {
        case .starting where isStartedAgain: .restarting
        case .idle, .starting: hasRun ? .exited : .created
        case .running: .running
        case .paused: .paused
        case .restarting: .restarting
        case .removing, .removed: .removing
        }
    }
    /// Whether there is a process, moving or not.
    var isRunning: Bool { processID != nil }
    /// Whether there is a process, or is going to be one without anybody's doing: what Docker's `Running` says.
    var isActive: Bool { isRunning || phase == .restarting || (phase == .starting && isStartedAgain) }
    var isPaused: Bool { if case .paused = phase { true } else { false } }
    var processID: Int32? {
        switch phase {
        case .running(let id), .paused(let id): id
        default: nil
        }
    }

    enum StartDecision: Hashable { case start, alreadyRunning, alreadyStarting, isPaused, beingRemoved }

    mutating func startRequested() -> StartDecision {
        switch phase {
        case .idle:
            (phase, isStartedAgain) = (.starting, false)
            return .start
        case .starting: return .alreadyStarting
        case .running, .restarting: return .alreadyRunning
        case .paused: return .isPaused
        case .removing, .removed: return .beingRemoved
        }
    }

    /// It is not started after all, by whoever has said that it is.
    mutating func startWithdrawn() { if phase == .starting { (phase, isStartedAgain) = (.idle, false) } }

    /// The process runs, also one found running.
    mutating func started(processID: Int32, at time: Timestamp) {
        phase = .running(processID: processID)
        (hasRun, startedAt, isStartedAgain) = (true, time, false)
    }

    /// It could not be started. A container that has never run stays one that has never run, with the code that says why.
    mutating func startFailed(_ exit: ExitStatus) {
        (phase, isStartedAgain) = (.idle, false)
        lastExit = exit
    }

    /// The process has ended. `false`: nothing of the kind ran, and nothing changes.
    mutating func exited(_ exit: ExitStatus) -> Bool {
        guard isRunning else { return false }
        phase = .idle
        lastExit = exit
        return true
    }

    // MARK: Starting again

    /// It is to be started again in a moment. `false`: it is not at rest, and nothing changes.
    mutating func awaitRestart() -> Bool {
        guard phase == .idle else { return false }
        phase = .restarting
        return true
    }

    /// The moment has come. `false`: it is not to be started again any more.
    mutating func restartDue() -> Bool {
        guard phase == .restarting else { return false }
        (phase, isStartedAgain) = (.starting, true)
        return true
    }

    /// It is not to be started again after all. `false`: it was not to be.
    mutating func restartCancelled() -> Bool {
        guard phase == .restarting else { return false }
        phase = .idle
        return true
    }

    // MARK: Standing still

    /// Its process stands still. `false`: none runs, and nothing changes.
    mutating func paused() -> Bool {
        guard case .running(let id) = phase else { return false }
        phase = .paused(processID: id)
        return true
    }

    /// Its process goes on. `false`: none stood still, and nothing changes.
    mutating func unpaused() -> Bool {
        guard case .paused(let id) = phase else { return false }
        phase = .running(processID: id)
        return true
    }

    // MARK: Removing

    enum RemovalDecision: Hashable { case remove, killFirst, cancelRestartFirst, refuse, wait, alreadyInProgress }

    mutating func removalRequested(force: Bool) -> RemovalDecision {
        switch phase {
        case .idle:
            phase = .removing
            return .remove
        case .starting: return .wait
        case .running, .paused: return force ? .killFirst : .refuse
        case .restarting: return force ? .cancelRestartFirst : .refuse
        case .removing, .removed: return .alreadyInProgress
        }
    }

    /// The removal did not come to its end: it may be asked for again.
    mutating func removalFailed() { if phase == .removing { phase = .idle } }

    mutating func removed() { phase = .removed }
}
