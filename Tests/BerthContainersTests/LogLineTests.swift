import BerthOCI
import Foundation
import Testing

@testable import BerthContainers
@testable import BerthMonitor

private let moment = "2026-11-24T10:00:00.123456789Z"

private func parse(_ text: String) -> LogLine? { LogLineParser.parse(Array(text.utf8)[...]) }
private func line(_ log: String, stream: String = "stdout", time: String = moment) -> String {
    #"{"log":"\#(log)","stream":"\#(stream)","time":"\#(time)"}"#
}

@Suite("Lines of a log are read as they were written, and damaged ones are left out")
struct LogLineTests {
    @Test("The parts")
    func parts() throws {
        let parsed = try #require(parse(line(#"a\n"#, stream: "stderr")))
        #expect((parsed.stream, parsed.time, parsed.bytes, parsed.text) == (.errors, Timestamp(rfc3339: moment), [97, 10], "a"))
        #expect(parse(line("")) == LogLine(stream: .output, time: try #require(Timestamp(rfc3339: moment)), bytes: []))
        // Another order, and members of others'.
        #expect(parse(#"{"time":"\#(moment)","tag":"x","stream":"stdout","log":"b"}"#)?.bytes == [98])
    }

    @Test(
        "Escapes of every kind",
        arguments: [
            (#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t"), (#"\u00e9\u20AC"#, "é€"), (#"\ud83d\ude00"#, "😀"), (#"\ud83d"#, "\u{fffd}"),
            (#"\ud83dx\ude00"#, "\u{fffd}x\u{fffd}"),
            (#"\u0000"#, "\u{0}"), ("é€😀\u{7f}", "é€😀\u{7f}"), (#"\ud83d\u0041"#, "\u{fffd}A"),
        ])
    func escapes(written: String, text: String) {
        #expect(parse(line(written))?.bytes == Array(text.utf8))
    }

    @Test("What the monitor writes of any text is read back as that text")
    func roundTrip() throws {
        var random = SeededGenerator(state: 5)
        let time = Array(moment.utf8)
        for _ in 0..<2000 {
            let scalars = (0..<Int.random(in: 0...80, using: &random)).compactMap { _ -> Unicode.Scalar? in
                Bool.random(using: &random)
                    ? Unicode.Scalar(UInt8.random(in: 0...127, using: &random))
                    : Unicode.Scalar(UInt32.random(in: 0...0x10ffff, using: &random))
            }
            let text = scalars.reduce(into: "") { $0.unicodeScalars.append($1) }
            var (format, out) = (LineFormat(streamName: "stdout"), [UInt8]())
            format.append(Array(text.utf8).span, time: time, to: &out)
            format.finish(time: time, to: &out)
            let read = try out.split(separator: 10).flatMap { try #require(LogLineParser.parse($0)).bytes }
            #expect(read == Array(text.utf8))
        }
    }

    @Test("What another writer of JSON makes of any text is read back as that text")
    func otherWriters() throws {
        var random = SeededGenerator(state: 6)
        for _ in 0..<2000 {
            let scalars = (0..<Int.random(in: 0...40, using: &random)).compactMap { _ in
                Unicode.Scalar(UInt32.random(in: 0...0x10ffff, using: &random))
            }
            let text = scalars.reduce(into: "") { $0.unicodeScalars.append($1) }
            let written = try JSONSerialization.data(withJSONObject: ["log": text, "stream": "stderr", "time": moment])
            #expect(LogLineParser.parse(Array(written)[...])?.bytes == Array(text.utf8))
            // As Python writes it: everything beyond ASCII in UTF-16.
            let escaped = text.utf16.map { unit in
                "\\u" + String(repeating: "0", count: 4 - String(unit, radix: 16).count) + String(unit, radix: 16)
            }.joined()
            #expect(parse(line(escaped))?.bytes == Array(text.utf8))
        }
    }

    @Test("Every beginning of a line is none: that is what a kill leaves")
    func beginnings() {
        let whole = line(#"a\u00e9\\b\n"#)
        for count in 0..<whole.utf8.count { #expect(LogLineParser.parse(Array(whole.utf8).prefix(count)) == nil, "\(count) bytes") }
        #expect(parse(whole) != nil)
    }

    @Test(
        "Damaged lines are none, and no crash",
        arguments: [
            "", "{}", "null", "[]", line("a", stream: "stdin"), line("a", stream: ""), line("a", time: "yesterday"),
            line("a", time: "2026-13-24T10:00:00Z"), line(#"\x41"#), line(#"\u12"#),
            line(#"\u12g4"#), line(#"\u+123"#), line("a\u{0}b"), line("a\u{1}"), line("\t"),
            #"{"lag":"a","stream":"stdout","time":"\#(moment)"}"#,
            #"{"log":"a","stream":"stdout"}"#, #"{"log":1,"stream":"stdout","time":"\#(moment)"}"#,
            #"{"log":"a" "stream":"stdout","time":"\#(moment)"}"#,
            String(repeating: "\u{0}", count: 200), "x" + line("a"), #"{"log":"half{"log":"a\n","stream":"stdout","time":"\#(moment)"}"#,
        ])
    func damaged(text: String) {
        #expect(parse(text) == nil)
    }

    @Test("Whatever bytes of a line are changed, it is read or left out")
    func changedBytes() {
        var random = SeededGenerator(state: 9)
        let whole = Array(line(#"a\u00e9\ud83d\ude00\\b\n"#).utf8)
        var left = 0
        for _ in 0..<50_000 {
            var bytes = whole
            for _ in 0...Int.random(in: 0...2, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            if LogLineParser.parse(bytes[...]) == nil { left += 1 }
        }
        #expect(left > 10_000)
    }
}
