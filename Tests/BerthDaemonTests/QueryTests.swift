import BerthOCI
import Testing

@testable import BerthDaemon

@Suite("Parameters of a target")
struct QueryTests {
    private func query(_ text: String) throws -> Query { try Query(parsing: text[...]) }

    @Test("Names and values are decoded, and the first of several counts")
    func values() throws {
        let parsed = try query("a=1&b=x%20y+z&a=2&c&%64=%E2%82%AC&e=a=b")
        #expect(parsed["a"] == "1")
        #expect(parsed.all("a") == ["1", "2"])
        #expect(parsed["b"] == "x y z")
        #expect(parsed["c"] == nil)
        #expect(parsed.all("c") == [""])
        #expect(parsed["d"] == "\u{20ac}")
        #expect(parsed["e"] == "a=b")
        #expect(parsed["f"] == nil)
    }

    @Test("A plus is a space in parameters and itself in paths")
    func plus() throws {
        #expect(try Query.decoded("a+b", plusIsSpace: true) == "a b")
        #expect(try Query.decoded("a+b", plusIsSpace: false) == "a+b")
    }

    @Test("What is no encoding is refused", arguments: ["a=%", "a=%4", "a=%zz", "%=1", "a=%ff", "a=%c3%28", "a=%00", "a=%+1"])
    func malformed(text: String) { #expect(throws: APIFailure.self) { try query(text) } }

    @Test("So many parameters are refused")
    func many() throws {
        let many = Array(repeating: "a=1", count: 1024).joined(separator: "&")
        #expect(try query(many).all("a").count == 1024)
        #expect(throws: APIFailure.self) { try query(many + "&a=1") }
        #expect(throws: APIFailure.self) { try query(String(repeating: "a=1&", count: 100_000)) }
    }

    @Test(
        "Truths are Docker's",
        arguments: [
            ("", false), ("a", false), ("a=0", false), ("a=no", false), ("a=False", false), ("a=none", false), ("a=1", true),
            ("a=true", true),
            ("a=x", true), ("a= ", false), ("a=+0+", false),
        ])
    func truths(text: String, value: Bool) throws { #expect(try query(text).bool("a") == value) }

    @Test("Whole numbers, and what is none")
    func integers() throws {
        #expect(try query("t=-1").integer("t") == -1)
        #expect(try query("").integer("t") == nil)
        for text in ["t=x", "t=1.5", "t=99999999999999999999", "t=1x"] { #expect(throws: APIFailure.self) { try query(text).integer("t") } }
    }

    @Test(
        "Times are seconds with a fraction, or RFC 3339",
        arguments: [
            ("0", nil), ("1", 1_000_000_000), ("1.5", 1_500_000_000), ("1764000000.000000001", 1_764_000_000_000_000_001),
            ("1970-01-01T00:00:02Z", 2_000_000_000),
        ] as [(String, Int64?)])
    func times(text: String, nanoseconds: Int64?) throws { #expect(try query("since=\(text)").time("since")?.nanoseconds == nanoseconds) }

    @Test("What is no time", arguments: ["x", "1.", "1.x", ".5", "1.0000000001", "99999999999", "10m", "1e3", "1.-5"])
    func noTimes(text: String) { #expect(throws: APIFailure.self) { try query("since=\(text)").time("since") } }

    @Test("A terminal's size has two numbers of sixteen bits")
    func sizes() throws {
        let size = try query("h=24&w=80").terminalSize()
        #expect(size.rows == 24 && size.columns == 80)
        for text in ["", "h=1", "w=1", "h=-1&w=1", "h=65536&w=1", "h=a&w=b"] {
            #expect(throws: APIFailure.self) { try query(text).terminalSize() }
        }
    }
}
