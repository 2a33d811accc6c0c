internal import ArgumentParser
internal import BerthClient
internal import BerthCommandLine

/// `berth exec`.
struct Exec: Verb {
    static let configuration = CommandConfiguration(
        commandName: "exec", abstract: "Run a command in a running container", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] CONTAINER COMMAND [ARG...]"
    static let wordCount = WordCount.atLeast(2)
    static let flagPlacement = Grammar.FlagPlacement.beforeWords

    @Flag(name: [.short, .long], help: "Detached mode: run command in the background") var detach = false
    @Option(help: help("Override the key sequence for detaching a container")) var detachKeys: String?
    @Option(name: [.short, .long], help: help("Set environment variables", "list")) var env: [String] = []
    @Option(help: help("Read in a file of environment variables", "list")) var envFile: [String] = []
    @Flag(name: [.short, .long], help: "Keep STDIN open even if not attached") var interactive = false
    @Flag(help: "Give extended privileges to the command") var privileged = false
    @Flag(name: [.short, .long], help: "Allocate a pseudo-TTY") var tty = false
    @Option(name: [.short, .long], help: help("Username or UID (format: <name|uid>[:<group|gid>])")) var user: String?
    @Option(name: [.short, .long], help: help("Working directory inside the container")) var workdir: String?
    @Argument var container: String
    @Argument var command: [String]

    func perform(_ session: Session) throws -> Int32 {
        let keysText = session.detachKeys(detachKeys)
        let keys = try DetachKeys(parsing: keysText ?? DetachKeys.standard)
        if !detach, interactive, tty, !Terminal.isTerminal(0) { throw Failure("the input device is not a TTY") }
        let size = tty && !detach ? Terminal.size() : nil
        let console = size.map { JSONTree.array([.integer($0.rows), .integer($0.columns)]) }
        let body: [(String, JSONTree?)] = [
            ("User", .string(user ?? "")), ("Privileged", .bool(privileged)), ("Tty", .bool(tty)),
            ("AttachStdin", .bool(interactive && !detach)), ("AttachStdout", .bool(!detach)), ("AttachStderr", .bool(!detach)),
            ("Detach", .bool(detach)), ("DetachKeys", .string(keysText ?? "")), ("ConsoleSize", console),
            ("Env", .texts(try EnvironmentList.entries(files: envFile, flags: env))), ("WorkingDir", .string(workdir ?? "")),
            ("Cmd", .texts(command)),
        ]
        let daemon = try session.daemon()
        guard let id = try daemon.call("POST", "/containers/\(Daemon.escaped(container))/exec", body: .json(.object(body)))["Id"]?.text
        else { throw Failure("exec ID empty") }
        let start: [(String, JSONTree?)] = [("Detach", .bool(detach)), ("Tty", .bool(tty)), ("ConsoleSize", console)]
        if detach {
            try daemon.call("POST", "/exec/\(id)/start", body: .json(.object(start)))
            return 0
        }
        let follows = tty && Terminal.isTerminal(1)
        let signals = try ForwardedSignals.queue(forwarding: false, resizing: follows)
        let stream: HijackedStream
        do throws(ClientError) {
            stream = try daemon.hijack("/exec/\(id)/start", body: .json(.object(start)))
        } catch {
            let status = Run.startStatus(error)
            throw Failure("\(error)", status: status == 125 ? 1 : status)
        }
        if follows { TerminalResize.perform(daemon, "/exec/\(id)/resize", retrying: true) }
        let terminal = interactive && tty ? RawTerminal() : nil
        var loop = AttachLoop(stream, isTerminal: tty, input: interactive, keys: interactive && tty ? keys : nil)
        let end = try loop.run(
            signals, .init(resize: { TerminalResize.perform(daemon, "/exec/\(id)/resize", retrying: false) }))
        _ = consume terminal
        if end == .detached { throw Failure("read escape sequence") }
        let state = try daemon.call("GET", "/exec/\(id)/json")
        return Int32(truncatingIfNeeded: state["ExitCode"]?.integer ?? 0)
    }
}
