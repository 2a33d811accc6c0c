internal import ArgumentParser
internal import BerthAPI
internal import BerthClient
internal import BerthCommandLine
internal import DockerAPI

/// `berth system check`.
struct Check: Verb {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Check every blob, layer and document of the engine's store", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS]"
    static let wordCount = WordCount.none

    @Option(help: help("Format the output using the given Go template, or 'json'")) var format: String?
    @Flag(name: [.short, .long], help: "Only show what is wrong, a line each: kind and subject") var quiet = false
    @Flag(help: "Repair what can be repaired") var repair = false

    /// 1 if something is not as it should be.
    func perform(_ session: Session) throws -> Int32 {
        let template = try format.flatMap { $0 == "json" ? nil : try GoTemplate(parsing: $0) }
        let report = try LongWork.result(
            CheckReport.self, try session.daemon(), "POST", BerthPath.check, query: repair ? [("repair", "1")] : [])
        if let format {
            let tree = try JSONTree(of: report)
            try Output.line(format == "json" ? tree.json() : try template?.rendered(tree) ?? "")
        } else if quiet {
            for finding in report.findings where finding.isFault { try Output.line(VisibleText.of("\(finding.kind) \(finding.subject)")) }
        } else {
            try Output.text(Self.text(report))
        }
        return report.isSound ? 0 : 1
    }

    private static func text(_ report: CheckReport) -> String {
        var text = ""
        for finding in report.findings {
            // Names in layers may be anything.
            var lines = ["\(finding.kind) \(finding.subject)", "  \(finding.problem)"] + finding.details.map { "    \($0)" }
            lines += ["  \(finding.meaning)", "  \(finding.outcome == "found" ? "to do" : finding.outcome): \(finding.remedy)", ""]
            for line in lines { text += VisibleText.of(line) + "\n" }
        }
        if report.furtherFindingCount > 0 { text += "and \(report.furtherFindingCount) more: check again when these are repaired\n\n" }
        let counts = [
            (report.imageCount, "image"), (report.referenceCount, "name"), (report.layerCount, "layer"), (report.blobCount, "blob"),
            (report.containerCount, "container"),
        ].map { count, word in "\(count) \(word)\(count == 1 ? "" : "s")" }.joined(separator: ", ")
        text += "Checked \(counts): \(HumanText.size(report.byteCount, digits: 4)) read.\n"
        let faults = report.findings.count(where: \.isFault)
        let mended = report.findings.count { $0.outcome == "repaired" }
        if mended > 0 { text += "\(mended) of \(report.findings.count) findings repaired.\n" }
        return text + (report.isSound ? "Everything is sound.\n" : "\(faults + report.furtherFindingCount) not sound.\n")
    }
}
