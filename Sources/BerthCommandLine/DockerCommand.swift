public import ArgumentParser

/// How many words a command takes.
public struct WordCount: Sendable, Hashable {
    private let minimum: Int
    private let maximum: Int?

    private init(_ minimum: Int, _ maximum: Int?) { (self.minimum, self.maximum) = (minimum, maximum) }

    /// None.
    public static var none: WordCount { WordCount(0, 0) }
    /// As many as this.
    public static func exactly(_ count: Int) -> WordCount { WordCount(count, count) }
    /// As many as this or more.
    public static func atLeast(_ count: Int) -> WordCount { WordCount(count, nil) }
    /// As many as this or less.
    public static func atMost(_ count: Int) -> WordCount { WordCount(0, count) }
    /// As many as one of these.
    public static func between(_ minimum: Int, _ maximum: Int) -> WordCount { WordCount(minimum, maximum) }

    /// What is wrong with so many words, in Docker's words; `nil` where nothing is.
    public func words(about count: Int) -> String? {
        func words(_ number: Int) -> String { number == 1 ? "1 argument" : "\(number) arguments" }
        if count >= minimum, count <= maximum ?? .max { return nil }
        return switch (minimum, maximum) {
        case (0, 0): "accepts no arguments."
        case (let minimum, minimum): "requires exactly \(words(minimum))."
        case (let minimum, nil): "requires at least \(words(minimum))."
        case (0, let maximum?): "requires at most \(words(maximum))."
        case (let minimum, let maximum?): "requires at least \(minimum) and at most \(words(maximum))."
        }
    }
}

/// A command whose line is read by Docker's grammar.
///
/// Flags and words are declared with ArgumentParser's property wrappers; a value's name in its help says what is checked (``ValueKind``).
public protocol DockerCommand: ParsableCommand {
    /// What follows the command's name in its usage, as `[OPTIONS] IMAGE [COMMAND] [ARG...]`.
    static var synopsis: String { get }
    /// How many words it takes.
    static var wordCount: WordCount { get }
    /// Where its flags may stand. Default: anywhere.
    static var flagPlacement: Grammar.FlagPlacement { get }
    /// Flags that Docker's command has and this one has not: using one is an error that says so. Default: none.
    static var absentFlags: [AbsentFlag] { get }
    /// Its flags as a line of text (``FlagDeclaration/text``), so that they need not be found out at each start; a test compares the two.
    /// Default: `nil`, they are found out.
    static var writtenFlags: String? { get }
    /// Lines that show how it is used, at the end of its help. Default: none.
    static var examples: [String] { get }
}

extension DockerCommand {
    /// Anywhere.
    public static var flagPlacement: Grammar.FlagPlacement { .anywhere }
    /// None.
    public static var absentFlags: [AbsentFlag] { [] }
    /// Not written.
    public static var writtenFlags: String? { nil }
    /// None.
    public static var examples: [String] { [] }

    /// The long names of its flags, those that it has not here among them.
    static func flagNames() throws(CommandLineError) -> [String] {
        (try ownFlags() + absentFlags.map(\.declaration)).flatMap { [$0.name] + $0.aliases } + ["help"]
    }

    /// The grammar that the declared flags make.
    public static func grammar() throws(CommandLineError) -> Grammar { grammar(of: try ownFlags()) }

    static func grammar(of flags: [FlagDeclaration]) -> Grammar {
        Grammar(flags + absentFlags.map(\.declaration), placement: flagPlacement)
    }
}

/// What became of a command line.
public enum Reading<Command> {
    /// It can be performed.
    case command(Command)
    /// It asks for help: this is it.
    case help(String)
}

/// Reads command lines.
public enum CommandLineReader {
    /// Reads one command's line.
    ///
    /// - Parameters:
    ///   - arguments: the line without the command's name.
    ///   - path: the command's name as it was typed, as `berth container run`.
    ///   - whenWellFormed: called once the line is in order and is no call for help. What then is left takes the most time, and can still find a value that
    ///     makes no sense.
    /// - Throws: ``CommandLineError`` whose description ends with where help is to be found, as Docker's does.
    public static func read<Command: DockerCommand>(
        _ type: Command.Type, _ arguments: [String], path: String, whenWellFormed: () -> Void = {}
    ) throws(CommandLineError) -> Reading<Command> {
        let line: Grammar.Line
        let grammar: Grammar
        let flags: [FlagDeclaration]
        do {
            flags = try type.ownFlags()
            grammar = type.grammar(of: flags)
            line = try grammar.read(arguments)
        } catch {
            let meant = error.flag.map { flag in Suggestion.line(for: flag, among: (try? type.flagNames()) ?? [], prefix: "--") } ?? ""
            throw CommandLineError(error.code, "\(error.description)\(meant)\nSee '\(path) --help'.")
        }
        if line.asksForHelp { return .help(help(of: type, path: path)) }
        if let mistake = type.wordCount.words(about: line.words.count) {
            throw CommandLineError(
                .operands,
                """
                "\(path)" \(mistake)
                See '\(path) --help'.

                \(usage(of: type, path: path))

                \(type.configuration.abstract)
                """)
        }
        whenWellFormed()
        // Without ArgumentParser, which is asked instead where the flags are not written down, and for what is wrong with the line.
        if type.writtenFlags != nil, let command = try? LineDecoder(line, flags).command(type) { return .command(command) }
        do {
            return .command(try type.parse(grammar.normalised(line)))
        } catch let error as CommandLineError {
            throw CommandLineError(error.code, "\(error.description)\nSee '\(path) --help'.")
        } catch {
            throw CommandLineError(.invalidValue, "\(type.message(for: error))\nSee '\(path) --help'.")
        }
    }

    /// What is made of a line in both ways, as text: the two are the same. For tests.
    ///
    /// - Throws: what ArgumentParser, or the other way, cannot read.
    public static func readings<Command: DockerCommand>(
        of type: Command.Type, _ line: Grammar.Line
    ) throws -> (decoded: String, parsed: String) {
        let decoded = try LineDecoder(line, try type.ownFlags()).command(type)
        return (String(reflecting: decoded), String(reflecting: try type.parse(try type.grammar().normalised(line))))
    }

    /// Where ArgumentParser writes what a flag is for.
    private static var purposeColumn: Int { 26 }

    /// The line that shows how a command is written.
    public static func usage(of type: any DockerCommand.Type, path: String) -> String {
        "Usage:  \(path)" + (type.synopsis.isEmpty ? "" : " \(type.synopsis)")
    }

    /// A command's help: usage, purpose, flags.
    public static func help(of type: any DockerCommand.Type, path: String) -> String {
        // ArgumentParser's own text from its list of flags on; what stands before it is written for its grammar, not for Docker's.
        let text = type.helpMessage(columns: 100)
        var result = "\(usage(of: type, path: path))\n\n\(type.configuration.abstract)\n"
        if let start = text.range(ofLine: "OPTIONS:") {
            result += "\nOptions:\n"
            var lines = text[start...].split(separator: "\n")[...]
            while let line = lines.popFirst() {
                // Docker's users write --name=false; the second name is the parser's own way to be told so.
                let words = line.split(separator: "/", maxSplits: 1)
                guard words.count == 2, words[1].hasPrefix("--no-") else {
                    result += "\(line)\n"
                    continue
                }
                // What it is for stands behind a short name, and below a long one.
                let purpose = words[1].contains(" ") ? words[1].drop { $0 != " " } : lines.popFirst() ?? ""
                let name = words[0].drop { $0 == " " }.prefix { $0 != "," }
                result += words[0] + String(repeating: " ", count: max(1, purposeColumn - words[0].count))
                result += purpose.drop { $0 == " " }.replacing("(default: \(name))", with: "(default: true)") + "\n"
            }
        }
        if !type.examples.isEmpty { result += "\nExamples:\n" + type.examples.map { "  \($0)\n" }.joined() }
        result.removeLast()
        return result
    }
}

extension String {
    /// What follows a line that holds just this.
    fileprivate func range(ofLine line: String) -> String.Index? {
        var start = startIndex
        while start < endIndex {
            let end = self[start...].firstIndex(of: "\n") ?? endIndex
            if self[start..<end] == line { return end }
            start = end < endIndex ? index(after: end) : end
        }
        return nil
    }
}
