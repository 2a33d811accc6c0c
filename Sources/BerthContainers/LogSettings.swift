internal import BerthOCI
internal import FoundationEssentials

/// What a log driver's options say, by Docker's rules.
struct LogSettings: Hashable, Sendable {
    /// When a file of the log is full; `nil` is never.
    var maximumByteCount: UInt64?
    /// How many files there are at most.
    var fileCount: Int
    /// The labels and variables that each line has with it, and the tag.
    private var labels: [String] = []
    private var variables: [String] = []
    private var tag = ""

    /// Unless told otherwise, a log takes no more than a hundred million bytes: as much as Docker's driver `local` keeps.
    static let defaultMaximumByteCount: UInt64 = 20_000_000
    static let defaultFileCount = 5
    /// The most files that may be asked for.
    static let fileCountLimit = 1000
    /// The most that each line may have with it.
    static let attributeByteLimit = 16 << 10

    /// - Throws: `invalid` for an option that there is none of, and for a value that cannot be one; `unsupported`.
    init(_ driver: LogDriver, _ options: [String: String]) throws(ContainerError) {
        (maximumByteCount, fileCount) = (Self.defaultMaximumByteCount, Self.defaultFileCount)
        guard driver != .none else { return }
        for (key, value) in options.sorted(by: { $0.key < $1.key }) {
            switch key {
            case "max-size": maximumByteCount = try Self.size(value)
            case "max-file":
                guard let count = Int(value) else {
                    throw ContainerError(.invalid, "invalid value for max-file: \(value): it must be a number")
                }
                guard count >= 1 else { throw ContainerError(.invalid, "max-file cannot be less than 1") }
                guard count <= Self.fileCountLimit else {
                    throw ContainerError(.invalid, "max-file is \(count): at most \(Self.fileCountLimit) files are kept")
                }
                fileCount = count
            case "compress":
                guard ["false", "0", "f", "F", "FALSE", "False"].contains(value) else {
                    throw ContainerError(
                        .unsupported, "the log option 'compress' is not supported here: full files of a log are kept as they are")
                }
            case "labels" where driver == .jsonFile: labels = Self.list(value)
            case "env" where driver == .jsonFile: variables = Self.list(value)
            case "tag" where driver == .jsonFile: tag = value
            case "labels-regex" where driver == .jsonFile, "env-regex" where driver == .jsonFile:
                throw ContainerError(.unsupported, "the log option '\(key)' is not supported here: name each with '\(key.dropLast(6))'")
            case "mode":
                guard value == "blocking" || value == "" else {
                    throw ContainerError(
                        .unsupported,
                        "the log mode '\(value)' is not supported here: the log is written by a process of its own, mode=blocking")
                }
            default: throw ContainerError(.invalid, "unknown log opt '\(key)' for \(driver.rawValue) log driver")
            }
        }
        _ = try Self.filled(tag, [:])
    }

    private static func list(_ text: String) -> [String] { text.split(separator: ",").map(String.init) }

    /// A size as Docker's `max-size`: decimal, `10m`, `1.5GB`; `-1` is no bound.
    static func size(_ text: String) throws(ContainerError) -> UInt64? {
        if text == "-1" { return nil }
        let wrong = ContainerError(.invalid, "invalid size: '\(text)': it must be as 10m, or -1 for no bound")
        var rest = text.lowercased()[...]
        if rest.last == "b" { rest.removeLast() }
        if rest.last == "i" { rest.removeLast() }
        var scale = 1.0
        if let last = rest.last, let power = ["k", "m", "g", "t", "p"].firstIndex(of: String(last)) {
            rest.removeLast()
            for _ in 0...power { scale *= 1000 }
        }
        while rest.last == " " { rest.removeLast() }
        guard rest.first?.isNumber == true, rest.allSatisfy({ $0.isNumber || $0 == "." }), let number = Double(rest), number * scale < 1e18
        else {
            throw wrong
        }
        guard number * scale >= 1 else { throw ContainerError(.invalid, "max-size must be a positive number") }
        return UInt64(number * scale)
    }

    /// The text `"attrs":{…}` of each line; empty for none.
    ///
    /// - Throws: `invalid` for more than ``attributeByteLimit`` bytes.
    func attributes(_ facts: Facts) throws(ContainerError) -> String {
        var attributes: [String: String] = [:]
        for label in labels { attributes[label] = facts.labels[label] }
        for variable in facts.environment {
            let pair = variable.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if pair.count == 2, variables.contains(String(pair[0])) { attributes[String(pair[0])] = String(pair[1]) }
        }
        let tag = try Self.filled(tag, facts.names)
        if !tag.isEmpty { attributes["tag"] = tag }
        guard !attributes.isEmpty else { return "" }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let bytes = try? encoder.encode(attributes) else { return "" }  // text can always be encoded
        guard bytes.count <= Self.attributeByteLimit else {
            throw ContainerError(
                .invalid,
                "labels, variables and tag of each log line would have \(bytes.count) bytes: at most \(Self.attributeByteLimit) are taken")
        }
        return "\"attrs\":" + String(decoding: bytes, as: UTF8.self)
    }

    /// What attributes are made of.
    struct Facts {
        var labels: [String: String]
        var environment: [String]
        /// What a tag can name, as `ID`.
        var names: [String: String]
    }

    private static let tagNames = ["ID", "FullID", "Name", "ImageID", "ImageFullID", "ImageName", "DaemonName"]

    /// Fills a tag's template.
    private static func filled(_ tag: String, _ names: [String: String]) throws(ContainerError) -> String {
        var (result, rest) = ("", tag[...])
        while let open = rest.firstRange(of: "{{") {
            result += rest[..<open.lowerBound]
            guard let close = rest[open.upperBound...].firstRange(of: "}}") else {
                throw ContainerError(.invalid, "the log option 'tag' has a template that does not end: \(tag)")
            }
            let name = rest[open.upperBound..<close.lowerBound].filter { $0 != " " }
            guard name.hasPrefix("."), tagNames.contains(String(name.dropFirst())) else {
                throw ContainerError(
                    .unsupported,
                    "the log option 'tag' names {{\(name)}}: there are \(tagNames.map { "{{.\($0)}}" }.joined(separator: ", "))")
            }
            result += names[String(name.dropFirst())] ?? ""
            rest = rest[close.upperBound...]
        }
        return result + rest
    }
}
