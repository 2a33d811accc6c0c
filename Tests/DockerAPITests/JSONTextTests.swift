import BerthOCI
import DockerAPI
import Testing

private func parse(_ text: String) throws -> JSONValue { try JSONText.parse(Array(text.utf8)) }

@Suite("JSON from outside is read with bounds, as Go reads it")
struct JSONTextTests {
    @Test(
        "Values",
        arguments: [
            ("null", .null), (" true\n", .bool(true)), ("\t[ ] ", .array([])), ("{ }", .object([:])), ("0", .integer(0)),
            ("-0", .integer(0)),
            ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)), ("18446744073709551615", .unsigned(.max)),
            ("18446744073709551616", .number(18446744073709551616)), ("-1.5e+2", .number(-150)), ("1E-2", .number(0.01)),
            ("1.0", .number(1)), ("1e3", .number(1000)),
            (#""""#, .string("")), (#""\"\\\/\b\f\n\r\t""#, .string("\"\\/\u{8}\u{c}\n\r\t")), (#""\u00e9\u20AC""#, .string("é€")),
            (#""\ud83d\ude00""#, .string("😀")), (#""\ud83dx""#, .string("\u{fffd}x")), (#""\ude00""#, .string("\u{fffd}")),
            (#""\ud83d\u0041""#, .string("\u{fffd}A")),
            (#"[1,[2,{"a":[]}]]"#, .array([.integer(1), .array([.integer(2), .object(["a": .array([])])])])),
            (#"{"a":1,"a":2}"#, .object(["a": .integer(2)])), ("\"\u{7f}\u{2028}\"", .string("\u{7f}\u{2028}")),
        ] as [(String, JSONValue)])
    func values(text: String, value: JSONValue) throws {
        #expect(try parse(text) == value)
    }

    @Test("Each character is read as it was written, wherever in a text it is; what Go escapes is not there as it is")
    func written() throws {
        let characters = (0..<128).map { Character(Unicode.Scalar(UInt8($0))) } + ["é", "\u{2028}", "\u{2029}", "\u{2030}", "😀"]
        for character in characters {
            for place in 0..<18 {
                let text = String(repeating: "a", count: place) + String(character) + String(repeating: "b", count: 17 - place)
                var writer = JSONWriter()
                writer.object { $0.member(text, [text, ""]) }
                #expect(try JSONText.parse(writer.bytes) == .object([text: .array([.string(text), .string("")])]))
                let isEscaped = character < " " || "&<>\u{2028}\u{2029}".contains(character)
                #expect(String(decoding: writer.bytes, as: UTF8.self).contains(character) != isEscaped, "\(text)")
            }
        }
        for number in [0, 9, 10, 99, 100, UInt64.max] {
            var writer = JSONWriter()
            writer.value(number)
            #expect(String(decoding: writer.bytes, as: UTF8.self) == "\(number)")
        }
    }

    @Test("Bytes that are no UTF-8 become the replacement character, as with Go")
    func invalidUTF8() throws {
        #expect(try JSONText.parse([34, 97, 0xff, 98, 34]) == .string("a\u{fffd}b"))
        #expect(try JSONText.parse([34, 92, 110, 0xc3, 34]) == .string("\n\u{fffd}"))
    }

    @Test(
        "What is no JSON text",
        arguments: [
            "", " ", "nul", "nulll", "True", "[", "]", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "{", "}", "{\"a\"", "{\"a\":", "{\"a\":1",
            "{\"a\":1,", "{\"a\":1,}",
            "{a:1}", "{1:2}", "{\"a\" 1}", "\"", "\"a", "\"\\", "\"\\u12\"", "\"\\u12g4\"", "\"\\x41\"", "\"a\nb\"", "\"\u{0}\"", "'a'",
            "01", "-01", "00", "-", "+1", ".5",
            "1.", "1.e5", "1e", "1e+", "1.5.5", "0x10", "1_000", "Infinity", "NaN", "1e400", "-1e400", "1 1", "null,", "//x", "[1]/**/",
            "\u{feff}1", "１",
        ])
    func refused(text: String) {
        #expect(throws: JSONText.ParseError.self) { try parse(text) }
    }

    @Test("The error says where")
    func offset() {
        let error = #expect(throws: JSONText.ParseError.self) { try parse(#"{"a": tru}"#) }
        #expect(error?.offset == 9)
        #expect(error?.description.contains("at byte 9") == true)
    }

    @Test(
        "What is wrong is said in Go's words",
        arguments: [
            ("{invalid", "invalid character 'i' looking for beginning of object key string"),
            (#"{"a" 1}"#, "invalid character '1' after object key"),
            (#"{"a":1 2}"#, "invalid character '2' after object key:value pair"),
            (#"{"a":1,}"#, "invalid character '}' looking for beginning of object key string"),
            ("[1 2]", "invalid character '2' after array element"), ("tru}", "invalid character '}' in literal true (expecting 'e')"),
            ("nul", "unexpected end of JSON input"), ("\"a\nb\"", #"invalid character '\n' in string literal"#),
            ("'a'", #"invalid character '\'' looking for beginning of value"#),
            (#"{\"#, #"invalid character '\\' looking for beginning of object key string"#), ("[1", "unexpected end of JSON input"),
            ("\u{1}", #"invalid character '\x01' looking for beginning of value"#), ("{", "unexpected end of JSON input"),
        ])
    func words(_ text: String, _ words: String) {
        let error = #expect(throws: JSONText.ParseError.self) { try parse(text) }
        #expect(error?.reason == words)
    }

    @Test("Lists and objects may be 64 deep, and a million of them end in an error and not in the stack")
    func depth() throws {
        func nested(_ count: Int, _ open: String, _ close: String) -> String {
            String(repeating: open, count: count) + "1" + String(repeating: close, count: count)
        }
        #expect(throws: Never.self) { try parse(nested(JSONText.depthLimit, "[", "]")) }
        #expect(throws: Never.self) { try parse(nested(JSONText.depthLimit, #"{"a":"#, "}")) }
        #expect(throws: JSONText.ParseError.self) { try parse(nested(JSONText.depthLimit + 1, "[", "]")) }
        #expect(throws: JSONText.ParseError.self) { try parse(nested(JSONText.depthLimit + 1, #"{"a":"#, "}")) }
        #expect(throws: JSONText.ParseError.self) { try parse(String(repeating: "[", count: 1_000_000)) }
        #expect(throws: JSONText.ParseError.self) { try parse(String(repeating: #"{"a":"#, count: 1_000_000)) }
    }

    @Test("Whatever its bytes are, a text is read or refused; what was read is written the same again and again")
    func randomBytes() throws {
        var random = SeededGenerator(state: 3)
        let alphabet = Array(#"{}[]":,\u0123456789abtrfnse+-. é"#.utf8) + [0, 10, 0xff]
        var read = 0
        for _ in 0..<100_000 {
            let bytes = (0..<Int.random(in: 0...12, using: &random)).map { _ in alphabet.randomElement(using: &random)! }
            guard let value = try? JSONText.parse(bytes) else { continue }  // refused: as it should be, mostly
            read += 1
            var (first, second) = (JSONWriter(), JSONWriter())
            first.value(value)
            second.value(try JSONText.parse(first.bytes))
            #expect(first.bytes == second.bytes, "\(String(decoding: bytes, as: UTF8.self))")
        }
        #expect(read > 1000)
    }
}

@Suite("JSON is written as Go writes it")
struct JSONWriterTests {
    private func text(_ body: (inout JSONWriter) -> Void) -> String {
        var writer = JSONWriter()
        body(&writer)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    @Test("Members in the order of the calls, maps in the order of their names")
    func order() {
        let written = text { writer in
            writer.object { writer in
                writer.member("b", 1)
                writer.member("a", ["x", "y"])
                writer.member("map", ["b": "2", "a": "1", "B": "3"])
                writer.member("set", set: ["b", "a"])
                writer.name("list")
                writer.array { writer in
                    writer.value(true)
                    writer.null()
                    writer.verbatim(#"{"raw":1}"#.utf8)
                }
                writer.member("last") { $0.member("t", false) }
            }
        }
        #expect(
            written
                == #"{"b":1,"a":["x","y"],"map":{"B":"3","a":"1","b":"2"},"set":{"a":{},"b":{}},"list":[true,null,{"raw":1}],"last":{"t":false}}"#
        )
    }

    @Test("An empty list, an empty map and null are three things")
    func empties() {
        #expect(
            text { writer in
                writer.object { writer in
                    writer.member("a", [String]())
                    writer.member("b", nil as [String]?)
                    writer.member("c", [String: String]())
                    writer.member("d", nil as [String: String]?)
                    writer.member("e", set: nil)
                    writer.nullMember("f")
                }
            } == #"{"a":[],"b":null,"c":{},"d":null,"e":null,"f":null}"#)
    }

    @Test(
        "Text is escaped for HTML and JavaScript too",
        arguments: [
            ("", #""""#), (#"a"b\c/"#, #""a\"b\\c/""#), ("\n\r\t\u{0}\u{1f}\u{7f}", #""\n\r\t\u0000\u001f"# + "\u{7f}\""),
            ("<a>&", #""\u003ca\u003e\u0026""#),
            ("é€😀", "\"é€😀\""), ("\u{2028}\u{2029}\u{2027}\u{202a}", "\"\\u2028\\u2029\u{2027}\u{202a}\""),
            ("\u{a8}\u{a9}", "\"\u{a8}\u{a9}\""), ("\u{2000}", "\"\u{2000}\""),
            ("a plain run, a <tag> in it,\u{2029}and one behind", #""a plain run, a \u003ctag\u003e in it,\u2029and one behind""#),
        ])
    func escapes(value: String, expected: String) throws {
        #expect(text { $0.value(value) } == expected)
        #expect(try JSONText.parse(Array(expected.utf8)) == .string(value))
    }

    @Test("Numbers keep all their digits")
    func numbers() {
        #expect(
            text { writer in
                writer.array { writer in
                    writer.value(Int64.min)
                    writer.value(UInt64.max)
                    writer.value(JSONValue.number(1.0))
                    writer.value(JSONValue.number(0.1))
                    writer.value(JSONValue.number(1e300))
                }
            } == "[-9223372036854775808,18446744073709551615,1,0.1,1e+300]")
    }
}

/// A generator whose numbers are the same in every run (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
