internal import ArgumentParser
internal import BerthClient
internal import BerthCommandLine
internal import BerthOCI
internal import Glibc

/// `berth create`.
struct Create: Verb {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Create a new container", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] IMAGE [COMMAND] [ARG...]"
    static let wordCount = WordCount.atLeast(1)
    static let flagPlacement = Grammar.FlagPlacement.beforeWords
    static let absentFlags = ContainerFlags.absent

    @OptionGroup var flags: ContainerFlags
    @Argument var image: String
    @Argument var command: [String] = []

    func perform(_ session: Session) throws -> Int32 {
        let request = try CreateRequest(flags, image: image, command: command)
        let size = flags.tty ? Terminal.size() : nil
        let daemon = try session.daemon()
        let body = try request.body(terminalSize: size, daemon, environment: session.environment)
        try Output.line(try Creation.create(daemon, flags, body, image: image))
        return 0
    }
}

/// What `create` and `run` share.
enum Creation {
    /// Makes the container; writes its id where `--cidfile` says.
    static func create(_ daemon: Daemon, _ flags: ContainerFlags, _ body: JSONTree, image: String) throws -> String {
        var idFile: IDFile?
        if let path = flags.cidfile { idFile = try IDFile(path) }
        try Transfer.requireNoTrust(flags.disableContentTrust)
        let query = [("name", flags.name), ("platform", flags.platform ?? Session.standardPlatform)].compactMap { name, value in
            value.map { (name, $0) }
        }
        func create() throws(ClientError) -> JSONTree {
            try daemon.call("POST", "/containers/create", query: query, body: .json(body))
        }
        if flags.oomKillDisable, flags.memory == nil {
            Output.complain(
                "WARNING: Disabling the OOM killer on containers without setting a '-m/--memory' limit may be dangerous.")
        }
        let answer = try fetching(image, flags, daemon, create)
        for warning in answer["Warnings"]?.elements ?? [] { Output.complain("WARNING: \(warning.text ?? "")") }
        guard let id = answer["Id"]?.text else { throw Failure("the daemon made a container and did not say its id") }
        try idFile?.write(id)
        return id
    }
}

extension Creation {
    /// Asks for something that needs an image, which is pulled if it is missing, or always, or never: as `--pull` says.
    static func fetching<Answer>(
        _ image: String, _ flags: ContainerFlags, _ daemon: Daemon, _ ask: () throws(ClientError) -> Answer
    ) throws -> Answer {
        if flags.pull == "always" { try pull(daemon, flags, image) }
        do { return try ask() } catch {
            guard error.status == 404, error.reason.contains("No such image"), flags.pull == "missing",
                let reference = try? ImageReference(parsing: image)  // an id is none, and cannot be pulled
            else { throw error }
            // Nothing but the container's id goes to standard output.
            if !flags.quiet { Output.complain("Unable to find image '\(reference.familiar)' locally") }
            try pull(daemon, flags, image)
            return try ask()
        }
    }

    private static func pull(_ daemon: Daemon, _ flags: ContainerFlags, _ image: String) throws {
        try Transfer.pull(
            try Transfer.reference(image), platform: flags.platform ?? Session.standardPlatform, daemon, on: flags.quiet ? nil : 2)
    }
}

/// The file of `--cidfile`: made before the container, and gone again if that was not made.
final class IDFile {
    private let path: String
    private let descriptor: CInt
    private var isWritten = false

    init(_ path: String) throws(Failure) {
        let raw = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        if raw < 0 {
            guard errno != EEXIST else {
                throw Failure("container ID file found, make sure the other container isn't running or delete \(path)", status: 125)
            }
            throw Failure("failed to create the container ID file \(path): \(unsafe String(cString: strerror(errno)))", status: 125)
        }
        (self.path, descriptor) = (path, raw)
    }

    func write(_ id: String) throws(Failure) {
        try Output.write(Array(id.utf8)[...], to: descriptor)
        isWritten = true
    }

    deinit {
        close(descriptor)
        if !isWritten { unsafe unlink(path) }
    }
}

/// `berth run`.
struct Run: Verb {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run a command in a new container", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] IMAGE [COMMAND] [ARG...]"
    static let wordCount = WordCount.atLeast(1)
    static let flagPlacement = Grammar.FlagPlacement.beforeWords
    static let absentFlags = ContainerFlags.absent

    @OptionGroup var flags: ContainerFlags
    @Flag(name: [.short, .long], help: "Run container in background and print container ID") var detach = false
    @Option(help: help("Override the key sequence for detaching a container")) var detachKeys: String?
    @Flag(inversion: .prefixedNo, help: "Proxy received signals to the process") var sigProxy = true
    @Argument var image: String
    @Argument var command: [String] = []

    func perform(_ session: Session) throws -> Int32 {
        var request = try CreateRequest(flags, image: image, command: command)
        if detach {
            guard flags.attach.isEmpty else { throw Failure("Conflicting options: -a and -d") }
            (request.attachesInput, request.attachesOutput, request.attachesErrors) = (false, false, false)
        } else if request.attachesInput, flags.tty, !Terminal.isTerminal(0) {
            throw Failure("the input device is not a TTY")
        }
        let keysText = session.detachKeys(detachKeys)
        let keys = try DetachKeys(parsing: keysText ?? DetachKeys.standard)
        let daemon: Daemon
        let id: String
        do {
            daemon = try session.daemon()
            let body = try request.body(
                terminalSize: flags.tty ? Terminal.size() : nil, daemon, environment: session.environment)
            id = try Creation.create(daemon, flags, body, image: image)
            ReplacedCommand.warn(image: image, command: command, entrypoint: flags.entrypoint, daemon)
        } catch {
            throw Self.told(error, session, status: 125, withHelp: true)
        }
        if !request.attachesInput, !request.attachesOutput, !request.attachesErrors {
            do { try daemon.call("POST", "/containers/\(id)/start") } catch {
                throw Self.told(error, session, status: Self.startStatus(error), withHelp: false)
            }
            if detach { try Output.line(id) }
            return 0
        }
        let attachment = Attachment(daemon: daemon, id: id, isTerminal: flags.tty, forwardsSignals: sigProxy)
        return try attachment.run(
            input: request.attachesInput, output: request.attachesOutput, errors: request.attachesErrors, keys: keys,
            keysText: keysText, waitFor: flags.rm ? .removed : .nextExit
        ) {
            do { try daemon.call("POST", "/containers/\(id)/start") } catch {
                throw Self.told(error, session, status: Self.startStatus(error), withHelp: false)
            }
        }
    }

    private static func told(_ error: any Error, _ session: Session, status: Int32, withHelp: Bool) -> Failure {
        var message = Failure(error).message
        if message.hasSuffix(".") { message.removeLast() }
        message = "berth: \(message)."
        if withHelp { message += "\nSee '\(session.path) --help'." }
        return Failure(message, status: status)
    }

    /// 127 for a command that is not there, 126 for one that cannot be executed: the daemon says which in words alone.
    static func startStatus(_ error: any Error) -> Int32 {
        let words = "\(error)"
        if ["executable file not found", "no such file or directory", "system cannot find the file"].contains(where: words.contains) {
            return 127
        }
        return ["permission denied", "is a directory", "not a directory", "exec format error"].contains(where: words.contains) ? 126 : 125
    }
}
