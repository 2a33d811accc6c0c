internal import BerthOCI
internal import BerthReactor
internal import BerthRuntime
internal import Synchronization

// Checking containers. Each is checked by a task of its own, one check at a time: one that does not end costs nobody else anything.
extension ContainerStore {
    /// Checks a container from now on, as long as this process runs. Nothing is done for one that is not checked.
    func beginChecking(_ object: ContainerObject, _ process: RuntimeContainer) {
        let document = object.document
        guard let plan = HealthPlan(document.configuration.healthcheck, image: document.imageExecution) else {
            return object.state.withLock { $0.health = nil }
        }
        let action = document.configuration.unhealthyAction
        // Both at once: how long the first pause is depends on how it does, and who ends it has to find the task.
        object.state.withLock { state in
            state.health = Health()
            state.checker = Task.detached { [self] in await check(object, process, plan, action) }
        }
    }

    private func check(_ object: ContainerObject, _ process: RuntimeContainer, _ plan: HealthPlan, _ action: UnhealthyAction) async {
        while !Task.isCancelled {
            let status = object.state.withLock { $0.health?.status } ?? .none
            // Cancelled: it has ended, or the engine closes.
            do throws(ReactorError) { try await services.reactor.sleep(for: plan.pause(status, age: age(process))) } catch { return }
            // What stands still is not checked, and neither is what has just ended.
            guard object.state.withLock({ $0.process === process && !$0.lifecycle.isPaused }) else { continue }
            let age = age(process)
            guard let probe = await probe(object, plan) else { continue }
            let changed = object.state.withLock { state -> HealthStatus? in
                guard state.process === process, state.health?.record(probe, plan, age: age) == true else { return nil }
                return state.health?.status
            }
            guard let changed else { continue }
            publish("health_status: \(changed.rawValue)", object)
            if changed == .unhealthy, action != .none { act(action, on: object) }
        }
    }

    private func age(_ process: RuntimeContainer) -> Duration {
        .nanoseconds(max(0, Timestamp.now.nanoseconds - process.startedAt))
    }

    /// In a task of its own: the checking ends with the process that it checks.
    private func act(_ action: UnhealthyAction, on object: ContainerObject) {
        Task.detached { [self] in
            do throws(ContainerError) {
                switch action {
                case .none: break
                case .restart: try await restart(object, signal: nil, timeoutSeconds: nil)
                case .stop: try await stop(object, signal: nil, timeoutSeconds: nil)
                case .kill: try await killUnhealthy(object)
                }
            } catch {
                // It has ended by itself, or is gone.
                guard error.code != .notModified, error.code != .conflict, error.code != .notFound else { return }
                warn(object, "container \(object.shortID) is unhealthy, and could not be dealt with: \(error.description)")
            }
        }
    }

    /// Kills it as if it had died: its policy is asked.
    private func killUnhealthy(_ object: ContainerObject) async throws(ContainerError) {
        let process = try object.runningProcess()
        do throws(RuntimeError) { try process.signal(9) } catch { throw ContainerError(error) }
        publish("kill", object, ["signal": "9"])
    }

    /// Makes one check. `nil`: it was not made, because the container does not run any more or stands still.
    private func probe(_ object: ContainerObject, _ plan: HealthPlan) async -> HealthProbe? {
        let startedAt = Timestamp.now
        func result(_ code: Int32, _ output: String) -> HealthProbe {
            HealthProbe(startedAt: startedAt, finishedAt: .now, exitCode: code, output: output)
        }
        var configuration = ExecutionConfiguration(command: plan.command)
        (configuration.attachesOutput, configuration.attachesErrors) = (true, true)
        let execution: Execution
        do throws(ContainerError) { execution = try await makeExecution(in: object, configuration) } catch {
            return error.code == .conflict || error.code == .notFound ? nil : result(-1, error.description)
        }
        let work = Promise<Result<(code: Int32, output: String), ContainerError>>()
        let written = WrittenOutput()
        let task = Task.detached {
            do throws(ContainerError) {
                let attachment = try await execution.start()
                while let chunk = try await attachment.read() { written.append(chunk) }
                work.fulfil(.success((try await execution.wait(), written.text)))
            } catch { work.fulfil(.failure(error)) }
        }
        let isLate = await withTaskGroup(of: Bool.self) { [reactor = services.reactor] group in
            group.addTask { await work.value() == nil }
            group.addTask {
                try? await reactor.sleep(for: plan.timeout)  // cancelled: the other has come first
                return true
            }
            let first = await group.next() ?? true
            group.cancelAll()
            return first
        }
        if isLate, work.current == nil {
            // Checks do not pile up: the next one waits until this one is gone.
            await execution.end()
            // The process has gone, or was never there; whoever holds its pipes is not waited for.
            task.cancel()
            let output = written.text
            let told = "Health check exceeded timeout (\(plan.timeout.goText))" + (output.isEmpty ? "" : ": \(output)")
            return Task.isCancelled ? nil : result(-1, told)
        }
        switch work.current {
        case .success(let (code, output))?: return result(code, output)
        // It ended, or was paused, in between.
        case .failure(let error)? where error.code == .conflict || error.code == .cancelled: return nil
        case .failure(let error)?: return result(-1, error.description)
        case nil: return nil
        }
    }
}

/// What a check has written so far.
private final class WrittenOutput: Sendable {
    private let output = Mutex(ProbeOutput())
    var text: String { output.withLock { $0.text } }
    func append(_ chunk: AttachStream.Chunk) { output.withLock { $0.append(chunk) } }
}

/// What a check writes, as far as it is kept.
struct ProbeOutput {
    private var bytes: [UInt8] = []
    private var isCut = false

    mutating func append(_ chunk: AttachStream.Chunk) {
        let new =
            switch chunk {
            case .output(let bytes), .errors(let bytes): bytes
            }
        let room = HealthProbe.outputByteLimit - bytes.count
        if new.count > room { isCut = true }
        bytes += new.prefix(room)
    }

    var text: String { String(decoding: bytes, as: UTF8.self) + (isCut ? "..." : "") }
}

extension Duration {
    /// As Go writes it: `1.5s`, `300ms`, `1m30s`.
    var goText: String {
        let nanoseconds = components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000
        func decimal(_ value: Int64, _ unit: Int64, _ name: String) -> String {
            let (whole, rest) = (value / unit, value % unit)
            guard rest != 0 else { return "\(whole)\(name)" }
            var digits = String(String(unit + rest).dropFirst())
            while digits.hasSuffix("0") { digits.removeLast() }
            return "\(whole).\(digits)\(name)"
        }
        switch nanoseconds {
        case 0: return "0s"
        case ..<1_000: return "\(nanoseconds)ns"
        case ..<1_000_000: return decimal(nanoseconds, 1_000, "µs")
        case ..<1_000_000_000: return decimal(nanoseconds, 1_000_000, "ms")
        default:
            let minutes = nanoseconds / 60_000_000_000
            let seconds = decimal(nanoseconds % 60_000_000_000, 1_000_000_000, "s")
            if minutes >= 60 { return "\(minutes / 60)h\(minutes % 60)m\(seconds)" }
            return minutes > 0 ? "\(minutes)m\(seconds)" : seconds
        }
    }
}
