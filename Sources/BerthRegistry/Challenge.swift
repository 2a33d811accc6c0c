/// What a registry asks for who one is (RFC 9110, 11.6.1): a scheme and what it says about it.
struct Challenge: Hashable, Sendable {
    /// In lower case.
    let scheme: String
    /// By name, in lower case.
    let parameters: [String: String]

    /// The most bytes of a header that is read.
    static let maximumByteCount = 8 << 10

    /// The challenges of the `WWW-Authenticate` headers of an answer, in their order. What follows no rule ends the reading of its header.
    static func parse(_ headers: [String]) -> [Challenge] {
        headers.flatMap { header -> [Challenge] in
            guard header.utf8.count <= maximumByteCount else { return [] }
            var reader = Reader(rest: header[...])
            return reader.challenges()
        }
    }

    private struct Reader {
        var rest: Substring

        mutating func challenges() -> [Challenge] {
            var result: [Challenge] = []
            var (scheme, parameters): (String?, [String: String]) = (nil, [:])
            func finish() { if let scheme { result.append(Challenge(scheme: scheme, parameters: parameters)) } }
            while true {
                skip { $0 == " " || $0 == "\t" || $0 == "," }
                guard let word = token() else { break }
                skip { $0 == " " || $0 == "\t" }
                if rest.first == "=" {
                    rest.removeFirst()
                    skip { $0 == " " || $0 == "\t" }
                    guard scheme != nil, let value = rest.first == "\"" ? quoted() : token() else { break }
                    // The first of a name counts: what comes behind it may have been put there by somebody else.
                    if parameters[word.lowercased()] == nil { parameters[word.lowercased()] = value }
                } else {
                    finish()
                    (scheme, parameters) = (word.lowercased(), [:])
                }
            }
            finish()
            return result
        }

        private mutating func skip(_ isSkipped: (Character) -> Bool) { rest = rest.drop(while: isSkipped) }

        private mutating func token() -> String? {
            let word = rest.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || "!#$%&'*+-.^_`|~/:?&".contains($0)) }
            rest = rest[word.endIndex...]
            return word.isEmpty ? nil : String(word)
        }

        private mutating func quoted() -> String? {
            var result = ""
            rest.removeFirst()
            while let character = rest.popFirst() {
                switch character {
                case "\"": return result
                case "\\":
                    guard let next = rest.popFirst() else { return nil }
                    result.append(next)
                default: result.append(character)
                }
            }
            return nil
        }
    }
}
