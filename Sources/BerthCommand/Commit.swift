internal import ArgumentParser
internal import BerthClient
internal import BerthCommandLine
internal import BerthLinux
internal import BerthOCI
internal import Glibc

/// `berth commit`.
struct Commit: Verb {
    static let configuration = CommandConfiguration(
        commandName: "commit", abstract: "Create a new image from a container's changes", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]"
    static let wordCount = WordCount.between(1, 2)

    @Option(name: [.short, .long], help: help("Author (e.g., \"John Hannibal Smith <hannibal@a-team.com>\")")) var author: String?
    @Option(name: [.short, .long], help: help("Apply Dockerfile instruction to the created image", "list")) var change: [String] = []
    @Option(name: [.short, .long], help: help("Commit message")) var message: String?
    @Flag(name: [.short, .long], inversion: .prefixedNo, help: "Pause container during commit") var pause = true
    @Argument var container: String
    @Argument var reference: String?

    func perform(_ session: Session) throws -> Int32 {
        var query = [("container", container), ("author", author ?? ""), ("comment", message ?? ""), ("pause", pause ? "1" : "0")]
        if let text = reference {
            let name: ImageReference
            do { name = try ImageReference(parsing: text) } catch { throw Failure("invalid reference format: \(error)") }
            guard name.digest == nil else { throw Failure("refusing to create a tag with a digest reference") }
            query += [("repo", name.familiarName), ("tag", name.tag ?? "latest")]
        }
        query += change.map { ("changes", $0) }
        let answer = try session.daemon().call("POST", "/commit", query: query)
        try Output.line(answer["Id"]?.text ?? "")
        return 0
    }
}

/// `berth diff`.
struct Diff: Verb {
    static let configuration = CommandConfiguration(
        commandName: "diff", abstract: "Inspect changes to files or directories on a container's filesystem",
        helpNames: .customLong("help"))
    static let synopsis = "CONTAINER"
    static let wordCount = WordCount.exactly(1)

    @Argument var container: String

    func perform(_ session: Session) throws -> Int32 {
        guard !container.isEmpty else { throw Failure("Container name cannot be empty") }
        for change in try session.daemon().call("GET", "/containers/\(Daemon.escaped(container))/changes").elements {
            let kind = [0: "C", 1: "A", 2: "D"][change["Kind"]?.integer ?? -1] ?? "?"
            try Output.line("\(kind) \(change["Path"]?.text ?? "")")
        }
        return 0
    }
}

/// `berth export`.
struct Export: Verb {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Export a container's filesystem as a tar archive", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] CONTAINER"
    static let wordCount = WordCount.exactly(1)

    @Option(name: [.short, .long], help: help("Write to a file, instead of STDOUT")) var output: String?
    @Argument var container: String

    func perform(_ session: Session) throws -> Int32 {
        if output == nil, Terminal.isTerminal(1) {
            throw Failure("cowardly refusing to save to a terminal. Use the -o flag or redirect")
        }
        var answer = try session.daemon().open("GET", "/containers/\(Daemon.escaped(container))/export")
        guard let output else {
            while let bytes = try answer.read() { try Output.write(bytes[...], to: 1) }
            return 0
        }
        try FileOutput.write(to: output) { file in
            while let bytes = try answer.read() { try unsafe file.writeAll(bytes.span.bytes) }
        }
        return 0
    }
}
