internal import ArgumentParser
internal import BerthClient
internal import BerthCommandLine

/// `berth network ls`.
struct ListNetworks: Verb {
    static let configuration = CommandConfiguration(commandName: "ls", abstract: "List networks", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS]"
    static let wordCount = WordCount.none

    @Option(name: [.short, .long], help: help("Provide filter values (e.g. \"driver=bridge\")", "filter")) var filter: [String] = []
    @Option(help: help("Pretty-print networks using a Go template, 'table', 'table TEMPLATE' or 'json'")) var format: String?
    @Flag(help: "Do not truncate the output") var noTrunc = false
    @Flag(name: [.short, .long], help: "Only display network IDs") var quiet = false

    func perform(_ session: Session) throws -> Int32 {
        let filters = try Filters.query(filter)
        let found = try session.daemon().call("GET", "/networks", query: filters.map { [$0] } ?? []).elements
        let listing = Listing(
            standardTable: "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}", quietTemplate: "{{.ID}}", headings: Self.headings)
        let sorted = found.sorted { NaturalOrder.isBefore($0["Name"]?.text ?? "", $1["Name"]?.text ?? "") }
        try listing.show(sorted.map(row), format: format ?? session.format(of: .networks, quiet: quiet), quiet: quiet)
        return 0
    }

    private static let headings = [
        ("ID", "NETWORK ID"), ("Name", "NAME"), ("Driver", "DRIVER"), ("Scope", "SCOPE"), ("IPv4", "IPV4"), ("IPv6", "IPV6"),
        ("Internal", "INTERNAL"), ("Labels", "LABELS"), ("CreatedAt", "CREATED AT"),
    ]

    private func row(_ network: JSONTree) -> Listing.Row {
        func text(_ name: String) -> JSONTree { .string(network[name]?.text ?? "") }
        func truth(_ name: String) -> JSONTree { .string(network[name]?.boolean == true ? "true" : "false") }
        let id = network["Id"]?.text ?? ""
        let labels = (network["Labels"]?.members ?? []).sorted { $0.name < $1.name }
        let fields: [(String, JSONTree?)] = [
            ("CreatedAt", .string(Times.long(rfc3339: network["Created"]?.text ?? ""))), ("Driver", text("Driver")),
            ("ID", .string(noTrunc ? id : shortID(id))), ("IPv4", truth("EnableIPv4")), ("IPv6", truth("EnableIPv6")),
            ("Internal", truth("Internal")),
            ("Labels", .string(labels.map { "\($0.name)=\($0.value.text ?? "")" }.joined(separator: ","))), ("Name", text("Name")),
            ("Scope", text("Scope")),
        ]
        let label: GoTemplate.Method = { arguments throws(TemplateError) in
            guard let name = arguments.first?.text else { throw TemplateError("template: Label needs the name of a label") }
            return .string(labels.first { $0.name == name }?.value.text ?? "")
        }
        return Listing.Row(fields: .object(fields), methods: ["Label": label])
    }
}

/// `berth network inspect`.
struct InspectNetwork: Verb {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Display detailed information on one or more networks", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] NETWORK [NETWORK...]"
    static let wordCount = WordCount.atLeast(1)

    @Option(name: [.short, .long], help: help("Format the output using the given Go template, or 'json'")) var format: String?
    @Flag(name: [.short, .long], help: "Verbose output for diagnostics") var verbose = false
    @Argument var names: [String]

    func perform(_ session: Session) throws -> Int32 {
        var flags = InspectFlags()
        (flags.format, flags.size) = (format, false)
        var inspection = Inspection(kinds: [.network], flags: flags)
        if verbose { inspection.networkQuery = [("verbose", "true")] }
        return try inspection.show(names, session)
    }
}

extension JSONTree {
    /// A network as templates see it: what an answer leaves out of a subnet is empty, as it is to Docker's client. Anything else stays as it is.
    var withEmptySubnetMembers: JSONTree {
        guard case .object(var members) = self, let index = members.firstIndex(where: { $0.name == "IPAM" }),
            case .object(var addressing) = members[index].value, let config = addressing.firstIndex(where: { $0.name == "Config" }),
            case .array(let subnets) = addressing[config].value
        else { return self }
        addressing[config].value = .array(
            subnets.map { subnet in
                let missing = ["Subnet", "IPRange", "Gateway"].filter { subnet[$0] == nil }
                return .object(subnet.members + missing.map { Member($0, .string("")) })
            })
        members[index].value = .object(addressing)
        return .object(members)
    }
}

/// `berth network rm`.
struct RemoveNetwork: Verb {
    static let configuration = CommandConfiguration(
        commandName: "rm", abstract: "Remove one or more networks", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] NETWORK [NETWORK...]"
    static let wordCount = WordCount.atLeast(1)

    @Flag(name: [.short, .long], help: "Do not error if the network does not exist") var force = false
    @Argument var networks: [String]

    func perform(_ session: Session) throws -> Int32 {
        let daemon = try session.daemon()
        var failures = Failures()
        for network in networks {
            failures.attempt {
                if try Self.leadsSwarm(network, daemon), try !Confirmation.isGiven(Self.swarmWarning) { return }
                do throws(ClientError) { try daemon.call("DELETE", "/networks/\(Daemon.escaped(network))") } catch {
                    guard force, error.status == 404 else { throw error }
                    return
                }
                try Output.line(network)
            }
        }
        try failures.report()
        return 0
    }

    /// Whether a network is the one of a swarm's published ports. What it is of a network that cannot be looked at, its removal will say.
    private static func leadsSwarm(_ network: String, _ daemon: Daemon) throws(ClientError) -> Bool {
        do throws(ClientError) {
            return try daemon.call("GET", "/networks/\(Daemon.escaped(network))")["Ingress"]?.boolean == true
        } catch {
            guard error.code == .refused else { throw error }
            return false
        }
    }

    private static let swarmWarning = """
        WARNING! This network leads a swarm's published ports. Before it is removed, all nodes of the swarm must run the same version of the \
        engine, or its removal has no effect and networks made in its place do not work.
        Are you sure you want to continue?
        """
}

/// `berth network prune`.
struct PruneNetworks: Verb {
    static let configuration = CommandConfiguration(
        commandName: "prune", abstract: "Remove all unused networks", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS]"
    static let wordCount = WordCount.none

    @Option(help: help("Provide filter values (e.g. \"until=<timestamp>\")", "filter")) var filter: [String] = []
    @Flag(name: [.short, .long], help: "Do not prompt for confirmation") var force = false

    func perform(_ session: Session) throws -> Int32 {
        let question = """
            WARNING! This will remove all custom networks not used by at least one container.
            Are you sure you want to continue?
            """
        guard try force || Confirmation.isGiven(question) else { return 0 }
        try Output.text(try Pruning.networks(session.pruneFilters(filter), try session.daemon()).text)
        return 0
    }
}
