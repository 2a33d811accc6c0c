internal import BerthLaunch
internal import BerthLinux
internal import BerthOCI
internal import FoundationEssentials

/// Hooks of the moments when a container's program runs, and when nothing of the container is left (OCI runtime specification, *POSIX-platform Hooks*): the
/// host's programs, which this process runs one after the other. Those before are steps of the program's plan.
extension LaunchHook {
    /// Runs it and waits for its end.
    ///
    /// - Parameter process: the container's; `nil` where there is none any more.
    func run(for process: Int32?) throws(RuntimeError) {
        let state = process.map { "\(stateBeforeProcess)\($0)\(stateAfterProcess)" } ?? "{" + stateAfterProcess.dropFirst()
        let result: ShortProgram.Result
        do throws(Errno) {
            result = try ShortProgram.run(
                path, arguments, environment: environment, input: Array(state.utf8), excerptByteCount: 1024, milliseconds: milliseconds)
        } catch .ETIMEDOUT {
            throw RuntimeError(
                .system, "cannot run the hook '\(name)': it did not end within \((milliseconds + 999) / 1000) s", underlying: .ETIMEDOUT)
        } catch { throw .system("cannot run the hook '\(name)'", error) }
        guard result.code != 0 else { return }
        let said = String(decoding: result.output.map { $0 < 32 ? 32 : $0 }, as: UTF8.self).split(separator: " ").joined(separator: " ")
        let end = result.signal != 0 ? "signal \(result.signal)" : "exit status \(result.code)"
        throw RuntimeError(.system, "cannot run the hook '\(name)': \(end)\(said.isEmpty ? "" : ": \(said)")")
    }
}

extension Runtime {
    /// Runs the hooks of a start that has succeeded. One that fails ends what has been started, and the start has failed with it (as with runc).
    ///
    /// - Parameter socket: to the monitor, which says on it that the container has ended.
    func runHooksAfterStart(of input: LaunchInput, _ process: Int32, _ socket: borrowing MessageSocket, _ stateDirectory: String) throws {
        let hooks = try HookSteps(of: input).afterStart
        do { for hook in hooks { try hook.run(for: process) } } catch {
            killProcesses(of: input.id)
            // What the monitor writes down of the end is not to come after it has been forgotten.
            while try socket.descriptor.waitReadable(milliseconds: 10_000), case let message = try socket.receive(waiting: false),
                !message.bytes.isEmpty
            {
                if case .exited = try MonitorAnswer.decode(message.bytes).answer { break }
            }
            ExitRecord.forget(in: stateDirectory)
            throw error
        }
    }

    /// Runs the hooks for when nothing of a container is left, if there are any. Each is run, whatever became of the others, and once, unless the engine is
    /// killed meanwhile.
    ///
    /// - Returns: what went wrong.
    func runHooksAfterEnd(of id: String) -> [String] {
        let path = "\(configuration.execRoot)/containers/\(id)"
        // Without a bundle there are no hooks, as with most containers.
        guard HostFile.exists("\(path)/config.json") else { return [] }
        let hooks: [LaunchHook]
        do {
            let bundle = try Directory.open(path)
            let bytes = try bundle.readFile("config.json", limit: 16 << 20)
            var input = executionBase(id)
            input.specification = try JSONDecoder().decode(RuntimeSpec.self, from: Data(bytes))
            input.bundle = path
            hooks = try HookSteps(of: input).afterEnd
        } catch { return ["the hooks for the end of the container cannot be read: \(error)"] }
        var wrong: [String] = []
        for hook in hooks { do throws(RuntimeError) { try hook.run(for: nil) } catch { wrong.append(error.description) } }
        // With it gone nobody runs them again. Should it stay, the directory does, and that is told.
        try? Directory.open(path).removeFile("config.json")
        return wrong
    }
}
