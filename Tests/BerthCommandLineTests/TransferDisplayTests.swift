import BerthClient
import BerthCommandLine
import Testing

@Suite("Pulls and pushes are shown as Docker's client shows them")
struct TransferDisplayTests {
    private let stream = [
        #"{"status":"Pulling from a/b","id":"latest"}"#,
        #"{"status":"Pulling fs layer","progressDetail":{},"id":"111111111111"}"#,
        #"{"status":"Already exists","progressDetail":{},"id":"222222222222"}"#,
        #"{"status":"Downloading","progressDetail":{"current":1000000,"total":4000000},"progress":"x","id":"111111111111"}"#,
        #"{"status":"Downloading","progressDetail":{"current":3000000,"total":4000000},"progress":"x","id":"111111111111"}"#,
        #"{"status":"Pull complete","progressDetail":{},"id":"111111111111"}"#,
        #"{"status":"Digest: sha256:ab"}"#,
        #"{"status":"Status: Downloaded newer image for a/b:latest"}"#,
    ]

    private func shown(_ place: TransferDisplay.Place) throws -> [String] {
        var display = TransferDisplay(place)
        return try stream.enumerated().map { number, line in
            display.text(for: try JSONTree(parsing: Array(line.utf8)), at: Int64(number) * 1000)
        }
    }

    @Test("Elsewhere than on a terminal it is a line for each thing that happens, without counts")
    func plain() throws {
        #expect(
            try shown(.plain).joined() == """
                latest: Pulling from a/b
                111111111111: Pulling fs layer
                222222222222: Already exists
                111111111111: Pull complete
                Digest: sha256:ab
                Status: Downloaded newer image for a/b:latest

                """)
    }

    @Test("On a terminal each layer has one line, with a bar, the counts and the rate")
    func terminal() throws {
        let texts = try shown(.terminal(columns: 100))
        #expect(texts[1] == "\n\u{1b}[1A\u{1b}[2K\r111111111111: Pulling fs layer\u{1b}[1B\r")
        #expect(texts[2] == "\n\u{1b}[1A\u{1b}[2K\r222222222222: Already exists\u{1b}[1B\r")
        #expect(texts[3].hasPrefix("\u{1b}[2A\u{1b}[2K\r111111111111: Downloading [============>"), "\(texts[3])")
        #expect(texts[3].hasSuffix("] 1MB/4MB\u{1b}[2B\r"), "\(texts[3])")
        #expect(texts[4].hasSuffix("] 3MB/4MB  2MB/s\u{1b}[2B\r"), "\(texts[4])")
        #expect(texts[6] == "Digest: sha256:ab\n")
    }

    @Test("No line is wider than the terminal", arguments: [10, 30, 40, 60, 200])
    func width(_ columns: Int) throws {
        for text in try shown(.terminal(columns: columns)).dropFirst().prefix(5) {
            let line = text.split(separator: "\r").map { $0.prefix { $0 != "\u{1b}" } }.max { $0.count < $1.count }
            #expect((line?.count ?? 0) <= columns, "\(text)")
        }
    }

    @Test("What a registry writes does not move the cursor")
    func hostile() throws {
        var display = TransferDisplay(.plain)
        let line = try JSONTree(parsing: Array(#"{"status":"a\u001b[2Jb\nc","id":"\u0007d"}"#.utf8))
        #expect(display.text(for: line, at: 0) == "?d: a?[2Jb?c\n")
    }
}
