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
        let filters = try Filters.query(filter, adding: [("dangling", all ? "false" : "true")])
        let what = all ? "all images without at least one container associated to them" : "all dangling images"
        var reclaimed: Int64 = 0
        if try force || Confirmation.isGiven("WARNING! This will remove \(what).\nAre you sure you want to continue?") {
            let report = try session.daemon().call("POST", "/images/prune", query: filters.map { [$0] } ?? [])
            reclaimed = report["SpaceReclaimed"]?.integer ?? 0
            let items = report["ImagesDeleted"]?.elements ?? []
            if !items.isEmpty { try Output.line("Deleted Images:") }
            for item in items {
                if let name = item["Untagged"]?.text { try Output.line("untagged: \(name)") }
                if let name = item["Deleted"]?.text { try Output.line("deleted: \(name)") }
            }
            if !items.isEmpty { try Output.line("") }
        }
        try Output.line("Total reclaimed space: \(HumanText.size(reclaimed, digits: 4))")
        return 0
    }
}
