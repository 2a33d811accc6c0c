public import BerthOCI

/// JSON text from outside, read with bounds.
public enum JSONText {
    /// Why some bytes are no JSON text that is taken.
    public struct ParseError: Error, Sendable, Hashable, CustomStringConvertible {
        /// Where, in bytes from the start.
        public let offset: Int
        /// What is wrong there.
        public let reason: String
        /// A sentence.
        public var description: String { "\(reason) (at byte \(offset))" }
    }

    /// How deep lists and objects may be in each other.
    public static var depthLimit: Int { 64 }

    /// Parses one value with nothing but white space around it (RFC 8259). Of two members of one name the last counts, as with Go.
    public static func parse(_ bytes: [UInt8]) throws(ParseError) -> JSONValue {
        var parser = Parser(bytes: bytes)
        let value = try parser.value(depth: 0)
        parser.skipSpace()
        guard parser.index == bytes.count else { throw parser.error("unexpected content after JSON") }
        return value
    }

    private struct Parser {
        let bytes: [UInt8]
        var index = 0

        func error(_ reason: String) -> ParseError { ParseError(offset: index, reason: reason) }

        /// In Go's words, which are what Docker's clients show.
        ///
        /// - Parameter offset: of the character that cannot be there.
        func unexpected(at offset: Int, _ place: String) -> ParseError {
            guard offset < bytes.count else { return ParseError(offset: offset, reason: "unexpected end of JSON input") }
            let character: String =
                switch bytes[offset] {
                case UInt8(ascii: "'"): #"\'"#
                case UInt8(ascii: "\\"): #"\\"#
                case 9: #"\t"#
                case 10: #"\n"#
                case 13: #"\r"#
                case let byte where byte < 32 || byte == 127: #"\x"# + (byte < 16 ? "0" : "") + String(byte, radix: 16)
                case let byte: String(Unicode.Scalar(byte))
                }
            return ParseError(offset: offset, reason: "invalid character '\(character)' \(place)")
        }

        mutating func skipSpace() {
            while index < bytes.count, [32, 10, 13, 9].contains(bytes[index]) { index += 1 }
        }

        mutating func next() throws(ParseError) -> UInt8 {
            guard index < bytes.count else { throw error("unexpected end of JSON input") }
            defer { index += 1 }
            return bytes[index]
        }

        mutating func expect(_ text: String, _ value: JSONValue) throws(ParseError) -> JSONValue {
            for (place, byte) in text.utf8.enumerated() where index + place >= bytes.count || bytes[index + place] != byte {
                throw unexpected(at: index + place, "in literal \(text) (expecting '\(Unicode.Scalar(byte))')")
            }
            index += text.utf8.count
            return value
        }

        mutating func value(depth: Int) throws(ParseError) -> JSONValue {
            guard depth <= depthLimit else { throw error("more than \(depthLimit) lists and objects in each other") }
            skipSpace()
            guard index < bytes.count else { throw error("unexpected end of JSON input") }
            switch bytes[index] {
            case UInt8(ascii: "{"): return .object(try object(depth: depth))
            case UInt8(ascii: "["): return .array(try array(depth: depth))
            case UInt8(ascii: "\""):
                index += 1
                return .string(try string())
            case UInt8(ascii: "t"): return try expect("true", .bool(true))
            case UInt8(ascii: "f"): return try expect("false", .bool(false))
            case UInt8(ascii: "n"): return try expect("null", .null)
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
            default: throw unexpected(at: index, "looking for beginning of value")
            }
        }

        mutating func object(depth: Int) throws(ParseError) -> [String: JSONValue] {
            index += 1
            var members: [String: JSONValue] = [:]
            skipSpace()
            if index < bytes.count, bytes[index] == UInt8(ascii: "}") {
                index += 1
                return members
            }
            while true {
                skipSpace()
                guard try next() == UInt8(ascii: "\"") else {
                    throw unexpected(at: index - 1, "looking for beginning of object key string")
                }
                let name = try string()
                skipSpace()
                guard try next() == UInt8(ascii: ":") else { throw unexpected(at: index - 1, "after object key") }
                members[name] = try value(depth: depth + 1)
                skipSpace()
                switch try next() {
                case UInt8(ascii: ","): continue
                case UInt8(ascii: "}"): return members
                default: throw unexpected(at: index - 1, "after object key:value pair")
                }
            }
        }

        mutating func array(depth: Int) throws(ParseError) -> [JSONValue] {
            index += 1
            var elements: [JSONValue] = []
            skipSpace()
            if index < bytes.count, bytes[index] == UInt8(ascii: "]") {
                index += 1
                return elements
            }
            while true {
                elements.append(try value(depth: depth + 1))
                skipSpace()
                switch try next() {
                case UInt8(ascii: ","): continue
                case UInt8(ascii: "]"): return elements
                default: throw unexpected(at: index - 1, "after array element")
                }
            }
        }

        /// What is behind the first quotation mark, up to the second.
        mutating func string() throws(ParseError) -> String {
            let start = index
            while index < bytes.count, bytes[index] != UInt8(ascii: "\""), bytes[index] != UInt8(ascii: "\\"), bytes[index] >= 32 {
                index += 1
            }
            if index < bytes.count, bytes[index] == UInt8(ascii: "\"") {
                defer { index += 1 }
                return String(decoding: bytes[start..<index], as: UTF8.self)
            }
            var text = Array(bytes[start..<index])
            while true {
                let byte = try next()
                switch byte {
                case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
                case 0..<32: throw unexpected(at: index - 1, "in string literal")
                case UInt8(ascii: "\\"): try escape(into: &text)
                default: text.append(byte)
                }
            }
        }

        mutating func escape(into text: inout [UInt8]) throws(ParseError) {
            switch try next() {
            case UInt8(ascii: "n"): text.append(10)
            case UInt8(ascii: "t"): text.append(9)
            case UInt8(ascii: "r"): text.append(13)
            case UInt8(ascii: "b"): text.append(8)
            case UInt8(ascii: "f"): text.append(12)
            case UInt8(ascii: "\""): text.append(UInt8(ascii: "\""))
            case UInt8(ascii: "\\"): text.append(UInt8(ascii: "\\"))
            case UInt8(ascii: "/"): text.append(UInt8(ascii: "/"))
            case UInt8(ascii: "u"):
                var code = try hex()
                if (0xD800...0xDBFF).contains(code), bytes[index...].starts(with: "\\u".utf8) {
                    let kept = index
                    index += 2
                    let low = try hex()
                    if (0xDC00...0xDFFF).contains(low) { code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00) } else { index = kept }
                }
                // Half of a pair is nothing: Go's decoder puts the replacement character there, too.
                text += Array(String(Character(Unicode.Scalar(code) ?? "\u{FFFD}")).utf8)
            default: throw error("an unknown escape in a text")
            }
        }

        mutating func hex() throws(ParseError) -> UInt32 {
            var code: UInt32 = 0
            for _ in 0..<4 {
                guard let digit = Character(Unicode.Scalar(try next())).hexDigitValue else {
                    throw error("an escape that is not hexadecimal")
                }
                code = code << 4 | UInt32(digit)
            }
            return code
        }

        /// A number by RFC 8259's grammar, which is narrower than what programming languages read as one.
        mutating func number() throws(ParseError) -> JSONValue {
            let start = index
            if bytes[index] == UInt8(ascii: "-") { index += 1 }
            let leading = index
            try digits()
            guard bytes[leading] != UInt8(ascii: "0") || index == leading + 1 else { throw error("a number begins with 0") }
            if index < bytes.count, bytes[index] == UInt8(ascii: ".") {
                index += 1
                try digits()
            }
            if index < bytes.count, bytes[index] == UInt8(ascii: "e") || bytes[index] == UInt8(ascii: "E") {
                index += 1
                if index < bytes.count, bytes[index] == UInt8(ascii: "+") || bytes[index] == UInt8(ascii: "-") { index += 1 }
                try digits()
            }
            let text = String(decoding: bytes[start..<index], as: UTF8.self)
            if let value = Int64(text) { return .integer(value) }
            if let value = UInt64(text) { return .unsigned(value) }
            guard let value = Double(text), value.isFinite else { throw error("the number '\(text.prefix(40))' is too large") }
            return .number(value)
        }

        private mutating func digits() throws(ParseError) {
            let start = index
            while index < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[index]) { index += 1 }
            guard index > start else { throw error("a number lacks digits") }
        }
    }
}
