/// A text taken apart as a shell does it: words, quotes, backslashes, and lines that go on. Nothing is put in for what a shell would.
public enum ShellWords {
    /// The words of a text; what follows a `#` at the beginning of one, to the end of the line, is none.
    ///
    /// - Throws: for a quote that does not end.
    public static func of(_ text: String) throws(ValueMistake) -> [String] {
        var (words, word): ([String], String?) = ([], nil)
        var rest = Substring(text)
        while let character = rest.popFirst() {
            switch character {
            case " ", "\t", "\n", "\r\n":
                if let whole = word.take() { words.append(whole) }
            case "#" where word == nil: rest = rest.drop { !$0.isNewline }
            case "'":
                guard let end = rest.firstIndex(of: "'") else { throw ValueMistake("a quote (') does not end") }
                word = (word ?? "") + rest[..<end]
                rest = rest[rest.index(after: end)...]
            case "\"": word = (word ?? "") + (try quoted(&rest))
            case "\\":
                // At the end of a line it is gone with that.
                guard let next = rest.popFirst(), !next.isNewline else { continue }
                word = (word ?? "") + String(next)
            default: word = (word ?? "") + String(character)
            }
        }
        return words + [word].compactMap(\.self)
    }

    /// What stands before the next `"`.
    private static func quoted(_ rest: inout Substring) throws(ValueMistake) -> String {
        var text = ""
        while let character = rest.popFirst() {
            if character == "\"" { return text }
            guard character == "\\", let next = rest.first, "\"\\$`".contains(next) || next.isNewline else {
                text.append(character)
                continue
            }
            rest.removeFirst()
            if !next.isNewline { text.append(next) }
        }
        throw ValueMistake("a quote (\") does not end")
    }
}
