internal import ArgumentParser
internal import BerthAPI
internal import BerthClient
internal import BerthCommandLine
internal import BerthOCI
internal import DockerAPI

/// `berth manifest inspect`.
struct InspectManifest: Verb {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Display an image manifest, or manifest list", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] MANIFEST"
    static let wordCount = WordCount.exactly(1)

    @Flag(help: "Allow communication with an insecure registry") var insecure = false
    @Flag(name: [.short, .long], help: "Output additional info including layers and platform") var verbose = false
    @Argument var name: String

    func perform(_ session: Session) throws -> Int32 {
        let reference = try Transfer.reference(name)
        let daemon = try session.daemon()
        let headers = try Transfer.headers(for: reference)
        let found = try manifest(reference, daemon, headers)
        let text = try JSONTree(parsing: Array(found.text.utf8))
        guard verbose else {
            // What is in it is for programs: nothing of it is changed but the spaces.
            try Self.show(text)
            return 0
        }
        guard let members = text["manifests"]?.elements else {
            let platforms = try configuredPlatform(of: reference, daemon, headers)
            try Self.show(Self.entry(reference.description, found, text, platform: platforms))
            return 0
        }
        try Self.show(
            .array(
                try members.map { member in
                    guard let digest = member["digest"]?.text.flatMap({ try? Digest(parsing: $0) }) else {
                        throw Failure("the manifest list of \(name) names something without a digest")
                    }
                    let part = try manifest(reference.withDigest(digest), daemon, headers)
                    return Self.entry(
                        "\(reference)@\(digest)", part, try JSONTree(parsing: Array(part.text.utf8)), platform: member["platform"])
                }))
        return 0
    }

    private var questions: [(String, String)] { insecure ? [("insecure", "1")] : [] }

    private func manifest(_ reference: ImageReference, _ daemon: Daemon, _ headers: [(String, String)]) throws -> ManifestDocument {
        try daemon.document(
            ManifestDocument.self, "GET", BerthPath.manifest, query: [("name", reference.description)] + questions, headers: headers)
    }

    /// What an image says that it is for.
    private func configuredPlatform(
        of reference: ImageReference, _ daemon: Daemon, _ headers: [(String, String)]
    ) throws -> JSONTree? {
        let path = "/distribution/\(Daemon.escapedPath(reference.familiar))/json"
        var answer = try daemon.open("GET", path, query: questions, headers: headers)
        return try JSONTree(parsing: try answer.readAll(limit: 1 << 20))["Platforms"]?.elements.first
    }

    /// A manifest as Docker tells of it.
    private static func entry(_ name: String, _ document: ManifestDocument, _ manifest: JSONTree, platform: JSONTree?) -> JSONTree {
        let isOCI = document.mediaType.hasPrefix("application/vnd.oci.")
        return .object([
            ("Ref", .string(name)),
            (
                "Descriptor",
                .object([
                    ("mediaType", .string(document.mediaType)), ("digest", .string(document.digest)),
                    ("size", .integer(document.text.utf8.count)), ("platform", platform),
                ])
            ),
            (isOCI ? "OCIManifest" : "SchemaV2Manifest", manifest),
        ])
    }

    /// Shows a document, a tab for each level.
    private static func show(_ tree: JSONTree) throws {
        for line in tree.json(.indented(1)).split(separator: "\n", omittingEmptySubsequences: false) {
            let indent = line.prefix { $0 == " " }.count
            try Output.line(String(repeating: "\t", count: indent) + line.dropFirst(indent))
        }
    }
}
