/// A JSON text as a tree that keeps the order of names and the digits of numbers, so that it can be shown as it came.
public indirect enum JSONTree: Sendable, Hashable {
    /// A name and its value in an object.
    public struct Member: Sendable, Hashable {
        /// The name.
        public let name: String
        /// The value.
        public var value: JSONTree

        /// A member of these.
        public init(_ name: String, _ value: JSONTree) { (self.name, self.value) = (name, value) }
    }

    /// `null`.
    case null
    /// `true` or `false`.
    case bool(Bool)
    /// A number, as its digits.
    case number(String)
    /// Text.
    case string(String)
    /// A list.
    case array([JSONTree])
    /// Names and values in their order.
    case object([Member])

    /// The first value of a name in an object; `nil` elsewhere.
    public subscript(_ name: String) -> JSONTree? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }

    /// The text; `nil` of anything else.
    public var text: String? { if case .string(let text) = self { text } else { nil } }
    /// The whole number; `nil` of anything else.
    public var integer: Int64? { if case .number(let digits) = self { Int64(digits) } else { nil } }
    /// The truth; `nil` of anything else.
    public var boolean: Bool? { if case .bool(let value) = self { value } else { nil } }
    /// The list's elements; none of anything else.
    public var elements: [JSONTree] { if case .array(let elements) = self { elements } else { [] } }
    /// The object's members; none of anything else.
    public var members: [Member] { if case .object(let members) = self { members } else { [] } }

    /// An object of these; what has no value is left out.
    public static func object(_ members: [(String, JSONTree?)]) -> JSONTree {
        .object(members.compactMap { name, value in value.map { Member(name, $0) } })
    }
    /// A list of texts.
    public static func texts(_ texts: [String]) -> JSONTree { .array(texts.map(JSONTree.string)) }
    /// A whole number.
    public static func integer(_ value: some BinaryInteger) -> JSONTree { .number(String(value)) }
}

extension JSONTree {
    /// How a tree is written.
    public enum Layout: Sendable, Hashable {
        /// Without spaces.
        case compact
        /// A line for each value, each level this many spaces further in.
        case indented(Int)
    }

    /// The JSON text, as Go writes it: `<`, `>` and `&` are escaped as well.
    public func json(_ layout: Layout = .compact) -> String {
        var result = ""
        write(to: &result, layout, level: 0)
        return result
    }

    private func write(to result: inout String, _ layout: Layout, level: Int) {
        func line(_ level: Int) {
            guard case .indented(let width) = layout else { return }
            result += "\n" + String(repeating: " ", count: width * level)
        }
        switch self {
        case .null: result += "null"
        case .bool(let value): result += value ? "true" : "false"
        case .number(let digits): result += digits
        case .string(let text): Self.quote(text, to: &result)
        case .array(let elements):
            guard !elements.isEmpty else { return result += "[]" }
            result += "["
            for (index, element) in elements.enumerated() {
                if index > 0 { result += "," }
                line(level + 1)
                element.write(to: &result, layout, level: level + 1)
            }
            line(level)
            result += "]"
        case .object(let members):
            guard !members.isEmpty else { return result += "{}" }
            result += "{"
            for (index, member) in members.enumerated() {
                if index > 0 { result += "," }
                line(level + 1)
                Self.quote(member.name, to: &result)
                result += layout == .compact ? ":" : ": "
                member.value.write(to: &result, layout, level: level + 1)
            }
            line(level)
            result += "}"
        }
    }

    private static func quote(_ text: String, to result: inout String) {
        result += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "<", ">", "&", "\u{2028}", "\u{2029}", "\u{0}"..."\u{1F}":
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        result += "\""
    }
}
