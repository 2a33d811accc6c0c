import Glibc
import Testing

@testable import BerthLaunch
@testable import BerthMonitor

private let line = LogEntry(bytes: Array("hi".utf8), isError: false, time: 1_764_210_005_000_429_123)
private let error = LogEntry(bytes: Array("no".utf8), isError: true, time: 1_764_210_005_000_429_123)
private let piece = LogEntry(
    bytes: Array("x".utf8), isError: false, time: 1_764_210_005_000_429_123, piece: LogEntry.Piece(id: "ab", ordinal: 2, isLast: false))

@Suite("Records of receivers", .serialized) struct ReceiverRecordTests {
    /// The clock of the host, as for every process that asks for the local time.
    private func inZone<Result>(_ zone: String, _ body: () throws -> Result) rethrows -> Result {
        let before = unsafe getenv("TZ").map { unsafe String(cString: $0) }
        unsafe setenv("TZ", zone, 1)
        tzset()
        defer {
            if let before { unsafe setenv("TZ", before, 1) } else { unsafe unsetenv("TZ") }
            tzset()
        }
        return try body()
    }

    private func syslog(_ style: LogReceiver.Syslog.Style, _ entry: LogEntry) -> String? {
        SyslogRecord(line: LogReceiver.Syslog(style: style, facility: 19, hostname: "host", tag: "a b"), processID: 42).bytes(of: entry).map
        {
            String(decoding: $0, as: UTF8.self)
        }
    }

    @Test(
        arguments: [
            (.local, "<158>Nov 27 02:20:05 a b[42]: hi\n"), (.rfc3164, "<158>Nov 27 02:20:05 host a b[42]: hi\n"),
            (.rfc5424, "<158>1 2025-11-27T02:20:05Z host a b 42 a b - hi\n"),
            (.rfc5424Micro, "<158>1 2025-11-27T02:20:05.000429Z host a b 42 a b - hi\n"),
        ] as [(LogReceiver.Syslog.Style, String)])
    func linesOfSyslog(_ style: LogReceiver.Syslog.Style, _ expected: String) {
        inZone("UTC") {
            #expect(syslog(style, line) == expected)
            #expect(syslog(style, error) == expected.replacing("<158>", with: "<155>").replacing("hi\n", with: "no\n"))
            #expect(syslog(style, LogEntry(bytes: [], isError: false, time: 0)) == nil)
        }
    }

    @Test func syslogHasTheTimeOfTheHost() {
        inZone("XYZ-5:30") { #expect(syslog(.rfc5424, line) == "<158>1 2025-11-27T07:50:05+05:30 host a b 42 a b - hi\n") }
        inZone("XYZ+8") {
            #expect(syslog(.rfc5424, line) == "<158>1 2025-11-26T18:20:05-08:00 host a b 42 a b - hi\n")
            let early = LogEntry(bytes: [120], isError: false, time: 1_764_600_000_000_000_000)
            #expect(syslog(.local, early) == "<158>Dec  1 06:40:00 a b[42]: x\n")
        }
    }

    @Test func theJournalHasFieldsInLinesOrByTheirLength() {
        let record = JournalRecord([LogReceiver.Field("A", "1"), LogReceiver.Field("B", "x\ny")])
        let fields = "A=1\nB\n\u{3}\0\0\0\0\0\0\0x\ny\n"
        #expect(record.bytes(of: line) == Array("PRIORITY=6\nMESSAGE=hi\n\(fields)".utf8))
        let parts = "CONTAINER_PARTIAL_ID=ab\nCONTAINER_PARTIAL_ORDINAL=2\nCONTAINER_PARTIAL_"
        #expect(record.bytes(of: error) == Array("PRIORITY=3\nMESSAGE=no\n\(fields)".utf8))
        #expect(
            record.bytes(of: piece) == Array("PRIORITY=6\nMESSAGE=x\n\(fields)\(parts)LAST=false\nCONTAINER_PARTIAL_MESSAGE=true\n".utf8))
        let last = LogEntry(bytes: [120], isError: false, time: 0, piece: LogEntry.Piece(id: "ab", ordinal: 2, isLast: true))
        #expect(record.bytes(of: last) == Array("PRIORITY=6\nMESSAGE=x\n\(fields)\(parts)LAST=true\n".utf8))
    }

    @Test func fluentdHasMessagePack() {
        let fields = [LogReceiver.Field("k", "v")]
        let seconds = FluentRecord(tag: "t", fields: fields, hasNanoseconds: false)
        let body = Array("\u{a1}k\u{a1}v\u{a6}source\u{a6}stdout\u{a3}log\u{a2}hi\u{80}".unicodeScalars.map { UInt8($0.value) })
        #expect(seconds.bytes(of: line) == [0x94, 0xa1, 0x74, 0xce, 0x69, 0x27, 0xb5, 0x55, 0x83] + body)
        let nanoseconds = FluentRecord(tag: "t", fields: fields, hasNanoseconds: true)
        #expect(nanoseconds.bytes(of: line) == [0x94, 0xa1, 0x74, 0xd7, 0, 0x69, 0x27, 0xb5, 0x55, 0, 6, 0x8c, 0x43, 0x83] + body)
        let parts = String(decoding: seconds.bytes(of: piece), as: UTF8.self)
        for text in ["partial_message\u{a4}true", "partial_ordinal\u{a1}2", "partial_last\u{a5}false"] {
            let bytes = text.unicodeScalars.map { UInt8($0.value) }
            #expect(seconds.bytes(of: piece).firstRange(of: bytes) != nil, "\(parts)")
        }
    }

    @Test func fluentdIsAskedForAnswers() {
        let record = FluentRecord(tag: "t", fields: [], hasNanoseconds: false)
        let (plain, asking) = (record.bytes(of: line), record.bytes(of: line, chunk: Array("me".utf8)))
        #expect(asking == plain.dropLast() + [0x81, 0xa5] + Array("chunk".utf8) + [0xa2] + Array("me".utf8))
    }

    @Test("What fluentd answers is read as it comes, and nothing else is taken for an answer")
    func answers() {
        let whole = [0x81, 0xa3] + Array("ack".utf8) + [0xa2] + Array("me".utf8)
        #expect(FluentAnswer(whole) == .acknowledged(Array("me".utf8)))
        for count in 0..<whole.count { #expect(FluentAnswer(Array(whole.prefix(count))) == .partial) }
        // Longer forms of the same, bytes instead of texts, and more than one member.
        let ack = Array("ack".utf8)
        #expect(FluentAnswer([0xde, 0, 1, 0xd9, 3] + ack + [0xda, 0, 2, 1, 2]) == .acknowledged([1, 2]))
        #expect(FluentAnswer([0x82, 0xa1, 0x78, 0xa0, 0xc4, 3] + ack + [0xc5, 0, 1, 7]) == .acknowledged([7]))
        for wrong in [[0x80], [0x90], [0xa3] + ack, [0x81, 0xa1, 0x78, 0xa0], [0x81, 0xa3] + ack + [0x01], [0xff]] as [[UInt8]] {
            #expect(FluentAnswer(wrong) == .nonsense, "\(wrong)")
        }
        #expect(FluentAnswer([0x81, 0xda, 0xff, 0xff] + [UInt8](repeating: 0, count: FluentAnswer.byteLimit)) == .nonsense)
    }

    @Test(
        arguments: [
            (0, [0xa0]), (31, [0xbf]), (32, [0xd9, 32]), (255, [0xd9, 255]), (256, [0xda, 1, 0]), (65535, [0xda, 255, 255]),
            (65536, [0xdb, 0, 1, 0, 0]),
        ] as [(Int, [UInt8])])
    func textsHaveTheShortestLength(_ count: Int, _ head: [UInt8]) {
        var out = MessagePack()
        out.string([UInt8](repeating: 1, count: count))
        #expect(out.bytes == head + [UInt8](repeating: 1, count: count))
    }
}

@Suite("Entries of receivers") struct EntrySeriesTests {
    @Test func aLineIsAnEntryWithoutItsEnd() {
        var series = EntrySeries(isError: true)
        let entries = series.append(Array("a\n\nb".utf8).span, time: 5)
        #expect(entries.map(\.bytes) == [[97], []] && entries.allSatisfy { $0.isError && $0.time == 5 && $0.piece == nil })
        let rest = series.finish(time: 6)
        #expect(rest.map(\.bytes) == [[98]] && rest[0].time == 6)
        #expect(rest[0].piece?.ordinal == 1 && rest[0].piece?.isLast == false)
        #expect(series.finish(time: 7).isEmpty)
    }

    @Test func aLongLineIsPiecesOfOneNameAndTime() throws {
        var series = EntrySeries(isError: false)
        let long = [UInt8](repeating: 120, count: 40_000)
        var entries = series.append(long.span, time: 5)
        entries += series.append(Array("y\nz\n".utf8).span, time: 6)
        #expect(entries.map(\.bytes.count) == [16384, 16384, 7233, 1])
        let pieces = try entries.prefix(3).map { try #require($0.piece) }
        #expect(pieces.map(\.ordinal) == [1, 2, 3] && pieces.map(\.isLast) == [false, false, true])
        #expect(Set(pieces.map(\.id)).count == 1 && pieces[0].id.utf8.count == 64)
        #expect(entries.map(\.time) == [5, 5, 5, 6] && entries[3].piece == nil)
    }
}
