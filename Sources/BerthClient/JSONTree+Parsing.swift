extension JSONTree {
    /// How deep a text may be nested.
    public static var depthLimit: Int { 200 }

    /// Parses one JSON text.
    ///
    /// - Throws: ``ClientError/Code/malformed`` with the offset of what is wrong, or ``ClientError/Code/limit`` for a text nested too deep.
    public init(parsing bytes: [UInt8]) throws(ClientError) {
        var parser = Parser(bytes: bytes)
        self = try parser.value(depth: 0)
        parser.skipSpace()
        guard parser.offset == bytes.count else { throw parser.wrong("the end") }
    }

    private struct Parser {
        let bytes: [UInt8]
        var offset = 0

        var next: UInt8? { offset < bytes.count ? bytes[offset] : nil }

        func wrong(_ expected: String) -> ClientError {
            ClientError(.malformed, "The daemon's answer is not JSON: at byte \(offset), \(expected) was expected.")
        }

        mutating func skipSpace() {
            while let byte = next, byte == 32 || byte == 10 || byte == 13 || byte == 9 { offset += 1 }
        }

        mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard next == UInt8(ascii: character) else { return false }
            offset += 1
            return true
        }

        mutating func word(_ text: StaticString, _ value: JSONTree) throws(ClientError) -> JSONTree {
            let expected = Array("\(text)".utf8)
            guard bytes[offset...].starts(with: expected) else { throw wrong("a value") }
            offset += expected.count
            return value
        }

        mutating func value(depth: Int) throws(ClientError) -> JSONTree {
            guard depth < JSONTree.depthLimit else {
                throw ClientError(.limit, "The daemon's answer is nested deeper than \(JSONTree.depthLimit) levels.")
            }
            skipSpace()
            switch next {
            case UInt8(ascii: "{"): return try object(depth)
            case UInt8(ascii: "["): return try array(depth)
            case UInt8(ascii: "\""): return .string(try string())
            case UInt8(ascii: "t"): return try word("true", .bool(true))
            case UInt8(ascii: "f"): return try word("false", .bool(false))
            case UInt8(ascii: "n"): return try word("null", .null)
            default: return .number(try number())
            }
        }

        mutating func object(_ depth: Int) throws(ClientError) -> JSONTree {
            offset += 1
            var members: [Member] = []
            skipSpace()
            if take("}") { return .object(members) }
            while true {
                skipSpace()
                guard next == UInt8(ascii: "\"") else { throw wrong("a name") }
                let name = try string()
                skipSpace()
                guard take(":") else { throw wrong("a colon") }
                members.append(Member(name, try value(depth: depth + 1)))
                skipSpace()
                if take("}") { return .object(members) }
                guard take(",") else { throw wrong("a comma") }
            }
        }

        mutating func array(_ depth: Int) throws(ClientError) -> JSONTree {
            offset += 1
            var elements: [JSONTree] = []
            skipSpace()
            if take("]") { return .array(elements) }
            while true {
                elements.append(try value(depth: depth + 1))
                skipSpace()
                if take("]") { return .array(elements) }
                guard take(",") else { throw wrong("a comma") }
            }
        }

        mutating func number() throws(ClientError) -> String {
            let start = offset
            _ = take("-")
            let isZero = next == 48
            let first = offset
            try digits()
            guard !isZero || offset == first + 1 else { throw wrong("a number without leading zeros") }
            if take(".") { try digits() }
            if take("e") || take("E") {
                if !take("+") { _ = take("-") }
                try digits()
            }
            guard offset - start <= 400 else { throw wrong("a shorter number") }
            return String(decoding: bytes[start..<offset], as: UTF8.self)
        }

        mutating func digits() throws(ClientError) {
            let start = offset
            while let byte = next, (48...57).contains(byte) { offset += 1 }
            guard offset > start else { throw wrong("a value") }
        }

        mutating func string() throws(ClientError) -> String {
            offset += 1
            var result: [UInt8] = []
            while true {
                let start = offset
                while let byte = next, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 32 { offset += 1 }
                result += bytes[start..<offset]
                guard let byte = next, byte >= 32 else { throw wrong("the end of a text") }
                offset += 1
                if byte == UInt8(ascii: "\"") { return String(decoding: result, as: UTF8.self) }
                guard let escape = next else { throw wrong("the end of a text") }
                offset += 1
                switch escape {
                case UInt8(ascii: "n"): result.append(10)
                case UInt8(ascii: "t"): result.append(9)
                case UInt8(ascii: "r"): result.append(13)
                case UInt8(ascii: "b"): result.append(8)
                case UInt8(ascii: "f"): result.append(12)
                case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): result.append(escape)
                case UInt8(ascii: "u"): result += Array(String(Character(try scalar())).utf8)
                default: throw wrong("an escape")
                }
            }
        }

        mutating func unit() throws(ClientError) -> UInt32 {
            guard offset + 4 <= bytes.count else { throw wrong("four digits") }
            let text = String(decoding: bytes[offset..<offset + 4], as: UTF8.self)
            guard text.allSatisfy(\.isHexDigit), let value = UInt32(text, radix: 16) else { throw wrong("four digits") }
            offset += 4
            return value
        }

        /// A surrogate without its partner becomes the replacement character, as Go has it.
        mutating func scalar() throws(ClientError) -> Unicode.Scalar {
            let first = try unit()
            if (0xD800..<0xDC00).contains(first), bytes[offset...].starts(with: [0x5C, 0x75]) {
                let before = offset
                offset += 2
                let second = try unit()
                if (0xDC00..<0xE000).contains(second) {
                    return Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)) ?? "\u{FFFD}"
                }
                offset = before
            }
            return Unicode.Scalar(first) ?? "\u{FFFD}"
        }
    }
}
