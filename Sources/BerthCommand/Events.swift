internal import ArgumentParser
internal import BerthClient
internal import BerthCommandLine

/// `berth events`.
struct Events: Verb {
    static let configuration = CommandConfiguration(
        commandName: "events", abstract: "Get real time events from the server", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS]"
    static let wordCount = WordCount.none

    @Option(name: [.short, .long], help: help("Filter output based on conditions provided", "filter")) var filter: [String] = []
    @Option(help: help("Format the output using the given Go template, or 'json'")) var format: String?
    @Option(help: help("Show all events created since timestamp")) var since: String?
    @Option(help: help("Stream events until this timestamp")) var until: String?

    func perform(_ session: Session) throws -> Int32 {
        let template = try format.flatMap { $0 == "json" ? nil : $0 }.map(Listing.unescaped).map(GoTemplate.init(parsing:))
        var query: [(String, String)] = []
        if let since { query.append(("since", try Times.parameter(since))) }
        if let until { query.append(("until", try Times.parameter(until))) }
        if let filters = try Filters.query(filter) { query.append(filters) }
        var answer = try session.daemon().open("GET", "/events", query: query)
        try JSONLines.each(&answer) { event in
            if let template {
                try Output.line(try template.rendered(event))
            } else if format == "json" {
                try Output.line(event.json())
            } else {
                try Output.line(Self.line(event))
            }
        }
        return 0
    }

    /// As `2026-11-24T13:49:25.123456789Z container create ID (image=box, name=c)`.
    private static func line(_ event: JSONTree) -> String {
        let nanoseconds = event["timeNano"]?.integer ?? (event["time"]?.integer ?? 0) * 1_000_000_000
        var result = nanoseconds == 0 ? "" : Times.stamp(nanoseconds: nanoseconds) + " "
        result += "\(event["Type"]?.text ?? "") \(event["Action"]?.text ?? "") \(event["Actor"]?["ID"]?.text ?? "")"
        let attributes = (event["Actor"]?["Attributes"]?.members ?? []).sorted { $0.name < $1.name }
        if !attributes.isEmpty {
            result += " (" + attributes.map { "\($0.name)=\($0.value.text ?? "")" }.joined(separator: ", ") + ")"
        }
        return result
    }
}
