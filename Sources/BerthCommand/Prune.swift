internal import ArgumentParser
internal import BerthClient
internal import BerthCommandLine
internal import DockerAPI

/// `berth image prune`.
struct PruneImages: Verb {
    static let configuration = CommandConfiguration(
        commandName: "prune", abstract: "Remove unused images", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS]"
    static let wordCount = WordCount.none

    @Flag(name: [.short, .long], help: "Remove all unused images, not just dangling ones") var all = false
    @Option(help: help("Provide filter values (e.g. \"until=<timestamp>\")", "filter")) var filter: [String] = []
    @Flag(name: [.short, .long], help: "Do not prompt for confirmation") var force = false

    func perform(_ session: Session) throws -> Int32 {
        let what = all ? "all images without at least one container associated to them" : "all dangling images"
        var reclaimed: Int64 = 0
        if try force || Confirmation.isGiven("WARNING! This will remove \(what).\nAre you sure you want to continue?") {
            let pruned = try Pruning.images(all: all, session.pruneFilters(filter), try session.daemon())
            try Output.text(pruned.text)
            reclaimed = pruned.reclaimed
        }
        try Output.line(Pruning.total(reclaimed))
        return 0
    }
}

/// `berth system prune`.
struct PruneSystem: Verb {
    static let configuration = CommandConfiguration(commandName: "prune", abstract: "Remove unused data", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS]"
    static let wordCount = WordCount.none

    @Flag(name: [.short, .long], help: "Remove all unused images not just dangling ones") var all = false
    @Option(help: help("Provide filter values (e.g. \"label=<key>=<value>\")", "filter")) var filter: [String] = []
    @Flag(name: [.short, .long], help: "Do not prompt for confirmation") var force = false
    @Flag(help: "Prune anonymous volumes") var volumes = false

    func perform(_ session: Session) throws -> Int32 {
        if volumes, filter.contains(where: { $0.hasPrefix("until=") }) {
            throw Failure("ERROR: The \"until\" filter is not supported with \"--volumes\"")
        }
        // What is wrong with them is said before anything is asked.
        _ = try Filters.query(filter)
        let daemon = try session.daemon()
        let filters = session.pruneFilters(filter)
        guard try force || Confirmation.isGiven(try question(filters, daemon)) else { return 0 }
        var reclaimed: Int64 = 0
        func told(_ pruned: Pruning) throws {
            try Output.text(pruned.text)
            reclaimed += pruned.reclaimed
        }
        try told(Pruning.containers(filters, daemon))
        try told(Pruning.networks(filters, daemon))
        if volumes { try told(Pruning.volumes(all: false, filters, daemon)) }
        try told(Pruning.images(all: all, filters, daemon))
        try told(Pruning.buildCache(all: all, filters, daemon))
        try Output.line(Pruning.total(reclaimed))
        return 0
    }

    private func question(_ filters: [String], _ daemon: Daemon) throws -> String {
        var what = ["all stopped containers", "all networks not used by at least one container"]
        if volumes {
            let which = try Pruning.knowsAnonymousVolumes(daemon) ? "all anonymous volumes" : "all volumes"
            what.append("\(which) not used by at least one container")
        }
        what.append(all ? "all images without at least one container associated to them" : "all dangling images")
        what.append(all ? "all build cache" : "unused build cache")
        var text = "WARNING! This will remove:\n" + what.map { "  - \($0)\n" }.joined()
        if !filters.isEmpty { text += "\n  Items to be pruned will be filtered with:\n" + filters.sorted().map { "  - \($0)\n" }.joined() }
        return text + "\nAre you sure you want to continue?"
    }
}
