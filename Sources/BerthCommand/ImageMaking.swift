internal import ArgumentParser
internal import BerthAPI
internal import BerthClient
internal import BerthCommandLine

/// `berth image squash`.
struct SquashImage: Verb {
    static let configuration = CommandConfiguration(
        commandName: "squash", abstract: "Make an image that shows the same with fewer layers: all become one, or those from one on",
        helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] IMAGE"
    static let wordCount = WordCount.exactly(1)

    @Option(help: help("The lowest layer of those that become one: its number from 1 on, or its digest")) var from: String?
    @Option(help: help("Of an image of several platforms, the one for this: os[/arch[/variant]]")) var platform: String?
    @Option(name: [.short, .long], help: help("Name of the new image, as 'name[:tag]'")) var tag: String?
    @Argument var image: String

    func perform(_ session: Session) throws -> Int32 {
        try ImageMaking.make(image, .squash, [("from", from), ("t", tag)], platform, session)
        return 0
    }
}

/// `berth image rebase`.
struct RebaseImage: Verb {
    static let configuration = CommandConfiguration(
        commandName: "rebase", abstract: "Make an image of what another has above its base, on another base, without building it again",
        helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] IMAGE"
    static let wordCount = WordCount.exactly(1)

    @Option(help: help("The base that the image lies on", "image")) var from: String?
    @Option(help: help("The base that the new image is to lie on", "image")) var onto: String?
    @Option(help: help("Of an image of several platforms, the one for this: os[/arch[/variant]]")) var platform: String?
    @Option(name: [.short, .long], help: help("Name of the new image, as 'name[:tag]'")) var tag: String?
    @Argument var image: String

    func perform(_ session: Session) throws -> Int32 {
        guard let from, let onto else {
            throw Failure("say --from OLD and --onto NEW: the base that \(image) lies on, and the one that it is to lie on")
        }
        try ImageMaking.make(image, .rebase, [("from", from), ("onto", onto), ("t", tag)], platform, session)
        return 0
    }
}

private enum ImageMaking {
    /// Has an image made, and prints its id.
    static func make(_ image: String, _ verb: BerthPath.ImageVerb, _ query: [(String, String?)], _ platform: String?, _ session: Session)
        throws
    {
        let query = try query.compactMap { name, value in value.map { (name, $0) } } + PlatformQuery.ofOurOwn(platform)
        let path = BerthPath.image(Daemon.escapedPath(image), verb)
        let made = try LongWork.result(ImageMade.self, try session.daemon(), "POST", path, query: query)
        try Output.line(made.image.id)
    }
}
