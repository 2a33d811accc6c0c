import BerthClient
import BerthLinux
import Glibc
import Testing

private func ok(_ body: String, _ fields: String = "") -> String {
    "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\(fields)\r\n\(body)"
}

@Suite("The client asks and understands")
struct DaemonTests {
    private func daemon(_ server: ScriptedServer, version: String? = "1.41") throws -> Daemon {
        try Daemon(at: server.address, version: version, userAgent: "test")
    }

    @Test("Requests of one connection, in HTTP's words")
    func requests() throws {
        let server = ScriptedServer([.init(answers: [ok(#"{"a":[1,"x"]}"#), ok("", "X: y\r\n"), ok("[]")])])
        let daemon = try daemon(server)
        let first = try daemon.call("GET", "/containers/json", query: [("filters", #"{"a b":1}"#), ("all", "1")])
        #expect(first["a"] == .array([.number("1"), .string("x")]))
        #expect(try daemon.call("POST", "/containers/x/start") == .null)
        #expect(try daemon.call("POST", "/x", body: .json(.object([("k", .bool(true))]))) == .array([]))
        #expect(server.requests[0].hasPrefix("GET /v1.41/containers/json?filters=%7B%22a%20b%22%3A1%7D&all=1 HTTP/1.1\r\nHost: docker\r\n"))
        #expect(server.requests[1].contains("\r\nContent-Length: 0\r\n"))
        #expect(server.requests[2].hasSuffix("\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{\"k\":true}"))
    }

    @Test(
        "The newest version that both speak",
        arguments: [("1.41", "1.41"), ("1.51", "1.51"), ("1.99", "1.51"), ("1.9", "1.9")] as [(String, String)])
    func negotiation(offered: String, agreed: String) throws {
        let pong = "HTTP/1.1 200 OK\r\nApi-Version: \(offered)\r\nContent-Length: 0\r\n\r\n"
        let server = ScriptedServer([.init(answers: [pong, ok("{}")])])
        let daemon = try daemon(server, version: nil)
        #expect(try daemon.version() == agreed)
        try daemon.call("GET", "/info")
        #expect(server.requests[0].hasPrefix("HEAD /_ping HTTP/1.1\r\n") && server.requests[1].hasPrefix("GET /v\(agreed)/info "))
    }

    @Test("A greeting asks once, on the connection that is used afterwards; what becomes of it is left to the first call")
    func greeting() throws {
        let pong = "HTTP/1.1 200 OK\r\nApi-Version: 1.44\r\nContent-Length: 0\r\n\r\n"
        let server = ScriptedServer([.init(answers: [pong, ok("{}")])])
        let greeted = try daemon(server, version: nil)
        greeted.greet()
        greeted.greet()
        try greeted.call("GET", "/info")
        #expect(server.requests.map { $0.split(separator: " ").prefix(2).joined(separator: " ") } == ["HEAD /_ping", "GET /v1.44/info"])

        // Closed before it has answered: it is asked again.
        let closing = ScriptedServer([.init(answers: [""]), .init(answers: [pong])])
        let unanswered = try daemon(closing, version: nil)
        unanswered.greet()
        #expect(try unanswered.version() == "1.44")
        #expect(closing.requests.count == 2)

        let nobody = try Daemon(at: .unix(path: "/tmp/berth-nobody-\(getpid())"), userAgent: "test")
        nobody.greet()
        #expect(throws: ClientError.self) { try nobody.version() }
        // A version that was fixed is not asked for.
        let fixed = ScriptedServer([.init(answers: [ok("{}")])])
        let settled = try daemon(fixed)
        settled.greet()
        try settled.call("GET", "/info")
        #expect(fixed.requests.count == 1)
    }

    @Test("A version that is none is refused before anything is sent", arguments: ["", "1", "x.y", "1.2.3", "1.-2"])
    func badVersion(text: String) {
        #expect(throws: ClientError.self) { try Daemon(at: .standard, version: text, userAgent: "test") }
    }

    @Test("Bodies end where they say: by length, by chunks, by the connection")
    func bodies() throws {
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\n{\"a\":\r\n2\r\n1}\r\n0\r\nTrailer: x\r\n\r\n"
        let server = ScriptedServer([
            .init(answers: [chunked, ok("2")]), .init(answers: ["HTTP/1.1 200 OK\r\n\r\n[1,2]"]),
            .init(answers: ["HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n" + ok("3")]),
        ])
        let daemon = try daemon(server)
        #expect(try daemon.call("GET", "/a")["a"]?.integer == 1)
        #expect(try daemon.call("GET", "/b").integer == 2, "the connection of a chunked answer is used again")
        #expect(try daemon.call("GET", "/c").elements.count == 2)
        #expect(try daemon.call("DELETE", "/d") == .null)
        #expect(try daemon.call("GET", "/e").integer == 3)
    }

    @Test("A connection that is closed just as it is used again: what only asks is asked once more, what changes something is not")
    func closedWhenUsedAgain() throws {
        let server = ScriptedServer([.init(answers: [ok("1"), ""]), .init(answers: [ok("2"), ""])])
        let daemon = try daemon(server)
        #expect(try daemon.call("GET", "/a").integer == 1)
        #expect(try daemon.call("GET", "/b").integer == 2)
        let error = #expect(throws: ClientError.self) { try daemon.call("POST", "/c") }
        #expect(error?.code == .lost)
        #expect(
            server.requests.map { $0.split(separator: " ").prefix(2).joined(separator: " ") }.map { $0.replacing("/v1.41", with: "") } == [
                "GET /a", "GET /b", "GET /b", "POST /c",
            ])
    }

    @Test("The daemon's own words about a refusal")
    func refusals() throws {
        func no(_ status: String, _ body: String) -> String { "HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)" }
        let server = ScriptedServer([
            .init(answers: [no("404 Not Found", #"{"message":"No such container: x"}"#)]), .init(answers: [no("500 Oops", "plain\n")]),
            .init(answers: [no("409 Conflict", "")]),
        ])
        let daemon = try daemon(server)
        for (status, text) in [(404, "No such container: x"), (500, "plain"), (409, "status 409 without a word")] {
            let error = #expect(throws: ClientError.self) { try daemon.call("GET", "/x") }
            #expect(error?.code == .refused && error?.status == status && error?.reason == text)
            #expect(error?.description == "Error response from daemon: \(text)")
        }
    }

    @Test(
        "What is no answer",
        arguments: [
            ("", ClientError.Code.lost), ("SSH-2.0-x\r\n", .malformed), ("HTTP/1.1 abc\r\n\r\n", .malformed),
            ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", .malformed), ("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", .malformed),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", .malformed), ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{}", .lost),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", .malformed),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}xy\r\n", .malformed),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n", .malformed),
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{x}", .malformed),
            ("HTTP/1.1 200 OK\r\nX: " + String(repeating: "x", count: 100_000), .limit),
            ("HTTP/1.1 200 OK\r\n" + String(repeating: "A: b\r\n", count: 200) + "\r\n", .limit),
        ] as [(String, ClientError.Code)])
    func hostile(answer: String, code: ClientError.Code) throws {
        let server = ScriptedServer([.init(answers: [answer])])
        let daemon = try daemon(server)
        let error = #expect(throws: ClientError.self) { try daemon.call("GET", "/x") }
        #expect(error?.code == code, "\(error?.description ?? "")")
    }

    @Test("Nobody there: the address, the reason, what to try")
    func nobody() throws {
        let daemon = try Daemon(at: .unix(path: "/nonexistent/x.sock"), userAgent: "test")
        let error = #expect(throws: ClientError.self) { try daemon.call("GET", "/info") }
        #expect(error?.code == .connection && error?.underlying == .ENOENT)
        #expect(error?.description.hasPrefix("Cannot connect to the daemon at unix:///nonexistent/x.sock: ") == true)
        #expect(error?.description.contains("Is berthd running?") == true)
    }

    @Test("A connection becomes a stream in both directions", arguments: ["101 UPGRADED", "200 OK"])
    func hijack(status: String) throws {
        let answer =
            "HTTP/1.1 \(status)\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly"
        let server = ScriptedServer([.init(answers: [answer], echoes: true)])
        let daemon = try daemon(server)
        let stream = try daemon.hijack("/containers/x/attach", query: [("stream", "1")])
        #expect(server.requests[0].hasPrefix("POST /v1.41/containers/x/attach?stream=1 HTTP/1.1\r\n"))
        #expect(server.requests[0].contains("Connection: Upgrade\r\nUpgrade: tcp\r\n"))
        try unsafe stream.descriptor.writeAll("hello".utf8Span.span.bytes)
        stream.closeSending()
        let rest = try stream.descriptor.readToEnd(limit: 100)
        #expect(String(decoding: stream.readAhead + rest, as: UTF8.self) == "earlyhello")
    }

    @Test("An archive goes out by its length, or in chunks where that is not known")
    func archive() throws {
        let server = ScriptedServer([.init(answers: [ok("{}"), ok("{}")])])
        let daemon = try daemon(server)
        func file(_ text: String) throws -> OwnedDescriptor { try HostFile.inMemory(named: "archive", Array(text.utf8)) }
        try daemon.call("POST", "/images/create", body: .archive(.init(try file("abcdef"), byteCount: 6)))
        try daemon.call("POST", "/images/create", body: .archive(.init(try file("abcdef"))))
        #expect(server.requests[0].hasSuffix("Content-Length: 6\r\n\r\nabcdef"))
        #expect(server.requests[1].hasSuffix("Transfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n0\r\n\r\n"))
    }

    @Test("A connection that the daemon has closed meanwhile is not used again")
    func stale() throws {
        let server = ScriptedServer([.init(answers: [ok("1")]), .init(answers: [ok("2")])])
        let daemon = try daemon(server)
        #expect(try daemon.call("GET", "/a").integer == 1)
        // The server closes after its answer; that the news is here may take a moment, and a lost race would be an error, not an answer.
        for _ in 0..<1000 {
            do throws(ClientError) {
                #expect(try daemon.call("GET", "/b").integer == 2)
                return
            } catch { #expect(error.code == .lost) }
        }
        Issue.record("the connection that is closed is used again and again")
    }
}
