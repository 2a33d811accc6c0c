internal import ArgumentParser
internal import BerthCommandLine

/// Finds the command in a line, and performs it.
enum Front {
    /// A command by one of its names.
    struct Entry {
        let names: [String]
        /// A type becomes one when it is asked for: of all these only that of the command that is performed need.
        private let make: @Sendable () -> any Verb.Type

        init(names: [String], type: @autoclosure @escaping @Sendable () -> any Verb.Type) { (self.names, make) = (names, type) }

        var type: any Verb.Type { make() }
    }

    /// What is called directly.
    static let commands: [Entry] = [
        Entry(names: ["attach"], type: Attach.self), Entry(names: ["commit"], type: Commit.self),
        Entry(names: ["cp"], type: Copy.self),
        Entry(names: ["create"], type: Create.self), Entry(names: ["diff"], type: Diff.self),
        Entry(names: ["edit"], type: Edit.self), Entry(names: ["events"], type: Events.self),
        Entry(names: ["exec"], type: Exec.self), Entry(names: ["export"], type: Export.self),
        Entry(names: ["history"], type: History.self),
        Entry(names: ["images"], type: Images.self), Entry(names: ["import"], type: Import.self),
        Entry(names: ["info"], type: Info.self), Entry(names: ["inspect"], type: Inspect.self), Entry(names: ["kill"], type: Kill.self),
        Entry(names: ["load"], type: Load.self), Entry(names: ["login"], type: Login.self), Entry(names: ["logout"], type: Logout.self),
        Entry(names: ["logs"], type: Logs.self), Entry(names: ["pause"], type: Pause.self), Entry(names: ["port"], type: Port.self),
        Entry(names: ["ps"], type: List.self), Entry(names: ["pull"], type: Pull.self), Entry(names: ["push"], type: Push.self),
        Entry(names: ["rename"], type: Rename.self), Entry(names: ["restart"], type: Restart.self),
        Entry(names: ["rm"], type: Remove.self),
        Entry(names: ["rmi"], type: RemoveImage.self), Entry(names: ["run"], type: Run.self), Entry(names: ["save"], type: Save.self),
        Entry(names: ["search"], type: Search.self), Entry(names: ["start"], type: Start.self),
        Entry(names: ["stats"], type: Stats.self), Entry(names: ["stop"], type: Stop.self), Entry(names: ["tag"], type: Tag.self),
        Entry(names: ["top"], type: Top.self), Entry(names: ["unpause"], type: Unpause.self), Entry(names: ["update"], type: Update.self),
        Entry(names: ["version"], type: ShowVersion.self),
        Entry(names: ["wait"], type: Wait.self), Entry(names: ["why"], type: Why.self), Entry(names: ["completion"], type: Completion.self),
    ]

    /// The same commands, by what they are about.
    static let groups: [(name: String, purpose: String, commands: [Entry])] = [
        (
            "container", "Manage containers",
            [
                Entry(names: ["attach"], type: Attach.self), Entry(names: ["commit"], type: Commit.self),
                Entry(names: ["cp"], type: Copy.self),
                Entry(names: ["create"], type: Create.self), Entry(names: ["diff"], type: Diff.self),
                Entry(names: ["edit"], type: Edit.self), Entry(names: ["exec"], type: Exec.self),
                Entry(names: ["export"], type: Export.self),
                Entry(names: ["inspect"], type: InspectContainer.self),
                Entry(names: ["kill"], type: Kill.self), Entry(names: ["logs"], type: Logs.self),
                Entry(names: ["ls", "list", "ps"], type: List.self), Entry(names: ["pause"], type: Pause.self),
                Entry(names: ["port"], type: Port.self), Entry(names: ["prune"], type: PruneContainers.self),
                Entry(names: ["rename"], type: Rename.self), Entry(names: ["restart"], type: Restart.self),
                Entry(names: ["rm", "remove"], type: Remove.self),
                Entry(names: ["run"], type: Run.self), Entry(names: ["start"], type: Start.self), Entry(names: ["stats"], type: Stats.self),
                Entry(names: ["stop"], type: Stop.self), Entry(names: ["top"], type: Top.self),
                Entry(names: ["unpause"], type: Unpause.self), Entry(names: ["update"], type: Update.self),
                Entry(names: ["wait"], type: Wait.self), Entry(names: ["why"], type: Why.self),
            ]
        ),
        (
            "image", "Manage images",
            [
                Entry(names: ["copy"], type: CopyImage.self), Entry(names: ["diff"], type: ImageDiff.self),
                Entry(names: ["history"], type: History.self),
                Entry(names: ["import"], type: Import.self),
                Entry(names: ["inspect"], type: InspectImage.self), Entry(names: ["layers"], type: ImageLayers.self),
                Entry(names: ["load"], type: Load.self), Entry(names: ["ls", "list"], type: Images.self),
                Entry(names: ["prune"], type: PruneImages.self), Entry(names: ["pull"], type: Pull.self),
                Entry(names: ["push"], type: Push.self), Entry(names: ["rebase"], type: RebaseImage.self),
                Entry(names: ["rm", "remove"], type: RemoveImage.self),
                Entry(names: ["save"], type: Save.self), Entry(names: ["squash"], type: SquashImage.self),
                Entry(names: ["tag"], type: Tag.self),
            ]
        ),
        (
            "jobs", "Manage the work that the engine does",
            [
                Entry(names: ["cancel"], type: CancelJobs.self), Entry(names: ["follow"], type: FollowJob.self),
                Entry(names: ["ls", "list"], type: Jobs.self),
            ]
        ),
        (
            "manifest", "Look at image manifests and manifest lists", [Entry(names: ["inspect"], type: InspectManifest.self)]
        ),
        (
            "network", "Manage networks",
            [
                Entry(names: ["connect"], type: ConnectNetwork.self), Entry(names: ["create"], type: CreateNetwork.self),
                Entry(names: ["disconnect"], type: DisconnectNetwork.self), Entry(names: ["exposure"], type: NetworkExposure.self),
                Entry(names: ["inspect"], type: InspectNetwork.self),
                Entry(names: ["ls", "list"], type: ListNetworks.self), Entry(names: ["prune"], type: PruneNetworks.self),
                Entry(names: ["rm", "remove"], type: RemoveNetwork.self),
            ]
        ),
        (
            "registry", "Look at registries, take out what is in them, and serve one",
            [
                Entry(names: ["ls", "list"], type: ListRepositories.self), Entry(names: ["rm", "remove"], type: RemoveFromRegistry.self),
                Entry(names: ["serve"], type: ServeRegistry.self), Entry(names: ["tags"], type: ListTags.self),
            ]
        ),
        (
            "system", "Manage the engine",
            [
                Entry(names: ["check"], type: Check.self), Entry(names: ["df"], type: DiskUsage.self),
                Entry(names: ["events"], type: Events.self), Entry(names: ["firewall"], type: FirewallCommand.self),
                Entry(names: ["info"], type: Info.self), Entry(names: ["jobs"], type: Jobs.self),
                Entry(names: ["prune"], type: PruneSystem.self),
            ]
        ),
        (
            "volume", "Manage volumes",
            [
                Entry(names: ["create"], type: CreateVolume.self), Entry(names: ["inspect"], type: InspectVolume.self),
                Entry(names: ["ls", "list"], type: ListVolumes.self), Entry(names: ["prune"], type: PruneVolumes.self),
                Entry(names: ["rm", "remove"], type: RemoveVolume.self), Entry(names: ["update"], type: UpdateVolume.self),
            ]
        ),
    ]

    /// What a group does when no command of it is named. Elsewhere it explains itself.
    private static let listings: [String: any Verb.Type] = ["jobs": Jobs.self]

    /// What Docker has besides, and why it is not here.
    private static let absent: [(names: [String], why: String)] = [
        (["trust"], "nothing is signed, and no signature is looked at"),
        (["build", "builder", "buildx"], "images cannot be built yet; make one with `berth import` or `berth commit`"),
        (["context"], "there are no contexts; name the daemon with -H"),
        (["swarm", "node", "service", "stack", "secret", "config"], "they are for several machines, and this engine is of one"),
        (["compose"], "it is a program of its own; point docker-compose, or docker compose, here with DOCKER_HOST=\(DefaultAddress.text)"),
        (["plugin"], "there are no plugins"), (["checkpoint"], "what processes have in memory cannot be kept"),
    ]

    private static let flags: [FlagDeclaration] = [
        FlagDeclaration(name: "host", shorthand: "H", kind: .value(kind: "list")),
        FlagDeclaration(name: "version", shorthand: "v", kind: .boolean(negative: nil)),
        FlagDeclaration(name: "debug", shorthand: "D", kind: .boolean(negative: nil), absence: "this program has no debug output"),
        FlagDeclaration(name: "config", kind: .value(kind: "string")),
        FlagDeclaration(
            name: "context", shorthand: "c", kind: .value(kind: "string"), absence: "there are no contexts; name the daemon with -H"),
        FlagDeclaration(name: "log-level", shorthand: "l", kind: .value(kind: "string"), absence: "this program keeps no log"),
        FlagDeclaration(name: "tls", kind: .boolean(negative: nil), absence: "TLS is not available yet"),
        FlagDeclaration(name: "tlsverify", kind: .boolean(negative: nil), absence: "TLS is not available yet"),
        FlagDeclaration(name: "tlscacert", kind: .value(kind: "string"), absence: "TLS is not available yet"),
        FlagDeclaration(name: "tlscert", kind: .value(kind: "string"), absence: "TLS is not available yet"),
        FlagDeclaration(name: "tlskey", kind: .value(kind: "string"), absence: "TLS is not available yet"),
    ]

    /// Performs a command line.
    ///
    /// - Returns: the exit status.
    static func run(_ arguments: [String]) -> Int32 {
        do {
            return try perform(arguments)
        } catch {
            let failure = Failure(error)
            if !failure.message.isEmpty { Output.complain(failure.message) }
            return failure.status
        }
    }

    private static func perform(_ arguments: [String]) throws -> Int32 {
        let line: Grammar.Line
        do throws(CommandLineError) {
            line = try Grammar(flags, placement: .beforeWords).read(arguments)
        } catch {
            throw Failure("\(error.description)\nSee 'berth --help'.", status: error.exitStatus)
        }
        var options = GlobalOptions()
        for flag in line.occurrences {
            switch (flag.name, flag.value) {
            case ("host", let value): options.host.append(value)
            case ("config", let value): Surroundings.setVariable("DOCKER_CONFIG", to: try Surroundings.absolute(value))
            case ("version", "true"):
                try Output.line("Berth version \(Version.own)")
                return 0
            default: break
            }
        }
        guard options.host.count <= 1 else { throw Failure("Please specify only one -H") }
        let words = line.words
        guard let name = words.first, !line.asksForHelp else {
            try Output.line(help)
            return 0
        }
        if name == "help" { return try perform(words.count > 1 ? Array(words.dropFirst()) + ["--help"] : ["--help"]) }
        if name == "__flags" { return try FlagTables.check() }
        if name == "__complete" { return try Completion.offer(Array(words.dropFirst()), options) }
        guard let entry = commands.first(where: { $0.names.contains(name) }) else {
            if let group = groups.first(where: { $0.name == name }) { return try perform(group, Array(words.dropFirst()), options) }
            if let absence = absent.first(where: { $0.names.contains(name) }) {
                throw Failure("berth: '\(name)' is not available: \(absence.why).\nSee 'berth --help'")
            }
            let meant = Suggestion.line(for: name, among: commands.flatMap(\.names) + groups.map(\.name), prefix: "berth ")
            throw Failure("berth: '\(name)' is not a berth command.\(meant)\nSee 'berth --help'")
        }
        let rest = Array(words.dropFirst())
        return try perform(entry.type, rest, Session(path: "berth \(name)", words: rest, options: options))
    }

    private static func perform(
        _ group: (name: String, purpose: String, commands: [Entry]), _ words: [String], _ options: GlobalOptions
    ) throws -> Int32 {
        // The list, where nothing else is asked for: `berth jobs`.
        if let listing = listings[group.name], words.first.map({ $0.hasPrefix("-") && !["--help", "-h"].contains($0) }) ?? true {
            return try perform(listing, words, Session(path: "berth \(group.name)", options: options))
        }
        guard let name = words.first, name != "--help", name != "-h" else {
            try Output.line(help(of: group))
            return 0
        }
        guard let entry = group.commands.first(where: { $0.names.contains(name) }) else {
            let meant = Suggestion.line(for: name, among: group.commands.flatMap(\.names), prefix: "berth \(group.name) ")
            throw Failure("berth: '\(group.name) \(name)' is not a berth command.\(meant)\nSee 'berth \(group.name) --help'")
        }
        // Its flags are berthd's: read there, with its help.
        if entry.type == ServeRegistry.self { try DaemonProgram.become(["registry"] + words) }
        let rest = Array(words.dropFirst())
        return try perform(entry.type, rest, Session(path: "berth \(group.name) \(name)", words: rest, options: options))
    }

    private static func perform<Command: Verb>(_ type: Command.Type, _ words: [String], _ session: Session) throws -> Int32 {
        switch try CommandLineReader.read(type, words, path: session.path, whenWellFormed: { if !type.isLocal { session.greet() } }) {
        case .help(let text):
            try Output.line(text)
            return 0
        case .command(let command): return try command.perform(session)
        }
    }

    // MARK: Help

    private static var help: String {
        var table = ""
        for entry in commands { table += "\n  \(padded(entry.names[0]))\(entry.type.configuration.abstract)" }
        var groupTable = ""
        for group in groups { groupTable += "\n  \(padded(group.name))\(group.purpose)" }
        return """
            Usage:  berth [OPTIONS] COMMAND

            Containers from the command line, in Docker's grammar

            Options:
                  --config string Where Docker's config.json is
                                  (default ~/.docker; also DOCKER_CONFIG)
              -H, --host string   The daemon: unix:///path or tcp://host:port
                                  (default \(DefaultAddress.text); also BERTH_HOST, DOCKER_HOST)
              -v, --version       Print this program's version

            Management commands:\(groupTable)

            Commands:\(table)

            Run 'berth COMMAND --help' for more information on a command.
            """
    }

    private static func help(of group: (name: String, purpose: String, commands: [Entry])) -> String {
        var table = ""
        for entry in group.commands { table += "\n  \(padded(entry.names[0]))\(entry.type.configuration.abstract)" }
        return """
            Usage:  berth \(group.name) COMMAND

            \(group.purpose)

            Commands:\(table)

            Run 'berth \(group.name) COMMAND --help' for more information on a command.
            """
    }

    private static func padded(_ name: String) -> String { name + String(repeating: " ", count: max(1, 12 - name.count)) }
}
