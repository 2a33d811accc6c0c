internal import ArgumentParser
internal import BerthClient
internal import BerthCommandLine
internal import DockerAPI

/// `berth why`.
struct Why: Verb {
    static let configuration = CommandConfiguration(
        commandName: "why", abstract: "Explain what happened to a container", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] CONTAINER"
    static let wordCount = WordCount.exactly(1)

    @Option(name: [.customShort("n"), .long], help: help("Number of log lines to show", "int")) var tail: Int64 = 10
    @Argument var container: String

    func perform(_ session: Session) throws -> Int32 {
        guard (0...10_000).contains(tail) else { throw Failure("--tail must be from 0 to 10000") }
        let daemon = try session.daemon()
        let path = "/containers/\(Daemon.escaped(container))"
        let found = try daemon.call("GET", "\(path)/json")
        try Output.line(ExitExplanation.headline(found))
        let state = found["State"]
        let reason = state?["Error"]?.text ?? ""
        if !reason.isEmpty { try Output.line("  \(reason)") }
        if let code = state?["ExitCode"]?.integer, code == 127 || code == 126 {
            for line in try command(found, path, daemon) { try Output.line("  \(line)") }
        }
        if let advice = ExitExplanation.advice(found) { try Output.line("  \(advice)") }
        try timeLine(found)
        if tail > 0 { try log(path, isTerminal: found["Config"]?["Tty"]?.boolean ?? false, daemon) }
        return 0
    }

    private func timeLine(_ container: JSONTree) throws {
        let state = container["State"]
        let command = ([container["Path"]?.text ?? ""] + (container["Args"]?.elements ?? []).compactMap(\.text)).filter { !$0.isEmpty }
        try Output.line("\nCommand   \(RunLine.line(command))")
        try Output.line("Image     \(container["Config"]?["Image"]?.text ?? "")")
        for (name, time) in [
            ("Created ", container["Created"]?.text), ("Started ", state?["StartedAt"]?.text), ("Ended   ", state?["FinishedAt"]?.text),
        ] {
            guard let time, !time.hasPrefix("0001-") else { continue }
            try Output.line("\(name)  \(time)")
        }
        if let count = container["RestartCount"]?.integer, count > 0 { try Output.line("Restarts  \(count)") }
    }

    /// What of a command that was not found is there.
    private func command(_ container: JSONTree, _ path: String, _ daemon: Daemon) throws -> [String] {
        let program = container["Path"]?.text ?? ""
        func isThere(_ file: String) -> Bool {
            // What cannot be looked at is not said to be there.
            guard let answer = try? daemon.open("HEAD", "\(path)/archive", query: [("path", file)]) else { return false }
            daemon.keep(answer)
            return true
        }
        let environment = (container["Config"]?["Env"]?.elements ?? []).compactMap(\.text)
        let search = environment.first { $0.hasPrefix("PATH=") }.map { String($0.dropFirst(5)) } ?? ""
        let looked = search.split(separator: ":").map(String.init)
        guard !program.contains("/") else {
            return isThere(program)
                ? ["'\(program)' is there: what it is to be executed by (the first line of a script, a loader) may not be."]
                : ["There is no file '\(program)' in the container."]
        }
        var lines = ["'\(program)' was looked for in \(search.isEmpty ? "no directory: PATH is not set" : search)."]
        let usual = ["/usr/local/bin", "/usr/local/sbin", "/usr/bin", "/usr/sbin", "/bin", "/sbin"]
        let elsewhere = usual.filter { !looked.contains($0) }.map { "\($0)/\(program)" }.filter(isThere)
        if !elsewhere.isEmpty { lines.append("It is \(elsewhere.joined(separator: ", ")), where PATH does not lead.") }
        let alike = ["bash": ["sh", "ash"], "sh": ["busybox", "bash"], "python": ["python3"], "python3": ["python"], "node": ["nodejs"]]
        let others = (alike[program] ?? ["sh"]).compactMap { name in (looked + usual).map { "\($0)/\(name)" }.first(where: isThere) }
        lines.append(
            others.isEmpty ? "No shell was found either: the image may have none." : "What is there: \(others.joined(separator: ", ")).")
        return lines
    }

    private func log(_ path: String, isTerminal: Bool, _ daemon: Daemon) throws {
        let query = [("stdout", "1"), ("stderr", "1"), ("tail", String(tail))]
        // A container without a log has no last lines.
        guard var answer = try? daemon.open("GET", "\(path)/logs", query: query) else { return }
        var (frames, bytes): (StreamDemultiplexer, [UInt8]) = (StreamDemultiplexer(), [])
        while let piece = try answer.read() {
            guard !isTerminal else {
                bytes += piece
                continue
            }
            try frames.feed(piece[...]) { (_, part) throws(Failure) in
                bytes += part
            } mistake: {
                Failure($0)
            }
        }
        guard !bytes.isEmpty else { return }
        try Output.line("\nThe last lines of its log:")
        for line in bytes.split(separator: 10) { try Output.line("  " + String(decoding: line, as: UTF8.self)) }
    }
}
