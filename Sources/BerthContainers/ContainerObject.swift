internal import BerthContent
internal import BerthLinux
internal import BerthNetworking
internal import BerthOCI
internal import BerthReactor
internal import BerthRuntime
internal import BerthSnapshots
internal import BerthState
internal import Synchronization

/// A container as its store knows it. What is decided is decided in ``Lifecycle``, under a lock that is never held while something is waited for;
/// what may block is done in the container's own lane.
final class ContainerObject: Sendable {
    struct State {
        var lifecycle: Lifecycle
        var document: ContainerDocument
        /// The process, while it runs.
        var process: RuntimeContainer?
        /// Follows the process to its end.
        var watcher: Task<Void, Never>?
        /// Clients that have attached before the start.
        var pending: [PendingAttachment] = []
        /// Why it cannot be said yet whether it runs.
        var unknown: ContainerError?
        /// Fulfilled when the container is gone, or could not be removed by itself; then another takes its place.
        var removal = Promise<ExitStatus>()
        /// Fulfilled at the next end of a process, when what it left behind is cleared away. Then another takes its place.
        var end = Promise<ExitStatus>()
        /// Fulfilled when the next start has come to its end, well or not.
        var startEnd = Promise<Void>()
        var executions: [String] = []
        /// Whether somebody has asked for a stop: what then ends was not a failure.
        var isStopping = false
        /// Whether it is stopped to be started again: it does not remove itself then.
        var isBetweenRuns = false
        /// When it is started again by itself.
        var backOff = RestartBackOff()
        /// How it does, if it is checked; kept after its end.
        var health: Health?
        /// Checks it.
        var checker: Task<Void, Never>?
        /// Waits for the next start.
        var restarter: Task<Void, Never>?
        /// How far an edit of it is.
        var edit = EditStage.none
        /// Its places in networks before it was stopped to be edited.
        var formerEndpoints: [Endpoint] = []
        /// Holds the layers that it lies on, whatever becomes of the image.
        var lease: Lease
        /// What is left outside the root of what ran last.
        var traces = Traces.unknown
        /// Whether its process has been killed, or has ended, though that has not been told yet.
        var isEnding = false
        /// Whether its end is known, and what is left of it is being cleared away.
        var hasExited = false
        /// Whether its document is gone: nobody writes it again.
        var isForgotten = false
        /// Whether it is out of its sandbox already, though its end has not been told yet.
        var hasLeftNetworks = false

        /// Whether it is stopped only to be there again: it does not remove itself then.
        var isKept: Bool { isBetweenRuns || edit == .underWay }

        /// The clients that still wait for the start.
        mutating func takePending() -> [Attachment] {
            defer { pending = [] }
            return pending.compactMap(\.waiting)
        }
    }
    enum EditStage {
        case none
        /// It is found out if it can be.
        case planned
        /// It is stopped for it, and started: it does not remove itself meanwhile.
        case underWay
    }
    enum Traces {
        case unknown, none
        /// Control groups and a directory in the exec-root, and no process.
        case withoutProcesses
    }
    /// A client that waits for the start. One that nobody holds any more has left.
    struct PendingAttachment {
        weak var attachment: Attachment?
        var waiting: Attachment? { attachment.flatMap { $0.isDetached ? nil : $0 } }
    }

    let id: String
    let lane: Lane
    let state: Mutex<State>
    /// How many commits need its processes to stand still. Held while they are made to, on a thread of a lane.
    let freezeCount = Mutex(0)
    /// Held while it is made to stand still or to go on, on a thread of a lane: so that what is noted, what is said and what is are one.
    let pauseTurn = Mutex(())
    /// Held while its document is written or removed, on a thread of a lane.
    let documentTurn = Mutex(())
    /// Where files are copied in and out: a client that reads slowly holds up no other call.
    let copyLane: Lane
    /// Held while its layer is mounted to be written though it does not run.
    let copyHold = CopyHold()
    let statistics = StatisticsHub()

    init(id: String, document: ContainerDocument, lifecycle: Lifecycle, lane: Lane, lease: Lease) {
        (self.id, self.lane) = (id, lane)
        copyLane = Lane(named: "copies of container \(id.prefix(12))")
        var first = State(lifecycle: lifecycle, document: document, lease: lease)
        first.backOff = RestartBackOff(count: document.restartMemory?.count ?? 0)
        state = Mutex(first)
    }

    /// Holds the layers that it lies on.
    var lease: Lease { state.withLock { $0.lease } }
    var document: ContainerDocument { state.withLock { $0.document } }
    var name: String { state.withLock { $0.document.name } }
    var shortID: String { String(id.prefix(12)) }

    /// Until it is known whether it runs, nothing is started, killed or removed.
    ///
    /// - Throws: `busy`, with the reason.
    func requireKnown() throws(ContainerError) {
        guard let reason = state.withLock({ $0.unknown }) else { return }
        throw ContainerError(
            .busy, "whether container \(id) runs is not known yet: \(reason.description). It is looked for again every second",
            underlying: reason.underlying)
    }

    /// The process, or the error that it does not run.
    func runningProcess() throws(ContainerError) -> RuntimeContainer {
        try requireKnown()
        guard let process = state.withLock({ $0.process }) else {
            throw ContainerError(.conflict, "Container \(id) is not running")
        }
        return process
    }

    /// What events say of it.
    func attributes(_ more: [String: String] = [:]) -> [String: String] {
        let document = document
        var all = document.configuration.mergedLabels(image: document.imageExecution)
        all["image"] = document.configuration.image
        all["name"] = document.name
        return all.merging(more) { $1 }
    }
}
