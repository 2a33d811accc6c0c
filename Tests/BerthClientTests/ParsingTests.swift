import BerthClient
import Testing

@Suite("Addresses, frames and JSON")
struct ParsingTests {
    @Test(
        "Addresses",
        arguments: [
            ("unix:///run/x.sock", .unix(path: "/run/x.sock")), ("/run/x.sock", .unix(path: "/run/x.sock")),
            ("tcp://127.0.0.1:2375", .tcp(host: "127.0.0.1", port: 2375)), ("tcp://host", .tcp(host: "host", port: 2375)),
            ("tcp://[::1]:99", .tcp(host: "::1", port: 99)), ("tcp://:99/", .tcp(host: "127.0.0.1", port: 99)),
        ] as [(String, DaemonAddress)])
    func addresses(text: String, address: DaemonAddress) throws { #expect(try DaemonAddress(parsing: text) == address) }

    @Test(
        "What is no address",
        arguments: [
            "", "x", "unix://", "ssh://host", "tcp://host:0", "tcp://host:99999", "tcp://a/b", "tcp://[::1", "npipe://x", "http://x",
        ])
    func noAddresses(text: String) {
        let error = #expect(throws: ClientError.self) { try DaemonAddress(parsing: text) }
        #expect(error?.code == .address)
    }

    private func frame(_ stream: UInt8, _ text: String) -> [UInt8] {
        let count = text.utf8.count
        return [stream, 0, 0, 0, 0, 0, UInt8(count >> 8), UInt8(count & 255)] + Array(text.utf8)
    }

    @Test("Frames come apart wherever the bytes are cut", arguments: [1, 2, 3, 7, 8, 9, 100])
    func frames(size: Int) throws {
        let bytes = frame(1, "out") + frame(2, "err") + frame(1, "") + frame(0, "in") + frame(3, "sorry")
        var demultiplexer = StreamDemultiplexer()
        var streams: [StreamDemultiplexer.Stream: String] = [:]
        var rest = bytes[...]
        while !rest.isEmpty {
            try demultiplexer.feed(rest.prefix(size)) { (stream, part) throws(ClientError) in
                streams[stream, default: ""] += String(decoding: part, as: UTF8.self)
            } mistake: {
                $0
            }
            rest = rest.dropFirst(size)
        }
        #expect(streams == [.output: "outin", .errors: "err", .daemon: "sorry"])
        #expect(demultiplexer.isBetweenFrames)
    }

    @Test("What is not in frames is said to be none")
    func noFrames() {
        var demultiplexer = StreamDemultiplexer()
        #expect(throws: ClientError.self) {
            try demultiplexer.feed(Array("plain text".utf8)[...]) { (_, _) throws(ClientError) in
            } mistake: {
                $0
            }
        }
    }

    @Test(
        "JSON keeps its order and its digits",
        arguments: [
            #"{"b":1,"a":[true,false,null],"c":{"z":"x","y":1.50e+3}}"#, "[]", "{}", #""\u003ca\u003e \u0026 é 😀 \n""#, "-0.0",
            "18446744073709551616",
        ])
    func roundTrip(text: String) throws { #expect(try JSONTree(parsing: Array(text.utf8)).json() == text) }

    @Test(
        "Escapes",
        arguments: [
            (#""\ud83d\ude00""#, "😀"), (#""\ud83d""#, "\u{FFFD}"), (#""\u00e9\/\b""#, "é/\u{8}"), (#""\ud83d\u0041""#, "\u{FFFD}A"),
        ])
    func escapes(text: String, value: String) throws { #expect(try JSONTree(parsing: Array(text.utf8)).text == value) }

    @Test(
        "What is no JSON",
        arguments: [
            "", "{", "[1,]", #"{"a"}"#, #"{"a":1,}"#, "tru", "01", "1.", "-", "\"", "\"\u{1}\"", #""\x""#, #""\u12""#, "1 2", "nan",
            "{a:1}",
        ])
    func noJSON(text: String) {
        let error = #expect(throws: ClientError.self) { try JSONTree(parsing: Array(text.utf8)) }
        #expect(error?.code == .malformed)
    }

    @Test("A text that is nested too deep is refused, not followed")
    func depth() throws {
        #expect(
            try JSONTree(parsing: Array((String(repeating: "[", count: 200) + String(repeating: "]", count: 200)).utf8)).elements.count == 1
        )
        let error = #expect(throws: ClientError.self) { try JSONTree(parsing: [UInt8](repeating: UInt8(ascii: "["), count: 1_000_000)) }
        #expect(error?.code == .limit)
    }

    @Test("Lines for people")
    func indented() throws {
        let tree = try JSONTree(parsing: Array(#"[{"a":[],"b":{},"c":[1,"x"]}]"#.utf8))
        #expect(
            tree.json(.indented(4))
                == "[\n    {\n        \"a\": [],\n        \"b\": {},\n        \"c\": [\n            1,\n            \"x\"\n        ]\n    }\n]"
        )
    }
}
