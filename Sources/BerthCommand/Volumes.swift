internal import ArgumentParser
internal import BerthClient
internal import BerthCommandLine
internal import DockerAPI

/// `berth volume ls`.
struct ListVolumes: Verb {
    static let configuration = CommandConfiguration(commandName: "ls", abstract: "List volumes", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS]"
    static let wordCount = WordCount.none
    static let absentFlags: [AbsentFlag] = [.boolean("cluster", why: "an engine of one machine has no volumes of a swarm")]

    @Option(name: [.short, .long], help: help("Provide filter values (e.g. \"dangling=true\")", "filter")) var filter: [String] = []
    @Option(help: help("Pretty-print volumes using a Go template, 'table', 'table TEMPLATE' or 'json'")) var format: String?
    @Flag(name: [.short, .long], help: "Only display volume names") var quiet = false

    func perform(_ session: Session) throws -> Int32 {
        let filters = try Filters.query(filter)
        let answer = try session.daemon().call("GET", "/volumes", query: filters.map { [$0] } ?? [])
        for warning in answer["Warnings"]?.elements ?? [] { Output.complain("WARNING: \(warning.text ?? "")") }
        let listing = Listing(standardTable: "{{.Driver}}\t{{.Name}}", quietTemplate: "{{.Name}}", headings: Self.headings)
        let sorted = (answer["Volumes"]?.elements ?? []).sorted { NaturalOrder.isBefore($0["Name"]?.text ?? "", $1["Name"]?.text ?? "") }
        try listing.show(sorted.map(Self.row), format: format ?? session.format(of: .volumes, quiet: quiet), quiet: quiet)
        return 0
    }

    private static let headings = [
        ("Name", "VOLUME NAME"), ("Driver", "DRIVER"), ("Scope", "SCOPE"), ("Mountpoint", "MOUNTPOINT"), ("Labels", "LABELS"),
        ("Links", "LINKS"), ("Size", "SIZE"), ("Availability", "AVAILABILITY"), ("Group", "GROUP"), ("Status", "STATUS"),
    ]

    private static func row(_ volume: JSONTree) -> Listing.Row {
        func text(_ name: String) -> JSONTree { .string(volume[name]?.text ?? "") }
        let labels = (volume["Labels"]?.members ?? []).sorted { $0.name < $1.name }
        let nothing = JSONTree.string("N/A")
        let fields: [(String, JSONTree?)] = [
            ("Availability", nothing), ("Driver", text("Driver")), ("Group", nothing),
            ("Labels", .string(labels.map { "\($0.name)=\($0.value.text ?? "")" }.joined(separator: ","))), ("Links", nothing),
            ("Mountpoint", text("Mountpoint")), ("Name", text("Name")), ("Scope", text("Scope")), ("Size", nothing), ("Status", nothing),
        ]
        let label: GoTemplate.Method = { arguments throws(TemplateError) in
            guard let name = arguments.first?.text else { throw TemplateError("template: Label needs the name of a label") }
            return .string(labels.first { $0.name == name }?.value.text ?? "")
        }
        return Listing.Row(fields: .object(fields), methods: ["Label": label])
    }
}

/// `berth volume create`.
struct CreateVolume: Verb {
    static let configuration = CommandConfiguration(commandName: "create", abstract: "Create a volume", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] [VOLUME]"
    static let wordCount = WordCount.atMost(1)
    static let absentFlags: [AbsentFlag] =
        [
            "availability", "group", "limit-bytes", "required-bytes", "scope", "secret", "sharing", "topology-preferred",
            "topology-required", "type",
        ].map { .value($0, why: "it belongs to volumes of a swarm") }

    @Option(name: [.customShort("d"), .long], help: help("Specify volume driver name")) var driver: String = "local"
    @Option(help: help("Set metadata for a volume", "list")) var label: [String] = []
    @Option(help: help("Specify volume name")) var name: String?
    @Option(name: [.customShort("o"), .long], help: help("Set driver specific options", "map")) var opt: [String] = []
    @Argument var volume: String?

    func perform(_ session: Session) throws -> Int32 {
        guard volume == nil || name == nil else {
            throw Failure("conflicting options: cannot specify a volume-name through both --name and as a positional arg")
        }
        let labels = try NameFlags.all(label, flag: "--label", NameFlags.label)
        let body: [(String, JSONTree?)] = [
            ("Driver", .string(driver)), ("DriverOpts", opt.isEmpty ? nil : Self.map(opt)),
            ("Labels", labels.isEmpty ? nil : Self.map(labels)),
            ("Name", .string(volume ?? name ?? "")),
        ]
        let answer = try session.daemon().call("POST", "/volumes/create", body: .json(.object(body)))
        guard let name = answer["Name"]?.text else { throw Failure("the daemon made a volume and did not say its name") }
        try Output.line(name)
        return 0
    }

    /// `name=value`; the last of a name counts. Without a value it is empty.
    private static func map(_ flags: [String]) -> JSONTree {
        var values: [String: String] = [:]
        for flag in flags {
            let parts = flag.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            values[parts[0]] = parts.count > 1 ? parts[1] : ""
        }
        return .object(values.sorted { $0.key < $1.key }.map { ($0.key, JSONTree.string($0.value)) as (String, JSONTree?) })
    }
}

/// `berth volume inspect`.
struct InspectVolume: Verb {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Display detailed information on one or more volumes", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] VOLUME [VOLUME...]"
    static let wordCount = WordCount.atLeast(1)

    @Option(name: [.short, .long], help: help("Format the output using the given Go template, or 'json'")) var format: String?
    @Argument var names: [String]

    func perform(_ session: Session) throws -> Int32 {
        var flags = InspectFlags()
        (flags.format, flags.size) = (format, false)
        return try Inspection(kinds: [.volume], flags: flags).show(names, session)
    }
}

/// `berth volume rm`.
struct RemoveVolume: Verb {
    static let configuration = CommandConfiguration(
        commandName: "rm", abstract: "Remove one or more volumes", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] VOLUME [VOLUME...]"
    static let wordCount = WordCount.atLeast(1)

    @Flag(name: [.short, .long], help: "Force the removal of one or more volumes") var force = false
    @Argument var volumes: [String]

    func perform(_ session: Session) throws -> Int32 {
        let daemon = try session.daemon()
        var failures = Failures()
        for volume in volumes {
            failures.attempt {
                try daemon.call("DELETE", "/volumes/\(Daemon.escaped(volume))", query: force ? [("force", "1")] : [])
                try Output.line(volume)
            }
        }
        try failures.report()
        return 0
    }
}

/// `berth volume prune`.
struct PruneVolumes: Verb {
    static let configuration = CommandConfiguration(
        commandName: "prune", abstract: "Remove unused local volumes", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS]"
    static let wordCount = WordCount.none

    @Flag(name: [.short, .long], help: "Remove all unused volumes, not just anonymous ones") var all = false
    @Option(help: help("Provide filter values (e.g. \"label=<label>\")", "filter")) var filter: [String] = []
    @Flag(name: [.short, .long], help: "Do not prompt for confirmation") var force = false

    func perform(_ session: Session) throws -> Int32 {
        let daemon = try session.daemon()
        let what = try all || !Pruning.knowsAnonymousVolumes(daemon) ? "all local volumes" : "anonymous local volumes"
        var reclaimed: Int64 = 0
        let question = "WARNING! This will remove \(what) not used by at least one container.\nAre you sure you want to continue?"
        if try force || Confirmation.isGiven(question) {
            let pruned = try Pruning.volumes(all: all, session.pruneFilters(filter), daemon)
            try Output.text(pruned.text)
            reclaimed = pruned.reclaimed
        }
        try Output.line(Pruning.total(reclaimed))
        return 0
    }
}

/// `berth volume update`.
struct UpdateVolume: Verb {
    static let configuration = CommandConfiguration(
        commandName: "update", abstract: "Update a volume (cluster volumes only)", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] VOLUME"
    static let wordCount = WordCount.exactly(1)

    @Option(help: help("Cluster Volume availability (\"active\", \"pause\", \"drain\")")) var availability: String?
    @Argument var volume: String

    func perform(_ session: Session) throws -> Int32 {
        let found = try session.daemon().call("GET", "/volumes/\(Daemon.escaped(volume))")
        guard found["ClusterVolume"]?.members.isEmpty == false else { throw Failure("Can only update cluster volumes") }
        throw Failure("volume \(volume) is a swarm's: this program does not update those")
    }
}
