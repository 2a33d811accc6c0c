import ArgumentParser
import BerthCommandLine
import Testing

/// As much of `docker run` as the table below needs.
private struct Run: DockerCommand {
    static let configuration = CommandConfiguration(abstract: "Run a command in a new container", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] IMAGE [COMMAND] [ARG...]"
    static let wordCount = WordCount.atLeast(1)
    static let flagPlacement = Grammar.FlagPlacement.beforeWords
    static let absentFlags: [AbsentFlag] = [
        .value("publish", "p", why: "no bridge networks yet"), .boolean("init", why: "no init yet"),
    ]

    @Flag(name: [.short, .long]) var detach = false
    @Flag(name: [.short, .long]) var interactive = false
    @Flag(name: [.short, .long]) var tty = false
    @Flag var rm = false
    @Flag(inversion: .prefixedNo) var sigProxy = true
    @Option(name: [.short, .long]) var env: [String] = []
    @Option(name: [.customShort("h"), .long]) var hostname: String?
    @Option(name: [.short, .long], help: ArgumentHelp("", valueName: "bytes")) var memory: String?
    @Option(help: ArgumentHelp("", valueName: "int")) var pidsLimit: Int?
    @Option(help: ArgumentHelp("", valueName: "decimal")) var cpus: String?
    @Option(name: [.customLong("network"), .customLong("net")]) var network: String?
    @Argument var image: String
    @Argument var command: [String] = []
}

/// A command whose flags may stand anywhere.
private struct Remove: DockerCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm", abstract: "Remove one or more containers", helpNames: .customLong("help"))
    static let synopsis = "[OPTIONS] CONTAINER [CONTAINER...]"
    static let wordCount = WordCount.atLeast(1)
    @Flag(name: [.short, .long]) var force = false
    @Argument var containers: [String]
}

private func run(_ words: String...) throws -> Run {
    guard case .command(let command) = try CommandLineReader.read(Run.self, words, path: "berth run") else {
        throw CommandLineError(.operands, "help")
    }
    return command
}

private func mistake<C: DockerCommand>(_ type: C.Type, _ words: [String]) -> CommandLineError? {
    do throws(CommandLineError) {
        _ = try CommandLineReader.read(type, words, path: "berth run")
        return nil
    } catch { return error }
}

/// A line that is wrong, and what is said of it.
struct Mistake: Sendable {
    let words: [String]
    let text: String
    var status: Int32 = 125

    /// A mistake in the flags.
    static func flag(_ words: [String], _ text: String) -> Mistake { Mistake(words: words, text: text + "\nSee 'berth run --help'.") }
}

private let mistakeTable: [Mistake] = [
    .flag(["--x", "box"], "unknown flag: --x"),
    .flag(["-x", "box"], "unknown shorthand flag: 'x' in -x"),
    .flag(["-dX", "box"], "unknown shorthand flag: 'X' in -X"),
    .flag(["--no-sig-proxy", "box"], "unknown flag: --no-sig-proxy"),
    .flag(["-m"], "flag needs an argument: 'm' in -m"),
    .flag(["--hostname"], "flag needs an argument: --hostname"),
    .flag(["--=x"], "bad flag syntax: --=x"),
    .flag(["--rm=maybe", "box"], #"invalid argument "maybe" for "--rm" flag: strconv.ParseBool: parsing "maybe": invalid syntax"#),
    .flag(["-m", "x", "y"], #"invalid argument "x" for "-m, --memory" flag: invalid size: 'x'"#),
    .flag(["--pids-limit", "x", "y"], #"invalid argument "x" for "--pids-limit" flag: strconv.ParseInt: parsing "x": invalid syntax"#),
    .flag(["-dp", "80:80", "box"], "--publish is not available: no bridge networks yet"),
    .flag(["-itp80:80", "box"], "--publish is not available: no bridge networks yet"),
    .flag(["-p80:80", "--x"], "unknown flag: --x"),
    Mistake(
        words: ["-i"],
        text: "\"berth run\" requires at least 1 argument.\nSee 'berth run --help'.\n\n"
            + "Usage:  berth run [OPTIONS] IMAGE [COMMAND] [ARG...]\n\nRun a command in a new container",
        status: 1),
]

@Suite("A command line is read by Docker's grammar")
struct GrammarTests {
    @Test("Letters together, values joined or apart, booleans with values")
    func forms() throws {
        let all = try run("-idt", "--rm=false", "--sig-proxy=false", "-eA", "-e", "B=1", "--env=C", "--env", "-d", "-e=D", "-m512m", "box")
        #expect(all.interactive && all.detach && all.tty && !all.rm && !all.sigProxy)
        #expect(all.env == ["A", "B=1", "C", "-d", "D"])
        #expect(all.memory == "512m" && all.image == "box" && all.command.isEmpty)
        let plain = try run("box")
        #expect(!plain.detach && plain.sigProxy && plain.env.isEmpty)
        #expect(try run("-t=0", "-i=T", "--rm", "box").interactive)
        #expect(try run("--rm", "--rm=false", "box").rm == false, "the last one counts")
        #expect(try run("--sig-proxy=false", "--sig-proxy", "box").sigProxy)
        #expect(try run("--hostname=", "box").hostname == "")
        #expect(try run("-h", "here", "box").hostname == "here", "-h is help only where it means nothing else")
        #expect(try run("--net", "none", "box").network == "none")
        #expect(try run("--pids-limit", "-1", "box").pidsLimit == -1)
        #expect(try run("-it", "-e", "A=--rm -x", "box").env == ["A=--rm -x"])
    }

    @Test("Behind the image everything is the command's")
    func words() throws {
        #expect(try run("-i", "box", "ls", "-l", "--rm", "-x").command == ["ls", "-l", "--rm", "-x"])
        #expect(try run("--", "box", "--", "-i").command == ["--", "-i"])
        #expect(try run("box", "--", "a").command == ["--", "a"])
        #expect(try run("-i", "--", "box", "sh", "-c", "").command == ["sh", "-c", ""])
        #expect(try run("-", "x").image == "-")
        #expect(try run("", "x").image == "")
        guard case .command(let remove) = try CommandLineReader.read(Remove.self, ["a", "-f", "b", "--", "-c"], path: "berth rm") else {
            Issue.record("help")
            return
        }
        #expect(remove.force && remove.containers == ["a", "b", "-c"], "elsewhere flags may stand between words")
    }

    @Test(
        "Mistakes are told in Docker's words",
        arguments: mistakeTable)
    func mistakes(row: Mistake) throws {
        let error = try #require(mistake(Run.self, row.words))
        #expect(error.description == row.text)
        #expect(error.exitStatus == row.status)
    }

    @Test("A flag that is absent is read before it is refused")
    func absent() throws {
        let grammar = try Run.grammar()
        #expect(throws: CommandLineError.self) { try grammar.read(["-dp", "80:80", "box", "-x"]) }
        let present = Grammar(
            [
                FlagDeclaration(name: "publish", shorthand: "p", kind: .value(kind: "list")),
                FlagDeclaration(name: "detach", shorthand: "d", kind: .boolean(negative: nil)),
            ], placement: .beforeWords)
        for words in [["-dp", "80:80", "box", "-x"], ["-dp80:80", "box", "-x"], ["-d", "--publish=80:80", "box", "-x"]] {
            let line = try present.read(words)
            #expect(line.occurrences.map(\.name) == ["detach", "publish"] && line.occurrences.map(\.value) == ["true", "80:80"])
            #expect(line.words == ["box", "-x"])
        }
    }

    @Test("Help is asked for by --help, and shows how the command is written")
    func help() throws {
        for words in [["--help"], ["-i", "--help", "--nonsense"]] {
            guard case .help(let text) = try CommandLineReader.read(Run.self, words, path: "berth run") else {
                Issue.record("not help: \(words)")
                continue
            }
            #expect(text.hasPrefix("Usage:  berth run [OPTIONS] IMAGE [COMMAND] [ARG...]\n\nRun a command in a new container\n"))
            #expect(text.contains("--sig-proxy") && text.contains("--memory"))
        }
        guard case .command(let command) = try CommandLineReader.read(Run.self, ["box", "--help"], path: "berth run") else {
            Issue.record("a word behind the image is not ours")
            return
        }
        #expect(command.command == ["--help"])
    }

    @Test(
        "Numbers of words",
        arguments: [
            (WordCount.none, [], ["a"], "accepts no arguments."), (.exactly(2), ["a", "b"], ["a"], "requires exactly 2 arguments."),
            (.exactly(1), ["a"], [], "requires exactly 1 argument."), (.atMost(1), [], ["a", "b"], "requires at most 1 argument."),
            (.between(1, 2), ["a"], ["a", "b", "c"], "requires at least 1 and at most 2 arguments."),
            (.atLeast(1), ["a"], [], "requires at least 1 argument."),
        ] as [(WordCount, [String], [String], String)])
    func counts(count: WordCount, right: [String], wrong: [String], words: String) {
        #expect(count.words(about: right.count) == nil)
        #expect(count.words(about: wrong.count) == words)
    }

    @Test(
        "Sizes",
        arguments: [
            ("0", 0), ("1", 1), ("1b", 1), ("1k", 1024), ("2K", 2048), ("1kb", 1024), ("1KiB", 1024), ("1.5m", 1_572_864), ("3g", 3 << 30),
            ("1t", 1 << 40), ("-1", -1), ("1p", 1 << 50),
        ] as [(String, Int64)])
    func sizes(text: String, value: Int64) { #expect(ValueKind.bytes(text) == value) }

    @Test("What is not a size", arguments: ["", "x", "1x", "k", "-2", "1kk", "1bb", "1e3", "99999999999p", "1 m b", "١"])
    func notSizes(text: String) { #expect(ValueKind.bytes(text) == nil) }

    @Test("Processors in billionths")
    func processors() {
        #expect(ValueKind.billionths("1.5") == 1_500_000_000)
        #expect(ValueKind.billionths(".25") == 250_000_000)
        #expect(ValueKind.billionths("2") == 2_000_000_000)
        for wrong in ["", ".", "x", "-1", "1.0000000001", "1.2.3", "99999999999999"] { #expect(ValueKind.billionths(wrong) == nil) }
    }
}
