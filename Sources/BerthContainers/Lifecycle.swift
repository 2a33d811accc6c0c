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

    init() {}

    /// A container as it was found: it ran once, and ended so.
    init(endedWith exit: ExitStatus, hasRun: Bool) {
        (lastExit, self.hasRun, startedAt) = (exit, hasRun, exit.startedAt)
    }

    var status: ContainerStatus {
        switch phase {
        case .idle, .starting: hasRun ? .exited : .created
        case .running: .running
        case .removing, .removed: .removing
        }
    }
    var isRunning: Bool { processID != nil }
    var processID: Int32? { if case .running(let id) = phase { id } else { nil } }

    enum StartDecision: Hashable { case start, alreadyRunning, alreadyStarting, beingRemoved }

    mutating func startRequested() -> StartDecision {
        switch phase {
        case .idle:
            phase = .starting
            return .start
        case .starting: return .alreadyStarting
        case .running: return .alreadyRunning
        case .removing, .removed: return .beingRemoved
        }
    }

    /// The process runs, also one found running.
    mutating func started(processID: Int32, at time: Timestamp) {
        phase = .running(processID: processID)
        (hasRun, startedAt) = (true, time)
    }

    /// It could not be started. A container that has never run stays one that has never run, with the code that says why.
    mutating func startFailed(_ exit: ExitStatus) {
        phase = .idle
        lastExit = exit
    }

    /// The process has ended. `false`: nothing of the kind ran, and nothing changes.
    mutating func exited(_ exit: ExitStatus) -> Bool {
        guard case .running = phase else { return false }
        phase = .idle
        lastExit = exit
        return true
    }

    enum RemovalDecision: Hashable { case remove, killFirst, refuseRunning, wait, alreadyInProgress }

    mutating func removalRequested(force: Bool) -> RemovalDecision {
        switch phase {
        case .idle:
            phase = .removing
            return .remove
        case .starting: return .wait
        case .running: return force ? .killFirst : .refuseRunning
        case .removing, .removed: return .alreadyInProgress
        }
    }

    /// The removal did not come to its end: it may be asked for again.
    mutating func removalFailed() { if phase == .removing { phase = .idle } }

    mutating func removed() { phase = .removed }
}
