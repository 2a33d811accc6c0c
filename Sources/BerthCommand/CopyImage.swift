internal import ArgumentParser
internal import BerthAPI
internal import BerthClient
internal import BerthCommandLine
internal import BerthLinux
internal import BerthOCI
internal import DockerAPI

/// `berth image copy`.
struct CopyImage: Verb {
    static let configuration = CommandConfiguration(
        commandName: "copy", abstract: "Copy an image as it is between registries, archives, layouts and the daemon's images",
        helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] SOURCE DESTINATION"
    static let wordCount = WordCount.exactly(2)

    @Flag(name: [.short, .long], help: "Refuse to copy less than all platforms of an index") var all = false
    @Option(help: help("Copy only the image for a platform, as os[/arch[/variant]]")) var platform: String?
    @Flag(name: [.short, .long], help: "Suppress verbose output") var quiet = false
    @Argument var source: String
    @Argument var destination: String

    func perform(_ session: Session) throws -> Int32 {
        if all, platform != nil { throw Failure("--all and --platform cannot be used together") }
        let (from, to) = (try CopyPlaceArgument(source), try CopyPlaceArgument(destination))
        var headers: [(String, String)] = []
        if let name = from.reference { headers = try Transfer.headers(for: name) }
        if let name = to.reference, let auth = try Logins.auth(for: name.registry) { headers.append(("X-Registry-Auth-To", auth.header)) }
        var query = [("from", from.place.text), ("to", to.place.text)] + (try PlatformQuery.ofOurOwn(platform))
        if all { query.append(("all", "1")) }
        let body = try from.body()
        var answer = try session.daemon().openOwn("POST", BerthPath.copy, query: query, body: body, headers: headers)
        if let path = to.path {
            try to.take(answer)
            try Output.line(path)
            return 0
        }
        var names: [String] = []
        try Transfer.show(&answer, on: quiet ? nil : 2) { document in
            names = try Daemon.decode(NameList.self, Array(document.json().utf8)).names
        }
        guard let last = names.last else { throw Failure("the daemon has not said what came of it: unexpected EOF") }
        try Output.line(last)
        return 0
    }
}

/// A place as it is written on the command line, in skopeo's words: `docker://NAME`, `oci:PATH[:NAME]`, `oci-archive:PATH[:NAME]`, `docker-archive:PATH[:NAME]`; and `berth:NAME` for
/// the daemon's own images. Paths are of this machine, wherever the daemon is.
struct CopyPlaceArgument {
    let place: CopyPlace
    /// The name in a registry.
    let reference: ImageReference?
    /// The file or directory.
    let path: String?
    private let isDirectory: Bool
    private let name: String?

    init(_ text: String) throws {
        func rest(_ prefix: String) -> Substring? { text.hasPrefix(prefix) ? text.dropFirst(prefix.count) : nil }
        var (reference, path, name) = (ImageReference?.none, String?.none, String?.none)
        func split(_ rest: Substring) throws {
            let parts = rest.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard let first = parts.first, !first.isEmpty else { throw Failure("'\(text)' names no file: say PATH, or PATH:NAME") }
            path = String(first)
            name = parts.count == 2 && !parts[1].isEmpty ? String(parts[1]) : nil
        }
        if let rest = rest("docker://") {
            let found = try Transfer.reference(String(rest))
            (reference, place, isDirectory) = (found, .registry(found.description), false)
        } else if let rest = rest("berth:") {
            (place, isDirectory) = (.store(String(rest)), false)
        } else if let rest = rest("oci:") {
            try split(rest)
            (place, isDirectory) = (.layout(name: name), true)
        } else if let rest = rest("oci-archive:") {
            try split(rest)
            (place, isDirectory) = (.layout(name: name), false)
        } else if let rest = rest("docker-archive:") {
            try split(rest)
            (place, isDirectory) = (.docker(name: name), false)
        } else {
            throw Failure(
                "'\(text)' is no place of an image: say docker://NAME for a registry, berth:NAME for the daemon's images, oci:PATH[:NAME], oci-archive:PATH[:NAME] or docker-archive:PATH[:NAME]"
            )
        }
        (self.reference, self.path, self.name) = (reference, path, name)
    }

    /// What a request carries if the image comes from here.
    func body() throws -> Daemon.Body {
        guard let path else { return .none }
        if isDirectory {
            let layout = try LayoutTar(path, name)
            return .made { sink throws(ClientError) in
                while let piece = try layout.next() { try unsafe sink.write(piece.span.bytes) }
            }
        }
        do throws(Errno) {
            let file = try HostFile.open(path)
            let status = try file.status()
            guard status.kind != .directory else { throw .EISDIR }
            return .archive(Daemon.OwnedStream(file, byteCount: status.kind == .regular ? status.byteCount : nil))
        } catch { throw Failure("open \(path): \(error)") }
    }

    /// Takes the archive that is answered.
    func take(_ answer: consuming ResponseBody) throws {
        guard let path else { return }
        if isDirectory { return try LayoutFolder(path, name).take(answer) }
        var answer = answer
        try FileOutput.write(to: path) { file in
            var meter = Meter("Copying")
            while let bytes = try answer.read() {
                try unsafe file.writeAll(bytes.span.bytes)
                try meter.advance(bytes.count)
            }
            try meter.end()
        }
    }
}
