internal import ArgumentParser
internal import BerthClient
internal import BerthCommandLine
internal import BerthLinux
internal import BerthOCI
internal import DockerAPI
internal import Glibc

/// `berth images`.
struct Images: Verb {
    static let configuration = CommandConfiguration(commandName: "images", abstract: "List images", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] [REPOSITORY[:TAG]]"
    static let wordCount = WordCount.atMost(1)

    @Flag(name: [.short, .long], help: "Show all images, also those that an index has for other platforms") var all = false
    @Flag(help: "Show digests") var digests = false
    @Option(name: [.short, .long], help: help("Filter output based on conditions provided", "filter")) var filter: [String] = []
    @Option(help: help("Pretty-print images using a Go template, 'table', 'table TEMPLATE' or 'json'")) var format: String?
    @Flag(help: "Don't truncate output") var noTrunc = false
    @Flag(name: [.short, .long], help: "Only show image IDs") var quiet = false
    @Argument var reference: String?

    func perform(_ session: Session) throws -> Int32 {
        var query: [(String, String)] = []
        if all { query.append(("all", "1")) }
        if let filters = try Filters.query(filter, adding: reference.map { [("reference", $0)] } ?? []) { query.append(filters) }
        let found = try session.daemon().call("GET", "/images/json", query: query).elements
        let listing = Listing(
            standardTable: "{{.Repository}}\t{{.Tag}}\t" + (digests ? "{{.Digest}}\t" : "") + "{{.ID}}\t{{.CreatedSince}}\t{{.Size}}",
            quietTemplate: "{{.ID}}",
            headings: ImageRow.headings)
        try listing.show(found.flatMap(rows), format: format ?? session.format(of: .images, quiet: quiet), quiet: quiet)
        return 0
    }

    /// A row for each tag; of an image without one, a row for each repository it is known by, or one without names.
    private func rows(_ image: JSONTree) -> [Listing.Row] {
        func names(_ field: String) -> [String] {
            (image[field]?.elements ?? []).compactMap(\.text).filter { !$0.hasPrefix("<none>") }
        }
        let tags = names("RepoTags")
        let digests = names("RepoDigests").compactMap { name -> (repository: String, digest: String)? in
            let parts = name.split(separator: "@", maxSplits: 1).map(String.init)
            return parts.count == 2 ? (parts[0], parts[1]) : nil
        }
        if tags.isEmpty {
            if digests.isEmpty { return [ImageRow.row(image, "<none>", "<none>", "<none>", noTrunc: noTrunc)] }
            return digests.map { ImageRow.row(image, $0.repository, "<none>", $0.digest, noTrunc: noTrunc) }
        }
        return tags.map { name in
            let colon = name.lastIndex(of: ":") ?? name.endIndex
            let repository = String(name[..<colon])
            return ImageRow.row(
                image, repository, String(name[colon...].dropFirst()), digests.first { $0.repository == repository }?.digest ?? "<none>",
                noTrunc: noTrunc)
        }
    }
}

/// `berth tag`.
struct Tag: Verb {
    static let configuration = CommandConfiguration(
        commandName: "tag", abstract: "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE", helpNames: .customLong("help"))
    static let synopsis = "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]"
    static let wordCount = WordCount.exactly(2)

    @Argument var source: String
    @Argument var target: String

    func perform(_ session: Session) throws -> Int32 {
        let reference: ImageReference
        do { reference = try ImageReference(parsing: target) } catch {
            throw Failure("Error parsing reference: \"\(target)\" is not a valid repository/tag: \(error)")
        }
        guard reference.digest == nil else { throw Failure("refusing to create a tag with a digest reference") }
        try session.daemon().call(
            "POST", "/images/\(Daemon.escapedPath(source))/tag",
            query: [("repo", reference.familiarName), ("tag", reference.tag ?? "latest")])
        return 0
    }
}

/// `berth rmi`.
struct RemoveImage: Verb {
    static let configuration = CommandConfiguration(
        commandName: "rmi", abstract: "Remove one or more images", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] IMAGE [IMAGE...]"
    static let wordCount = WordCount.atLeast(1)

    @Flag(name: [.short, .long], help: "Force removal of the image") var force = false
    @Flag(help: "Do not delete untagged parents") var noPrune = false
    @Option(help: help("Remove only the given platform, as os[/arch[/variant]]", "list")) var platform: [String] = []
    @Argument var images: [String]

    func perform(_ session: Session) throws -> Int32 {
        let daemon = try session.daemon()
        var query: [(String, String)] = []
        if force { query.append(("force", "1")) }
        if noPrune { query.append(("noprune", "1")) }
        query += try PlatformQuery.items(
            platform.flatMap { $0.split(separator: ",").map(String.init) }, as: "platforms", daemon, since: "1.50")
        var failures = Failures()
        for image in images {
            failures.attempt {
                for change in try daemon.call("DELETE", "/images/\(Daemon.escapedPath(image))", query: query).elements {
                    if let name = change["Deleted"]?.text { try Output.line("Deleted: \(name)") }
                    if let name = change["Untagged"]?.text { try Output.line("Untagged: \(name)") }
                }
            }
        }
        try failures.report()
        return 0
    }
}

/// `berth import`.
struct Import: Verb {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Import the contents from a tarball to create a filesystem image", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]"
    static let wordCount = WordCount.between(1, 2)

    @Option(name: [.short, .long], help: help("Apply Dockerfile instruction to the created image", "list")) var change: [String] = []
    @Option(name: [.short, .long], help: help("Set commit message for imported image")) var message: String?
    @Option(help: help("Set platform of the imported image")) var platform: String?
    @Argument var source: String
    @Argument var reference: String?

    func perform(_ session: Session) throws -> Int32 {
        // The daemon fetches what is on the web.
        let isOnWeb = source.hasPrefix("http://") || source.hasPrefix("https://")
        let archive: Daemon.Body = isOnWeb ? .none : .archive(try stream())
        var query = [("fromSrc", isOnWeb ? source : "-"), ("message", message ?? ""), ("repo", reference ?? ""), ("tag", "")]
        if let platform = platform ?? Session.standardPlatform { query.append(("platform", platform)) }
        query += change.map { ("changes", $0) }
        var answer = try session.daemon().open("POST", "/images/create", query: query, body: archive)
        try ProgressLines.show(&answer)
        return 0
    }

    private func stream() throws(Failure) -> Daemon.OwnedStream {
        do throws(Errno) {
            if source == "-" { return Daemon.OwnedStream(try HostFile.open("/proc/self/fd/0")) }
            let file = try HostFile.open(source)
            let size = regularSize(of: file)
            return Daemon.OwnedStream(file, byteCount: size)
        } catch {
            throw Failure("open \(source == "-" ? "standard input" : source): \(error)")
        }
    }
}

/// How long a regular file is; `nil` of anything else.
private func regularSize(of file: borrowing OwnedDescriptor) -> Int64? {
    file.withRawDescriptor { raw in
        var status = stat()
        guard unsafe fstat(raw, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return Int64(status.st_size)
    }
}

/// Lines of JSON that tell of some work.
enum ProgressLines {
    /// Prints what is said; an error among it is thrown.
    static func show(_ answer: inout ResponseBody) throws {
        try JSONLines.each(&answer) { line in
            if let error = line["errorDetail"]?["message"]?.text ?? line["error"]?.text { throw Failure(error) }
            if let text = line["stream"]?.text { try Output.text(text) }
            // What moves is for terminals to follow; here the last word counts.
            if let status = line["status"]?.text, line["progressDetail"]?.members.isEmpty ?? true { try Output.line(status) }
        }
    }
}

/// A stream of JSON values, each on a line or not.
enum JSONLines {
    /// The most that one value may have.
    private static let limit = 4 << 20

    /// Calls `body` with each value as soon as it is whole.
    static func each(_ answer: inout ResponseBody, _ body: (JSONTree) throws -> Void) throws {
        var splitter = Splitter()
        while let bytes = try answer.read() {
            for value in try splitter.feed(bytes) { try body(try JSONTree(parsing: value)) }
        }
        guard splitter.isBetween else { throw Failure("the daemon's answer ended in the middle of a value: unexpected EOF") }
    }

    private struct Splitter {
        private var value: [UInt8] = []
        private var depth = 0
        private var isText = false
        private var isEscaped = false

        var isBetween: Bool { value.isEmpty }

        mutating func feed(_ bytes: [UInt8]) throws(Failure) -> [[UInt8]] {
            var result: [[UInt8]] = []
            for byte in bytes {
                if value.isEmpty, byte == 10 || byte == 13 || byte == 32 { continue }
                value.append(byte)
                guard value.count <= JSONLines.limit else {
                    throw Failure("the daemon sent a value of more than \(JSONLines.limit >> 20) MiB")
                }
                if isText {
                    if isEscaped { isEscaped = false } else if byte == 0x5C { isEscaped = true } else if byte == 0x22 { isText = false }
                    continue
                }
                switch byte {
                case 0x22: isText = true
                case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
                case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
                default: break
                }
                if depth <= 0 {
                    result.append(value)
                    value = []
                    depth = 0
                }
            }
            return result
        }
    }
}
