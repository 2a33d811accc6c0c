import BerthLinux
import Foundation
import Testing

@testable import BerthMonitor

@Suite struct LogEntryTests {
    private struct Entry: Decodable, Equatable {
        let log: String
        let stream: String
        let time: String
    }

    private func entries(_ pieces: [[UInt8]], finish: Bool = true) throws -> [Entry] {
        var (format, out) = (LineFormat(streamName: "stdout"), [UInt8]())
        for piece in pieces { format.append(piece.span, time: Array("T".utf8), to: &out) }
        if finish { format.finish(time: Array("T".utf8), to: &out) }
        return try String(decoding: out, as: UTF8.self).split(separator: "\n").map {
            try JSONDecoder().decode(Entry.self, from: Data($0.utf8))
        }
    }

    @Test func aLineIsAnEntryHoweverItIsCut() throws {
        let whole = Array("one\ntwo \u{e9}\"\\<&>\u{1}\r\n\nrest".utf8)
        let expected = ["one\n", "two \u{e9}\"\\<&>\u{1}\r\n", "\n", "rest"].map { Entry(log: $0, stream: "stdout", time: "T") }
        #expect(try entries([whole]) == expected)
        for cut in 1..<whole.count { #expect(try entries([Array(whole[..<cut]), Array(whole[cut...])]) == expected) }
        #expect(try entries(whole.map { [$0] }) == expected)
    }

    /// As Docker splits them: 16 KiB of output an entry, and only the last of a line ends in a newline.
    @Test(arguments: [0, 1, 100]) func aLongLineIsSplitEverySixteenKibibytes(_ extra: Int) throws {
        let line = [UInt8](repeating: UInt8(ascii: "x"), count: 2 * LineSplitter.maximumEntryByteCount + extra) + [10]
        let found = try entries([line, Array("next\n".utf8)])
        #expect(found.map(\.log.utf8.count) == [16384, 16384, extra + 1, 5])
        #expect(found.map { $0.log.hasSuffix("\n") } == [false, false, true, true])
    }

    @Test func whatIsNotTextIsReplacedAndTheRestStays() throws {
        let bytes: [UInt8] = [0x61, 0xff, 0x62, 0xc3, 0x0a, 0xe2, 0x82, 0xac, 0xed, 0xa0, 0x80, 0x0a]
        #expect(try entries([bytes]).map(\.log) == ["a\u{fffd}b\u{fffd}\n", "\u{20ac}\u{fffd}\u{fffd}\u{fffd}\n"])
    }

    @Test func whatWasFormattedIsCounted() {
        var (format, out) = (LineFormat(streamName: "stdout"), [UInt8]())
        format.append(Array("12345\n678".utf8).span, time: [], to: &out)
        #expect(format.formattedByteCount == 6)
        format.append(Array("9\n".utf8).span, time: [], to: &out)
        #expect(format.formattedByteCount == 11)
    }
}

@Suite struct LogFileTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("berth-log-\(UUID().uuidString)")
    private var path: String { folder.path + "/log" }

    init() throws { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) }

    private func text() throws -> String { try String(contentsOfFile: path, encoding: .utf8) }

    /// A monitor that was killed while it wrote: the next one's lines are not spoilt by the half one.
    @Test func aTornLineDoesNotSpoilTheNext() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try #"{"log":"whole\n"}"#.appending("\n").appending(#"{"log":"hal"#).write(toFile: path, atomically: false, encoding: .utf8)
        var log = try LogFile(appendingTo: "log", in: try Directory.open(folder.path))
        log.append(Array("next\n".utf8).span, isError: false)
        log.append(Array("after\n".utf8).span, isError: true)
        let lines = try text().split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count == 5)
        #expect(lines[1] == #"{"log":"hal"#)
        #expect(lines[2].hasPrefix(#"{"log":"next\n","stream":"stdout","time":""#))
        #expect(lines[3].hasPrefix(#"{"log":"after\n","stream":"stderr","time":""#))
    }
}
