internal import BerthLaunch
internal import BerthLinux
internal import BerthReactor
internal import Synchronization

/// The engine's side of a monitor: requests and their answers, and the monitor's news.
final class MonitorConnection: Sendable {
    /// An answer with what came with it.
    final class Received: Sendable {
        let answer: MonitorAnswer
        private let descriptor: Mutex<OwnedDescriptor?>

        init(_ answer: MonitorAnswer, _ descriptor: consuming OwnedDescriptor?) {
            self.answer = answer
            self.descriptor = Mutex(descriptor)
        }

        func takeDescriptor() -> OwnedDescriptor? { descriptor.withLock { $0.take() } }
    }

    private enum End: Sendable { case exited(MonitorAnswer.ExitStatus), lost }
    private struct State {
        var lastNumber: UInt64 = 1
        var waiting: [UInt64: CheckedContinuation<Received?, Never>] = [:]
        var end: End?
        var endWaiters: [UInt64: CheckedContinuation<End?, Never>] = [:]
        var executionExits: [UInt64: MonitorAnswer.ExitStatus] = [:]
        var executionWaiters: [UInt64: [CheckedContinuation<MonitorAnswer.ExitStatus?, Never>]] = [:]
    }
    private let socket: MessageSocket
    private let reactor: Reactor
    private let state = Mutex(State())

    init(_ socket: consuming MessageSocket, reactor: Reactor) {
        self.socket = socket
        self.reactor = reactor
    }

    /// Starts to listen. The connection lives until the monitor goes.
    func listen() {
        Task.detached { await self.loop() }
    }

    /// The next number of an execution; unique on this connection, and across engines because it starts with the time.
    static func executionNumber() -> UInt64 { UInt64(bitPattern: monotonicNanoseconds()) | 1 }

    func request(_ request: MonitorRequest, sending memory: [UInt8]? = nil) async throws(RuntimeError) -> Received {
        let number = state.withLock {
            $0.lastNumber += 1
            return $0.lastNumber
        }
        let bytes = request.encoded(number: number)
        let received = await withCheckedContinuation { continuation in
            let isOver = state.withLock { state -> Bool in
                if state.end != nil { return true }
                state.waiting[number] = continuation
                return false
            }
            if isOver { return continuation.resume(returning: nil) }
            do throws(Errno) {
                if let memory {
                    try socket.send(bytes, try HostFile.inMemory(named: "plan", memory))
                } else {
                    try socket.send(bytes)
                }
            } catch {
                state.withLock { $0.waiting.removeValue(forKey: number) }?.resume(returning: nil)
            }
        }
        guard let received else { throw RuntimeError(.notRunning, "the container is not running") }
        if case .failed(let stage, let errno, let reason) = received.answer { throw Self.error(stage, errno, reason) }
        return received
    }

    static func error(_ stage: UInt8, _ errno: Int32, _ reason: String) -> RuntimeError {
        let cause = Errno(rawValue: errno)
        switch LaunchFailure.Stage(rawValue: stage) {
        case .program where cause == .ENOENT || cause == .ENOTDIR: return RuntimeError(.commandNotFound, reason, underlying: cause)
        case .program: return RuntimeError(.commandNotExecutable, reason, underlying: cause)
        case .workingDirectory: return RuntimeError(.workingDirectory, reason, underlying: cause)
        default: return RuntimeError(cause == .ESRCH ? .notRunning : .system, reason, underlying: cause)
        }
    }

    /// Waits for the container's end. `nil`: the monitor went without saying how it ended.
    func exit() async throws(RuntimeError) -> MonitorAnswer.ExitStatus? {
        let number = state.withLock {
            $0.lastNumber += 1
            return $0.lastNumber
        }
        let end: End? = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let known: End? = state.withLock { state in
                    if let end = state.end { return end }
                    state.endWaiters[number] = continuation
                    return nil
                }
                if let known { continuation.resume(returning: known) } else if Task.isCancelled { stopWaiting(number) }
            }
        } onCancel: {
            stopWaiting(number)
        }
        switch end {
        case .exited(let status): return status
        case .lost: return nil
        case nil: throw RuntimeError(.cancelled, "the wait was cancelled")
        }
    }

    private func stopWaiting(_ number: UInt64) {
        state.withLock { $0.endWaiters.removeValue(forKey: number) }?.resume(returning: nil)
    }

    /// Waits for an execution's end. `nil`: the container's monitor has gone.
    func exit(ofExecution number: UInt64) async -> MonitorAnswer.ExitStatus? {
        await withCheckedContinuation { continuation in
            let known: MonitorAnswer.ExitStatus?? = state.withLock { state in
                if let status = state.executionExits[number] { return status }
                if state.end != nil { return .some(nil) }
                state.executionWaiters[number, default: []].append(continuation)
                return nil
            }
            if let known { continuation.resume(returning: known) }
        }
    }

    // MARK: What comes

    private func loop() async {
        while true {
            do {
                try await reactor.waitReadable(socket.descriptor)
                var message = try socket.receive(waiting: false)
                if message.bytes.isEmpty { break }
                let (number, answer) = try MonitorAnswer.decode(message.bytes)
                take(number, answer, message.takeDescriptor())
            } catch {
                if (error as? Errno) == .EAGAIN { continue }
                break
            }
        }
        finish(.lost)
    }

    private func take(_ number: UInt64, _ answer: MonitorAnswer, _ descriptor: consuming OwnedDescriptor?) {
        if number != 0 {
            let received = Received(answer, descriptor)
            state.withLock { $0.waiting.removeValue(forKey: number) }?.resume(returning: received)
            return
        }
        switch answer {
        case .exited(let status): finish(.exited(status))
        case .executionExited(let execution, let status):
            let waiters = state.withLock { state -> [CheckedContinuation<MonitorAnswer.ExitStatus?, Never>] in
                state.executionExits[execution] = status
                return state.executionWaiters.removeValue(forKey: execution) ?? []
            }
            for waiter in waiters { waiter.resume(returning: status) }
        default: break
        }
    }

    private func finish(_ end: End) {
        let (waiting, ends, executions) = state.withLock { state in
            state.end = state.end ?? end
            // After the container's end the monitor still answers; once it has gone nobody does.
            var waiting: [CheckedContinuation<Received?, Never>] = []
            var executions: [CheckedContinuation<MonitorAnswer.ExitStatus?, Never>] = []
            if case .lost = end {
                waiting = Array(state.waiting.values)
                state.waiting = [:]
                executions = state.executionWaiters.values.flatMap(\.self)
                state.executionWaiters = [:]
            }
            defer { state.endWaiters = [:] }
            return (waiting, state.endWaiters.values.map { ($0, state.end) }, executions)
        }
        for continuation in waiting { continuation.resume(returning: nil) }
        for (continuation, end) in ends { continuation.resume(returning: end) }
        for continuation in executions { continuation.resume(returning: nil) }
    }
}
