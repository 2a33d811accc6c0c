import Foundation
import Testing

@testable import BerthMonitor

private let time = Array("2026-11-24T10:00:00.123456789Z".utf8)

/// Formats what comes in these pieces, and its end.
private func format(_ pieces: [[UInt8]], stream: String = "stdout") -> [UInt8] {
    var format = LineFormat(streamName: stream)
    var out: [UInt8] = []
    for piece in pieces { format.append(piece.span, time: time, to: &out) }
    format.finish(time: time, to: &out)
    return out
}

private func text(_ pieces: [UInt8]...) -> String { String(decoding: format(pieces), as: UTF8.self) }

/// The texts of the entries, by another reader of JSON.
private func entries(_ bytes: [UInt8]) throws -> [String] {
    try bytes.split(separator: 10).map { line in
        let object = try #require(try JSONSerialization.jsonObject(with: Data(line)) as? [String: String])
        #expect(object.keys.sorted() == ["log", "stream", "time"])
        return try #require(object["log"])
    }
}

private func entry(_ log: String) -> String { #"{"log":"\#(log)","stream":"stdout","time":"2026-11-24T10:00:00.123456789Z"}"# + "\n" }

@Suite("Output becomes Docker's json-file lines")
struct LineFormatTests {
    @Test("Lines, and what is left at the end")
    func lines() {
        #expect(text(Array("a\nb\n\nc".utf8)) == entry(#"a\n"#) + entry(#"b\n"#) + entry(#"\n"#) + entry("c"))
        #expect(text([]) == "")
        #expect(String(decoding: format([Array("x\n".utf8)], stream: "stderr"), as: UTF8.self).contains(#""stream":"stderr""#))
    }

    @Test("Bytes are escaped as Go escapes them")
    func escapes() {
        #expect(
            text(Array("\"\\/\r\t\u{0}\u{1b}\u{7f}<b>&é€😀\n".utf8))
                == entry(#"\"\\/\r\u0009\u0000\u001b"# + "\u{7f}" + #"\u003cb\u003e\u0026é€😀\n"#))
        #expect(text(Array("a\u{2028}b\u{2029}c\u{2027}\u{202a}\n".utf8)) == entry("a\\u2028b\\u2029c\u{2027}\u{202a}\\n"))
    }

    @Test(
        "Each byte that is no UTF-8 is U+FFFD, as in Go",
        arguments: [
            ([0xff], 1), ([0xc0, 0x80], 2), ([0xc3], 1), ([0xe2, 0x82], 2), ([0xed, 0xa0, 0x80], 3), ([0xf0, 0x9f, 0x98], 3),
            ([0xf5, 0x80, 0x80, 0x80], 4),
            ([0xf4, 0x90, 0x80, 0x80], 4), ([0xe0, 0x80, 0x80], 3), ([0x80], 1), ([0xf8, 0x88, 0x80, 0x80, 0x80], 5),
        ] as [([UInt8], Int)])
    func invalid(bytes: [UInt8], count: Int) {
        #expect(text(Array("a".utf8) + bytes + Array("b\n".utf8)) == entry("a" + String(repeating: #"\ufffd"#, count: count) + #"b\n"#))
    }

    @Test("A line of more than 16 KiB comes in several entries, of which only the last ends in a newline")
    func longLines() throws {
        for length in [16383, 16384, 16385, 32768, 50_000] {
            let line = [UInt8](repeating: UInt8(ascii: "x"), count: length)
            let texts = try entries(format([line + [10]]))
            #expect(texts.joined() == String(repeating: "x", count: length) + "\n")
            #expect(texts.dropLast().allSatisfy { $0.utf8.count == 16384 && !$0.hasSuffix("\n") })
            #expect(texts.count == length / 16384 + 1, "\(length)")
        }
    }

    @Test("No entry ends within a character", arguments: ["é", "€", "😀", "\u{2028}"])
    func characters(character: String) throws {
        for shift in 0..<5 {
            let line = String(repeating: "x", count: shift) + String(repeating: character, count: 20_000)
            let bytes = Array(line.utf8) + [10]
            for pieceByteCount in [1, 7, 4096, 16381, 16384, 16385, bytes.count] {
                let pieces = stride(from: 0, to: bytes.count, by: pieceByteCount).map {
                    Array(bytes[$0..<min($0 + pieceByteCount, bytes.count)])
                }
                let texts = try entries(format(pieces))
                #expect(texts.joined() == line + "\n", "\(shift) \(pieceByteCount)")
                #expect(texts.allSatisfy { $0.utf8.count <= 16384 })
            }
        }
    }

    @Test("However output is cut into pieces, the entries are the same")
    func cuts() {
        var random = SeededGenerator(state: 7)
        for round in 0..<200 {
            let alphabet: [UInt8] = [10, 34, 92, 60, 0, 65, 66, 0xc3, 0xa9, 0xe2, 0x80, 0xa8, 0xf0, 0x9f, 0x98, 0x80, 0xff]
            let bytes = (0..<Int.random(in: 0...40_000, using: &random)).map { _ in
                round % 4 == 0
                    ? alphabet[Int.random(in: 1..<alphabet.count, using: &random)]
                    : alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
            }
            var pieces: [[UInt8]] = []
            var start = 0
            while start < bytes.count {
                let end = min(bytes.count, start + Int.random(in: 1...20_000, using: &random))
                pieces.append(Array(bytes[start..<end]))
                start = end
            }
            #expect(format(pieces) == format([bytes]), "round \(round)")
        }
    }

    @Test("Every sequence of up to three random bytes is JSON that says what a decoder of UTF-8 says")
    func randomBytes() throws {
        var random = SeededGenerator(state: 11)
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 1...3, using: &random)).map { _ in UInt8.random(in: 11...255, using: &random) }
            let found = try #require(try entries(format([bytes])).first)
            // Swift replaces a truncated sequence once, Go each of its bytes: what is no replacement is the same.
            #expect(
                found.unicodeScalars.filter { $0 != "\u{fffd}" }
                    == String(decoding: bytes, as: UTF8.self).unicodeScalars.filter { $0 != "\u{fffd}" })
        }
    }
}

@Suite("The log's times")
struct LogTimeTests {
    @Test(
        "Nine digits, in UTC",
        arguments: [
            (0, "1970-01-01T00:00:00.000000000Z"), (1_735_689_599_123_456_789, "2024-12-31T23:59:59.123456789Z"),
            (951_825_600_000_000_001, "2000-02-29T12:00:00.000000001Z"), (4_102_444_800_000_000_000, "2100-01-01T00:00:00.000000000Z"),
        ] as [(Int64, String)])
    func text(nanoseconds: Int64, expected: String) {
        #expect(String(decoding: LogTime.text(nanoseconds), as: UTF8.self) == expected)
    }
}

/// A generator whose numbers are the same in every run (SplitMix64).
private struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
