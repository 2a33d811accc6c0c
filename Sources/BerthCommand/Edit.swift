internal import ArgumentParser
internal import BerthAPI
internal import BerthClient
internal import BerthCommandLine

/// `berth edit`.
struct Edit: Verb {
    static let configuration = CommandConfiguration(
        commandName: "edit",
        abstract: "Change what a container was made with; its name, id, volumes and addresses stay", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] CONTAINER [OPTIONS] [-- COMMAND [ARG...]]"
    static let wordCount = WordCount.atLeast(1)
    static let absentFlags = ContainerFlags.absent

    @Flag(help: "Show what would change, and change nothing") var dryRun = false
    @Option(help: help("The image, looked for anew; what was written beside volumes goes", "image")) var image: String?
    @Option(help: help("Take back NAME (memory) or NAME=WHICH (env=A, publish=80, mount=/data, command)", "list")) var unset: [String] = []
    @OptionGroup var flags: ContainerFlags
    @Argument var container: String
    @Argument var command: [String] = []

    func perform(_ session: Session) throws -> Int32 {
        let daemon = try session.daemon()
        let found = try daemon.call("GET", "/containers/\(Daemon.escaped(container))/json")
        let grammar = try Run.grammar()
        let former = ContainerLine(try grammar.read(RunLines.words(of: found, daemon)))
        let wanted = try edited(former, grammar, session)
        let changes = CreateChanges(from: try body(of: former, daemon), to: try body(of: wanted, daemon), naming: image)
        guard !changes.isEmpty || flags.platform != nil else {
            Output.complain("Nothing is otherwise.")
            try Output.line(container)
            return 0
        }
        let query = [("platform", flags.platform), ("dry-run", dryRun ? "1" : nil)].compactMap { name, value in value.map { (name, $0) } }
        let report = try Creation.fetching(wanted.image, flags, daemon) { () throws(ClientError) in
            try daemon.document(
                EditReport.self, "POST", BerthPath.edit(found["Id"]?.text ?? container), query: query, body: .json(changes.tree))
        }
        for warning in report.warnings { Output.complain("WARNING: \(warning)") }
        try Output.text(dryRun ? Self.text(report, former, wanted) : report.id + "\n")
        return 0
    }

    /// The container's line with what was said, or, where nothing was, as the user's editor leaves it.
    private func edited(_ former: ContainerLine, _ grammar: Grammar, _ session: Session) throws -> ContainerLine {
        var line = former
        let said = try Self.grammar().read(session.words).occurrences.filter { $0.name != "dry-run" }
        if said.isEmpty, command.isEmpty {
            line = ContainerLine(try grammar.read(try LineEditor.edited(former, of: container)))
        }
        for text in unset {
            do throws(ValueMistake) { try line.remove(text) } catch { throw error.of(text, for: "--unset") }
        }
        for entry in try EnvironmentList.entries(files: flags.envFile, flags: []) {
            line.add(.init(name: "env", value: entry), isList: true)
        }
        for label in try EnvironmentList.labels(files: flags.labelFile, flags: []).members {
            line.add(.init(name: "label", value: "\(label.name)=\(label.value.text ?? "")"), isList: true)
        }
        let taken = ["image", "unset", "env-file", "label-file", "pull", "quiet", "platform", "disable-content-trust"]
        for flag in said where !taken.contains(flag.name) { line.add(flag, isList: grammar.takesSeveral(flag.name)) }
        if let image { line.image = image }
        if !command.isEmpty { line.command = command }
        try Self.requireSame(former, line)
        return line
    }

    /// What of a line says how a container is made, and is nothing that it is.
    private static func requireSame(_ former: ContainerLine, _ line: ContainerLine) throws(Failure) {
        let fixed = [
            "name", "cidfile", "attach", "detach", "detach-keys", "sig-proxy", "pull", "quiet", "platform", "disable-content-trust",
            "env-file",
            "label-file",
        ]
        for name in fixed where former.flags.filter({ $0.name == name }) != line.flags.filter({ $0.name == name }) {
            let instead = name == "name" ? ": 'berth rename' gives it another name" : ""
            throw Failure("--\(name) cannot be changed of a container that is there\(instead)")
        }
    }

    /// The request that a line makes.
    private func body(of line: ContainerLine, _ daemon: Daemon) throws -> JSONTree {
        guard case .command(let run) = try CommandLineReader.read(Run.self, line.words, path: "berth edit") else {
            throw Failure("the container's line cannot be read: \(RunLine.line(line.words))")
        }
        return try CreateRequest(run.flags, image: run.image, command: run.command).body(terminalSize: nil, daemon)
    }

    private static func text(_ report: EditReport, _ former: ContainerLine, _ wanted: ContainerLine) -> String {
        func words(_ line: ContainerLine) -> [String] { line.flagWords + [RunLine.line([line.image] + line.command)] }
        let (old, new) = (words(former), words(wanted))
        var text = ""
        for word in old where !new.contains(word) { text += "- \(VisibleText.of(word))\n" }
        for word in new where !old.contains(word) { text += "+ \(VisibleText.of(word))\n" }
        if report.hasNewLayer { text += "What the container has written beside its volumes would go.\n" }
        return text + (report.isRestarted ? "The container would be stopped and started again.\n" : "")
    }
}

/// What of a request to make a container is another than in a second one.
struct CreateChanges {
    private let config: [(String, JSONTree?)]
    private let host: [(String, JSONTree?)]
    private let endpoints: [(String, JSONTree?)]

    /// - Parameter image: the image, where it is named in any case.
    init(from former: JSONTree, to wanted: JSONTree, naming image: String?) {
        let parts = ["HostConfig", "NetworkingConfig", "Image"]
        config =
            Self.differences(former, wanted).filter { !parts.contains($0.0) } + (image.map { [("Image", JSONTree.string($0))] } ?? [])
        host = Self.differences(former["HostConfig"], wanted["HostConfig"])
        endpoints = Self.differences(
            former["NetworkingConfig"]?["EndpointsConfig"], wanted["NetworkingConfig"]?["EndpointsConfig"])
    }

    var isEmpty: Bool { config.isEmpty && host.isEmpty && endpoints.isEmpty }

    /// As the daemon takes it: what is gone is `null`.
    var tree: JSONTree {
        let networking: [(String, JSONTree?)] = [("EndpointsConfig", .object(endpoints))]
        return .object(config + [("HostConfig", .object(host)), ("NetworkingConfig", .object(networking))])
    }

    private static func differences(_ former: JSONTree?, _ wanted: JSONTree?) -> [(String, JSONTree?)] {
        var names = (wanted?.members ?? []).map(\.name)
        names += (former?.members ?? []).map(\.name).filter { !names.contains($0) }
        return names.compactMap { name in
            let new = wanted?[name] ?? .null
            return new == former?[name] ?? .null ? nil : (name, new)
        }
    }
}
