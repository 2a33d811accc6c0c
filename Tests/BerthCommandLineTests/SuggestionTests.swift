import BerthCommandLine
import Testing

@Suite("What somebody may have meant")
struct SuggestionTests {
    private let names = ["run", "rm", "rmi", "start", "stop", "images", "import", "info", "inspect", "exec", "kill"]

    @Test(
        "Slips of the finger",
        arguments: [
            ("rn", ["rm", "run"]), ("strat", ["start"]), ("stpo", ["stop"]), ("imagse", ["images"]), ("improt", ["import"]),
            ("exce", ["exec"]),
            ("runn", ["run"]), ("inspekt", ["inspect"]), ("start", []), ("", []), ("zzz", []), ("ls", []), ("pull", []), ("stpp", ["stop"]),
            ("kubectl", []),
        ] as [(String, [String])])
    func nearest(word: String, expected: [String]) { #expect(Suggestion.nearest(to: word, among: names) == expected) }

    @Test("The question")
    func line() {
        #expect(Suggestion.line(for: "nmae", among: ["name", "net"], prefix: "--") == "\nDid you mean '--name'?")
        #expect(Suggestion.line(for: "rn", among: names) == "\nDid you mean 'rm' or 'run'?")
        #expect(Suggestion.line(for: "rmx", among: names + ["rmx2", "arm"]) == "\nDid you mean 'rm', 'rmi' or 'rmx2'?")
        #expect(Suggestion.line(for: "nothing-near", among: names) == "")
    }
}
