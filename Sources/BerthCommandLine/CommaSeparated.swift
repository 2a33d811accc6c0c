/// Values in one text with commas between them, as Go's reader of such lines takes it: what stands in double quotes may hold commas.
public enum CommaSeparated {
    /// The values of a text. The empty text has none.
    ///
    /// - Throws: for a quotation mark where none may stand.
    public static func values(_ text: String) throws(ValueMistake) -> [String] {
        var values: [String] = []
        var rest = text[...]
        while !rest.isEmpty {
            var value = ""
            if rest.first == "\"" {
                rest = rest.dropFirst()
                value = try quoted(&rest)
                guard rest.isEmpty || rest.first == "," else {
                    throw mistake("extraneous or missing \" in quoted-field", text, at: text[text.index(before: rest.startIndex)...])
                }
            } else {
                value = String(rest.prefix { $0 != "," })
                if let mark = value.firstIndex(of: "\"") {
                    throw mistake(
                        "bare \" in non-quoted-field", text, at: rest[rest.index(rest.startIndex, offsetBy: value[..<mark].count)...])
                }
                rest = rest.dropFirst(value.count)
            }
            values.append(value)
            if rest.popFirst() != nil, rest.isEmpty { values.append("") }
        }
        return values

        /// What is behind the first quotation mark, up to the one that ends it; two of them are one.
        func quoted(_ rest: inout Substring) throws(ValueMistake) -> String {
            var value = ""
            while let character = rest.popFirst() {
                guard character == "\"" else {
                    value.append(character)
                    continue
                }
                guard rest.first == "\"" else { return value }
                value.append(rest.removeFirst())
            }
            throw mistake("extraneous or missing \" in quoted-field", text, at: rest)
        }
    }

    /// The values of several texts, in order.
    public static func values(_ texts: [String], flag: String) throws(CommandLineError) -> [String] {
        var all: [String] = []
        for text in texts {
            do throws(ValueMistake) { all += try values(text) } catch { throw error.of(text, for: flag) }
        }
        return all
    }

    private static func mistake(_ what: String, _ text: String, at rest: Substring) -> ValueMistake {
        ValueMistake("parse error on line 1, column \(text[..<rest.startIndex].utf8.count + 1): \(what)")
    }
}
