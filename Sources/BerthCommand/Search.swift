internal import ArgumentParser
internal import BerthClient
internal import BerthCommandLine
internal import DockerAPI

/// `berth search`.
struct Search: Verb {
    static let configuration = CommandConfiguration(
        commandName: "search", abstract: "Search a registry for images: Docker Hub, or the one before the first slash",
        helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] TERM"
    static let wordCount = WordCount.exactly(1)

    @Option(name: [.short, .long], help: help("Filter output based on conditions provided", "filter")) var filter: [String] = []
    @Option(help: help("Pretty-print search using a Go template")) var format: String?
    @Option(help: help("Max number of search results", "int")) var limit: String?
    @Flag(help: "Don't truncate output") var noTrunc = false
    @Argument var term: String

    func perform(_ session: Session) throws -> Int32 {
        let registry = term.split(separator: "/").first.map(String.init) ?? ""
        let isRegistry = term.contains("/") && (registry.contains(".") || registry.contains(":") || registry == "localhost")
        let headers = try Logins.auth(for: isRegistry ? registry : "docker.io").map { [("X-Registry-Auth", $0.header)] } ?? []
        var query = [("term", term), ("limit", limit ?? "25")]
        if let filters = try Filters.query(filter) { query.append(filters) }
        var answer = try session.daemon().open("GET", "/images/search", query: query, headers: headers)
        let results = try JSONTree(parsing: try answer.readAll(limit: 8 << 20)).elements
        let listing = Listing(
            standardTable: "{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}", quietTemplate: "{{.Name}}",
            headings: [
                ("Name", "NAME"), ("Description", "DESCRIPTION"), ("StarCount", "STARS"), ("IsOfficial", "OFFICIAL"),
                ("IsAutomated", "AUTOMATED"),
            ])
        try listing.show(results.map { Listing.Row(fields: fields(of: $0)) }, format: format, quiet: false)
        return 0
    }

    /// How much of a description is shown where it is cut.
    private static let descriptionWidth = 45

    private func fields(of result: JSONTree) -> JSONTree {
        var text = VisibleText.of((result["description"]?.text ?? "").split { $0.isNewline }.joined(separator: " "))
        if !noTrunc { text = HumanText.ellipsis(text, Self.descriptionWidth) }
        return .object([
            ("Description", .string(text)), ("IsAutomated", .string("")),
            ("IsOfficial", .string(result["is_official"]?.boolean == true ? "[OK]" : "")),
            ("Name", .string(VisibleText.of(result["name"]?.text ?? ""))), ("StarCount", .string("\(result["star_count"]?.integer ?? 0)")),
        ])
    }
}
