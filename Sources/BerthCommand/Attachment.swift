internal import BerthClient
internal import BerthCommandLine
internal import BerthLinux
internal import Glibc

/// A container, as this program's standard streams are tied to it.
struct Attachment {
    let daemon: Daemon
    let id: String
    let isTerminal: Bool
    let forwardsSignals: Bool

    /// What a container's end is waited for by.
    enum Condition: String {
        case notRunning = "not-running"
        case nextExit = "next-exit"
        case removed
    }

    /// Attaches, waits for the end, starts, and carries bytes until it is over: in this order, so that nothing is missed.
    ///
    /// - Parameters:
    ///   - keysText: the keys as they were given; `nil` for the usual ones.
    ///   - start: what makes the container run, or nothing where it runs already.
    /// - Returns: the container's exit code; 0 once the keys were pressed.
    func run(
        input: Bool, output: Bool, errors: Bool, keys: DetachKeys, keysText: String?, waitFor condition: Condition,
        detachedStatus: Failure? = nil, start: () throws -> Void
    ) throws -> Int32 {
        var query = [("stream", "1")]
        if input { query.append(("stdin", "1")) }
        if output { query.append(("stdout", "1")) }
        if errors { query.append(("stderr", "1")) }
        if let keysText { query.append(("detachKeys", keysText)) }
        let stream = try daemon.hijack("/containers/\(id)/attach", query: query)
        var waiting = try daemon.open("POST", "/containers/\(id)/wait", query: [("condition", condition.rawValue)])
        let follows = isTerminal && Terminal.isTerminal(1)
        let signals = try ForwardedSignals.queue(forwarding: forwardsSignals, resizing: follows)
        do { try start() } catch {
            // With --rm, the answer is given when nothing is left.
            if condition == .removed { _ = try? waiting.readAll(limit: 1 << 20) }
            throw error
        }
        if follows { resize(retrying: true) }
        let terminal = input && isTerminal ? RawTerminal() : nil
        var loop = AttachLoop(
            stream, isTerminal: isTerminal, input: input, output: output, errors: errors, keys: input && isTerminal ? keys : nil)
        let handlers = AttachLoop.Handlers(signal: forward, resize: { resize(retrying: false) })
        let end = try loop.run(signals, handlers)
        _ = consume terminal
        if end == .detached {
            if let detachedStatus { throw detachedStatus }
            return 0
        }
        return try status(&waiting, signals)
    }

    /// Waits for the exit code, and still hands signals on.
    private func status(_ waiting: inout ResponseBody, _ signals: borrowing SignalQueue) throws -> Int32 {
        var bytes: [UInt8] = []
        while true {
            if !waiting.hasBytes, !waiting.isAtEnd {
                var polled = [
                    pollfd(fd: waiting.withSocket { $0 }, events: Int16(POLLIN), revents: 0),
                    pollfd(fd: signals.descriptor.withRawDescriptor { $0 }, events: Int16(POLLIN), revents: 0),
                ]
                _ = unsafe poll(&polled, 2, -1)
                while let number = signals.next() { if number != SIGWINCH { forward(number) } }
                if polled[0].revents == 0 { continue }
            }
            guard let part = try waiting.read() else { break }
            bytes += part
            guard bytes.count < 1 << 20 else { throw Failure("the daemon's answer about the end is larger than 1 MiB", status: 125) }
        }
        let answer = try JSONTree(parsing: bytes)
        if let message = answer["Error"]?["Message"]?.text, !message.isEmpty {
            throw Failure("Error waiting for container: \(message)", status: 125)
        }
        guard let code = answer["StatusCode"]?.integer else { throw Failure("the daemon did not say how the container ended", status: 125) }
        return Int32(truncatingIfNeeded: code)
    }

    private func forward(_ number: CInt) {
        do throws(ClientError) {
            try daemon.call("POST", "/containers/\(id)/kill", query: [("signal", ForwardedSignals.name(number))])
        } catch {
            // A container that has ended needs no signal.
            if error.status != 404, error.status != 409 {
                Output.complain("the signal \(ForwardedSignals.name(number)) was not handed on: \(error)")
            }
        }
    }

    private func resize(retrying: Bool) {
        TerminalResize.perform(daemon, "/containers/\(id)/resize", retrying: retrying)
    }
}

/// Tells the daemon the size of our terminal.
enum TerminalResize {
    /// - Parameter retrying: whether the other side may be so young that it has no terminal yet.
    static func perform(_ daemon: Daemon, _ path: String, retrying: Bool) {
        guard let size = Terminal.size() else { return }
        for attempt in 0..<(retrying ? 10 : 1) {
            if attempt > 0 { usleep(UInt32(attempt) * 5_000) }
            do throws(ClientError) {
                try daemon.call("POST", path, query: [("h", String(size.rows)), ("w", String(size.columns))])
                return
            } catch {
                // Gone already: there is nothing to resize.
                if error.status == 404 || error.code != .refused { return }
                if attempt == 9 { Output.complain("failed to resize tty: \(error.reason)") }
            }
        }
    }
}
