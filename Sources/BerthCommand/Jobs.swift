internal import ArgumentParser
internal import BerthAPI
internal import BerthClient
internal import BerthCommandLine
internal import DockerAPI

/// `berth jobs`, `berth system jobs`.
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

/// `berth jobs cancel`.
struct CancelJobs: Verb {
    static let configuration = CommandConfiguration(
        commandName: "cancel", abstract: "End work that the engine does: what is half made is undone", helpNames: .customLong("help"))
    static let synopsis = "JOB [JOB...]"
    static let wordCount = WordCount.atLeast(1)

    @Argument var jobs: [String]

    func perform(_ session: Session) throws -> Int32 {
        let daemon = try session.daemon()
        var failures = Failures()
        for job in jobs {
            failures.attempt {
                let report = try daemon.document(JobReport.self, "POST", BerthPath.cancellation(of: Daemon.escaped(job)))
                try Output.line(report.job.id)
            }
        }
        try failures.report()
        return 0
    }
}

/// `berth jobs follow`.
struct FollowJob: Verb {
    static let configuration = CommandConfiguration(
        commandName: "follow", abstract: "Show how far a job is until it ends; its end is this command's", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] JOB"
    static let wordCount = WordCount.exactly(1)

    @Option(help: help("Print a line for each state using a Go template or 'json'")) var format: String?
    @Argument var job: String

    func perform(_ session: Session) throws -> Int32 {
        var answer = try session.daemon().openOwn("GET", BerthPath.job(Daemon.escaped(job)))
        let template = try format.map { try GoTemplate(parsing: $0 == "json" ? "{{json .}}" : $0) }
        var display = TransferDisplay(
            Terminal.isTerminal(1) ? .terminal(columns: Int(Terminal.size()?.columns ?? 80)) : .plain)
        var told: [String: JobPart] = [:]
        var last: JobItem?
        try JSONLines.each(&answer) { line in
            let item = try Daemon.decode(JobReport.self, Array(line.json().utf8)).job
            if let template {
                try Output.line(try template.rendered(try JSONTree(of: item)))
            } else {
                try Self.show(item, last, &told, &display)
            }
            last = item
        }
        guard let last, last.state != "running" else { throw Failure("the daemon has not said how job \(job) ended: unexpected EOF") }
        guard last.state == "succeeded" else { throw Failure(last.failure ?? "job \(job) was \(last.state)") }
        if template == nil { try Output.line("\(job): \(last.state)") }
        return 0
    }

    private static func show(
        _ item: JobItem, _ before: JobItem?, _ told: inout [String: JobPart], _ display: inout TransferDisplay
    ) throws {
        var text = ""
        for part in item.parts ?? [] where told[part.id] != part {
            told[part.id] = part
            var detail: [JSONTree.Member] = []
            if let count = part.completedByteCount { detail.append(JSONTree.Member("current", .integer(count))) }
            if let total = part.totalByteCount { detail.append(JSONTree.Member("total", .integer(total))) }
            let members: [(String, JSONTree?)] = [
                ("id", .string(part.id)), ("status", .string(part.status)), ("progressDetail", .object(detail)),
            ]
            text += display.text(for: .object(members), at: Transfer.milliseconds)
        }
        if item.parts == nil, let status = item.status, status != before?.status {
            text += display.text(for: .object([("status", .string(status))]), at: Transfer.milliseconds)
        }
        if !text.isEmpty { try Output.text(text) }
    }
}
