internal import ArgumentParser
internal import BerthClient
internal import BerthCommandLine

/// `berth top`.
struct Top: Verb {
    static let configuration = CommandConfiguration(
        commandName: "top", abstract: "Display the running processes of a container", helpNames: .customLong("help"))
    static let synopsis = "CONTAINER [ps OPTIONS]"
    static let wordCount = WordCount.atLeast(1)
    static let flagPlacement = Grammar.FlagPlacement.beforeWords

    @Argument var container: String
    @Argument var options: [String] = []

    func perform(_ session: Session) throws -> Int32 {
        let query = options.isEmpty ? [] : [("ps_args", options.joined(separator: " "))]
        let answer = try session.daemon().call("GET", "/containers/\(Daemon.escaped(container))/top", query: query)
        var table = TextTable(narrowest: 20)
        func add(_ row: JSONTree?) { table.add(line: (row?.elements ?? []).compactMap(\.text).joined(separator: "\t")) }
        add(answer["Titles"])
        for process in answer["Processes"]?.elements ?? [] { add(process) }
        try Output.text(table.text)
        return 0
    }
}
