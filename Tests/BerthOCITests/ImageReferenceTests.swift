import BerthOCI
import FoundationEssentials
import Testing

private let digest = "sha256:" + String(repeating: "0123456789abcdef", count: 4)
private let long = String(repeating: "a", count: 245)

@Suite("Image names are read and completed as Docker does")
struct ImageReferenceTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var text: String
        var whole: String
        var familiar: String
        var testDescription: String { text }
        init(_ text: String, _ whole: String, _ familiar: String) { (self.text, self.whole, self.familiar) = (text, whole, familiar) }
    }

    @Test(
        "What is left out is added, and what Docker adds is left out for people",
        arguments: [
            Case("nginx", "docker.io/library/nginx:latest", "nginx:latest"),
            Case("nginx:1.27", "docker.io/library/nginx:1.27", "nginx:1.27"),
            Case("library/nginx", "docker.io/library/nginx:latest", "nginx:latest"),
            Case("docker.io/nginx", "docker.io/library/nginx:latest", "nginx:latest"),
            Case("docker.io/library/nginx", "docker.io/library/nginx:latest", "nginx:latest"),
            Case("index.docker.io/nginx", "docker.io/library/nginx:latest", "nginx:latest"),
            Case("index.docker.io/a/b:c", "docker.io/a/b:c", "a/b:c"),
            Case("user/app", "docker.io/user/app:latest", "user/app:latest"),
            Case("library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"),
            Case("nginx@\(digest)", "docker.io/library/nginx@\(digest)", "nginx@\(digest)"),
            Case("nginx:1@\(digest)", "docker.io/library/nginx:1@\(digest)", "nginx:1@\(digest)"),
            Case("localhost/app", "localhost/app:latest", "localhost/app:latest"),
            Case("localhost:5000/app", "localhost:5000/app:latest", "localhost:5000/app:latest"),
            Case("localhost:5000/a/b:v1", "localhost:5000/a/b:v1", "localhost:5000/a/b:v1"),
            Case("localhost", "docker.io/library/localhost:latest", "localhost:latest"),
            Case("localhost:5000", "docker.io/library/localhost:5000", "localhost:5000"),
            Case("host.example/app", "host.example/app:latest", "host.example/app:latest"),
            Case("host/app", "docker.io/host/app:latest", "host/app:latest"),
            Case("HOST/app", "HOST/app:latest", "HOST/app:latest"),
            Case("my-host:443/app", "my-host:443/app:latest", "my-host:443/app:latest"),
            Case("127.0.0.1:5000/app", "127.0.0.1:5000/app:latest", "127.0.0.1:5000/app:latest"),
            Case("[::1]:5000/app", "[::1]:5000/app:latest", "[::1]:5000/app:latest"),
            Case("[fd00:1:2::3]/app:x", "[fd00:1:2::3]/app:x", "[fd00:1:2::3]/app:x"),
            Case("a.b/c", "a.b/c:latest", "a.b/c:latest"), Case("a.b", "docker.io/library/a.b:latest", "a.b:latest"),
            Case("a_b", "docker.io/library/a_b:latest", "a_b:latest"), Case("a__b", "docker.io/library/a__b:latest", "a__b:latest"),
            Case("a---b", "docker.io/library/a---b:latest", "a---b:latest"), Case("0", "docker.io/library/0:latest", "0:latest"),
            Case("x:_", "docker.io/library/x:_", "x:_"), Case("x:A.b-c_D", "docker.io/library/x:A.b-c_D", "x:A.b-c_D"),
            Case(
                "x:\(String(repeating: "t", count: 128))", "docker.io/library/x:\(String(repeating: "t", count: 128))",
                "x:\(String(repeating: "t", count: 128))"),
            // 63 hexadecimal digits are a name, 64 are an id, and 64 behind a slash are a name again.
            Case(String(digest.dropFirst(8)), "docker.io/library/\(digest.dropFirst(8)):latest", "\(digest.dropFirst(8)):latest"),
            Case("u/\(digest.dropFirst(7))", "docker.io/u/\(digest.dropFirst(7)):latest", "u/\(digest.dropFirst(7)):latest"),
            Case("ab.c/\(long)", "ab.c/\(long):latest", "ab.c/\(long):latest"),
        ])
    func normalised(_ one: Case) throws {
        let reference = try ImageReference(parsing: one.text)
        #expect(reference.description == one.whole)
        #expect(reference.familiar == one.familiar)
        // The whole name and the familiar one name the same.
        #expect(try ImageReference(parsing: one.whole) == reference)
        #expect(try ImageReference(parsing: one.familiar) == reference)
        #expect(try JSONDecoder().decode([ImageReference].self, from: JSONEncoder().encode([reference])) == [reference])
    }

    @Test(
        "What follows no rule is refused",
        arguments: [
            ":tag", "@\(digest)", "a:", "a:b:c", "a@", "a@sha256", "a@sha256:abc", "a@md5:\(digest.dropFirst(39))",
            "a:1@\(digest)@\(digest)",
            "A", "a/B", "Nginx:latest", "docker.io/Library/x", "-a", "a-", "_a", "a_", ".a", "a.", "a..b", "a___b", "a._b", "a//b", "/a",
            "a/",
            "a b", "a\n", " a", "a:t t", "a:-t", "a:.t", "a:\(String(repeating: "t", count: 129))", "ä", "a:ä", "http://host/a", "host:/a",
            "host:port/a",
            "-host.x/a", "host-.x/a", "a..b/c", "[::1/a", "[::1]x/a", "[]/a", "[g::1]/a", "[::1]:x/a", "a@\(digest.uppercased())",
            "user@host/app", "a\u{0}", "a:b/c:d/E",
        ])
    func refused(text: String) {
        #expect(throws: ImageReference.ParseError.self) { try ImageReference(parsing: text) }
    }

    @Test("The error says which rule it was")
    func reasons() {
        #expect(throws: ImageReference.ParseError.empty) { try ImageReference(parsing: "") }
        #expect(throws: ImageReference.ParseError.uppercase("Nginx")) { try ImageReference(parsing: "Nginx:1") }
        #expect(throws: ImageReference.ParseError.looksLikeID(String(digest.dropFirst(7)))) {
            try ImageReference(parsing: String(digest.dropFirst(7)))
        }
        #expect(throws: ImageReference.ParseError.invalidDigest(.wrongLength(expected: 64, found: 3))) {
            try ImageReference(parsing: "a@sha256:abc")
        }
        #expect(throws: ImageReference.ParseError.tooLong(byteCount: 256)) { try ImageReference(parsing: "ab.cd/" + long + "bcdef") }
        #expect(throws: ImageReference.ParseError.invalidFormat("a:b:c")) { try ImageReference(parsing: "a:b:c") }
    }

    @Test(
        "However long the text was, the error is readable",
        arguments: ["!", "A", "a:", "a@", "a@x:"])
    func longTexts(beginning: String) {
        let text = beginning + String(repeating: "Z", count: 1 << 20)
        let error = #expect(throws: ImageReference.ParseError.self) { try ImageReference(parsing: text) }
        #expect((1...700).contains(error?.description.utf8.count ?? 0))
    }

    @Test("A name with a digest alone has no tag, and any name can be bound to a digest")
    func parts() throws {
        let bound = try ImageReference(parsing: "localhost:5000/a:1").withDigest(Digest(parsing: digest))
        #expect((bound.registry, bound.repository) == ("localhost:5000", "a"))
        #expect(bound.tag == nil)
        #expect(bound.description == "localhost:5000/a@\(digest)")
        #expect(try ImageReference(parsing: "a@\(digest)").tag == nil)
        #expect(try ImageReference(parsing: "user/a:1").familiarName == "user/a")
    }
}
