internal import ArgumentParser
internal import BerthClient
internal import BerthCommandLine
internal import DockerAPI

/// `berth history`.
struct History: Verb {
    static let configuration = CommandConfiguration(
        commandName: "history", abstract: "Show the history of an image", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] IMAGE"
    static let wordCount = WordCount.exactly(1)

    @Option(help: help("Format output using a Go template, 'table', 'table TEMPLATE' or 'json'")) var format: String?
    @Flag(name: [.customShort("H"), .long], inversion: .prefixedNo, help: "Print sizes and dates in human readable format") var human = true
    @Flag(help: "Don't truncate output") var noTrunc = false
    @Option(help: help("Show history for the given platform, as os[/arch[/variant]]")) var platform: String?
    @Flag(name: [.short, .long], help: "Only show image IDs") var quiet = false
    @Argument var image: String

    /// How much of a command is shown where it is cut.
    private static let commandWidth = 45

    func perform(_ session: Session) throws -> Int32 {
        let daemon = try session.daemon()
        let query = try PlatformQuery.items(platform, daemon)
        let steps = try daemon.call("GET", "/images/\(Daemon.escapedPath(image))/history", query: query).elements
        let listing = Listing(
            standardTable: "{{.ID}}\t{{.\(human ? "CreatedSince" : "CreatedAt")}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}",
            quietTemplate: "{{.ID}}",
            headings: [
                ("ID", "IMAGE"), ("CreatedSince", "CREATED"), ("CreatedAt", "CREATED AT"), ("CreatedBy", "CREATED BY"), ("Size", "SIZE"),
                ("Comment", "COMMENT"),
            ])
        try listing.show(steps.map(row), format: format, quiet: quiet)
        return 0
    }

    private func row(_ step: JSONTree) -> Listing.Row {
        let (id, created, size) = (step["Id"]?.text ?? "", step["Created"]?.integer ?? 0, step["Size"]?.integer ?? 0)
        let command = String((step["CreatedBy"]?.text ?? "").map { $0 == "\t" ? " " : $0 })
        let at = Times.stamp(seconds: created)
        let since = created <= 0 ? "N/A" : HumanText.duration(seconds: Times.secondsSince(created)) + " ago"
        return Listing.Row(
            fields: .object([
                ("Comment", .string(step["Comment"]?.text ?? "")), ("CreatedAt", .string(at)),
                ("CreatedBy", .string(noTrunc ? command : HumanText.ellipsis(command, Self.commandWidth))),
                ("CreatedSince", .string(human ? since : at)), ("ID", .string(noTrunc ? id : shortID(id))),
                ("Size", .string(human ? HumanText.size(size) : String(size))),
            ]))
    }
}
