internal import ArgumentParser
internal import BerthClient
internal import BerthCommandLine

/// What is looked for, and how it is shown.
struct InspectFlags: ParsableArguments {
    @Option(name: [.short, .long], help: help("Format the output using the given Go template, or 'json'")) var format: String?
    @Flag(name: [.short, .long], help: "Display total file sizes if the type is container") var size = false
}

/// `berth inspect`.
struct Inspect: Verb {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Return low-level information on containers, images, networks and volumes",
        helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] NAME|ID [NAME|ID...]"
    static let wordCount = WordCount.atLeast(1)

    @OptionGroup var flags: InspectFlags
    @Option(name: .customLong("as"), help: help("'run' shows the command line that makes a container again")) var form: String?
    @Option(help: help("Return JSON for specified type: container, image, network or volume")) var type: String?
    @Argument var names: [String]

    func perform(_ session: Session) throws -> Int32 {
        if let form { return try RunLines.show(names, form: form, flags, session) }
        switch type {
        case nil, "": return try Inspection(kinds: [.container, .image, .network, .volume], flags: flags).show(names, session)
        case "container": return try Inspection(kinds: [.container], flags: flags).show(names, session)
        case "image": return try Inspection(kinds: [.image], flags: flags).show(names, session)
        case "network": return try Inspection(kinds: [.network], flags: flags).show(names, session)
        case "volume": return try Inspection(kinds: [.volume], flags: flags).show(names, session)
        case let other?:
            throw Failure(
                "\"\(other)\" is not a valid value for --type: there are containers, images, networks and volumes, and nothing else yet",
                status: 1)
        }
    }
}

/// `berth container inspect`.
struct InspectContainer: Verb {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Display detailed information on one or more containers", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] CONTAINER [CONTAINER...]"
    static let wordCount = WordCount.atLeast(1)

    @Option(name: .customLong("as"), help: help("'run' shows the command line that makes a container again")) var form: String?
    @OptionGroup var flags: InspectFlags
    @Argument var names: [String]

    func perform(_ session: Session) throws -> Int32 {
        if let form { return try RunLines.show(names, form: form, flags, session) }
        return try Inspection(kinds: [.container], flags: flags).show(names, session)
    }
}

/// `berth image inspect`.
struct InspectImage: Verb {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Display detailed information on one or more images", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] IMAGE [IMAGE...]"
    static let wordCount = WordCount.atLeast(1)

    @Option(name: [.short, .long], help: help("Format the output using the given Go template, or 'json'")) var format: String?
    @Option(help: help("Inspect the image for the given platform, as os[/arch[/variant]]")) var platform: String?
    @Argument var names: [String]

    func perform(_ session: Session) throws -> Int32 {
        var flags = InspectFlags()
        (flags.format, flags.size) = (format, false)
        let query = try PlatformQuery.items(platform, try session.daemon(), since: "1.49")
        return try Inspection(kinds: [.image], flags: flags, imageQuery: query).show(names, session)
    }
}

/// Looks objects up and shows them.
struct Inspection {
    enum Kind: String { case container, image, network, volume }

    let kinds: [Kind]
    let flags: InspectFlags
    var imageQuery: [(String, String)] = []
    var networkQuery: [(String, String)] = []

    func show(_ names: [String], _ session: Session) throws -> Int32 {
        let daemon = try session.daemon()
        let template = try flags.format.flatMap { $0 == "json" ? nil : $0 }.map(GoTemplate.init(parsing:))
        var found: [JSONTree] = []
        var failures = Failures()
        for name in names { failures.attempt { found.append(try look(up: name, daemon)) } }
        if let template {
            for object in found { try Output.line(try template.rendered(object.withEmptySubnetMembers)) }
        } else {
            try Output.line(JSONTree.array(found).json(flags.format == "json" ? .compact : .indented(4)))
        }
        try failures.report()
        return 0
    }

    private func look(up name: String, _ daemon: Daemon) throws -> JSONTree {
        for kind in kinds {
            let (path, query) =
                switch kind {
                case .container: ("/containers/\(Daemon.escaped(name))/json", flags.size ? [("size", "1")] : [])
                case .image: ("/images/\(Daemon.escapedPath(name))/json", imageQuery)
                case .network: ("/networks/\(Daemon.escaped(name))", networkQuery)
                case .volume: ("/volumes/\(Daemon.escaped(name))", [])
                }
            do throws(ClientError) { return try daemon.call("GET", path, query: query) } catch {
                // That an image is there for other platforms only is to be told.
                guard error.status == 404, imageQuery.isEmpty else { throw error }
            }
        }
        throw Failure("Error: No such \(kinds.count == 1 ? kinds[0].rawValue : "object"): \(name)")
    }
}

/// `inspect --as run`.
enum RunLines {
    /// The words of the line, without the program and `run`.
    static func words(of container: JSONTree, _ daemon: Daemon) throws(ClientError) -> [String] {
        let image: JSONTree?
        do throws(ClientError) {
            image = try daemon.call("GET", "/images/\(Daemon.escapedPath(container["Image"]?.text ?? ""))/json")
        } catch {
            // Without its image, all is said that the container has of it.
            guard error.status == 404 else { throw error }
            image = nil
        }
        return RunLine.words(container, image: image)
    }

    static func show(_ names: [String], form: String, _ flags: InspectFlags, _ session: Session) throws -> Int32 {
        guard form == "run" else { throw Failure("\"\(form)\" is not a valid value for --as: there is 'run'") }
        guard flags.format == nil, !flags.size else { throw Failure("--as run goes without --format and --size") }
        let daemon = try session.daemon()
        var failures = Failures()
        for name in names {
            failures.attempt {
                let container = try daemon.call("GET", "/containers/\(Daemon.escaped(name))/json")
                try Output.line("berth run " + RunLine.line(try words(of: container, daemon)))
            }
        }
        try failures.report()
        return 0
    }
}
