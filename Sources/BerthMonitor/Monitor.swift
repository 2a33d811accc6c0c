internal import BerthLaunch
public import BerthLinux
internal import CBerth
internal import Glibc

/// The parent of one container's first process, and what outlives every engine: terminal, pipes, log and exit record.
///
/// Single-threaded: the process that clones is small, and nothing in it waits for anything but events. It ends by itself, once the
/// container has ended and every client has been told, or when the engine goes away before anything was started. With a sandbox to keep it stays
/// after its container, as long as it holds a socket of the sandbox's, and has then little else.
@safe public final class Monitor {
    private var connections: [Connection] = []
    private var listener: OwnedDescriptor?
    private var childSignals: OwnedDescriptor
    private var engineDirectory: Directory?
    private var stateDirectory: Directory?
    private var isRemovedAtItsEnd = false
    private var root: OwnedDescriptor?
    private var log: LogFile?
    private var receiver: ReceiverLog?
    private var main: MonitoredProcess?
    private var executions: [MonitoredProcess] = []
    /// Clients that came before the container was started: they miss nothing of it.
    private var earlyClients: [StreamClient] = []
    private var memoryEventsPath = ""
    private var exitStatus: MonitorAnswer.ExitStatus?
    private var lingersUntil: Int64 = 0
    private let held = HeldSockets()
    /// Where the next engine finds a monitor that stays: there only while it is to stay.
    private var sandboxListener: OwnedDescriptor?
    /// Whether monitors are forked of this one, which then has no container.
    private var isNursery = false
    /// Whether more memory was needed than waiting needs.
    private var hasSpareMemory = false
    /// The most clients that can come before the start.
    private static let maximumEarlyClientCount = 64
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)

    private final class Connection {
        let socket: MessageSocket
        var hasGone = false
        init(_ socket: consuming MessageSocket) throws(Errno) {
            self.socket = socket
            try self.socket.descriptor.setBlocking(false)
        }

        /// Never waits for the engine: one that has stopped listening loses this connection and the news, not the facts. They are in the exit record,
        /// and it can connect again and ask.
        func send(_ answer: MonitorAnswer, number: UInt64) {
            do { try socket.send(answer.encoded(number: number)) } catch { hasGone = true }
        }

        func send(_ answer: MonitorAnswer, number: UInt64, numbers: [Int32]) {
            do { try socket.send(answer.encoded(number: number), numbers: numbers) } catch { hasGone = true }
        }

        func send(_ answer: MonitorAnswer, number: UInt64, _ descriptor: borrowing OwnedDescriptor) {
            do { try socket.send(answer.encoded(number: number), descriptor) } catch { hasGone = true }
        }
    }

    /// Becomes the monitor that an engine has started: the descriptor is its first connection.
    ///
    /// - Returns: the process's exit code.
    public static func run(engine: consuming OwnedDescriptor) -> Int32 {
        do {
            let monitor = try Monitor(engine: engine)
            try monitor.loop()
            return 0
        } catch {
            return 1
        }
    }

    private init(engine: consuming OwnedDescriptor) throws(Errno) {
        _ = unsafe "berth-monitor".withCString { unsafe berth_become_monitor($0) }
        let signals = berth_monitor_signals()
        guard signals >= 0 else { throw .current }
        childSignals = OwnedDescriptor(adopting: signals)
        connections = [try Connection(MessageSocket(adopting: engine))]
        // Hello: the engine entrusts nothing to a program that cannot say this.
        connections[0].send(.done, number: 0)
    }

    deinit { unsafe buffer.deallocate() }

    // MARK: The loop

    private func loop() throws(Errno) {
        while !isFinished { try step() }
    }

    private var isFinished: Bool {
        guard exitStatus != nil else { return main == nil && connections.isEmpty }
        return !isStaying && !hasWaitingClients && !hasWaitingReceiver
    }

    /// Whether the container has ended and its sandbox has not.
    private var isStaying: Bool { exitStatus != nil && sandboxListener != nil && !held.isEmpty }

    private var hasWaitingClients: Bool { processes.contains { $0.clients.contains { $0.pendingByteCount > 0 && !$0.hasGone } } }

    /// Whether the container's last words have not all been told, and it is not too late.
    private var hasWaitingReceiver: Bool { (receiver?.hasWaiting ?? false) && monotonicNanoseconds() < lingersUntil }

    private var processes: [MonitoredProcess] { (main.map { [$0] } ?? []) + executions }

    private enum Watched {
        case signals, listener, sandboxListener, relay, receiver
        case connection(Connection)
        case output(MonitoredProcess, MonitoredProcess.Source)
        case input(MonitoredProcess)
        case client(MonitoredProcess, StreamClient)
    }

    private func step() throws(Errno) {
        if held.relay?.takeSpareMemory() ?? false { hasSpareMemory = true }
        if hasSpareMemory {
            // There may be a thousand of us: what starting took goes back.
            hasSpareMemory = false
            berth_return_memory()
        }
        var watched: [Watched] = []
        var polled: [pollfd] = []
        func watch(_ what: Watched, _ descriptor: borrowing OwnedDescriptor, _ events: Int32) {
            watched.append(what)
            polled.append(descriptor.withRawDescriptor { pollfd(fd: $0, events: Int16(events), revents: 0) })
        }
        watch(.signals, childSignals, POLLIN)
        if listener != nil { watch(.listener, listener!, POLLIN) }
        if sandboxListener != nil { watch(.sandboxListener, sandboxListener!, POLLIN) }
        if let relay = held.relay { watch(.relay, relay.epoll, POLLIN) }
        if let news = receiver?.polled {
            watched.append(.receiver)
            polled.append(news)
        }
        for connection in connections { watch(.connection(connection), connection.socket.descriptor, POLLIN) }
        for process in processes {
            if !isHeldBack(process) {
                if process.terminal != nil { watch(.output(process, .terminal), process.terminal!, POLLIN) }
                if process.output != nil { watch(.output(process, .output), process.output!, POLLIN) }
                if process.errors != nil { watch(.output(process, .errors), process.errors!, POLLIN) }
            }
            if process.hasPendingInput {
                if process.terminal != nil {
                    watch(.input(process), process.terminal!, POLLOUT)
                } else if process.input != nil {
                    watch(.input(process), process.input!, POLLOUT)
                }
            }
            for client in process.clients {
                let events = (process.acceptsInput ? POLLIN : 0) | (client.pendingByteCount > 0 ? POLLOUT : 0)
                watch(.client(process, client), client.socket, events)
            }
        }
        let timeout = timeout()
        if unsafe poll(&polled, nfds_t(polled.count), timeout) < 0 {
            guard Errno.current == .EINTR else { throw .current }
            return
        }
        for (what, events) in zip(watched, polled) where events.revents != 0 { handle(what, Int32(events.revents)) }
        // The relay's own clock may have come to something without any news.
        if let relay = held.relay, let deadline = relay.nextDeadline, deadline <= monotonicNanoseconds() { unsafe relay.serve(buffer) }
        if exitStatus != nil, !hasWaitingReceiver { receiver = nil }
        if let deadline = receiver?.retryDeadline, deadline <= monotonicNanoseconds() { receiver?.retry() }
        if log?.isCompressing ?? false {
            log?.compressMore()
            hasSpareMemory = !(log?.isCompressing ?? false)
        }
        if exitStatus != nil, monotonicNanoseconds() >= lingersUntil { for process in processes { process.clients = [] } }
        connections.removeAll { $0.hasGone }
        for process in processes { process.clients.removeAll { $0.hasGone || ($0.hasEnded && $0.pendingByteCount == 0) } }
        executions.removeAll { $0.exit != nil && !$0.hasOpenOutput && $0.clients.isEmpty }
    }

    /// How long news may be waited for, in milliseconds; -1: as long as it takes.
    private func timeout() -> Int32 {
        if log?.isCompressing ?? false { return 0 }
        var deadline = held.relay?.nextDeadline
        func wake(at time: Int64) { deadline = min(deadline ?? .max, time) }
        // A log that had no room is tried again, whether or not more comes.
        if log?.hasMissing ?? false {
            log?.sayWhatIsMissing()
            if exitStatus == nil { wake(at: monotonicNanoseconds() + 1_000_000_000) }
        }
        // With an exit recorded, slow clients are waited for, but not for ever.
        if exitStatus != nil, hasWaitingClients || hasWaitingReceiver { wake(at: lingersUntil) }
        if let deadline = receiver?.retryDeadline { wake(at: deadline) }
        return deadline.map { Int32(clamping: max(0, ($0 - monotonicNanoseconds() + 999_999) / 1_000_000)) } ?? -1
    }

    private func handle(_ what: Watched, _ events: Int32) {
        switch what {
        case .signals: reap()
        case .listener: if listener != nil { accept(from: listener!) }
        case .sandboxListener: if sandboxListener != nil { accept(from: sandboxListener!) }
        case .relay: if let relay = held.relay { unsafe relay.serve(buffer) }
        case .receiver: receiver?.handle()
        case .connection(let connection): serve(connection)
        case .output(let process, let source): if !pump(process, source) { endIfDone(process) }
        case .input(let process): process.writeInput()
        case .client(let process, let client):
            if events & POLLOUT != 0 { client.flush() }
            if events & (POLLIN | POLLHUP | POLLERR) != 0 {
                for frame in unsafe client.receive(into: buffer) { process.take(frame, from: client) }
            }
        }
    }

    private func accept(from listener: borrowing OwnedDescriptor) {
        // A connection that fails at once is the connecting side's to notice.
        if let accepted = try? listener.acceptConnection(), let connection = try? Connection(MessageSocket(adopting: accepted)) {
            connections.append(connection)
        }
    }

    /// Whether somebody who does not read makes a process wait.
    private func isHeldBack(_ process: MonitoredProcess) -> Bool {
        process.isHeldBack || (process.number == 0 && receiver?.isFull ?? false)
    }

    /// Reads once from a process and hands on. Returns whether there may be more.
    @discardableResult
    private func pump(_ process: MonitoredProcess, _ source: MonitoredProcess.Source) -> Bool {
        guard let count = unsafe process.read(source, into: buffer) else { return false }
        if count == 0 { return false }
        let isError = source == .errors
        let bytes = unsafe UnsafeRawBufferPointer(buffer)[..<count]
        if process.number == 0 {
            let output = unsafe Span<UInt8>(_unsafeBytes: UnsafeRawBufferPointer(rebasing: bytes))
            log?.append(output, isError: isError)
            receiver?.append(output, isError: isError)
        }
        if !process.clients.isEmpty { unsafe process.deliver(Array(bytes)[...], isError: isError) }
        return true
    }

    // MARK: Ends

    private func reap() {
        // Which children ended is asked of waitpid: signals of one kind may have been merged into one.
        var information = [UInt8](repeating: 0, count: 128)
        _ = childSignals.withRawDescriptor { unsafe read($0, &information, 128) }
        while true {
            var code: CInt = 0
            var signal: CInt = 0
            let id = unsafe berth_reap(&code, &signal)
            guard id > 0 else { return }
            guard let process = processes.first(where: { $0.handle.id == id && $0.exit == nil }) else { continue }
            process.exit = (signal != 0 ? 128 + signal : code, signal, realtimeNanoseconds())
            if process.number == 0 { containerEnded(process) } else { endIfDone(process) }
        }
    }

    /// With its process id namespace everything in the container has ended before its first process could be reaped: what it
    /// wrote is in the pipes now, and what still holds them open is outside and will not be waited for.
    private func containerEnded(_ process: MonitoredProcess) {
        for source in [MonitoredProcess.Source.terminal, .output, .errors] { while pump(process, source) {} }
        log?.finish()
        receiver?.finish()
        guard let exit = process.exit else { return }
        let status = MonitorAnswer.ExitStatus(
            code: exit.code, signal: exit.signal, outOfMemory: wasKilledForMemory(), startedAt: process.startedAt, finishedAt: exit.at)
        exitStatus = status
        lingersUntil = monotonicNanoseconds() + 30_000_000_000
        // Renamed at once, so that whoever is told can read it, and synced after the telling. Of one that is removed at its end nobody who is told reads it.
        if !isRemovedAtItsEnd { record(status) }
        // Whoever is told may take the ports again at once.
        if sandboxListener == nil { held.dropAll() }
        for connection in connections { connection.send(.exited(status), number: 0) }
        if isRemovedAtItsEnd, connections.allSatisfy(\.hasGone) { record(status) }
        process.clients.forEach { $0.end() }
        for execution in executions {
            if execution.exit == nil { execution.exit = (137, 9, exit.at) }
            for source in [MonitoredProcess.Source.terminal, .output, .errors] { while pump(execution, source) {} }
            finish(execution)
        }
        synchronizeRecord()
        // A client that is slow to read keeps the monitor, not the root; neither does a sandbox.
        root = nil
        if isStaying { keepOnlyTheSandbox() }
    }

    /// The container is over: what there was for it alone goes, its directories and its log too.
    private func keepOnlyTheSandbox() {
        engineDirectory = nil
        stateDirectory = nil
        log = nil
        hasSpareMemory = true
    }

    private func record(_ status: MonitorAnswer.ExitStatus) {
        let text =
            #"{"version":1,"code":\#(status.code),"signal":\#(status.signal),"outOfMemory":\#(status.outOfMemory),"startedAt":\#(status.startedAt),"finishedAt":\#(status.finishedAt)}"#
        // Without room for it the engine finds "exit unknown"; those who listen have been told.
        try? unsafe stateDirectory?.replaceFile("exit.json", with: Array((text + "\n").utf8).span.bytes, durability: .none)
    }

    /// Whoever was told may be removing the directory already: from here on no name is made in it.
    private func synchronizeRecord() {
        guard !isRemovedAtItsEnd else { return }
        // Gone, it has no one to be synced for; and what a disk does not take, it says to whoever reads it.
        try? stateDirectory?.openForReading("exit.json").synchronize()
        try? stateDirectory?.synchronize()
    }

    private func endIfDone(_ process: MonitoredProcess) {
        guard process.number != 0, process.exit != nil, !process.isFinished else { return }
        // An execution may leave children behind that hold its pipes: what has come so far is all that belongs to it.
        for source in [MonitoredProcess.Source.terminal, .output, .errors] { while pump(process, source) {} }
        finish(process)
    }

    private func finish(_ execution: MonitoredProcess) {
        guard let exit = execution.exit, !execution.isFinished else { return }
        execution.isFinished = true
        let status = MonitorAnswer.ExitStatus(
            code: exit.code, signal: exit.signal, outOfMemory: false, startedAt: execution.startedAt, finishedAt: exit.at)
        for connection in connections { connection.send(.executionExited(number: execution.number, status), number: 0) }
        execution.clients.forEach { $0.end() }
        execution.closeOutput()
    }

    private func wasKilledForMemory() -> Bool {
        // A count that cannot be read is unknown, and unknown is "no".
        guard !memoryEventsPath.isEmpty, let bytes = try? HostFile.read(memoryEventsPath, limit: 4096) else { return false }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").contains { line in
            let words = line.split(separator: " ")
            return words.count == 2 && words[0] == "oom_kill" && words[1] != "0"
        }
    }

    // MARK: Requests

    private func serve(_ connection: Connection) {
        do {
            var message = try connection.socket.receive(waiting: false)
            guard !message.bytes.isEmpty else {
                connection.hasGone = true
                return
            }
            let (number, request): (UInt64, MonitorRequest)
            do { (number, request) = try MonitorRequest.decode(message.bytes) } catch MonitorProtocolError.unknownKind(let kind) {
                // From a later engine, which can do without: nothing else of the connection is wrong.
                guard let number = MonitorRequest.number(of: message.bytes) else { throw Errno.EPROTO }
                let reason = "\(MonitorProtocolError.unknownKind(kind))"
                return connection.send(
                    .failed(stage: LaunchFailure.Stage.preparation.rawValue, errno: Errno.ENOSYS.rawValue, reason: reason), number: number)
            }
            do {
                try perform(request, number, connection, &message)
            } catch let failure as LaunchFailure {
                connection.send(.failed(stage: failure.stage.rawValue, errno: failure.errnoValue, reason: failure.reason), number: number)
            } catch {
                let cause = (error as? Errno)?.rawValue ?? 0
                connection.send(.failed(stage: LaunchFailure.Stage.preparation.rawValue, errno: cause, reason: "\(error)"), number: number)
            }
        } catch {
            if (error as? Errno) == .EAGAIN { return }
            connection.hasGone = true
        }
    }

    private func perform(_ request: MonitorRequest, _ number: UInt64, _ connection: Connection, _ message: inout MessageSocket.Message)
        throws
    {
        switch request {
        case .initialize(let identity): try initialize(identity, &message)
        case .mountRoot(let mount):
            let made =
                switch mount {
                case .overlay(let base, let lowers, let upper, let work, let label):
                    try DetachedMount.overlay(
                        base: base, lowers: lowers, upper: upper, work: work, label: label, isVolatile: isRemovedAtItsEnd)
                case .directory(let path): try DetachedMount.bind(path)
                }
            let descriptor = try made.descriptor.duplicate()
            connection.send(.done, number: number, descriptor)
            root = consume descriptor
            return
        case .launch(let launch):
            let process = try start(launch, &message)
            connection.send(
                .started(processID: process.handle.id, startTicks: process.startTicks, startedAt: process.startedAt), number: number)
            hasSpareMemory = true
            return
        case .execute(let execution):
            hasSpareMemory = true
            try execute(execution, number, connection, &message)
            return
        case .signal(let signal, let execution): try process(execution).handle.signal(signal)
        case .resize(let rows, let columns, let execution):
            let process = try process(execution)
            guard process.terminal != nil else { throw Errno.ENOTTY }
            let result = process.terminal!.withRawDescriptor { berth_terminal_size($0, rows, columns) }
            guard result == 0 else { throw Errno.current }
        case .attach(let streams):
            let isEarly = main == nil
            guard !isEarly || earlyClients.count < Self.maximumEarlyClientCount else { throw Errno.EMFILE }
            let process = isEarly ? nil : try process(0)
            let pair = try SocketPair(.stream)
            try pair.take { (ours, theirs) throws in
                let client = try StreamClient(ours, streams)
                if let process { process.clients.append(client) } else { earlyClients.append(client) }
                connection.send(.done, number: number, theirs)
            }
            return
        case .state:
            if let exitStatus {
                connection.send(.exited(exitStatus), number: number)
            } else {
                connection.send(
                    .running(processID: main?.handle.id ?? 0, startTicks: main?.startTicks ?? 0, startedAt: main?.startedAt ?? 0),
                    number: number)
            }
            return
        case .hold(let sockets):
            guard exitStatus == nil || isStaying else { throw Errno.ESRCH }
            try held.hold(sockets, &message)
        case .drop(let keys):
            held.drop(keys)
            hasSpareMemory = true
        case .lend(let keys):
            held.lend(keys) { sockets, numbers in connection.send(.held(sockets, hasMore: false), number: number, numbers: numbers) }
            return
        case .held(let key):
            connection.send(held.list(from: key), number: number)
            return
        case .keepSandbox:
            guard exitStatus == nil || isStaying, let received = message.takeDescriptor() else { throw Errno.ESRCH }
            let directory = Directory(adopting: received)
            // A name that is there is an earlier one of ours, or of a monitor that has gone.
            do throws(Errno) { try directory.removeFile("monitor.sock") } catch { guard error == .ENOENT else { throw error } }
            sandboxListener = try directory.listenForMessages(at: "monitor.sock")
        case .releaseSandbox:
            sandboxListener = nil
            if exitStatus != nil { held.dropAll() }
        case .becomeNursery(let files):
            guard engineDirectory == nil, main == nil, unsafe berth_name_process("berth-nursery") == 0 else { throw Errno.EINVAL }
            for file in files { try HostFile.write("0", to: file) }
            isNursery = true
        case .fork:
            guard isNursery, let socket = message.takeDescriptor() else { throw Errno.EINVAL }
            return fork(for: socket)
        }
        connection.send(.done, number: number)
    }

    /// This process's copy becomes a monitor, with nothing of what this one holds but its memory.
    private func fork(for socket: borrowing OwnedDescriptor) {
        let child = socket.withRawDescriptor { berth_fork_with($0) }
        if child == 0 { MonitorProgram.run() }
        guard child < 0 else { return }
        let (stage, error) = (LaunchFailure.Stage.preparation.rawValue, Errno.current)
        let answer = MonitorAnswer.failed(stage: stage, errno: error.rawValue, reason: "cannot fork a monitor: \(error)")
        // Whoever has gone does not need to know.
        try? MessageSocket(adopting: socket.duplicate()).send(answer.encoded(number: 0))
    }

    private func process(_ number: UInt64) throws(Errno) -> MonitoredProcess {
        guard let process = processes.first(where: { $0.number == number }), process.exit == nil else { throw .ESRCH }
        return process
    }

    private func initialize(_ identity: MonitorRequest.Identity, _ message: inout MessageSocket.Message) throws(Errno) {
        guard engineDirectory == nil, let engine = message.takeDescriptor(), let state = message.takeDescriptor() else { throw .EINVAL }
        for file in identity.cgroupFiles { try HostFile.write("0", to: file) }
        let directory = Directory(adopting: engine)
        listener = try directory.listenForMessages(at: "monitor.sock")
        engineDirectory = consume directory
        stateDirectory = Directory(adopting: state)
        isRemovedAtItsEnd = identity.isRemovedAtItsEnd
    }

    private func start(_ launch: MonitorRequest.Launch, _ message: inout MessageSocket.Message) throws -> MonitoredProcess {
        guard main == nil, stateDirectory != nil, let file = message.takeDescriptor() else { throw Errno.EINVAL }
        let plan = try EncodedPlan(checking: try file.readToEnd(limit: LaunchPlan.maximumByteCount))
        if !launch.log.name.isEmpty {
            log = try LogFile(
                appendingTo: try PathBytes(launch.log.name), in: stateDirectory!, limits: LogLimits(launch.log),
                attributes: launch.log.attributes, roomByteCount: launch.log.roomByteCount)
        }
        receiver = try launch.log.receiver.map(ReceiverLog.init)
        memoryEventsPath = launch.memoryEventsPath
        let launched = try PlanPerformer.perform(plan, root: root, target: nil, fileLimit: held.fileLimitBefore)
        let process = try MonitoredProcess(launched, number: 0, input: launch.input)
        process.clients = earlyClients
        earlyClients = []
        main = process
        try writeRunRecord(process)
        return process
    }

    /// What the next engine needs to find this container again. It is of this boot only, and not synced.
    private func writeRunRecord(_ process: MonitoredProcess) throws(Errno) {
        let own = getpid()
        let text =
            #"{"version":1,"bootID":"\#(try ProcessTable.bootID())","monitor":{"id":\#(own),"startTicks":\#(try ProcessTable.startTicks(of: own))},"container":{"id":\#(process.handle.id),"startTicks":\#(process.startTicks)},"startedAt":\#(process.startedAt)}"#
        try unsafe engineDirectory?.replaceFile("run.json", with: Array((text + "\n").utf8).span.bytes, durability: .none)
    }

    private func execute(
        _ execution: MonitorRequest.Execution, _ number: UInt64, _ connection: Connection, _ message: inout MessageSocket.Message
    ) throws {
        guard let main, main.exit == nil, let file = message.takeDescriptor() else { throw Errno.ESRCH }
        guard execution.number != 0, !executions.contains(where: { $0.number == execution.number }) else { throw Errno.EINVAL }
        let plan = try EncodedPlan(checking: try file.readToEnd(limit: LaunchPlan.maximumByteCount))
        let target: OwnedDescriptor? = try main.handle.descriptor.duplicate()
        let launched = try PlanPerformer.perform(plan, root: nil, target: target, fileLimit: held.fileLimitBefore)
        let process = try MonitoredProcess(launched, number: execution.number, input: .once)
        executions.append(process)
        let answer = MonitorAnswer.started(processID: process.handle.id, startTicks: process.startTicks, startedAt: process.startedAt)
        let pair = try SocketPair(.stream)
        try pair.take { (ours, theirs) throws in
            process.clients.append(try StreamClient(ours, execution.streams))
            connection.send(answer, number: number, theirs)
        }
    }
}
