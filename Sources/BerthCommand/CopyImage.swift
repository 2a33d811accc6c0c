internal import ArgumentParser
internal import BerthAPI
internal import BerthClient
internal import BerthCommandLine
internal import BerthOCI
internal import DockerAPI

/// `berth image copy`.
struct CopyImage: Verb {
    static let configuration = CommandConfiguration(
        commandName: "copy", abstract: "Copy an image between registries as it is, with all its platforms, by the daemon",
        helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] docker://SOURCE docker://DESTINATION"
    static let wordCount = WordCount.exactly(2)

    @Flag(name: [.short, .long], help: "Suppress verbose output") var quiet = false
    @Argument var source: String
    @Argument var destination: String

    func perform(_ session: Session) throws -> Int32 {
        let (from, to) = (try Self.reference(source), try Self.reference(destination))
        var headers = try Transfer.headers(for: from)
        if let auth = try Logins.auth(for: to.registry) { headers.append(("X-Registry-Auth-To", auth.header)) }
        var answer = try session.daemon().openOwn(
            "POST", BerthPath.copy, query: [("from", from.description), ("to", to.description)], headers: headers)
        var names: [String] = []
        try Transfer.show(&answer, on: quiet ? nil : 2) { document in
            names = try Daemon.decode(NameList.self, Array(document.json().utf8)).names
        }
        guard let last = names.last else { throw Failure("the daemon has not said what came of it: unexpected EOF") }
        try Output.line(last)
        return 0
    }

    private static func reference(_ text: String) throws(Failure) -> ImageReference {
        let prefix = "docker://"
        guard text.hasPrefix(prefix) else {
            throw Failure(
                "'\(text)' is not available: images are copied between registries, docker://NAME; what is here goes with `berth push`, `berth pull`, `berth save` and `berth load`"
            )
        }
        return try Transfer.reference(String(text.dropFirst(prefix.count)))
    }
}
