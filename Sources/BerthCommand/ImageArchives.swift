internal import ArgumentParser
internal import BerthClient
internal import BerthCommandLine
internal import BerthLinux
internal import BerthOCI
internal import DockerAPI
internal import Glibc

/// `berth save`.
struct Save: Verb {
    static let configuration = CommandConfiguration(
        commandName: "save", abstract: "Save one or more images to a tar archive (streamed to STDOUT by default)",
        helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] IMAGE [IMAGE...]"
    static let wordCount = WordCount.atLeast(1)

    @Option(name: [.short, .long], help: help("Write to a file, instead of STDOUT")) var output: String?
    @Option(help: help("Save only the given platform, as os[/arch[/variant]]")) var platform: String?
    @Argument var images: [String]

    func perform(_ session: Session) throws -> Int32 {
        if output == nil, Terminal.isTerminal(1) {
            throw Failure("cowardly refusing to save to a terminal. Use the -o flag or redirect")
        }
        let daemon = try session.daemon()
        let query = images.map { ("names", $0) } + (try PlatformQuery.items(platform, daemon))
        // Before a file is begun: what the daemon refuses leaves none.
        var answer = try daemon.open("GET", "/images/get", query: query)
        guard let output else {
            while let bytes = try answer.read() { try Output.write(bytes[...], to: 1) }
            return 0
        }
        try FileOutput.write(to: output) { file in
            var meter = Meter("Saving")
            while let bytes = try answer.read() {
                try unsafe file.writeAll(bytes.span.bytes)
                try meter.advance(bytes.count)
            }
            try meter.end()
        }
        return 0
    }
}

/// `berth load`.
struct Load: Verb {
    static let configuration = CommandConfiguration(
        commandName: "load", abstract: "Load an image from a tar archive or STDIN", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS]"
    static let wordCount = WordCount.exactly(0)

    @Option(name: [.short, .long], help: help("Read from tar archive file, instead of STDIN")) var input: String?
    @Option(help: help("Load only the given platform, as os[/arch[/variant]]")) var platform: String?
    @Flag(name: [.short, .long], help: "Suppress the load output") var quiet = false

    func perform(_ session: Session) throws -> Int32 {
        if input == nil, Terminal.isTerminal(0) { throw Failure("requested load from stdin, but stdin is empty") }
        let daemon = try session.daemon()
        let (stream, size) = try archive()
        if !quiet {
            var meter = Meter("Loading", of: size)
            stream.sent = { try? meter.advance($0) }  // a terminal that has gone is no reason to stop
        }
        let query = [("quiet", "1")] + (try PlatformQuery.items(platform, daemon))
        var answer = try daemon.open("POST", "/images/load", query: query, body: .archive(stream))
        if !quiet { try Meter.clear() }
        try ProgressLines.show(&answer)
        return 0
    }

    private func archive() throws -> (Daemon.OwnedStream, size: Int64?) {
        do throws(Errno) {
            let file = try HostFile.open(input ?? "/proc/self/fd/0")
            let status = try file.status()
            guard status.kind != .directory else { throw .EISDIR }
            let size = status.kind == .regular && input != nil ? status.byteCount : nil
            return (Daemon.OwnedStream(file, byteCount: size), size)
        } catch {
            throw Failure("open \(input ?? "standard input"): \(error)" + (error == .EISDIR ? ": give its files as a tar archive" : ""))
        }
    }
}

/// How far something is, on a terminal: one line, which goes when it is done. On anything else nothing is shown.
struct Meter {
    private let what: String
    private let total: Int64?
    private var count: Int64 = 0
    private var shownAt: Int64 = 0

    init(_ what: String, of total: Int64? = nil) { (self.what, self.total) = (what, total) }

    /// How many bytes pass before the line is written anew.
    private static let step: Int64 = 4 << 20

    mutating func advance(_ byteCount: Int) throws(Failure) {
        count += Int64(byteCount)
        guard count - shownAt >= Self.step, Terminal.isTerminal(2) else { return }
        shownAt = count
        let size = HumanText.size(UInt64(count), digits: 4) + (total.map { "/" + HumanText.size(UInt64(max(0, $0)), digits: 4) } ?? "")
        try Output.write(Array("\r\(what) \(size)\u{1b}[K".utf8)[...], to: 2)
    }

    func end() throws(Failure) { if shownAt > 0 { try Self.clear() } }

    /// Takes the line away.
    static func clear() throws(Failure) {
        if Terminal.isTerminal(2) { try Output.write(Array("\r\u{1b}[K".utf8)[...], to: 2) }
    }
}
