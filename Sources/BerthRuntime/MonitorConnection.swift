internal import BerthLaunch
internal import BerthLinux
internal import BerthReactor
internal import Synchronization

/// The engine's side of a monitor: requests and their answers, and the monitor's news.
final class MonitorConnection: Sendable {
    /// An answer with what came with it.
    final class Received: Sendable {
        let answer: MonitorAnswer
        private let message: Mutex<MessageSocket.Message>

        init(_ answer: MonitorAnswer, _ message: consuming MessageSocket.Message) {
            self.answer = answer
            self.message = Mutex(message)
        }

        /// The next descriptor, in the order of sending.
        func takeDescriptor() -> OwnedDescriptor? { message.withLock { $0.takeDescriptor() } }
    }

    private enum End: Sendable { case exited(MonitorAnswer.ExitStatus), lost, closed }
    /// How a request ended that got no answer.
    private enum NoAnswer: Error { case gone, notTaken, cancelled }
    private typealias Waiter = CheckedContinuation<Result<Received, NoAnswer>, Never>
    /// An execution that somebody of this engine's wants to know about.
    private struct Execution {
        var exit: MonitorAnswer.ExitStatus?
        var waiters: [CheckedContinuation<MonitorAnswer.ExitStatus?, Never>] = []
    }
    private struct State {
        /// 1 is the question with which a container is found again.
        var lastNumber: UInt64 = 1
        var lastExecution: UInt64 = 0
        var waiting: [UInt64: Waiter] = [:]
        var end: End?
        /// Whether nothing comes any more.
        var isOver = false
        var endWaiters: [UInt64: CheckedContinuation<End?, Never>] = [:]
        var executions: [UInt64: Execution] = [:]
        var overWaiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
    }
    private let socket: MessageSocket
    private let reactor: Reactor
    private let state = Mutex(State())

    private let waitReadable: @Sendable (borrowing OwnedDescriptor) async throws(ReactorError) -> Void

    convenience init(_ socket: consuming MessageSocket, reactor: Reactor) throws(RuntimeError) {
        try self.init(socket, reactor: reactor) { (descriptor: borrowing OwnedDescriptor) async throws(ReactorError) in
            try await reactor.waitReadable(descriptor)
        }
    }

    /// - Parameter waitReadable: how to wait for the socket; a test lets it fail.
    init(
        _ socket: consuming MessageSocket, reactor: Reactor,
        waitReadable: @escaping @Sendable (borrowing OwnedDescriptor) async throws(ReactorError) -> Void
    ) throws(RuntimeError) {
        self.socket = socket
        self.reactor = reactor
        self.waitReadable = waitReadable
        // A monitor that does not read must not hold up a thread of Swift's own.
        do throws(Errno) { try self.socket.descriptor.setBlocking(false) } catch { throw .system("cannot use the monitor's socket", error) }
    }

    /// Starts to listen. The connection lives until the monitor goes.
    func listen() {
        Task.detached { await self.loop() }
    }

    /// Stops listening. Who waits for the container's end is told that the wait is over, not that the container is: it runs on.
    func close() {
        finish(.closed)
        socket.descriptor.shutDown()
    }

    /// A number for an execution, whose end is kept until ``forgetExecution(_:)``. Unique on this connection, and across engines because it starts
    /// with the time.
    func beginExecution() -> UInt64 {
        state.withLock { state in
            state.lastExecution = max(state.lastExecution + 1, UInt64(bitPattern: monotonicNanoseconds()))
            state.executions[state.lastExecution] = Execution()
            return state.lastExecution
        }
    }

    func forgetExecution(_ number: UInt64) {
        let waiters = state.withLock { $0.executions.removeValue(forKey: number) }?.waiters ?? []
        for waiter in waiters { waiter.resume(returning: nil) }
    }

    /// Asks, and waits for the answer.
    ///
    /// - Throws: what the monitor says, `notRunning` if it has gone, `busy` if it has not taken earlier requests, `cancelled`: what was asked may
    ///   still be done then.
    /// - Parameters:
    ///   - memory: goes along as a file.
    ///   - sockets: go along as descriptors.
    func request(
        _ request: MonitorRequest, sending memory: [UInt8]? = nil, handing sockets: [HandedSocket] = []
    ) async throws(RuntimeError) -> Received {
        let number = state.withLock {
            $0.lastNumber += 1
            return $0.lastNumber
        }
        let bytes = request.encoded(number: number)
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: Waiter) in
                let isOver = state.withLock { state -> Bool in
                    if state.isOver { return true }
                    state.waiting[number] = continuation
                    return false
                }
                if isOver { return continuation.resume(returning: .failure(.gone)) }
                if Task.isCancelled { return answer(number, .failure(.cancelled)) }
                do throws(Errno) {
                    if let memory {
                        try socket.send(bytes, try HostFile.inMemory(named: "plan", memory))
                    } else {
                        try socket.send(bytes, handing: sockets)
                    }
                } catch {
                    answer(number, .failure(error == .EPIPE || error == .ECONNRESET ? .gone : .notTaken))
                }
            }
        } onCancel: {
            answer(number, .failure(.cancelled))
        }
        switch result {
        case .success(let received):
            if case .failed(let stage, let errno, let reason) = received.answer { throw Self.error(stage, errno, reason) }
            return received
        case .failure(.gone): throw RuntimeError(.notRunning, "the container is not running")
        case .failure(.notTaken): throw RuntimeError(.busy, "the container's monitor does not take requests now; try again")
        case .failure(.cancelled): throw RuntimeError(.cancelled, "the wait was cancelled")
        }
    }

    private func answer(_ number: UInt64, _ result: Result<Received, NoAnswer>) {
        state.withLock { $0.waiting.removeValue(forKey: number) }?.resume(returning: result)
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
        case .closed, nil: throw RuntimeError(.cancelled, "the wait was cancelled")
        }
    }

    /// Waits until the monitor has gone, or this connection was closed.
    ///
    /// - Throws: `cancelled`.
    func over() async throws(RuntimeError) {
        let number = state.withLock {
            $0.lastNumber += 1
            return $0.lastNumber
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state -> Bool in
                    if !state.isOver { state.overWaiters[number] = continuation }
                    return state.isOver
                }
                if isOver { continuation.resume() } else if Task.isCancelled { stopWaitingForOver(number) }
            }
        } onCancel: {
            stopWaitingForOver(number)
        }
        guard state.withLock({ $0.isOver }) else { throw RuntimeError(.cancelled, "the wait was cancelled") }
    }

    private func stopWaitingForOver(_ number: UInt64) {
        state.withLock { $0.overWaiters.removeValue(forKey: number) }?.resume()
    }

    private func stopWaiting(_ number: UInt64) {
        state.withLock { $0.endWaiters.removeValue(forKey: number) }?.resume(returning: nil)
    }

    /// Waits for an execution's end. `nil`: the container's monitor has gone, or the execution is forgotten.
    func exit(ofExecution number: UInt64) async -> MonitorAnswer.ExitStatus? {
        await withCheckedContinuation { continuation in
            let known: MonitorAnswer.ExitStatus?? = state.withLock { state in
                guard let execution = state.executions[number] else { return .some(nil) }
                if let exit = execution.exit { return exit }
                if state.isOver { return .some(nil) }
                state.executions[number]?.waiters.append(continuation)
                return nil
            }
            if let known { continuation.resume(returning: known) }
        }
    }

    // MARK: What comes

    private func loop() async {
        while !state.withLock({ $0.isOver }) {
            do throws(ReactorError) {
                try await waitReadable(socket.descriptor)
            } catch {
                // No descriptor to wait with, say: that is this process's trouble. Nothing of it means that the monitor has gone.
                do throws(ReactorError) { try await reactor.sleep(for: .milliseconds(100)) } catch { return finish(.closed) }
                continue
            }
            guard receive() else { return finish(.lost) }
        }
    }

    /// Takes everything that has come. `false` once the monitor has gone.
    private func receive() -> Bool {
        while true {
            do throws(Errno) {
                let message = try socket.receive(waiting: false)
                if message.bytes.isEmpty { return false }
                // What a later monitor says and this engine does not know is not for this engine.
                guard let (number, answer) = try? MonitorAnswer.decode(message.bytes) else { continue }
                take(number, answer, message)
            } catch {
                switch error {
                case .EAGAIN: return true
                case .EMSGSIZE:
                    // An answer whose descriptors found no room here. Whose it was is not known: all who wait are told.
                    let waiting = state.withLock { state in
                        defer { state.waiting = [:] }
                        return Array(state.waiting.values)
                    }
                    for continuation in waiting { continuation.resume(returning: .failure(.notTaken)) }
                default: return false
                }
            }
        }
    }

    private func take(_ number: UInt64, _ answer: MonitorAnswer, _ message: consuming MessageSocket.Message) {
        if number > 1 {
            let received = Received(answer, message)
            return self.answer(number, .success(received))
        }
        switch answer {
        case .exited(let status): finish(.exited(status))
        case .executionExited(let execution, let status):
            let waiters = state.withLock { state -> [CheckedContinuation<MonitorAnswer.ExitStatus?, Never>] in
                state.executions[execution]?.exit = status
                defer { state.executions[execution]?.waiters = [] }
                return state.executions[execution]?.waiters ?? []
            }
            for waiter in waiters { waiter.resume(returning: status) }
        default: break
        }
    }

    private func finish(_ end: End) {
        let (waiting, ends, executions, overs) = state.withLock { state in
            state.end = state.end ?? end
            // After the container's end the monitor still answers; once it has gone nobody does.
            var waiting: [Waiter] = []
            var executions: [CheckedContinuation<MonitorAnswer.ExitStatus?, Never>] = []
            var overs: [CheckedContinuation<Void, Never>] = []
            if case .exited = end {
            } else {
                state.isOver = true
                waiting = Array(state.waiting.values)
                state.waiting = [:]
                overs = Array(state.overWaiters.values)
                state.overWaiters = [:]
                for number in state.executions.keys {
                    executions += state.executions[number]?.waiters ?? []
                    state.executions[number]?.waiters = []
                }
            }
            defer { state.endWaiters = [:] }
            return (waiting, state.endWaiters.values.map { ($0, state.end) }, executions, overs)
        }
        for continuation in waiting { continuation.resume(returning: .failure(.gone)) }
        for (continuation, end) in ends { continuation.resume(returning: end) }
        for continuation in executions { continuation.resume(returning: nil) }
        for continuation in overs { continuation.resume() }
    }
}
