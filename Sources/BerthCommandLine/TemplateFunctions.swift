internal import BerthClient

/// The functions of templates, and how values are shown.
enum TemplateFunctions {
    static let names: Set<String> = [
        "and", "or", "not", "eq", "ne", "lt", "le", "gt", "ge", "len", "index", "slice", "print", "println", "printf", "json", "join",
        "split", "lower", "upper", "title", "pad", "truncate",
    ]

    static func isTrue(_ value: JSONTree) -> Bool {
        switch value {
        case .null: false
        case .bool(let value): value
        case .number(let digits): Double(digits) != 0
        case .string(let text): !text.isEmpty
        case .array(let elements): !elements.isEmpty
        case .object(let members): !members.isEmpty
        }
    }

    /// A value as `{{.}}` prints it.
    static func shown(_ value: JSONTree) -> String { shown(value, isInside: false) }

    private static func shown(_ value: JSONTree, isInside: Bool) -> String {
        switch value {
        case .null: isInside ? "<nil>" : "<no value>"
        case .bool(let value): value ? "true" : "false"
        case .number(let digits): digits
        case .string(let text): text
        case .array(let elements): "[" + elements.map { shown($0, isInside: true) }.joined(separator: " ") + "]"
        case .object(let members):
            "map["
                + members.sorted { $0.name < $1.name }.map { "\($0.name):\(shown($0.value, isInside: true))" }.joined(separator: " ")
                + "]"
        }
    }

    static func call(_ name: String, _ arguments: [JSONTree]) throws(TemplateError) -> JSONTree {
        func wrong(_ reason: String) -> TemplateError { .executing("error calling \(name): \(reason)") }
        func need(_ counts: ClosedRange<Int>) throws(TemplateError) {
            guard counts.contains(arguments.count) else {
                throw wrong("wrong number of args: want \(counts.lowerBound), got \(arguments.count)")
            }
        }
        func text(_ index: Int) throws(TemplateError) -> String {
            guard let text = arguments[index].text else { throw wrong("expected string; got \(shown(arguments[index]))") }
            return text
        }
        func whole(_ index: Int) throws(TemplateError) -> Int {
            guard let number = arguments[index].integer.flatMap(Int.init(exactly:)) else {
                throw wrong("expected integer; got \(shown(arguments[index]))")
            }
            return number
        }
        switch name {
        case "not":
            try need(1...1)
            return .bool(!isTrue(arguments[0]))
        case "eq":
            try need(2...100)
            return .bool(arguments.dropFirst().contains { isEqual(arguments[0], $0) })
        case "ne":
            try need(2...2)
            return .bool(!isEqual(arguments[0], arguments[1]))
        case "lt", "le", "gt", "ge":
            try need(2...2)
            guard let order = order(arguments[0], arguments[1]) else { throw wrong("incompatible types for comparison") }
            return .bool(name == "lt" ? order < 0 : name == "le" ? order <= 0 : name == "gt" ? order > 0 : order >= 0)
        case "len":
            try need(1...1)
            switch arguments[0] {
            case .string(let text): return .integer(text.utf8.count)
            case .array(let elements): return .integer(elements.count)
            case .object(let members): return .integer(members.count)
            case .null: return .integer(0)
            default: throw wrong("len of \(shown(arguments[0]))")
            }
        case "index":
            try need(1...100)
            return try index(arguments, wrong)
        case "slice":
            try need(1...3)
            let from = arguments.count > 1 ? try whole(1) : 0
            switch arguments[0] {
            case .string(let text):
                let bytes = Array(text.utf8)
                let to = arguments.count > 2 ? try whole(2) : bytes.count
                guard from >= 0, from <= to, to <= bytes.count else { throw wrong("index out of range: \(to)") }
                return .string(String(decoding: bytes[from..<to], as: UTF8.self))
            case .array(let elements):
                let to = arguments.count > 2 ? try whole(2) : elements.count
                guard from >= 0, from <= to, to <= elements.count else { throw wrong("index out of range: \(to)") }
                return .array(Array(elements[from..<to]))
            default: throw wrong("can't slice item of type \(shown(arguments[0]))")
            }
        case "print", "println":
            return .string(printed(arguments, isLine: name == "println"))
        case "printf":
            try need(1...100)
            return .string(try formatted(try text(0), Array(arguments.dropFirst()), wrong))
        case "json":
            try need(1...1)
            return .string(arguments[0].json())
        case "join":
            try need(2...2)
            guard case .array(let elements) = arguments[0] else { throw wrong("expected a list; got \(shown(arguments[0]))") }
            return .string(elements.map(shown).joined(separator: try text(1)))
        case "split":
            try need(2...2)
            return .texts(pieces(of: try text(0), by: try text(1)))
        case "lower":
            try need(1...1)
            return .string(try text(0).lowercased())
        case "upper":
            try need(1...1)
            return .string(try text(0).uppercased())
        case "title":
            try need(1...1)
            var isFirst = true
            return .string(
                String(
                    try text(0).map { character -> Character in
                        defer { isFirst = !(character.isLetter || character.isNumber || character == "_" || character == "'") }
                        return isFirst ? Character(character.uppercased()) : character
                    }))
        case "pad":
            try need(3...3)
            let (before, after) = (try whole(1), try whole(2))
            guard (0...10_000).contains(before), (0...10_000).contains(after) else { throw wrong("pad of more than 10000 spaces") }
            let inner = try text(0)
            return .string(inner.isEmpty ? "" : String(repeating: " ", count: before) + inner + String(repeating: " ", count: after))
        case "truncate":
            try need(2...2)
            let length = try whole(1)
            guard length >= 0 else { throw wrong("negative length") }
            return .string(String(decoding: try text(0).utf8.prefix(length), as: UTF8.self))
        default:
            throw .executing("function \"\(name)\" is not supported")
        }
    }

    private static func isEqual(_ a: JSONTree, _ b: JSONTree) -> Bool {
        if case .number(let x) = a, case .number(let y) = b { return x == y || Double(x) == Double(y) }
        return a == b
    }

    private static func order(_ a: JSONTree, _ b: JSONTree) -> Int? {
        switch (a, b) {
        case (.number(let x), .number(let y)):
            if let x = Int64(x), let y = Int64(y) { return x < y ? -1 : x > y ? 1 : 0 }
            guard let x = Double(x), let y = Double(y) else { return nil }
            return x < y ? -1 : x > y ? 1 : 0
        case (.string(let x), .string(let y)): return x < y ? -1 : x > y ? 1 : 0
        default: return nil
        }
    }

    private static func index(_ arguments: [JSONTree], _ wrong: (String) -> TemplateError) throws(TemplateError) -> JSONTree {
        var value = arguments[0]
        for key in arguments.dropFirst() {
            switch (value, key) {
            case (.object, .string(let name)): value = value[name] ?? .string("")
            case (.array(let elements), .number(let digits)):
                guard let offset = Int(digits), elements.indices.contains(offset) else { throw wrong("index out of range: \(digits)") }
                value = elements[offset]
            case (.null, _): throw wrong("index of untyped nil")
            default: throw wrong("can't index item with \(shown(key))")
            }
        }
        return value
    }

    /// Go's `print` puts spaces between operands when neither is a string; `println` always.
    private static func printed(_ arguments: [JSONTree], isLine: Bool) -> String {
        var result = ""
        for (index, argument) in arguments.enumerated() {
            if index > 0, isLine || (argument.text == nil && arguments[index - 1].text == nil) { result += " " }
            result += shown(argument, isInside: true)
        }
        return isLine ? result + "\n" : result
    }

    private static func formatted(
        _ format: String, _ arguments: [JSONTree], _ wrong: (String) -> TemplateError
    ) throws(TemplateError) -> String {
        var result = ""
        var rest = format[...]
        var values = arguments[...]
        while let character = rest.popFirst() {
            guard character == "%" else {
                result.append(character)
                continue
            }
            if rest.first == "%" {
                rest.removeFirst()
                result.append("%")
                continue
            }
            let isLeft = rest.first == "-"
            if isLeft { rest.removeFirst() }
            let isZero = rest.first == "0"
            let width = rest.prefix(while: \.isNumber)
            rest = rest.dropFirst(width.count)
            var precision: Int?
            if rest.first == "." {
                let digits = rest.dropFirst().prefix(while: \.isNumber)
                rest = rest.dropFirst(digits.count + 1)
                precision = Int(digits) ?? 0
            }
            guard let verb = rest.popFirst() else { throw wrong("the format ends behind %") }
            guard let value = values.popFirst() else {
                result += "%!\(verb)(MISSING)"
                continue
            }
            var text: String
            switch verb {
            case "s", "v": text = shown(value, isInside: true)
            case "d" where value.integer != nil: text = shown(value)
            case "t" where value.boolean != nil: text = shown(value)
            case "q" where value.text != nil: text = ValueKind.quoted(value.text ?? "")
            case "d", "t", "q": text = "%!\(verb)(\(shown(value, isInside: true)))"
            default: throw wrong("the verb %\(verb) is not supported")
            }
            if let precision, verb == "s" { text = String(text.prefix(precision)) }
            guard let wanted = width.isEmpty ? 0 : Int(width), wanted <= 10_000 else { throw wrong("a width of more than 10000") }
            let missing = String(repeating: isZero && verb == "d" && !isLeft ? "0" : " ", count: max(0, wanted - text.count))
            result += isLeft ? text + missing : missing + text
        }
        if !values.isEmpty { result += "%!(EXTRA " + values.map { shown($0, isInside: true) }.joined(separator: ", ") + ")" }
        return result
    }

    private static func pieces(of text: String, by separator: String) -> [String] {
        if separator.isEmpty { return text.map(String.init) }
        var result: [String] = []
        var rest = text[...]
        var piece = ""
        while !rest.isEmpty {
            if rest.hasPrefix(separator) {
                result.append(piece)
                piece = ""
                rest = rest.dropFirst(separator.count)
            } else {
                piece.append(rest.removeFirst())
            }
        }
        return result + [piece]
    }
}
