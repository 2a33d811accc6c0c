internal import ArgumentParser
internal import BerthAPI
internal import BerthClient
internal import BerthCommandLine
internal import BerthOCI
internal import DockerAPI

/// `berth registry ls`.
struct ListRepositories: Verb {
    static let configuration = CommandConfiguration(
        commandName: "ls", abstract: "List the repositories of a registry that tells of them", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] REGISTRY"
    static let wordCount = WordCount.exactly(1)

    @Option(help: help("Format output using a Go template, 'table', 'table TEMPLATE' or 'json'")) var format: String?
    @Flag(name: [.short, .long], help: "Only show names") var quiet = false
    @Argument var registry: String

    func perform(_ session: Session) throws -> Int32 {
        let registry = Logins.registry(of: registry)
        let headers = try Logins.auth(for: registry).map { [("X-Registry-Auth", $0.header)] } ?? []
        let names = try session.daemon().document(
            NameList.self, "GET", BerthPath.repositories, query: [("registry", registry)], headers: headers
        ).names
        let rows = names.map { name in
            Listing.Row(
                fields: .object([("Name", .string(VisibleText.of(name))), ("Reference", .string("\(registry)/\(VisibleText.of(name))"))]))
        }
        try Listing(
            standardTable: "{{.Reference}}", quietTemplate: "{{.Name}}", headings: [("Name", "NAME"), ("Reference", "REPOSITORY")]
        ).show(rows, format: format, quiet: quiet)
        return 0
    }
}

/// `berth registry tags`.
struct ListTags: Verb {
    static let configuration = CommandConfiguration(
        commandName: "tags", abstract: "List the tags of a repository in its registry", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] REPOSITORY"
    static let wordCount = WordCount.exactly(1)

    @Option(help: help("Format output using a Go template, 'table', 'table TEMPLATE' or 'json'")) var format: String?
    @Flag(name: [.short, .long], help: "Only show tags") var quiet = false
    @Argument var repository: String

    func perform(_ session: Session) throws -> Int32 {
        let reference = try Transfer.reference(repository)
        let tags = try session.daemon().document(
            NameList.self, "GET", BerthPath.tags, query: [("name", reference.description)], headers: try Transfer.headers(for: reference)
        ).names
        let rows = tags.map { tag in
            Listing.Row(
                fields: .object([
                    ("Reference", .string("\(reference.familiarName):\(VisibleText.of(tag))")), ("Tag", .string(VisibleText.of(tag))),
                ]))
        }
        try Listing(
            standardTable: "{{.Tag}}\t{{.Reference}}", quietTemplate: "{{.Tag}}", headings: [("Tag", "TAG"), ("Reference", "REFERENCE")]
        ).show(rows, format: format, quiet: quiet)
        return 0
    }
}

/// `berth registry rm`.
struct RemoveFromRegistry: Verb {
    static let configuration = CommandConfiguration(
        commandName: "rm", abstract: "Remove tags, or manifests by their digests, from a registry that lets it be done",
        helpNames: .customLong("help"))
    static let synopsis = "NAME:TAG|NAME@DIGEST [...]"
    static let wordCount = WordCount.atLeast(1)

    @Argument var names: [String]

    func perform(_ session: Session) throws -> Int32 {
        let daemon = try session.daemon()
        var failures = Failures()
        for name in names {
            failures.attempt {
                let reference = try Transfer.reference(name)
                // What is to go is said, and never guessed.
                guard reference.digest != nil || name.hasSuffix(":\(reference.tag ?? "")") else {
                    throw Failure("say which tag or digest of \(reference.familiarName) is to be removed")
                }
                _ = try daemon.document(
                    NameList.self, "DELETE", BerthPath.manifest, query: [("name", reference.description)],
                    headers: try Transfer.headers(for: reference))
                try Output.line("Deleted: \(reference.familiar)")
            }
        }
        try failures.report()
        return 0
    }
}
