public import BerthLaunch
public import BerthLinux
public import BerthOCI
public import BerthReactor
internal import FoundationEssentials
internal import Synchronization

/// A monitor that has a container's root mounted, and has started nothing yet.
///
/// Whoever lets go of it lets go of the monitor, which then ends; what is left of it outside the root, ``Runtime/abandon(_:)`` removes.
public final class PreparedMonitor: Sendable {
    struct Parts: ~Copyable, Sendable {
        let socket: MessageSocket
        let root: Directory
    }
    let preparation: Runtime.Preparation
    private let parts: Mutex<Parts?>

    init(_ preparation: Runtime.Preparation, _ parts: consuming Parts) {
        self.preparation = preparation
        self.parts = Mutex(parts)
    }

    func take() -> Parts {
        guard let taken = parts.withLock({ $0.take() }) else { preconditionFailure("a monitor starts one container, or none") }
        return taken
    }
}

// Starting: a monitor with a root, then what runs in it.
extension Runtime {
    /// Whom a monitor is for.
    public struct Preparation: Sendable {
        /// The container's id: 64 hexadecimal digits.
        public var id: String
        /// Its directory below the root: log and exit record go there.
        public var stateDirectory: String
        /// How its root comes about.
        public var root: RootMount
        /// Whether it is removed when it has ended, so that nobody needs to know of its end after a loss of power.
        public var isRemovedAtItsEnd: Bool

        /// All of them.
        public init(id: String, stateDirectory: String, root: RootMount, isRemovedAtItsEnd: Bool = false) {
            self.id = id
            self.stateDirectory = stateDirectory
            self.root = root
            self.isRemovedAtItsEnd = isRemovedAtItsEnd
        }
    }

    /// How a container is to be started.
    public struct Start: Sendable {
        /// How its output is kept.
        public var log: MonitoredLog
        /// What becomes of standard input.
        public var input: MonitorRequest.InputPolicy
        /// Clients that see all output from the very first byte, at most 64: ``RuntimeContainer/takeInitialStreams()``.
        public var initialStreams: [MonitorRequest.StreamChoice] = []
        /// Sockets that the monitor holds from before the container starts; see ``SandboxMonitor``.
        public var heldSockets: [HandedSocket] = []
        /// Whether process 1 is a program of ours that has the command as its child: see ``LaunchInput/hasInit``. Default `false`.
        public var hasInit = false
        /// Asked, with the mounted root, for the specification: there users and groups can be resolved. Runs where it may block.
        public var specification: @Sendable (borrowing Directory) throws(RuntimeError) -> RuntimeSpec

        /// All of them.
        public init(
            log: MonitoredLog, input: MonitorRequest.InputPolicy,
            specification: @escaping @Sendable (borrowing Directory) throws(RuntimeError) -> RuntimeSpec
        ) {
            self.log = log
            self.input = input
            self.specification = specification
        }
    }

    /// Makes a container's monitor, which mounts its root. On failure nothing of it is left. Blocks.
    ///
    /// What the container needs besides, a network above all, can come about meanwhile.
    /// - Throws: `monitor` where none can be had, `system` where the root cannot be mounted.
    public func prepare(_ preparation: Preparation) throws(RuntimeError) -> PreparedMonitor {
        try makeControlGroupParent(of: preparation.id)
        let socket = try nursery.bear()
        do {
            let execDirectory = try Directory.open("\(configuration.execRoot)/containers")
            try execDirectory.removeTree(try PathBytes(preparation.id))
            try execDirectory.makeDirectory(try PathBytes(preparation.id), permissions: 0o700)
            let own = try execDirectory.openDirectory(try PathBytes(preparation.id))
            let state = try Directory.open(preparation.stateDirectory)
            // From now on nothing is known of its end: what an empty record says also after a loss of power.
            try unsafe state.replaceFile("exit.json", with: [UInt8]().span.bytes, durability: .none)

            let identity = MonitorRequest.Identity(
                id: preparation.id, cgroupFiles: [], isRemovedAtItsEnd: preparation.isRemovedAtItsEnd)
            try socket.send(MonitorRequest.initialize(identity).encoded(number: 1), own.descriptor, state.descriptor)
            try socket.send(MonitorRequest.mountRoot(preparation.root).encoded(number: 2))
            _ = try socket.answer(to: 1)
            guard let root = try socket.answer(to: 2).takeDescriptor() else {
                throw RuntimeError(.monitor, "the monitor gave no root")
            }
            return PreparedMonitor(preparation, PreparedMonitor.Parts(socket: socket, root: Directory(adopting: root)))
        } catch {
            forget(preparation)
            throw Self.told(error, preparation)
        }
    }

    /// Removes what a monitor has outside the root that is not used. Repeating is fine. Blocks.
    public func abandon(_ monitor: PreparedMonitor) {
        _ = monitor.take()
        forget(monitor.preparation)
    }

    /// Starts a container by a monitor that was prepared for it, once. On failure nothing of it is left.
    ///
    /// - Throws: `commandNotFound` and `commandNotExecutable` for the program, what `specification` throws, and the rest of ``RuntimeError``.
    public func start(_ start: Start, by monitor: PreparedMonitor, in lane: Lane) async throws(RuntimeError) -> RuntimeContainer {
        let launched = try await lane.run { () throws(RuntimeError) in
            do { return try self.launch(start, monitor) } catch {
                let further = self.forget(monitor.preparation)
                throw Self.told(error, monitor.preparation).with(further)
            }
        }
        let connection = try MonitorConnection(launched.socket.take(), reactor: reactor)
        connection.listen()
        return RuntimeContainer(
            launched.facts, connection, reactor, executions: launched.input, filters, initialStreams: launched.streams)
    }

    private struct Launched: Sendable {
        let facts: ContainerFacts
        let input: LaunchInput
        let socket: SocketHolder
        let streams: [AttachStream]
    }

    private func launch(_ start: Start, _ monitor: PreparedMonitor) throws -> Launched {
        let parts = monitor.take()
        let id = monitor.preparation.id
        // What does not need the answer of what comes before it is asked in one go.
        for (index, choice) in start.initialStreams.enumerated() {
            try parts.socket.send(MonitorRequest.attach(choice).encoded(number: UInt64(3 + index)))
        }
        var input = try input(id: id, try start.specification(parts.root), hasInput: start.input != .none)
        input.hasInit = start.hasInit
        if input.specification.hooks != nil { try writeBundle(of: input) }
        let plan = try HostFile.inMemory(named: "plan", try LaunchPlan.compile(input).encoded())
        // Its executions have the command alone.
        input.hasInit = false
        var streams: [AttachStream] = []
        for index in start.initialStreams.indices {
            guard let stream = try parts.socket.answer(to: UInt64(3 + index)).takeDescriptor() else {
                throw RuntimeError(.monitor, "the monitor gave no streams")
            }
            streams.append(try AttachStream(stream, reactor: reactor))
        }
        var number = UInt64(3 + streams.count)
        for sockets in start.heldSockets.messages {
            try parts.socket.send(MonitorRequest.hold(sockets.map(\.socket)).encoded(number: number), handing: sockets)
            _ = try parts.socket.answer(to: number)
            number += 1
        }
        let launch = MonitorRequest.Launch(log: start.log, input: start.input, memoryEventsPath: memoryEventsPath(input.cgroupPath))
        try parts.socket.send(MonitorRequest.launch(launch).encoded(number: number), plan)
        guard case .started(let process, let ticks, let at) = try parts.socket.answer(to: number).answer else {
            throw RuntimeError(.monitor, "the monitor's answer to a launch makes no sense")
        }
        let facts = ContainerFacts(
            id: id, stateDirectory: monitor.preparation.stateDirectory, processID: process, startTicks: ticks, startedAt: at)
        try runHooksAfterStart(of: input, process, parts.socket, facts.stateDirectory)
        return Launched(facts: facts, input: input, socket: SocketHolder(parts.socket), streams: streams)
    }

    /// What hooks find: the specification, and the directory where they see the container's root, which is mounted there for them alone.
    private func writeBundle(of input: LaunchInput) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let bytes = Array(try encoder.encode(input.specification))
        let bundle = try Directory.open(input.bundle)
        try unsafe bundle.replaceFile("config.json", with: bytes.span.bytes, durability: .none)
        try bundle.makeDirectory("rootfs", permissions: 0o700)
    }

    /// Where the kernel counts what it killed for want of memory; empty where it does not.
    private func memoryEventsPath(_ group: String) -> String {
        let path =
            cgroups.version == 1
            ? cgroups.directory(of: "memory", group).map { "\($0)/memory.oom_control" }
            : cgroups.unified.map { "\($0)/\(group)/memory.events" }
        return path ?? ""
    }

    /// Nothing of a start that failed stays, whatever step it was; a group that is still busy for a moment is found at the next start or clean-up.
    ///
    /// - Returns: what the hooks for its end did wrong.
    @discardableResult
    private func forget(_ preparation: Preparation) -> [String] {
        killProcesses(of: preparation.id)
        ExitRecord.forgetBegun(in: preparation.stateDirectory)
        return (try? removeTraces(of: preparation.id)) ?? []
    }

    private static func told(_ error: any Error, _ preparation: Preparation) -> RuntimeError {
        error as? RuntimeError
            ?? RuntimeError(.system, "cannot start container \(preparation.id.prefix(12)): \(error)", underlying: error as? Errno)
    }
}
