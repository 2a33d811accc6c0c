internal import ArgumentParser
internal import BerthClient
internal import BerthCommandLine
internal import BerthLinux
internal import DockerAPI

/// `berth stats`.
struct Stats: Verb {
    static let configuration = CommandConfiguration(
        commandName: "stats", abstract: "Display a live stream of container(s) resource usage statistics", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] [CONTAINER...]"
    static let wordCount = WordCount.atLeast(0)

    @Flag(name: [.short, .long], help: "Show all containers (default shows just running)") var all = false
    @Option(help: help("Pretty-print containers using a Go template, 'table', 'table TEMPLATE' or 'json'")) var format: String?
    @Flag(help: "Disable streaming stats and only pull the first result") var noStream = false
    @Flag(help: "Do not truncate output") var noTrunc = false
    @Argument var containers: [String] = []

    /// How long is between two readings.
    private static let intervalMilliseconds: Int32 = 1000
    private static let headings = [
        ("Container", "CONTAINER"), ("ID", "CONTAINER ID"), ("Name", "NAME"), ("CPUPerc", "CPU %"), ("MemUsage", "MEM USAGE / LIMIT"),
        ("MemPerc", "MEM %"), ("NetIO", "NET I/O"), ("BlockIO", "BLOCK I/O"), ("PIDs", "PIDS"),
    ]
    private static let table = "{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}"

    func perform(_ session: Session) throws -> Int32 {
        let daemon = try session.daemon()
        let listing = Listing(standardTable: Self.table, quietTemplate: "{{.ID}}", headings: Self.headings)
        var before: [String: JSONTree] = [:]
        var isFirst = true
        while true {
            var (now, rows): ([String: JSONTree], [Listing.Row]) = ([:], [])
            for name in try names(daemon) {
                let reading = try Self.reading(of: name, daemon)
                if reading == nil {
                    // One that is named and is not there is a mistake; one that has gone since is gone.
                    if isFirst, !containers.isEmpty { _ = try daemon.call("GET", "/containers/\(Daemon.escaped(name))/json") }
                    if containers.isEmpty { continue }
                }
                now[name] = reading
                rows.append(row(name, reading, before: before[name]))
            }
            before = now
            // What the processors do takes two readings.
            if !isFirst || rows.isEmpty {
                if !noStream { try Output.text("\u{1b}[2J\u{1b}[H") }
                try listing.show(rows, format: format ?? session.format(of: .statistics), quiet: false)
                if noStream { return 0 }
            }
            isFirst = false
            HostFile.pause(milliseconds: Self.intervalMilliseconds)
        }
    }

    private func names(_ daemon: Daemon) throws -> [String] {
        if !containers.isEmpty { return containers }
        return try daemon.call("GET", "/containers/json", query: all ? [("all", "1")] : []).elements.compactMap { $0["Id"]?.text }
    }

    /// `nil` for a container that is not there.
    private static func reading(of name: String, _ daemon: Daemon) throws(ClientError) -> JSONTree? {
        let path = "/containers/\(Daemon.escaped(name))/stats"
        do throws(ClientError) { return try daemon.call("GET", path, query: [("stream", "0"), ("one-shot", "1")]) } catch {
            guard error.code == .refused, error.status == 404 else { throw error }
            return nil
        }
    }

    private func row(_ asked: String, _ reading: JSONTree?, before: JSONTree?) -> Listing.Row {
        let id = reading?["id"]?.text ?? asked
        var fields = [
            ("Container", containers.isEmpty && !noTrunc ? String(asked.prefix(12)) : asked), ("ID", noTrunc ? id : String(id.prefix(12))),
            ("Name", String((reading?["name"]?.text ?? "--").drop { $0 == "/" })),
        ]
        if let reading {
            // One that has been started anew counts anew.
            let sample = UsageSample(reading, before: before)
            func percent(_ value: Double) -> String { HumanText.fixed(value, digits: 2) + "%" }
            fields += [
                ("CPUPerc", percent(sample.processorPercent)),
                ("MemUsage", "\(HumanText.binarySize(Int64(sample.memoryByteCount))) / \(HumanText.binarySize(Int64(sample.memoryLimit)))"),
                ("MemPerc", percent(sample.memoryPercent)),
                ("NetIO", "\(HumanText.size(Int64(sample.received))) / \(HumanText.size(Int64(sample.sent)))"),
                ("BlockIO", "\(HumanText.size(Int64(sample.read))) / \(HumanText.size(Int64(sample.written)))"),
                ("PIDs", String(sample.taskCount)),
            ]
        } else {
            fields += [("CPUPerc", "--"), ("MemUsage", "-- / --"), ("MemPerc", "--"), ("NetIO", "--"), ("BlockIO", "--"), ("PIDs", "--")]
        }
        return Listing.Row(fields: .object(fields.map { ($0.0, JSONTree.string($0.1)) }))
    }
}
