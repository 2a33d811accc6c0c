internal import ArgumentParser
internal import BerthAPI
internal import BerthClient
internal import BerthCommandLine
internal import DockerAPI

/// `berth system jobs`.
struct Jobs: Verb {
    static let configuration = CommandConfiguration(
        commandName: "jobs", abstract: "List the work that the engine does, and the latest that it has done", helpNames: .customLong("help")
    )
    static let synopsis = "[OPTIONS]"
    static let wordCount = WordCount.none

    @Option(help: help("Format output using a Go template, 'table', 'table TEMPLATE' or 'json'")) var format: String?
    @Flag(help: "Don't truncate output") var noTrunc = false
    @Flag(name: [.short, .long], help: "Only show job IDs") var quiet = false

    func perform(_ session: Session) throws -> Int32 {
        let jobs = try session.daemon().document(JobList.self, "GET", BerthPath.jobs).jobs
        let listing = Listing(
            standardTable: "{{.ID}}\t{{.Kind}}\t{{.Title}}\t{{.State}}\t{{.Started}}\t{{.Progress}}", quietTemplate: "{{.ID}}",
            headings: [
                ("ID", "JOB ID"), ("Kind", "KIND"), ("Title", "ON"), ("State", "STATE"), ("Failure", "FAILURE"), ("Started", "STARTED"),
                ("Progress", "PROGRESS"),
            ])
        try listing.show(jobs.map { Listing.Row(fields: fields(of: $0)) }, format: format, quiet: quiet)
        return 0
    }

    /// How much of a title is shown where it is cut.
    private static let titleWidth = 40

    private func fields(of job: JobItem) -> JSONTree {
        let progress = [job.failure ?? job.status ?? "", Self.size(job)].filter { !$0.isEmpty }.joined(separator: " ")
        return .object([
            ("Failure", .string(job.failure ?? "")), ("ID", .string(job.id)), ("Kind", .string(job.kind)), ("Progress", .string(progress)),
            ("Started", .string(HumanText.duration(seconds: Times.secondsSince(job.startedAt / 1_000_000_000)) + " ago")),
            ("State", .string(job.state)), ("Title", .string(noTrunc ? job.title : HumanText.ellipsis(job.title, Self.titleWidth))),
        ])
    }

    private static func size(_ job: JobItem) -> String {
        guard job.state == "running", let count = job.completedByteCount else { return "" }
        return HumanText.size(count, digits: 4) + (job.totalByteCount.map { "/" + HumanText.size($0, digits: 4) } ?? "")
    }
}
