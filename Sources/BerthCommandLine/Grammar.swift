/// Docker's grammar of a command line: flags in any of their forms, and words.
///
/// The forms are those of the flag library that Docker uses: `--name value`, `--name=value`, `-n value`, `-nvalue`, `-n=value`, several
/// letters behind one dash of which the last may take a value, booleans that take a value only behind `=`, and `--`, after which everything
/// is a word.
public struct Grammar: Sendable {
    /// Where flags may stand.
    public enum FlagPlacement: Sendable, Hashable {
        /// Anywhere before `--`.
        case anywhere
        /// Only before the first word: what follows belongs to somebody else, as the command that runs in a container.
        case beforeWords
    }

    /// A flag as it was given.
    public struct Occurrence: Sendable, Hashable {
        /// The flag's long name as declared, never an alias.
        public let name: String
        /// Its value; of a boolean `true` or `false`.
        public let value: String

        /// A flag with its value.
        public init(name: String, value: String) { (self.name, self.value) = (name, value) }
    }

    /// What a command line says.
    public struct Line: Sendable, Hashable {
        /// The flags in the order in which they were given.
        public var occurrences: [Occurrence] = []
        /// What is not a flag.
        public var words: [String] = []
        /// Whether `--help`, or `-h` where it means nothing else, stood there. Nothing behind it is read.
        public var asksForHelp = false

        /// Nothing.
        public init() {}
    }

    private let declarations: [FlagDeclaration]
    private let placement: FlagPlacement

    /// The grammar of a command that declares these flags. Of two of the same name the first counts.
    public init(_ declarations: [FlagDeclaration], placement: FlagPlacement) {
        self.declarations = declarations
        self.placement = placement
    }

    // A line has few flags: to look through all for each is less than to make tables of them.
    private func flag(named name: some StringProtocol) -> FlagDeclaration? {
        declarations.first { $0.name == name || $0.aliases.contains { $0 == name } }
    }

    private func flag(short letter: Character) -> FlagDeclaration? { declarations.first { $0.shorthand == letter } }

    /// Whether a flag may be said several times, and each time adds something.
    public func takesSeveral(_ name: String) -> Bool {
        guard case .value(let kind) = flag(named: name)?.kind else { return false }
        return ["list", "map", "mount", "ulimit", "network", "gpu-request"].contains(kind)
    }

    /// Reads a command line, without the command's own name.
    ///
    /// - Throws: the first mistake in it, in Docker's words; a flag that is absent only when nothing else is wrong.
    public func read(_ arguments: [String]) throws(CommandLineError) -> Line {
        var line = Line()
        var rest = arguments[...]
        var absent: CommandLineError?
        func take(_ flag: FlagDeclaration, _ value: String) throws(CommandLineError) {
            let checked: String
            switch flag.kind {
            case .boolean:
                guard let state = ValueKind.boolean(value) else {
                    throw .invalid(value, for: flag, because: "strconv.ParseBool: parsing \(ValueKind.quoted(value)): invalid syntax")
                }
                checked = state ? "true" : "false"
            case .value(let kind):
                if let reason = ValueKind.mistake(in: value, kind: kind) { throw .invalid(value, for: flag, because: reason) }
                checked = value
            }
            if let why = flag.absence, absent == nil {
                absent = CommandLineError(.absentFlag, "--\(flag.name) is not available: \(why)")
            }
            line.occurrences.append(Occurrence(name: flag.name, value: checked))
        }

        while let argument = rest.popFirst() {
            guard argument.utf8.count > 1, argument.hasPrefix("-") else {
                line.words.append(argument)
                if placement == .beforeWords { break }
                continue
            }
            if argument == "--" { break }
            if argument.hasPrefix("--") {
                guard try readLong(argument, &rest, take) else {
                    line.asksForHelp = true
                    return line
                }
            } else {
                guard try readShort(argument, &rest, take) else {
                    line.asksForHelp = true
                    return line
                }
            }
        }
        line.words += rest
        if let absent { throw absent }
        return line
    }

    /// - Returns: `false` for a request for help.
    private func readLong(
        _ argument: String, _ rest: inout ArraySlice<String>, _ take: (FlagDeclaration, String) throws(CommandLineError) -> Void
    ) throws(CommandLineError) -> Bool {
        let body = argument.dropFirst(2)
        guard let first = body.first, first != "-", first != "=" else { throw CommandLineError(.badSyntax, "bad flag syntax: \(argument)") }
        let separator = body.firstIndex(of: "=")
        let name = String(body[..<(separator ?? body.endIndex)])
        guard let flag = flag(named: name) else {
            if name == "help" { return false }
            throw CommandLineError(.unknownFlag, "unknown flag: --\(name)", flag: name)
        }
        if let separator {
            try take(flag, String(body[body.index(after: separator)...]))
        } else if case .boolean = flag.kind {
            try take(flag, "true")
        } else if let value = rest.popFirst() {
            try take(flag, value)
        } else {
            throw CommandLineError(.missingValue, "flag needs an argument: \(argument)")
        }
        return true
    }

    /// - Returns: `false` for a request for help.
    private func readShort(
        _ argument: String, _ rest: inout ArraySlice<String>, _ take: (FlagDeclaration, String) throws(CommandLineError) -> Void
    ) throws(CommandLineError) -> Bool {
        var letters = argument.dropFirst()
        while let letter = letters.popFirst() {
            guard let flag = flag(short: letter) else {
                if letter == "h" { return false }
                throw CommandLineError(.unknownFlag, "unknown shorthand flag: '\(letter)' in -\(letter)\(letters)")
            }
            if letters.count > 1, letters.first == "=" {
                try take(flag, String(letters.dropFirst()))
                return true
            }
            if case .boolean = flag.kind {
                try take(flag, "true")
                continue
            }
            if !letters.isEmpty {
                try take(flag, String(letters))
                return true
            }
            guard let value = rest.popFirst() else {
                throw CommandLineError(.missingValue, "flag needs an argument: '\(letter)' in -\(letter)")
            }
            try take(flag, value)
            return true
        }
        return true
    }

    /// The same line in the one form that the parser below is given: every flag long and with its value behind `=`, booleans in the state in
    /// which the last occurrence left them, then `--` and the words.
    public func normalised(_ line: Line) -> [String] {
        var result: [String] = []
        var states: [String: Bool] = [:]
        for occurrence in line.occurrences {
            guard let flag = flag(named: occurrence.name) else { continue }
            switch flag.kind {
            case .boolean: states[occurrence.name] = occurrence.value == "true"
            // The parser below takes `--name=` for a flag without a value.
            case .value: result += occurrence.value.isEmpty ? ["--\(occurrence.name)", ""] : ["--\(occurrence.name)=\(occurrence.value)"]
            }
        }
        for flag in declarations {
            guard case .boolean(let negative) = flag.kind, let state = states[flag.name] else { continue }
            if state {
                result.append("--\(flag.name)")
            } else if let negative {
                result.append("--\(negative)")
            }
        }
        return result + ["--"] + line.words
    }
}

extension CommandLineError {
    static func invalid(_ value: String, for flag: FlagDeclaration, because reason: String) -> CommandLineError {
        CommandLineError(.invalidValue, "invalid argument \(ValueKind.quoted(value)) for \(flag.quotedName) flag: \(reason)")
    }
}
