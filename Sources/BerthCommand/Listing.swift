internal import BerthClient
internal import BerthCommandLine

/// A list of objects, printed as `--format`, `-q` or nothing says.
struct Listing {
    /// A thing in the list: what a template sees of it.
    struct Row {
        var fields: JSONTree
        var methods: [String: GoTemplate.Method] = [:]
    }

    /// The table without `--format`.
    let standardTable: String
    /// What is printed with `-q`.
    let quietTemplate: String
    /// The names of the columns: a field and its heading.
    let headings: [(String, String)]

    /// Prints.
    func show(_ rows: [Row], format: String?, quiet: Bool) throws {
        let format = format.map(Self.unescaped)
        switch format {
        case _ where quiet && (format == nil || format == "table"):
            for row in rows { try Output.line(try GoTemplate(parsing: quietTemplate).rendered(row.fields, methods: row.methods)) }
        case "json":
            for row in rows { try Output.line(row.fields.json()) }
        case nil, "table": try table(standardTable, rows)
        case let format? where format.hasPrefix("table"): try table(String(format.dropFirst(5).drop { $0 == " " }), rows)
        case let format?:
            let template = try GoTemplate(parsing: format)
            for row in rows { try Output.line(try template.rendered(row.fields, methods: row.methods)) }
        }
    }

    private func table(_ text: String, _ rows: [Row]) throws {
        let template = try GoTemplate(parsing: text)
        var table = TextTable()
        let names = headings
        let heading = JSONTree.object(names.map { ($0.0, JSONTree.string($0.1)) })
        table.add(
            line: try template.rendered(
                heading,
                methods: [
                    "Label": { arguments throws(TemplateError) in
                        // The heading of a label's column is the label's last word.
                        let name = arguments.first?.text ?? ""
                        return .string(String(name.split { ".-_".contains($0) }.last ?? ""))
                    }
                ]))
        for row in rows { table.add(line: try template.rendered(row.fields, methods: row.methods)) }
        try Output.text(table.text)
    }

    /// A shell hands `\t` on as two characters.
    static func unescaped(_ text: String) -> String {
        var result = ""
        var rest = text[...]
        while let character = rest.popFirst() {
            if character == "\\", rest.first == "t" || rest.first == "n" {
                result.append(rest.removeFirst() == "t" ? "\t" : "\n")
            } else {
                result.append(character)
            }
        }
        return result
    }
}

/// `--filter name=value`.
enum Filters {
    /// Filters as the daemon takes them; `nil` for none.
    static func query(_ flags: [String], adding more: [(String, String)] = []) throws(Failure) -> (String, String)? {
        var values: [(name: String, values: [String])] = []
        func add(_ name: String, _ value: String) {
            if let index = values.firstIndex(where: { $0.name == name }) {
                values[index].values.append(value)
            } else {
                values.append((name, [value]))
            }
        }
        for flag in flags {
            let parts = flag.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2 else {
                throw Failure(
                    "invalid argument \"\(flag)\" for \"-f, --filter\" flag: bad format of filter (expected name=value)", status: 125)
            }
            add(trimmed(parts[0]).lowercased(), trimmed(parts[1]))
        }
        for (name, value) in more { add(name, value) }
        if values.isEmpty { return nil }
        // In the order in which Docker's clients say them.
        let tree = JSONTree.object(
            values.sorted { $0.name < $1.name }.map { entry -> (String, JSONTree?) in
                (entry.name, .object(entry.values.sorted().map { ($0, JSONTree.bool(true)) }))
            })
        return ("filters", tree.json())
    }

    private static func trimmed(_ text: String) -> String {
        String(text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}

/// An id's first twelve digits.
func shortID(_ id: String) -> String {
    String((id.hasPrefix("sha256:") ? id.dropFirst(7) : id[...]).prefix(12))
}
