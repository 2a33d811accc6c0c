internal import BerthLaunch
public import BerthLinux
internal import BerthOCI
public import BerthReactor
internal import CBerth
internal import FoundationEssentials
internal import Glibc
internal import Synchronization

/// What a runtime is made with.
public struct RuntimeConfiguration: Sendable {
    /// The engine's id: everything that is made outside its directories carries it.
    public var engineID: String
    /// Where sockets and what is true of this boot only are kept. May be longer than a socket's name.
    public var execRoot: String
    /// Where the monitor comes from.
    public var monitor: MonitorLocation

    /// A configuration of these.
    public init(engineID: String, execRoot: String, monitor: MonitorLocation = .automatic) {
        (self.engineID, self.execRoot, self.monitor) = (engineID, execRoot, monitor)
    }
}

/// Turns specifications into running processes, each under a monitor of its own, and finds them again.
public final class Runtime: Sendable {
    /// The machine's control groups.
    public let cgroups: CgroupLayout
    /// The group below which all of this engine's are.
    public let cgroupParent: String
    let configuration: RuntimeConfiguration
    let reactor: Reactor
    /// What the machine's control groups can limit.
    public let abilities: CgroupAbilities
    private let hardLimits: [UInt32: UInt64]
    let filters = FilterCache()
    /// The parents of the groups of those containers that have another one than the engine's.
    let parents = Mutex<[String: String]>([:])
    let nursery: MonitorNursery

    /// Makes the exec-root and the control group of the engine. Repeating is fine.
    ///
    /// Blocks: call it in a lane, or before there is anything to hold up.
    public convenience init(configuration: RuntimeConfiguration, reactor: Reactor) throws(RuntimeError) {
        try self.init(configuration: configuration, reactor: reactor, nurseryPatience: .seconds(10))
    }

    /// - Parameter nurseryPatience: how long the process of which monitors are forked may take to answer.
    init(configuration: RuntimeConfiguration, reactor: Reactor, nurseryPatience: Duration) throws(RuntimeError) {
        self.configuration = configuration
        self.reactor = reactor
        cgroupParent = "berth-\(configuration.engineID)"
        do throws(Errno) {
            cgroups = try CgroupLayout.detect()
            try cgroups.makeParent(cgroupParent)
            try cgroups.makeParent("\(cgroupParent)/monitors", for: .processes)
            abilities = CgroupAbilities(of: cgroups, group: "\(cgroupParent)/monitors")
        } catch {
            throw .system(
                "cannot make the control group 'berth-\(configuration.engineID)': containers need root and mounted control groups", error)
        }
        do throws(Errno) {
            _ = try Directory.open("/").makeDirectories(try PathBytes(configuration.execRoot + "/containers"), permissions: 0o711)
        } catch {
            throw .system("cannot make the exec-root '\(configuration.execRoot)'", error)
        }
        var limits: [UInt32: UInt64] = [:]
        if let permitted = try? Capability.permitted(), permitted >> 24 & 1 == 0 {  // CAP_SYS_RESOURCE; unknown is "may"
            for resource in UInt32(0)..<16 { limits[resource] = try? ResourceLimitName.current(resource).hard }
        }
        hardLimits = limits
        nursery = MonitorNursery(
            configuration.monitor, cgroupFiles: cgroups.joiningFiles(of: "\(cgroupParent)/monitors"), patience: nurseryPatience,
            reactor: reactor)
    }

    /// What has become of a container that was started on this boot.
    public enum Found: Sendable {
        /// It runs.
        case running(RuntimeContainer)
        /// It has ended, and its monitor wrote down how.
        case ended(ExitRecord)
        /// Its monitor is gone; what was left of the container has been killed.
        case lost(ExitRecord)
        /// It has not been started on this boot of the machine, or ended unrecorded before it.
        case nothing
    }

    /// Looks for a container that an earlier engine started on this boot, or whose monitor has closed its connection. Only a monitor that is
    /// known to be gone is taken for gone: then what it left behind is killed, and the loss written down.
    ///
    /// - Throws: `system`, `monitor` where nothing can be found out; nothing was changed then, and it can be tried again.
    public func reconnect(id: String, stateDirectory: String, in lane: Lane) async throws(RuntimeError) -> Found {
        let found = try await lane.run { () throws(RuntimeError) in try self.look(for: id, stateDirectory) }
        switch found {
        case .running(let facts, let socket):
            let connection = try MonitorConnection(socket.take(), reactor: reactor)
            connection.listen()
            return .running(RuntimeContainer(facts, connection, reactor, executions: executionBase(id), filters))
        case .ended(let record): return .ended(record)
        case .lost(let record): return .lost(record)
        case .nothing: return .nothing
        }
    }

    /// Removes what a container that has ended has outside the root: its control groups and its directory in the exec-root. In between, the specification's
    /// `poststop` hooks run. Repeating is fine.
    ///
    /// - Returns: what went wrong with the hooks; all else is done nevertheless.
    /// - Throws: `system` while a process is still in the groups after two seconds.
    public func cleanUp(id: String, in lane: Lane) async throws(RuntimeError) -> [String] {
        var attempt = 0
        while true {
            do {
                return try await lane.run { () throws(RuntimeError) in try self.removeTraces(of: id) }
            } catch {
                guard error.underlying == .EBUSY, attempt < 39 else { throw error }
                attempt += 1
                // The kernel empties a group a moment after the last process was reaped, and tells nobody on v1.
                do throws(ReactorError) { try await reactor.sleep(for: .milliseconds(min(1 << attempt, 100))) } catch {
                    throw RuntimeError(.cancelled, "\(error)")
                }
            }
        }
    }

    /// Ends what this runtime has running besides containers, and removes the engine's own control groups if nothing of it runs: the next engine of its id
    /// makes them again. Nothing can be started afterwards.
    public func close(in lane: Lane) async {
        await nursery.close()
        // A monitor that is just ending keeps them, until an engine closes without one.
        try? await lane.run { () throws(RuntimeError) in
            guard self.cgroups.children(of: self.cgroupParent).allSatisfy({ $0 == "monitors" }) else { return }
            do throws(Errno) { try self.cgroups.remove(self.cgroupParent) } catch {
                throw .system("cannot remove the control groups of the engine", error)
            }
        }
    }

    /// The ids of containers that have groups or directories of this engine's: candidates to be cleaned up. Blocks.
    public func traces() -> Set<String> {
        var found = cgroups.children(of: cgroupParent).filter { $0.utf8.count == 64 }
        if let entries = try? Directory.open("\(configuration.execRoot)/containers").entries() {  // none there: none to find
            for entry in entries { found.insert(entry.name.description) }
        }
        return found
    }

    /// Kills every process of a container by its groups. Blocks; for containers without a monitor.
    public func killProcesses(of id: String) {
        for _ in 0..<100 {
            let processes = cgroups.processes(in: controlGroup(of: id))
            if processes.isEmpty { return }
            for process in processes { _ = kill(process, SIGKILL) }
        }
    }

    /// Whether a process of a container is still there. Blocks for a moment.
    public func hasProcesses(of id: String) -> Bool { !cgroups.processes(in: controlGroup(of: id)).isEmpty }

    func input(id: String, _ specification: RuntimeSpec, hasInput: Bool) throws(RuntimeError) -> LaunchInput {
        var input = LaunchInput(
            specification: specification, id: id, cgroups: cgroups, cgroupPath: controlGroup(of: id),
            cgroupParent: controlGroupParent(of: id),
            hasInput: hasInput, hasKernelCore: HostFile.exists("/proc/kcore"),
            hardLimits: hardLimits, filter: try filters.filter(for: specification.linux?.seccomp))
        input.abilities = abilities
        input.bundle = "\(configuration.execRoot)/containers/\(id)"
        return input
    }

    /// For executions in a container that an earlier engine started: all but the process.
    func executionBase(_ id: String) -> LaunchInput {
        LaunchInput(
            specification: RuntimeSpec(), id: id, cgroups: cgroups, cgroupPath: controlGroup(of: id),
            cgroupParent: controlGroupParent(of: id),
            hasInput: false, hasKernelCore: false,
            hardLimits: hardLimits, filter: nil)
    }

    // MARK: Finding again and cleaning up (blocking)

    private enum Look: Sendable {
        case running(ContainerFacts, SocketHolder), ended(ExitRecord), lost(ExitRecord), nothing
    }

    private struct RunRecord: Decodable {
        struct Process: Decodable {
            let id: Int32
            let startTicks: UInt64
        }
        struct VersionOnly: Decodable {
            let version: Int
        }
        let bootID: String
        let monitor: Process
        let container: Process
        let startedAt: Int64

        func facts(_ id: String, _ stateDirectory: String) -> ContainerFacts {
            ContainerFacts(
                id: id, stateDirectory: stateDirectory, processID: container.id, startTicks: container.startTicks, startedAt: startedAt)
        }
    }

    private func look(for id: String, _ stateDirectory: String) throws(RuntimeError) -> Look {
        guard let directory = try runDirectory(of: id) else {
            // Not started on this boot, or ended and cleared away.
            killProcesses(of: id)
            return (ExitRecord.read(in: stateDirectory) ?? .unknown(in: stateDirectory)).map { .ended($0) } ?? .nothing
        }
        let run = try runRecord(of: id, in: directory)
        let answer: (SocketHolder, MonitorAnswer?)?
        do throws(Errno) { answer = try Self.ask(directory) } catch {
            throw .system("cannot speak to the monitor of container \(id.prefix(12))", error)
        }
        switch (answer, run) {
        case ((_, .exited(let status))?, _): return .ended(ExitRecord(status))
        case ((let socket, .running(let process, let ticks, let at))?, _) where process != 0:
            let facts = ContainerFacts(id: id, stateDirectory: stateDirectory, processID: process, startTicks: ticks, startedAt: at)
            return .running(facts, socket)
        case ((let socket, nil)?, let run?):
            // It is busy; the answer comes when it comes. Until then, what it wrote down is true.
            return .running(run.facts(id, stateDirectory), socket)
        case ((_, nil)?, nil):
            throw RuntimeError(.monitor, "the monitor of container \(id.prefix(12)) does not answer; it is in the middle of a start")
        case ((_, _?)?, let run?), (nil, let run?): return .lost(recordLoss(run.facts(id, stateDirectory)))
        case ((_, _?)?, nil), (nil, nil):
            // Killed between the first steps of a start. A monitor without a container ends when nobody is connected to it.
            killProcesses(of: id)
            ExitRecord.forgetBegun(in: stateDirectory)
            return ExitRecord.read(in: stateDirectory).map { .ended($0) } ?? .nothing
        }
    }

    /// The container's directory in the exec-root; `nil` if there is none.
    private func runDirectory(of id: String) throws(RuntimeError) -> Directory? {
        do throws(Errno) {
            let all = try Directory.open("\(configuration.execRoot)/containers")
            let name = try PathBytes(id)
            return try all.contains(name) ? try all.openDirectory(name) : nil
        } catch {
            throw .system("cannot look for container \(id.prefix(12)) in the exec-root '\(configuration.execRoot)'", error)
        }
    }

    /// What was written down at the start; `nil` if nothing was, or if that was on another boot.
    private func runRecord(of id: String, in directory: borrowing Directory) throws(RuntimeError) -> RunRecord? {
        let bytes: [UInt8]
        let boot: String
        do throws(Errno) {
            boot = try ProcessTable.bootID()
            guard try directory.contains("run.json") else { return nil }
            bytes = try directory.readFile("run.json", limit: 64 << 10)
        } catch {
            throw .system("cannot read 'run.json' of container \(id.prefix(12))", error)
        }
        guard let version = try? JSONDecoder().decode(RunRecord.VersionOnly.self, from: Data(bytes)).version, version <= 1,
            let run = try? JSONDecoder().decode(RunRecord.self, from: Data(bytes))
        else {
            throw RuntimeError(
                .monitor,
                "'run.json' of container \(id.prefix(12)) is damaged, or a later version of Berth has written it: what runs is let be")
        }
        return run.bootID == boot ? run : nil
    }

    /// Connects to a monitor and asks how things are. `nil`: nobody listens. No answer within five seconds: it is busy.
    static func ask(_ directory: borrowing Directory) throws(Errno) -> (SocketHolder, MonitorAnswer?)? {
        do throws(Errno) {
            let socket = try directory.connectForMessages(to: "monitor.sock")
            try socket.send(MonitorRequest.state.encoded(number: 1))
            guard try socket.descriptor.waitReadable(milliseconds: 5000) else { return (SocketHolder(socket), nil) }
            let message = try socket.receive(waiting: false)
            guard !message.bytes.isEmpty, let (_, answer) = try? MonitorAnswer.decode(message.bytes) else { return nil }
            return (SocketHolder(socket), answer)
        } catch {
            switch error {
            case .ENOENT, .ECONNREFUSED, .ECONNRESET, .EPIPE: return nil
            default: throw error
            }
        }
    }

    /// Ends what a monitor that is gone has left behind, and writes down that it was lost; unless it wrote down how the container ended.
    private func recordLoss(_ facts: ContainerFacts) -> ExitRecord {
        if let record = ExitRecord.read(in: facts.stateDirectory), record.startedAt == facts.startedAt { return record }
        // The first process is held by a descriptor before it is believed to be the one: ids are used again.
        if let process = try? ProcessHandle(opening: facts.processID),
            (try? ProcessTable.startTicks(of: facts.processID)) == facts.startTicks
        {
            try? process.signal(SIGKILL)  // it may just have ended
        }
        killProcesses(of: facts.id)
        let record = ExitRecord(
            code: 137, signal: SIGKILL, startedAt: facts.startedAt, finishedAt: realtimeNanoseconds(), reason: "monitor lost")
        // Without room for it, the same is found out again at the next start.
        try? record.write(in: facts.stateDirectory)
        return record
    }

    func removeTraces(of id: String) throws(RuntimeError) -> [String] {
        do throws(Errno) {
            try cgroups.remove(controlGroup(of: id))
            let wrong = runHooksAfterEnd(of: id)
            try Directory.open("\(configuration.execRoot)/containers").removeTree(try PathBytes(id))
            return wrong
        } catch {
            throw .system("cannot remove the control groups and the exec-root directory of container \(id.prefix(12))", error)
        }
    }
}
