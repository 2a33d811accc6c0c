internal import ArgumentParser
internal import BerthClient
internal import BerthCommandLine
internal import DockerAPI

/// `berth ps`.
struct List: Verb {
    static let configuration = CommandConfiguration(commandName: "ps", abstract: "List containers", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS]"
    static let wordCount = WordCount.none

    @Flag(name: [.short, .long], help: "Show all containers (default shows just running)") var all = false
    @Option(name: [.short, .long], help: help("Filter output based on conditions provided", "filter")) var filter: [String] = []
    @Option(help: help("Pretty-print containers using a Go template, 'table', 'table TEMPLATE' or 'json'")) var format: String?
    @Option(name: [.customShort("n"), .long], help: help("Show n last created containers (includes all states)", "int")) var last: Int64?
    @Flag(name: [.short, .long], help: "Show the latest created container (includes all states)") var latest = false
    @Flag(help: "Don't truncate output") var noTrunc = false
    @Flag(name: [.short, .long], help: "Only display container IDs") var quiet = false
    @Flag(name: [.short, .long], help: "Display total file sizes") var size = false

    func perform(_ session: Session) throws -> Int32 {
        var query: [(String, String)] = []
        if all { query.append(("all", "1")) }
        let limit = latest ? 1 : last ?? -1
        if limit > 0 { query.append(("limit", String(limit))) }
        let format = format ?? session.format(of: .containers, quiet: quiet)
        let asksForSize = size || (format ?? "").contains(".Size")
        if asksForSize { query.append(("size", "1")) }
        if let filters = try Filters.query(filter) { query.append(filters) }
        let found = try session.daemon().call("GET", "/containers/json", query: query).elements
        let listing = Listing(
            standardTable: "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}"
                + (size ? "\t{{.Size}}" : ""),
            quietTemplate: "{{.ID}}",
            headings: ContainerRow.headings)
        try listing.show(found.map { ContainerRow.row($0, withSize: asksForSize, noTrunc: noTrunc) }, format: format, quiet: quiet)
        return 0
    }
}
