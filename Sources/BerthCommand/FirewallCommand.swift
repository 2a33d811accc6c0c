internal import ArgumentParser
internal import BerthAPI
internal import BerthClient
internal import BerthCommandLine

/// `berth system firewall`.
struct FirewallCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "firewall",
        abstract: "Show what the host's firewall makes of containers' packets, or have the engine cooperate with it",
        helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] [status|explain|cooperate|owned|watched]"
    static let wordCount = WordCount.atMost(1)

    @Option(help: help("Format the output using the given Go template, or 'json'")) var format: String?
    @Argument var wish: String?

    /// What may be said, and what it asks the daemon for; `status` nothing.
    static let wishes: [(name: String, parameter: (String, String)?)] = [
        ("status", nil), ("explain", ("mode", "explain")), ("cooperate", ("mode", "cooperate")), ("owned", ("protection", "owned")),
        ("watched", ("protection", "watched")),
    ]

    func perform(_ session: Session) throws -> Int32 {
        let name = wish ?? "status"
        guard let meant = Self.wishes.first(where: { $0.name == name }) else {
            throw Failure("'\(name)' is none of \(Self.wishes.map(\.name).joined(separator: ", "))\nSee 'berth system firewall --help'.")
        }
        let template = try format.flatMap { $0 == "json" ? nil : try GoTemplate(parsing: $0) }
        let daemon = try session.daemon()
        let report = try daemon.document(
            FirewallReport.self, meant.parameter == nil ? "GET" : "POST", BerthPath.firewall, query: meant.parameter.map { [$0] } ?? [])
        if let format {
            let tree = try JSONTree(of: report)
            try Output.line(format == "json" ? tree.json() : try template?.rendered(tree) ?? "")
        } else {
            try Output.text(Self.text(report))
        }
        return 0
    }

    private static func text(_ report: FirewallReport) -> String {
        let what =
            report.mode == "cooperate"
            ? "rules of the engine's are put into chains that drop containers' packets" : "nothing of it is changed"
        var text = "Host's firewall: \(report.mode) (\(what))\nOwn table: \(report.table), \(report.protection)\n"
        for rule in report.rules { text += "Rule: \(VisibleText.of(rule))\n" }
        if report.findings.isEmpty { return text + "No chain drops containers' packets.\n" }
        for finding in report.findings {
            text +=
                "\nThe chain \(finding.chain) of the table \(finding.family) \(finding.table) (\(finding.owner)) drops containers' packets:\n"
            text += "  \(finding.why)\n  bridges: \(finding.bridges.joined(separator: " ")) (\(finding.ways.joined(separator: " and ")))\n"
            if !finding.remedy.isEmpty { text += "  allow them by: \(finding.remedy)\n" }
            if finding.owner == "legacy" {
                text += "  the engine itself cannot: these are rules of iptables-legacy\n"
            } else if report.mode != "cooperate" {
                text += "  or have the engine do it: berth system firewall cooperate\n"
            } else {
                text += "  the engine may not: the table belongs to a program that keeps it from others\n"
            }
        }
        return text.split(separator: "\n", omittingEmptySubsequences: false).map { VisibleText.of(String($0)) }.joined(separator: "\n")
    }
}
