internal import ArgumentParser
internal import BerthCommandLine

/// `berth registry serve`: berthd does it, and reads its words.
struct ServeRegistry: Verb {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Serve a registry of this machine's own", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS]"
    static let wordCount = WordCount.atLeast(0)
    static let isLocal = true

    @Argument var words: [String] = []

    func perform(_ session: Session) throws -> Int32 { try DaemonProgram.become(["registry", "serve"] + words) }
}
