internal import ArgumentParser
internal import BerthAPI
internal import BerthClient
internal import BerthCommandLine
internal import DockerAPI

/// `berth image layers`.
struct ImageLayers: Verb {
    static let configuration = CommandConfiguration(
        commandName: "layers", abstract: "Show an image's layers: what made them, their sizes, and what they hide of those below",
        helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] IMAGE"
    static let wordCount = WordCount.exactly(1)

    @Option(help: help("Format output using a Go template, 'table', 'table TEMPLATE' or 'json'")) var format: String?
    @Flag(help: "Don't truncate output") var noTrunc = false
    @Option(help: help("Of an image of several platforms, the one for this: os[/arch[/variant]]")) var platform: String?
    @Flag(name: [.short, .long], help: "Only show the layers' digests") var quiet = false
    @Argument var image: String

    func perform(_ session: Session) throws -> Int32 {
        let list = try LongWork.result(
            ImageLayerList.self, try session.daemon(), "GET", BerthPath.image(Daemon.escapedPath(image), .layers),
            query: try PlatformQuery.ofOurOwn(platform))
        if format == nil, !quiet { try Output.line(heading(list)) }
        let listing = Listing(
            standardTable: "{{.Tree}}\t{{.ID}}\t{{.Size}}\t{{.Entries}}\t{{.Hides}}\t{{.CreatedBy}}\t{{.Images}}", quietTemplate: "{{.ID}}",
            headings: [
                ("Tree", "LAYER"), ("Number", "LAYER"), ("ID", "DIGEST"), ("DiffID", "DIFF ID"), ("Size", "SIZE"), ("Stored", "STORED"),
                ("Entries", "ENTRIES"), ("Hides", "HIDES"), ("CreatedBy", "CREATED BY"), ("Comment", "COMMENT"),
                ("CreatedAt", "CREATED AT"),
                ("Images", "IMAGES"),
            ])
        let rows = list.layers.map { Listing.Row(fields: fields(of: $0, isLast: $0.number == list.layers.count)) }
        try listing.show(rows, format: format, quiet: quiet)
        return 0
    }

    private func heading(_ list: ImageLayerList) -> String {
        let size = list.layers.reduce(0) { Sizes.sum($0, Int64(clamping: $1.byteCount)) }
        let hidden = list.layers.reduce(0) { Sizes.sum($0, Int64(clamping: $1.hiddenByteCount)) }
        let name = list.image.names.isEmpty ? "" : list.image.names.joined(separator: ", ") + " "
        let count = list.layers.count == 1 ? "1 layer" : "\(list.layers.count) layers"
        return "\(name)\(shortID(list.image.id)): \(HumanText.size(size)) in \(count), of which \(HumanText.size(hidden)) hidden"
    }

    /// How much of a command is shown where it is cut.
    private static let commandWidth = 45

    private func fields(of layer: ImageLayerItem, isLast: Bool) -> JSONTree {
        func cut(_ text: String?) -> String {
            let text = VisibleText.command(text ?? "")
            return noTrunc ? text : HumanText.ellipsis(text, Self.commandWidth)
        }
        let files = layer.hiddenFileCount == 1 ? "1 file" : "\(layer.hiddenFileCount) files"
        return .object([
            ("Comment", .string(cut(layer.comment))), ("CreatedAt", .string(layer.created ?? "")),
            ("CreatedBy", .string(cut(layer.createdBy ?? layer.comment))),
            ("DiffID", .string(noTrunc ? layer.diffID : shortID(layer.diffID))), ("Entries", .string(String(layer.entryCount))),
            ("Hides", .string(layer.hiddenFileCount == 0 ? "" : "\(HumanText.size(layer.hiddenByteCount)) in \(files)")),
            ("HiddenBytes", .integer(layer.hiddenByteCount)), ("ID", .string(noTrunc ? layer.digest : shortID(layer.digest))),
            ("Images", .string(layer.imageNames.joined(separator: ", "))), ("Number", .integer(layer.number)),
            ("Size", .string(HumanText.size(layer.byteCount))), ("SizeBytes", .integer(layer.byteCount)),
            ("Stored", .string(HumanText.size(layer.storedByteCount))), ("Tree", .string((isLast ? "└─ " : "├─ ") + String(layer.number))),
        ])
    }
}

/// Sums of sizes, which somebody else has said: they end at the largest number instead of beyond it.
enum Sizes {
    /// Both together.
    static func sum(_ one: Int64, _ other: Int64) -> Int64 {
        let (sum, isTooLarge) = one.addingReportingOverflow(other)
        return isTooLarge ? (other < 0 ? .min : .max) : sum
    }

    /// By how much something has become larger or smaller: `+1.2kB`.
    static func change(_ byteCount: Int64) -> String {
        (byteCount > 0 ? "+" : byteCount < 0 ? "-" : "") + HumanText.size(byteCount.magnitude)
    }
}
