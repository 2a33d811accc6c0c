internal import BerthOCI

/// The YAML that programs write: mappings and lists by indentation, one scalar a line. What people may write besides (flows that are not empty, blocks of text,
/// anchors, tags) is an error that names the line.
struct PlainYAML {
    /// What cannot be read, and where.
    struct Mistake: Error, CustomStringConvertible {
        var line: Int
        var reason: String
        var description: String { "line \(line): \(reason)" }
    }

    private struct Line {
        var number: Int
        var indent: Int
        var text: Substring
    }
    /// How deep things may lie in each other.
    private static let maximumDepth = 64
    private var lines: [Line] = []
    private var next = 0

    static func parse(_ text: String) throws(Mistake) -> JSONValue {
        var parser = PlainYAML()
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let body = line.drop { $0 == " " }
            guard !body.contains("\t") || body.first == "#" else {
                throw Mistake(line: index + 1, reason: "a tab stands where spaces must")
            }
            let end = body.lastIndex { $0 != " " && $0 != "\r" }
            guard let end, body.first != "#", body != "---", body != "..." else { continue }
            parser.lines.append(Line(number: index + 1, indent: line.count - body.count, text: body[...end]))
        }
        guard let first = parser.lines.first else { return .null }
        let value = try parser.node(indent: first.indent, depth: 0)
        if parser.next < parser.lines.count { throw parser.wrong("it is indented otherwise than what stands before") }
        return value
    }

    private func wrong(_ reason: String) -> Mistake {
        Mistake(line: next < lines.count ? lines[next].number : lines.last?.number ?? 0, reason: reason)
    }

    private mutating func node(indent: Int, depth: Int) throws(Mistake) -> JSONValue {
        guard depth < Self.maximumDepth else { throw wrong("more than \(Self.maximumDepth) things lie in each other") }
        let text = lines[next].text
        if text == "-" || text.hasPrefix("- ") { return try list(indent, depth) }
        return try mapping(indent, depth)
    }

    private mutating func list(_ indent: Int, _ depth: Int) throws(Mistake) -> JSONValue {
        var elements: [JSONValue] = []
        while next < lines.count, lines[next].indent == indent, lines[next].text == "-" || lines[next].text.hasPrefix("- ") {
            let rest = lines[next].text.dropFirst().drop { $0 == " " }
            if rest.isEmpty {
                next += 1
                elements.append(try below(indent, depth))
            } else if Self.colon(in: rest) != nil {
                // A mapping that begins on the line of its dash.
                lines[next].indent = indent + (lines[next].text.count - rest.count)
                lines[next].text = rest
                elements.append(try mapping(lines[next].indent, depth + 1))
            } else {
                elements.append(try scalar(rest))
                next += 1
            }
        }
        return .array(elements)
    }

    private mutating func mapping(_ indent: Int, _ depth: Int) throws(Mistake) -> JSONValue {
        guard depth < Self.maximumDepth else { throw wrong("more than \(Self.maximumDepth) things lie in each other") }
        var members: [String: JSONValue] = [:]
        while next < lines.count, lines[next].indent == indent {
            let text = lines[next].text
            guard let colon = Self.colon(in: text), case .string(let name) = try key(text[..<colon]) else {
                throw wrong("a name with a colon was expected")
            }
            let rest = text[text.index(after: colon)...].drop { $0 == " " }
            guard members[name] == nil else { throw wrong("'\(name)' is said twice") }
            if rest.isEmpty || rest.first == "#" {
                next += 1
                // A list may stand as far left as its name.
                let isList =
                    next < lines.count && lines[next].indent == indent && (lines[next].text == "-" || lines[next].text.hasPrefix("- "))
                members[name] = isList ? try list(indent, depth + 1) : try below(indent, depth)
            } else {
                members[name] = try scalar(rest)
                next += 1
            }
        }
        return .object(members)
    }

    private mutating func below(_ indent: Int, _ depth: Int) throws(Mistake) -> JSONValue {
        guard next < lines.count, lines[next].indent > indent else { return .null }
        return try node(indent: lines[next].indent, depth: depth + 1)
    }

    /// Where a name ends: at a colon with a space or nothing behind it, outside quotes.
    private static func colon(in text: Substring) -> Substring.Index? {
        var quote: Character?
        for index in text.indices {
            let character = text[index]
            if let open = quote {
                if character == open { quote = nil }
            } else if (character == "\"" || character == "'") && index == text.startIndex {
                quote = character
            } else if character == ":" {
                let after = text.index(after: index)
                if after == text.endIndex || text[after] == " " { return index }
            }
        }
        return nil
    }

    private func key(_ text: Substring) throws(Mistake) -> JSONValue {
        if let first = text.first, first == "\"" || first == "'" { return try scalar(text) }
        return .string(String(text))
    }

    private func scalar(_ text: Substring) throws(Mistake) -> JSONValue {
        switch text.first {
        case "\"", "'":
            let quote = text.first!
            let body = text.dropFirst()
            guard let end = body.firstIndex(of: quote), !body[..<end].contains("\\") else { throw wrong("this quoted text cannot be read") }
            let rest = body[body.index(after: end)...].drop { $0 == " " }
            guard rest.isEmpty || rest.first == "#" else { throw wrong("something stands behind a quoted text") }
            return .string(String(body[..<end]))
        case "[" where text == "[]": return .array([])
        case "{" where text == "{}": return .object([:])
        case "[", "{", "|", ">", "&", "*", "!", "%", "@", "`": throw wrong("'\(text.first!)' cannot be read here: write the file as JSON")
        default: break
        }
        var plain = text
        if let comment = text.indices.first(where: { text[$0] == "#" && $0 > text.startIndex && text[text.index(before: $0)] == " " }) {
            plain = text[..<comment]
            while plain.last == " " { plain = plain.dropLast() }
        }
        switch plain {
        case "null", "~", "": return .null
        case "true": return .bool(true)
        case "false": return .bool(false)
        default: return Int64(plain).map(JSONValue.integer) ?? .string(String(plain))
        }
    }
}
