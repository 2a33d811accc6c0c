internal import FoundationEssentials

/// What each line of a log has with it: labels and variables of its container, by name or by pattern, and a tag.
struct LogAttributes: Hashable, Sendable {
    private var labels: [String] = []
    private var labelPattern: String?
    private var variables: [String] = []
    private var variablePattern: String?
    /// The tag, where one was asked for.
    private(set) var tag: LogTag?

    /// Docker's names of the options.
    static let optionNames: Set<String> = ["labels", "labels-regex", "env", "env-regex", "tag"]
    /// The most that each line may have with it.
    static let byteLimit = 16 << 10

    /// What attributes are made of.
    struct Facts {
        var labels: [String: String]
        var environment: [String]
        /// What a tag can name.
        var names: [LogTag.Name: String]
    }

    /// - Throws: `invalid` for a pattern or a tag that is none, `unsupported` for a template that there is not.
    init(_ options: [String: String]) throws(ContainerError) {
        labels = Self.list(options["labels"])
        variables = Self.list(options["env"])
        (labelPattern, variablePattern) = (options["labels-regex"], options["env-regex"])
        for pattern in [labelPattern, variablePattern] { _ = try pattern.map(Self.expression) }
        if let text = options["tag"], !text.isEmpty { tag = try LogTag(parsing: text) }
    }

    private static func list(_ text: String?) -> [String] { (text ?? "").split(separator: ",").map(String.init) }

    private static func expression(_ pattern: String) throws(ContainerError) -> Regex<AnyRegexOutput> {
        do { return try Regex(pattern) } catch {
            throw ContainerError(.invalid, "error parsing regexp: '\(pattern)' is no regular expression: \(error)")
        }
    }

    /// The labels and variables that are meant.
    ///
    /// - Throws: `invalid` for more than ``byteLimit`` bytes.
    func texts(_ facts: Facts) throws(ContainerError) -> [String: String] {
        var found: [String: String] = [:]
        let variables = facts.environment.compactMap { variable -> (String, String)? in
            let pair = variable.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return pair.count == 2 ? (String(pair[0]), String(pair[1])) : nil
        }
        func take(_ pairs: some Sequence<(String, String)>, _ names: [String], _ pattern: String?) throws(ContainerError) {
            let expression = try pattern.map(Self.expression)
            for (name, value) in pairs {
                let matches = expression.map { name.contains($0) } ?? false
                if matches || names.contains(name) { found[name] = value }
            }
        }
        try take(facts.labels.map { ($0.key, $0.value) }, labels, labelPattern)
        try take(variables, self.variables, variablePattern)
        try Self.check(found.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count })
        return found
    }

    private static func check(_ byteCount: Int) throws(ContainerError) {
        guard byteCount <= byteLimit else {
            throw ContainerError(
                .invalid, "labels, variables and tag of each log line would have \(byteCount) bytes: at most \(byteLimit) are taken")
        }
    }

    /// The text `"attrs":{…}` of each line of a file; empty for none.
    ///
    /// - Throws: `invalid` for more than ``byteLimit`` bytes.
    func member(_ facts: Facts) throws(ContainerError) -> String {
        var attributes = try texts(facts)
        if let tag = tag?.filled(facts.names), !tag.isEmpty { attributes["tag"] = tag }
        guard !attributes.isEmpty else { return "" }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let bytes = try? encoder.encode(attributes) else { return "" }  // text can always be encoded
        try Self.check(bytes.count)
        return "\"attrs\":" + String(decoding: bytes, as: UTF8.self)
    }
}
