internal import BerthOCI
internal import CYaml

/// YAML as the values that JSON has (YAML 1.2, core schema): one document, read by libyaml.
@safe struct YAML: ~Copyable {
    /// What cannot be read, and where.
    struct Mistake: Error, CustomStringConvertible {
        /// From 1 on.
        var line: Int
        var reason: String
        var description: String { "line \(line): \(reason)" }
    }

    /// How deep things may lie in each other.
    static let maximumDepth = 64
    /// How many values there may be, each counted as often as an alias leads to it.
    static let maximumCount = 100_000

    private var document = unsafe yaml_document_t()
    private var count = 0

    /// What a text says. A text with nothing in it says `null`.
    ///
    /// - Throws: for what is no YAML, a second document, a name that is said twice or is no text, and for more than the bounds.
    static func parse(_ text: String) throws(Mistake) -> JSONValue {
        let bytes = Array(text.utf8)
        let result: Result<JSONValue, Mistake> = unsafe bytes.withUnsafeBufferPointer { input in
            unsafe withUnsafeTemporaryAllocation(of: yaml_parser_t.self, capacity: 1) { room in
                guard let parser = room.baseAddress, unsafe yaml_parser_initialize(parser) == 1 else {
                    return .failure(Mistake(line: 1, reason: "there is no memory to read it"))
                }
                defer { unsafe yaml_parser_delete(parser) }
                unsafe yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
                unsafe yaml_parser_set_input_string(parser, input.baseAddress, input.count)
                do throws(Mistake) { return .success(try unsafe parse(parser)) } catch { return .failure(error) }
            }
        }
        return try result.get()
    }

    private static func parse(_ parser: UnsafeMutablePointer<yaml_parser_t>) throws(Mistake) -> JSONValue {
        var first = try unsafe YAML(next: parser)
        guard let root = unsafe yaml_document_get_root_node(&first.document) else { return .null }
        let value = try unsafe first.value(root.pointee, depth: 0)
        var second = try unsafe YAML(next: parser)
        if let more = unsafe yaml_document_get_root_node(&second.document) {
            throw unsafe Mistake(line: Self.line(more.pointee.start_mark), reason: "a second document begins")
        }
        return value
    }

    private init(next parser: UnsafeMutablePointer<yaml_parser_t>) throws(Mistake) {
        guard unsafe yaml_parser_load(parser, &document) == 1 else {
            let problem = unsafe parser.pointee.problem.map { unsafe String(cString: $0) } ?? "it cannot be read"
            throw unsafe Mistake(line: Self.line(parser.pointee.problem_mark), reason: problem)
        }
    }

    deinit {
        var document = unsafe document
        unsafe yaml_document_delete(&document)
    }

    private static func line(_ mark: yaml_mark_t) -> Int { mark.line + 1 }

    private mutating func value(at index: CInt, depth: Int) throws(Mistake) -> JSONValue {
        guard let node = unsafe yaml_document_get_node(&document, index) else { return .null }
        return try unsafe value(node.pointee, depth: depth)
    }

    private mutating func value(_ node: yaml_node_t, depth: Int) throws(Mistake) -> JSONValue {
        let line = unsafe Self.line(node.start_mark)
        guard depth < Self.maximumDepth else {
            throw Mistake(line: line, reason: "more than \(Self.maximumDepth) things lie in each other")
        }
        count += 1
        guard count <= Self.maximumCount else { throw Mistake(line: line, reason: "there are more than \(Self.maximumCount) values") }
        switch unsafe node.type {
        case YAML_SCALAR_NODE:
            let text = unsafe Self.text(node)
            return unsafe node.data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? Self.plain(text) : .string(text)
        case YAML_SEQUENCE_NODE:
            var elements: [JSONValue] = []
            let items = unsafe node.data.sequence.items
            for item in unsafe Array(UnsafeBufferPointer(start: items.start, count: items.top - items.start)) {
                elements.append(try value(at: item, depth: depth + 1))
            }
            return .array(elements)
        case YAML_MAPPING_NODE:
            var members: [String: JSONValue] = [:]
            let pairs = unsafe node.data.mapping.pairs
            for pair in unsafe Array(UnsafeBufferPointer(start: pairs.start, count: pairs.top - pairs.start)) {
                guard let key = unsafe yaml_document_get_node(&document, pair.key), unsafe key.pointee.type == YAML_SCALAR_NODE else {
                    throw Mistake(line: line, reason: "a name is no text")
                }
                let name = unsafe Self.text(key.pointee)
                guard members[name] == nil else {
                    throw unsafe Mistake(line: Self.line(key.pointee.start_mark), reason: "'\(name.prefix(128))' is said twice")
                }
                members[name] = try value(at: pair.value, depth: depth + 1)
            }
            return .object(members)
        default: return .null
        }
    }

    private static func text(_ node: yaml_node_t) -> String {
        let scalar = unsafe node.data.scalar
        return unsafe String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
    }

    /// What a scalar without quotes is (YAML 1.2, 10.3.2).
    private static func plain(_ text: String) -> JSONValue {
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .bool(true)
        case "false", "False", "FALSE": return .bool(false)
        default: break
        }
        if let number = Int64(text) { return .integer(number) }
        for (prefix, radix) in [("0o", 8), ("0x", 16)] where text.hasPrefix(prefix) {
            if let number = UInt64(text.dropFirst(2), radix: radix).flatMap(Int64.init(exactly:)) { return .integer(number) }
        }
        if let first = text.first, first.isNumber || "+-.".contains(first), text.contains(where: \.isNumber), let number = Double(text),
            number.isFinite
        {
            return .number(number)
        }
        return .string(text)
    }
}
