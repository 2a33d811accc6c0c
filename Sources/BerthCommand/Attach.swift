internal import ArgumentParser
internal import BerthClient
internal import BerthCommandLine

/// `berth attach`.
struct Attach: Verb {
    static let configuration = CommandConfiguration(
        commandName: "attach", abstract: "Attach local standard input, output, and error streams to a running container",
        helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] CONTAINER"
    static let wordCount = WordCount.exactly(1)

    @Option(help: help("Override the key sequence for detaching a container")) var detachKeys: String?
    @Flag(help: "Do not attach STDIN") var noStdin = false
    @Flag(inversion: .prefixedNo, help: "Proxy all received signals to the process") var sigProxy = true
    @Argument var container: String

    func perform(_ session: Session) throws -> Int32 {
        let keysText = session.detachKeys(detachKeys)
        let keys = try DetachKeys(parsing: keysText ?? DetachKeys.standard)
        let daemon = try session.daemon()
        let details = try daemon.call("GET", "/containers/\(Daemon.escaped(container))/json")
        let state = details["State"]
        guard state?["Running"]?.boolean == true else { throw Failure("You cannot attach to a stopped container, start it first") }
        if state?["Paused"]?.boolean == true { throw Failure("You cannot attach to a paused container, unpause it first") }
        if state?["Restarting"]?.boolean == true {
            throw Failure("You cannot attach to a restarting container, wait until it is running")
        }
        let isTerminal = details["Config"]?["Tty"]?.boolean ?? false
        let takesInput = !noStdin && details["Config"]?["OpenStdin"]?.boolean == true
        if takesInput, isTerminal, !Terminal.isTerminal(0) { throw Failure("the input device is not a TTY") }
        let id = details["Id"]?.text ?? container
        let attachment = Attachment(daemon: daemon, id: id, isTerminal: isTerminal, forwardsSignals: sigProxy && !isTerminal)
        return try attachment.run(
            input: takesInput, output: true, errors: true, keys: keys, keysText: keysText, waitFor: .notRunning,
            detachedStatus: Failure("read escape sequence")
        ) {}
    }
}
