internal import ArgumentParser
internal import BerthAPI
internal import BerthClient
internal import BerthCommandLine
internal import DockerAPI
internal import FoundationEssentials

/// `berth image diff`.
struct ImageDiff: Verb {
    static let configuration = CommandConfiguration(
        commandName: "diff", abstract: "Show which files two images differ in, by how much, and which layers did it",
        helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] IMAGE IMAGE"
    static let wordCount = WordCount.exactly(2)

    @Option(help: help("Format output using a Go template, 'table', 'table TEMPLATE' or 'json'")) var format: String?
    @Option(help: help("Of an image of several platforms, the one for this: os[/arch[/variant]]")) var platform: String?
    @Flag(name: [.short, .long], help: "Only show the sums of each layer") var summary = false
    @Argument var image: String
    @Argument var other: String

    func perform(_ session: Session) throws -> Int32 {
        if summary, format != nil { throw Failure("--summary and --format cannot be used together: a format is of single differences") }
        let path = BerthPath.image(Daemon.escapedPath(image), .diff)
        var answer = try session.daemon().openOwn("GET", path, query: [("with", other)] + PlatformQuery.ofOurOwn(platform))
        var sums: DifferenceSums?
        var rows: [Listing.Row] = []
        try LongWork.follow(&answer) { document in
            let bytes = Array(document.json().utf8)
            guard sums != nil else {
                let head = try Daemon.decode(ImageDifferences.self, bytes)
                sums = DifferenceSums(head, image, other)
                if format == nil { for line in DifferenceSums.heading(head, image, other) { try Output.line(line) } }
                return
            }
            for difference in try Daemon.decode(ImageDifferencePage.self, bytes).differences {
                try sums?.add(difference)
                if format != nil {
                    rows.append(Listing.Row(fields: Self.fields(of: difference)))
                } else if !summary {
                    try Output.line(Self.line(of: difference))
                }
            }
            // A table is as wide as its widest row; all else goes as it comes.
            if let format, !format.hasPrefix("table") {
                try Self.listing.show(rows, format: format, quiet: false)
                rows = []
            }
        }
        guard let sums, sums.isWhole else { throw Failure("the daemon has not told all differences: unexpected EOF") }
        if let format {
            if format.hasPrefix("table") { try Self.listing.show(rows, format: format, quiet: false) }
        } else {
            for line in sums.lines { try Output.line(line) }
        }
        return 0
    }

    private static let listing = Listing(
        standardTable: "{{.Kind}}\t{{.Change}}\t{{.Layer}}\t{{.Path}}", quietTemplate: "{{.Path}}",
        headings: [
            ("Kind", "KIND"), ("Change", "CHANGE"), ("Layer", "LAYER"), ("Path", "PATH"), ("PathBytes", "BYTES"), ("SizeBefore", "BEFORE"),
            ("SizeAfter", "AFTER"),
        ])

    private static func path(of difference: ImageDifferenceItem) -> String {
        VisibleText.of(difference.pathBytes.flatMap { Data(base64Encoded: $0) }.map { Array($0) } ?? Array(difference.path.utf8))
    }

    /// By how much its size has changed; empty where there was no size and is none.
    private static func change(of difference: ImageDifferenceItem) -> String {
        difference.byteCountBefore == nil && difference.byteCountAfter == nil ? "" : Sizes.change(difference.change)
    }

    private static func line(of difference: ImageDifferenceItem) -> String {
        let (change, layer) = (change(of: difference), "#\(difference.layer)")
        let gap = String(repeating: " ", count: max(0, 8 - change.utf8.count))
        return
            "\(difference.kind) \(gap)\(change)  \(layer)\(String(repeating: " ", count: max(0, 4 - layer.utf8.count))) \(path(of: difference))"
    }

    private static func fields(of difference: ImageDifferenceItem) -> JSONTree {
        .object([
            ("Change", .string(change(of: difference))), ("Kind", .string(difference.kind)), ("Layer", .integer(difference.layer)),
            ("Path", .string(path(of: difference))), ("PathBytes", difference.pathBytes.map { .string($0) }),
            ("SizeAfter", difference.byteCountAfter.map { .integer($0) } ?? .null),
            ("SizeBefore", difference.byteCountBefore.map { .integer($0) } ?? .null),
        ])
    }
}

extension ImageDifferenceItem {
    /// By how many bytes the second image's file is larger.
    fileprivate var change: Int64 { Int64(clamping: byteCountAfter ?? 0) - Int64(clamping: byteCountBefore ?? 0) }
}

/// What the differences come to: of each layer, and of all.
private struct DifferenceSums {
    private struct Sum {
        var counts: [String: Int] = [:]
        var change: Int64 = 0

        mutating func add(_ difference: ImageDifferenceItem) {
            counts[difference.kind, default: 0] += 1
            change = Sizes.sum(change, difference.change)
        }

        var text: String {
            let parts = [("A", "added"), ("C", "changed"), ("D", "removed")].compactMap { kind, word in counts[kind].map { "\($0) \(word)" }
            }
            return parts.isEmpty ? "no difference" : parts.joined(separator: ", ") + ", \(Sizes.change(change))"
        }
    }

    private let head: ImageDifferences
    private let names: (before: String, after: String)
    private var before: [Sum]
    private var after: [Sum]
    private var all = Sum()
    private var count = 0

    init(_ head: ImageDifferences, _ before: String, _ after: String) {
        (self.head, names) = (head, (before, after))
        self.before = Array(repeating: Sum(), count: head.layersBefore.count)
        self.after = Array(repeating: Sum(), count: head.layersAfter.count)
    }

    mutating func add(_ difference: ImageDifferenceItem) throws(Failure) {
        let index = difference.layer - 1
        count += 1
        all.add(difference)
        if difference.kind == "D" {
            guard before.indices.contains(index) else {
                throw Failure("the daemon tells of a layer that it has not told: \(difference.layer)")
            }
            before[index].add(difference)
        } else {
            guard after.indices.contains(index) else {
                throw Failure("the daemon tells of a layer that it has not told: \(difference.layer)")
            }
            after[index].add(difference)
        }
    }

    var isWhole: Bool { count == head.count }

    /// What both have, and what only one has.
    static func heading(_ head: ImageDifferences, _ before: String, _ after: String) -> [String] {
        let shared = head.layersBefore.prefix(head.sharedLayerCount)
        let size = shared.reduce(0) { Sizes.sum($0, Int64(clamping: $1.byteCount)) }
        var lines = shared.isEmpty ? ["No layer is in both."] : ["In both: \(numbers(1, shared.count)), \(HumanText.size(size))"]
        for (name, layers) in [(before, head.layersBefore), (after, head.layersAfter)] {
            for layer in layers.dropFirst(shared.count) {
                let made = VisibleText.command(layer.createdBy ?? layer.comment ?? "")
                lines.append(
                    "Only in \(VisibleText.of(name)): layer #\(layer.number) \(shortID(layer.digest)), \(HumanText.size(layer.byteCount))"
                        + (made.isEmpty ? "" : ", " + HumanText.ellipsis(made, 60)))
            }
        }
        return lines
    }

    private static func numbers(_ first: Int, _ last: Int) -> String { first == last ? "layer #\(first)" : "layers #\(first) to #\(last)" }

    /// The sums.
    var lines: [String] {
        var lines: [String] = []
        for (name, sums) in [(names.before, before), (names.after, after)] {
            for (index, sum) in sums.enumerated() where !sum.counts.isEmpty {
                lines.append("\(VisibleText.of(name)) #\(index + 1): \(sum.text)")
            }
        }
        return lines + ["In all: \(all.text)"]
    }
}
