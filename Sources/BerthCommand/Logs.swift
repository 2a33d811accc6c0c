internal import ArgumentParser
internal import BerthClient
internal import BerthCommandLine

/// `berth logs`.
struct Logs: Verb {
    static let configuration = CommandConfiguration(
        commandName: "logs", abstract: "Fetch the logs of a container", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] CONTAINER"
    static let wordCount = WordCount.exactly(1)

    @Flag(help: "Show extra details provided to logs") var details = false
    @Flag(name: [.short, .long], help: "Follow log output") var follow = false
    @Option(help: help("Show logs since timestamp (e.g. 2013-01-02T13:23:37Z) or relative (e.g. 42m for 42 minutes)")) var since: String?
    @Option(name: [.customShort("n"), .long], help: help("Number of lines to show from the end of the logs")) var tail = "all"
    @Flag(name: [.short, .long], help: "Show timestamps") var timestamps = false
    @Option(help: help("Show logs before a timestamp (e.g. 2013-01-02T13:23:37Z) or relative (e.g. 42m for 42 minutes)")) var until: String?
    @Argument var container: String

    func perform(_ session: Session) throws -> Int32 {
        let daemon = try session.daemon()
        let path = "/containers/\(Daemon.escaped(container))"
        let isTerminal = try daemon.call("GET", "\(path)/json")["Config"]?["Tty"]?.boolean ?? false
        var query = [("stdout", "1"), ("stderr", "1"), ("tail", tail)]
        if follow { query.append(("follow", "1")) }
        if details { query.append(("details", "1")) }
        if timestamps { query.append(("timestamps", "1")) }
        if let since { query.append(("since", try Times.parameter(since))) }
        if let until { query.append(("until", try Times.parameter(until))) }
        var answer = try daemon.open("GET", "\(path)/logs", query: query)
        var frames = StreamDemultiplexer()
        while let bytes = try answer.read() {
            if isTerminal {
                try Output.write(bytes[...], to: 1)
                continue
            }
            try frames.feed(bytes[...]) { (stream, part) throws(Failure) in
                switch stream {
                case .output: try Output.write(part, to: 1)
                case .errors: try Output.write(part, to: 2)
                case .daemon: throw Failure("error from daemon in stream: \(String(decoding: part, as: UTF8.self))")
                }
            } mistake: {
                Failure($0)
            }
        }
        guard frames.isBetweenFrames else { throw Failure("the log ended in the middle of a line's frame: unexpected EOF") }
        return 0
    }
}
