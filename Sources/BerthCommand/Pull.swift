internal import ArgumentParser
internal import BerthAPI
internal import BerthClient
internal import BerthCommandLine
internal import BerthOCI
internal import DockerAPI

/// `berth pull`.
struct Pull: Verb {
    static let configuration = CommandConfiguration(
        commandName: "pull", abstract: "Download an image from a registry", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] NAME[:TAG|@DIGEST]"
    static let wordCount = WordCount.exactly(1)

    @Flag(name: [.short, .long], help: "Download all tagged images in the repository") var allTags = false
    @Flag(inversion: .prefixedNo, help: "Skip image verification") var disableContentTrust = true
    @Flag(help: "Go on when this command ends: print the job's ID, which 'berth jobs follow' takes") var detach = false
    @Option(help: help("Set platform if server is multi-platform capable")) var platform: String?
    @Flag(name: [.short, .long], help: "Suppress verbose output") var quiet = false
    @Argument var name: String

    func perform(_ session: Session) throws -> Int32 {
        try Transfer.requireNoTrust(disableContentTrust)
        let reference = try Transfer.reference(name)
        if allTags, reference.digest != nil || name.hasSuffix(":\(reference.tag ?? "")") {
            throw Failure("tag can't be used with --all-tags/-a")
        }
        let daemon = try session.daemon()
        let platform = platform ?? Session.standardPlatform
        if detach {
            if allTags { throw Failure("--all-tags and --detach cannot be used together: each tag is a job") }
            let asked = reference.digest?.description ?? reference.tag ?? "latest"
            let query = [("fromImage", reference.familiarName), ("tag", asked)] + (platform.map { [("platform", $0)] } ?? [])
            let headers = try Transfer.headers(for: reference)
            try Output.line(try daemon.document(JobReport.self, "POST", BerthPath.pull, query: query, headers: headers).job.id)
            return 0
        }
        if !quiet, !allTags, reference.digest == nil, !name.hasSuffix(":\(reference.tag ?? "")") {
            try Output.line("Using default tag: latest")
        }
        try Transfer.pull(reference, allTags: allTags, platform: platform, daemon, on: quiet ? nil : 1)
        try Output.line(allTags ? "\(reference.registry)/\(reference.repository)" : reference.description)
        return 0
    }
}

/// `berth push`.
struct Push: Verb {
    static let configuration = CommandConfiguration(
        commandName: "push", abstract: "Upload an image to a registry", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] NAME[:TAG]"
    static let wordCount = WordCount.exactly(1)

    @Flag(inversion: .prefixedNo, help: "Skip image signing") var disableContentTrust = true
    @Flag(name: [.short, .long], help: "Push all tags of an image to the repository") var allTags = false
    @Option(help: help("Push a platform-specific manifest as a single-platform image to the registry, as os[/arch[/variant]]"))
    var platform: String?
    @Flag(name: [.short, .long], help: "Suppress verbose output") var quiet = false
    @Argument var name: String

    func perform(_ session: Session) throws -> Int32 {
        try Transfer.requireNoTrust(disableContentTrust)
        let reference = try Transfer.reference(name)
        guard reference.digest == nil else { throw Failure("cannot push a digest reference") }
        let saysTag = name.hasSuffix(":\(reference.tag ?? "")")
        if allTags, saysTag { throw Failure("tag can't be used with --all-tags/-a") }
        let daemon = try session.daemon()
        if !allTags, !saysTag, !quiet { try Output.line("Using default tag: latest") }
        var query = allTags ? [] : [("tag", reference.tag ?? "latest")]
        query += try PlatformQuery.items(platform, daemon, since: "1.46")
        let path = "/images/\(Daemon.escapedPath(reference.familiarName))/push"
        // Docker wants the header, also of who is nobody.
        let auth = try Logins.auth(for: reference.registry) ?? RegistryAuth()
        var answer = try daemon.open("POST", path, query: query, headers: [("X-Registry-Auth", auth.header)])
        var notes: [String] = []
        try Transfer.show(&answer, on: quiet ? nil : 1) { document in
            guard document["manifestPushedInsteadOfIndex"]?.boolean == true else { return }
            let digests = [document["originalIndex"], document["selectedManifest"]].map { $0?["digest"]?.text ?? "" }
            notes.append("         \(VisibleText.of(digests[0])) -> \(VisibleText.of(digests[1]))")
        }
        if quiet { try Output.line(allTags ? "\(reference.registry)/\(reference.repository)" : reference.description) }
        for note in notes {
            Output.complain(
                "\n Info -> Not all multiplatform-content is present and only the available single-platform image was pushed\n\(note)")
        }
        return 0
    }
}
