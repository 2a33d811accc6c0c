internal import ArgumentParser
internal import BerthClient
internal import BerthCommandLine

/// `berth start`.
struct Start: Verb {
    static let configuration = CommandConfiguration(
        commandName: "start", abstract: "Start one or more stopped containers", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] CONTAINER [CONTAINER...]"
    static let wordCount = WordCount.atLeast(1)
    static let absentFlags: [AbsentFlag] = [
        .value("checkpoint", why: "there are no checkpoints yet"), .value("checkpoint-dir", why: "there are no checkpoints yet"),
    ]

    @Flag(name: [.short, .long], help: "Attach STDOUT/STDERR and forward signals") var attach = false
    @Option(help: help("Override the key sequence for detaching a container")) var detachKeys: String?
    @Flag(name: [.short, .long], help: "Attach container's STDIN") var interactive = false
    @Argument var containers: [String]

    func perform(_ session: Session) throws -> Int32 {
        let daemon = try session.daemon()
        if attach || interactive { return try startAttached(daemon, keysText: session.detachKeys(detachKeys)) }
        var failed: [String] = []
        for container in containers {
            do {
                try daemon.call("POST", "/containers/\(Daemon.escaped(container))/start")
                try Output.line(container)
            } catch let error as ClientError {
                Output.complain("\(error)")
                failed.append(container)
            }
        }
        if !failed.isEmpty { throw Failure("Error: failed to start containers: \(failed.joined(separator: ", "))") }
        return 0
    }

    private func startAttached(_ daemon: Daemon, keysText: String?) throws -> Int32 {
        guard containers.count == 1 else { throw Failure("you cannot start and attach multiple containers at once") }
        let keys = try DetachKeys(parsing: keysText ?? DetachKeys.standard)
        let details = try daemon.call("GET", "/containers/\(Daemon.escaped(containers[0]))/json")
        let id = details["Id"]?.text ?? containers[0]
        let isTerminal = details["Config"]?["Tty"]?.boolean ?? false
        let takesInput = interactive && details["Config"]?["OpenStdin"]?.boolean == true
        if takesInput, isTerminal, !Terminal.isTerminal(0) { throw Failure("the input device is not a TTY") }
        let removes = details["HostConfig"]?["AutoRemove"]?.boolean == true
        let attachment = Attachment(daemon: daemon, id: id, isTerminal: isTerminal, forwardsSignals: !isTerminal)
        return try attachment.run(
            input: takesInput, output: true, errors: true, keys: keys, keysText: keysText, waitFor: removes ? .removed : .nextExit
        ) { try daemon.call("POST", "/containers/\(id)/start") }
    }
}

/// `berth stop`.
struct Stop: Verb {
    static let configuration = CommandConfiguration(
        commandName: "stop", abstract: "Stop one or more running containers", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] CONTAINER [CONTAINER...]"
    static let wordCount = WordCount.atLeast(1)

    @Option(name: [.short, .long], help: help("Signal to send to the container")) var signal: String?
    @Option(name: [.customShort("t"), .customLong("time"), .customLong("timeout")], help: help("Seconds to wait before killing it", "int"))
    var time: Int64?
    @Argument var containers: [String]

    func perform(_ session: Session) throws -> Int32 {
        let daemon = try session.daemon()
        var query: [(String, String)] = []
        if let time { query.append(("t", String(time))) }
        if let signal { query.append(("signal", signal)) }
        var failures = Failures()
        for container in containers {
            failures.attempt {
                try daemon.call("POST", "/containers/\(Daemon.escaped(container))/stop", query: query)
                try Output.line(container)
            }
        }
        try failures.report()
        return 0
    }
}

/// `berth kill`.
struct Kill: Verb {
    static let configuration = CommandConfiguration(
        commandName: "kill", abstract: "Kill one or more running containers", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] CONTAINER [CONTAINER...]"
    static let wordCount = WordCount.atLeast(1)

    @Option(name: [.short, .long], help: help("Signal to send to the container")) var signal = "KILL"
    @Argument var containers: [String]

    func perform(_ session: Session) throws -> Int32 {
        let daemon = try session.daemon()
        var failures = Failures()
        for container in containers {
            failures.attempt {
                try daemon.call("POST", "/containers/\(Daemon.escaped(container))/kill", query: [("signal", signal)])
                try Output.line(container)
            }
        }
        try failures.report()
        return 0
    }
}

/// `berth rm`.
struct Remove: Verb {
    static let configuration = CommandConfiguration(
        commandName: "rm", abstract: "Remove one or more containers", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] CONTAINER [CONTAINER...]"
    static let wordCount = WordCount.atLeast(1)

    @Flag(name: [.short, .long], help: "Force the removal of a running container (uses SIGKILL)") var force = false
    @Flag(name: [.short, .long], help: "Remove the specified link") var link = false
    @Flag(name: [.short, .long], help: "Remove anonymous volumes associated with the container") var volumes = false
    @Argument var containers: [String]

    func perform(_ session: Session) throws -> Int32 {
        let daemon = try session.daemon()
        var query: [(String, String)] = []
        if force { query.append(("force", "1")) }
        if volumes { query.append(("v", "1")) }
        if link { query.append(("link", "1")) }
        var failures = Failures()
        for container in containers {
            let name = container.hasPrefix("/") ? String(container.drop { $0 == "/" }) : container
            guard !name.isEmpty else {
                failures.attempt { throw Failure("Container name cannot be empty") }
                continue
            }
            failures.attempt {
                do throws(ClientError) {
                    try daemon.call("DELETE", "/containers/\(Daemon.escaped(name))", query: query)
                } catch {
                    // What is not there is as gone as one could force it to be.
                    guard force, error.status == 404 else { throw error }
                    Output.complain("\(error)")
                    return
                }
                try Output.line(container)
            }
        }
        try failures.report()
        return 0
    }
}

/// `berth wait`.
struct Wait: Verb {
    static let configuration = CommandConfiguration(
        commandName: "wait", abstract: "Block until one or more containers stop, then print their exit codes",
        helpNames: .customLong("help"))
    static let synopsis = "CONTAINER [CONTAINER...]"
    static let wordCount = WordCount.atLeast(1)

    @Argument var containers: [String]

    func perform(_ session: Session) throws -> Int32 {
        let daemon = try session.daemon()
        var failures = Failures()
        for container in containers {
            failures.attempt {
                let answer = try daemon.call("POST", "/containers/\(Daemon.escaped(container))/wait")
                if let message = answer["Error"]?["Message"]?.text, !message.isEmpty { throw Failure(message) }
                guard let code = answer["StatusCode"]?.integer else { throw Failure("the daemon did not say how \(container) ended") }
                try Output.line(String(code))
            }
        }
        try failures.report()
        return 0
    }
}
