internal import ArgumentParser
internal import BerthClient
internal import BerthCommandLine
internal import DockerAPI

/// `berth restart`.
struct Restart: Verb {
    static let configuration = CommandConfiguration(
        commandName: "restart", abstract: "Restart one or more containers", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] CONTAINER [CONTAINER...]"
    static let wordCount = WordCount.atLeast(1)

    @Option(name: [.short, .long], help: help("Signal to send to the container")) var signal: String?
    @Option(name: [.customShort("t"), .customLong("time"), .customLong("timeout")], help: help("Seconds to wait before killing it", "int"))
    var time: Int64?
    @Argument var containers: [String]

    func perform(_ session: Session) throws -> Int32 {
        var query: [(String, String)] = []
        if let time { query.append(("t", String(time))) }
        if let signal { query.append(("signal", signal)) }
        return try EachContainer.post("restart", containers, query: query, session)
    }
}

/// `berth pause`.
struct Pause: Verb {
    static let configuration = CommandConfiguration(
        commandName: "pause", abstract: "Pause all processes within one or more containers", helpNames: .customLong("help"))
    static let synopsis = "CONTAINER [CONTAINER...]"
    static let wordCount = WordCount.atLeast(1)

    @Argument var containers: [String]

    func perform(_ session: Session) throws -> Int32 { try EachContainer.post("pause", containers, session) }
}

/// `berth unpause`.
struct Unpause: Verb {
    static let configuration = CommandConfiguration(
        commandName: "unpause", abstract: "Unpause all processes within one or more containers", helpNames: .customLong("help"))
    static let synopsis = "CONTAINER [CONTAINER...]"
    static let wordCount = WordCount.atLeast(1)

    @Argument var containers: [String]

    func perform(_ session: Session) throws -> Int32 { try EachContainer.post("unpause", containers, session) }
}

/// `berth rename`.
struct Rename: Verb {
    static let configuration = CommandConfiguration(
        commandName: "rename", abstract: "Rename a container", helpNames: .customLong("help"))
    static let synopsis = "CONTAINER NEW_NAME"
    static let wordCount = WordCount.exactly(2)

    @Argument var container: String
    @Argument var name: String

    func perform(_ session: Session) throws -> Int32 {
        let (old, new) = (Self.trimmed(container), Self.trimmed(name))
        guard !old.isEmpty, !new.isEmpty else { throw Failure("Error: Neither old nor new names may be empty") }
        let daemon = try session.daemon()
        do throws(ClientError) {
            try daemon.call("POST", "/containers/\(Daemon.escaped(old))/rename", query: [("name", new)])
        } catch {
            Output.complain("\(error)")
            throw Failure("Error: failed to rename container named \(old)")
        }
        return 0
    }

    private static func trimmed(_ text: String) -> String {
        String(text.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
    }
}

/// `berth container prune`.
struct PruneContainers: Verb {
    static let configuration = CommandConfiguration(
        commandName: "prune", abstract: "Remove all stopped containers", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS]"
    static let wordCount = WordCount.none

    @Option(help: help("Provide filter values (e.g. \"until=<timestamp>\")", "filter")) var filter: [String] = []
    @Flag(name: [.short, .long], help: "Do not prompt for confirmation") var force = false

    func perform(_ session: Session) throws -> Int32 {
        let question = "WARNING! This will remove all stopped containers.\nAre you sure you want to continue?"
        var reclaimed: Int64 = 0
        if try force || Confirmation.isGiven(question) {
            let pruned = try Pruning.containers(session.pruneFilters(filter), try session.daemon())
            try Output.text(pruned.text)
            reclaimed = pruned.reclaimed
        }
        try Output.line(Pruning.total(reclaimed))
        return 0
    }
}

/// The same request for several containers: each that is done is named, and what fails does not keep the others from it.
enum EachContainer {
    static func post(
        _ verb: String, _ containers: [String], query: [(String, String)] = [], _ session: Session
    ) throws -> Int32 {
        let daemon = try session.daemon()
        var failures = Failures()
        for container in containers {
            failures.attempt {
                try daemon.call("POST", "/containers/\(Daemon.escaped(container))/\(verb)", query: query)
                try Output.line(container)
            }
        }
        try failures.report()
        return 0
    }
}

/// What `--restart` says.
enum RestartFlag {
    /// `no`, `always`, `unless-stopped`, `on-failure[:N]`, in Docker's words for what is none. What is no policy's name is for the daemon to say.
    static func policy(_ text: String) throws(Failure) -> JSONTree {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= 2 else { throw Failure("invalid restart policy format", status: 125) }
        var count: Int64 = 0
        if parts.count == 2 {
            guard let number = Int64(parts[1]) else {
                throw Failure("invalid restart policy format: maximum retry count must be an integer", status: 125)
            }
            count = number
        }
        guard !(text.hasPrefix(":")) else {
            throw Failure("invalid restart policy format: no policy provided before colon", status: 125)
        }
        let members: [(String, JSONTree?)] = [("Name", .string(parts[0])), ("MaximumRetryCount", .integer(count))]
        return .object(members)
    }
}
