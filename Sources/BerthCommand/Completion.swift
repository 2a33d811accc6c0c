internal import ArgumentParser
internal import BerthClient
internal import BerthCommandLine

/// `berth completion`.
struct Completion: Verb {
    static let configuration = CommandConfiguration(
        commandName: "completion", abstract: "Print the completion script of a shell: bash, zsh or fish", helpNames: .customLong("help"))
    static let synopsis = "SHELL"
    static let wordCount = WordCount.exactly(1)
    static let isLocal = true

    @Argument var shell: String

    func perform(_ session: Session) throws -> Int32 {
        switch shell {
        case "bash": try Output.text(Self.bash)
        case "zsh": try Output.text(Self.zsh)
        case "fish": try Output.text(Self.fish)
        default: throw Failure("there is no completion script for \"\(shell)\": there are bash, zsh and fish")
        }
        return 0
    }

    // The scripts only ask this program, which knows its own flags, and whose daemon knows the names.
    private static let bash = """
        _berth() {
            local IFS=$'\\n'
            COMPREPLY=($(berth __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
            [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}"))
        }
        complete -F _berth berth

        """
    private static let zsh = """
        #compdef berth
        _berth() {
            local -a found
            found=(${(f)"$(berth __complete "${(@)words[2,CURRENT]}" 2>/dev/null)"})
            if (( $#found )); then compadd -- $found; else _files; fi
        }
        compdef _berth berth

        """
    private static let fish = """
        complete -c berth -a '(berth __complete (commandline -opc)[2..] (commandline -ct | string collect --allow-empty) 2>/dev/null)'

        """

    /// Prints what the last of some words may become, a line each.
    static func offer(_ words: [String], _ options: GlobalOptions) throws -> Int32 {
        guard let current = words.last else { return 0 }
        let before = words.dropLast()
        for candidate in try candidates(Array(before), current, options) where candidate.hasPrefix(current) { try Output.line(candidate) }
        return 0
    }

    private static func candidates(_ before: [String], _ current: String, _ options: GlobalOptions) throws -> [String] {
        guard let first = before.first else {
            return (Front.commands.map { $0.names[0] } + Front.groups.map(\.name)).sorted()
        }
        var entries = Front.commands
        var name = first
        if let group = Front.groups.first(where: { $0.name == first }) {
            guard before.count > 1 else { return group.commands.map { $0.names[0] } }
            (entries, name) = (group.commands, before[1])
        }
        guard let entry = entries.first(where: { $0.names.contains(name) }) else { return [] }
        if current.hasPrefix("-") { return try DeclaredFlags.of(entry.type).map { "--\($0.name)" } + ["--help"] }
        if first == "system", entry.names[0] == "firewall" { return FirewallCommand.wishes.map(\.name) }
        // Whoever presses Tab has not asked for a daemon.
        let daemon = try Session(path: "berth", options: options).daemon(mayStart: false)
        if first == "image", ["diff", "history", "inspect", "layers", "rebase", "rm", "save", "squash", "tag"].contains(entry.names[0]) {
            return try imageNames(daemon)
        }
        if first == "network" {
            // The first word is a network, and of two the second is a container.
            let words = before.dropFirst(2).filter { !$0.hasPrefix("-") }
            let isOfTwo = ["connect", "disconnect"].contains(entry.names[0])
            switch entry.names[0] {
            case "inspect", "rm", "connect", "disconnect":
                if !isOfTwo || words.isEmpty { return try networkNames(daemon) }
                return words.count == 1 ? try containerNames(daemon) : []
            default: return []
            }
        }
        if first == "volume" { return ["inspect", "rm", "update"].contains(entry.names[0]) ? try volumeNames(daemon) : [] }
        if before.last == "--log-driver" { return try logDrivers(daemon) }
        if before.last == "--network" || before.last == "--net" { return try networkNames(daemon) }
        switch entry.names[0] {
        case "attach", "commit", "diff", "exec", "export", "kill", "logs", "port", "rm", "start", "stats", "stop", "top", "wait", "why",
            "edit", "inspect", "pause", "rename", "restart", "unpause", "update":
            return try containerNames(daemon)
        case "run", "create", "history", "rmi", "save", "tag", "images":
            return try imageNames(daemon)
        case "completion": return ["bash", "zsh", "fish"]
        default: return []
        }
    }

    private static func containerNames(_ daemon: Daemon) throws -> [String] {
        try daemon.call("GET", "/containers/json", query: [("all", "1")]).elements
            .flatMap { ($0["Names"]?.elements ?? []).compactMap(\.text) }.map { String($0.drop { $0 == "/" }) }
    }

    private static func logDrivers(_ daemon: Daemon) throws -> [String] {
        (try daemon.call("GET", "/info")["Plugins"]?["Log"]?.elements ?? []).compactMap(\.text)
    }

    private static func networkNames(_ daemon: Daemon) throws -> [String] {
        try daemon.call("GET", "/networks").elements.compactMap { $0["Name"]?.text }
    }

    private static func volumeNames(_ daemon: Daemon) throws -> [String] {
        (try daemon.call("GET", "/volumes")["Volumes"]?.elements ?? []).compactMap { $0["Name"]?.text }
    }

    private static func imageNames(_ daemon: Daemon) throws -> [String] {
        try daemon.call("GET", "/images/json").elements.flatMap { ($0["RepoTags"]?.elements ?? []).compactMap(\.text) }
    }
}
