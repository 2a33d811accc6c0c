import BerthClient
import BerthCommandLine
import DockerAPI
import Testing

private let data = JSONTree.object([
    ("Id", .string("abc")), ("Name", .string("/c1")), ("Empty", .string("")), ("Zero", .integer(0)), ("Two", .integer(2)),
    ("On", .bool(true)),
    ("Off", .bool(false)), ("Nothing", .null), ("List", .texts(["x", "y", "z"])),
    ("State", .object([("Running", .bool(true)), ("Pid", .integer(7))])),
    ("Labels", .object([("b", .string("2")), ("a.b", .string("1"))])),
    ("Rows", .array([.object([("N", .integer(1))]), .object([("N", .integer(2))])])),
])

@Suite("Templates are Go's, with Docker's functions")
struct TemplateTests {
    // Each answer is what Go 1.24's text/template with Docker's functions prints for the same data.
    @Test(
        "What they print",
        arguments: [
            ("plain", "plain"), ("{{.Id}}-{{ .Name }}", "abc-/c1"), ("{{.State.Pid}}", "7"), ("{{json .}}|", nil),
            ("{{json .State}}", #"{"Running":true,"Pid":7}"#), ("{{.ID}}", "abc"), ("{{.On}} {{.Off}}", "true false"),
            ("{{.Nothing}}", "<no value>"),
            ("{{.List}}", "[x y z]"), ("{{.Labels}}", "map[a.b:1 b:2]"), ("{{index .Labels \"a.b\"}}", "1"), ("{{index .List 1}}", "y"),
            ("{{index .Labels \"none\"}}", ""), ("{{len .List}}{{len .Id}}{{len .Labels}}", "332"),
            ("{{range .List}}<{{.}}>{{end}}", "<x><y><z>"), ("{{range $i, $v := .List}}{{$i}}={{$v}} {{end}}", "0=x 1=y 2=z "),
            ("{{range $k, $v := .Labels}}{{$k}}:{{$v}};{{end}}", "a.b:1;b:2;"), ("{{range .Nothing}}x{{else}}none{{end}}", "none"),
            ("{{range .Rows}}{{.N}}{{$.Id}}{{end}}", "1abc2abc"), ("{{with .State}}{{.Pid}}{{end}}", "7"),
            ("{{with .Empty}}x{{else}}y{{end}}", "y"),
            ("{{if .On}}a{{else}}b{{end}}{{if .Zero}}c{{else if .Two}}d{{else}}e{{end}}", "ad"), ("{{if and .On .Two}}y{{end}}", "y"),
            ("{{or .Empty .Zero .Id}}", "abc"), ("{{and .On .Empty}}|", "|"), ("{{not .On}}", "false"),
            ("{{eq .Two 2}}{{ne .Id \"abc\"}}{{lt .Two 3}}{{ge .Two 3}}", "truefalsetruefalse"), ("{{eq .Id \"x\" \"abc\"}}", "true"),
            ("{{.Name | upper | printf \"%s!\"}}", "/C1!"),
            ("{{printf \"%-5s|%5d|%q|%v|%05d\" .Id .Two .Id .On 42}}", "abc  |    2|\"abc\"|true|00042"),
            ("{{join .List \", \"}}", "x, y, z"), ("{{range split \"a:b:c\" \":\"}}{{.}}{{end}}", "abc"),
            ("{{title \"hello world\"}}", "Hello World"),
            ("{{lower \"ABC\"}}", "abc"), ("[{{pad .Id 1 2}}]", "[ abc  ]"), ("{{truncate .Id 2}}", "ab"),
            ("{{slice .Id 1 3}}{{slice .List 1}}", "bc[y z]"),
            ("{{print 1 2 \"x\" 3}}", "1 2x3"), ("{{println 1 \"x\"}}", "1 x\n"), ("a {{- .Id -}} b", "aabcb"), ("a{{/* no */}}b", "ab"),
            ("{{$x := .Id}}{{$x}}{{$x = .Name}}{{$x}}", "abc/c1"), ("{{(index .Rows 0).N}}", "1"), ("{{\"a\\tb\"}}{{`\\n`}}", "a\tb\\n"),
            ("{{if eq .State.Pid 7}}{{.State.Running}}{{end}}", "true"), ("{{\"{{\"}}", "{{"), ("{{.Label \"k\"}}", "label k"),
            ("{{.}}x", nil),
            ("{{printf \"%s %s\" .Id}}", "abc %!s(MISSING)"), ("{{printf \"%d%%\" .Two}}", "2%"),
        ] as [(String, String?)])
    func output(text: String, expected: String?) throws {
        let result = try GoTemplate(parsing: text).rendered(
            data, methods: ["Label": { arguments throws(TemplateError) in .string("label \(arguments.first?.text ?? "")") }])
        if let expected { #expect(result == expected) } else { #expect(!result.isEmpty) }
    }

    @Test(
        "What cannot be read, or not carried out",
        arguments: [
            "{{", "{{.Id", "{{if .On}}", "{{end}}", "{{else}}", "{{if .On}}{{else}}{{else}}{{end}}", "{{nope .Id}}",
            "{{define \"x\"}}{{end}}",
            "{{template \"x\"}}", "{{.None}}", "{{.Id.X}}", "{{.Nothing.X}}", "{{index .List 9}}", "{{index .Two 1}}", "{{$x}}",
            "{{range .Two}}{{end}}",
            "{{.Id | }}", "{{(.Id}}", "{{.Id)}}", "{{join .Id \",\"}}", "{{printf \"%x\" 1}}", "{{html .Id}}", "{{\"abc}}", "{{/* x}}",
            "{{slice .Id 2 1}}",
            "{{.Id 1}}", "{{lt .Id 1}}", "{{pad .Id 1 99999999}}", "{{break}}", "{{len 3}}", "{{.9}}", "{{#}}",
        ])
    func mistakes(text: String) {
        #expect(throws: TemplateError.self) { try GoTemplate(parsing: text).rendered(data) }
    }

    @Test("Nesting is bounded")
    func depth() {
        let text = String(repeating: "{{if .On}}", count: 5000)
        #expect(throws: TemplateError.self) { try GoTemplate(parsing: text) }
        #expect(throws: TemplateError.self) { try GoTemplate(parsing: "{{" + String(repeating: "(", count: 5000) + ".Id}}") }
    }

    @Test("Columns are as wide as Docker's")
    func table() {
        var table = TextTable()
        table.add(line: "CONTAINER ID\tIMAGE\tPORTS\tNAMES")
        table.add(line: "788e5bf754c0\tbox:1\t\tc1")
        #expect(table.text == "CONTAINER ID   IMAGE     PORTS     NAMES\n788e5bf754c0   box:1               c1\n")
    }

    @Test(
        "Times that have passed",
        arguments: [
            (0, "Less than a second"), (1, "1 second"), (59, "59 seconds"), (60, "About a minute"), (119, "About a minute"),
            (120, "2 minutes"),
            (3599, "59 minutes"), (3600, "About an hour"), (5399, "About an hour"), (5400, "2 hours"), (172_000, "2 days"),
            (1_209_600, "2 weeks"),
            (5_184_000, "2 months"), (63_072_000, "2 years"), (-5, "Less than a second"),
        ] as [(Int64, String)])
    func durations(seconds: Int64, text: String) { #expect(HumanText.duration(seconds: seconds) == text) }

    @Test(
        "Sizes for people",
        arguments: [
            (0, "0B"), (1, "1B"), (999, "999B"), (1000, "1kB"), (1234, "1.23kB"), (1_982_256, "1.98MB"), (12_345_678, "12.3MB"),
            (123_456_789, "123MB"),
            (999_900, "1e+03kB"), (1_500_000_000, "1.5GB"), (100_000, "100kB"), (1_005, "1kB"), (10_050_000, "10.1MB"),
        ] as [(Int64, String)])
    func sizes(bytes: Int64, text: String) { #expect(HumanText.size(bytes) == text) }

    @Test("Binary sizes have four digits")
    func binarySizes() { #expect(HumanText.binarySize(8_589_934_592 + 123_456_789) == "8.115GiB") }

    @Test("Cut texts end with an ellipsis")
    func ellipsis() {
        #expect(HumanText.ellipsis("sleep 100", 20) == "sleep 100")
        #expect(HumanText.ellipsis("sh -c 'echo out; echo err'", 20) == "sh -c 'echo out; ec…")
        #expect(HumanText.quoted("a\"b\n\\") == #""a\"b\n\\""#)
    }
}
