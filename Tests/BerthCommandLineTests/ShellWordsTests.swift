import BerthCommandLine
import Testing

@Suite("A text taken apart as a shell does it")
struct ShellWordsTests {
    @Test(
        "Words",
        arguments: [
            ("", []), ("a  b\tc\n", ["a", "b", "c"]), ("a \\\n  b", ["a", "b"]), ("a\\\nb", ["ab"]), ("'a b'c", ["a bc"]),
            ("''", [""]), (#""a \"b\" \n $x""#, [#"a "b" \n $x"#]), (#"a\ b"#, ["a b"]), ("# no\na # no\nb#c", ["a", "b#c"]),
            ("'a\n#b'", ["a\n#b"]), ("--env=A='b c'", ["--env=A=b c"]),
        ])
    func words(_ text: String, _ words: [String]) throws { #expect(try ShellWords.of(text) == words) }

    @Test("What does not end", arguments: ["'a", "\"a", "a'"])
    func wrong(_ text: String) { #expect(throws: ValueMistake.self) { try ShellWords.of(text) } }

    @Test("A line that was written is read again")
    func line() throws {
        let words = ["a b", "", "it's", "$x `y`", "\"q\"", "back\\slash", "#", "new\nline", "é 🐋"]
        #expect(try ShellWords.of(RunLine.line(words)) == words)
    }
}
