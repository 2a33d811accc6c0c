import BerthLinux
import BerthTar
import Foundation
import Testing

/// Keeps what it is given, up to a limit.
final class MemorySink: ByteSink {
    private(set) var bytes: [UInt8] = []
    private let limit: Int

    init(limit: Int = .max) { self.limit = limit }

    func write(_ bytes: borrowing RawSpan) throws(ByteSinkError) {
        guard self.bytes.count + bytes.byteCount <= limit else { throw ByteSinkError(.cancelled, "full") }
        unsafe bytes.withUnsafeBytes { unsafe self.bytes.append(contentsOf: $0) }
    }
}

/// An archive of entries, each with its data.
func archive(_ entries: [(TarEntry, [UInt8])]) throws -> [UInt8] {
    let sink = MemorySink()
    let writer = TarWriter(sink)
    for (entry, data) in entries {
        try writer.append(entry)
        try unsafe writer.write(data.span.bytes)
    }
    try writer.finish()
    return sink.bytes
}

private func file(_ name: String, byteCount: UInt64 = 0) -> TarEntry {
    TarEntry(name: Array(name.utf8), kind: .file, permissions: 0o644, byteCount: byteCount)
}

private func code(_ body: () throws -> Void) -> TarError.Code? {
    do { try body() } catch { return (error as? TarError)?.code }
    return nil
}

/// Names at every border: those of the fields, of where a name can be cut, of ASCII and of UTF-8.
private let names: [[UInt8]] = {
    var names: [[UInt8]] = [[10], [0x20], Array("a=b".utf8), Array("%41".utf8), [0xc3], [0xed, 0xa0, 0x80]]
    func letters(_ letter: UInt8, _ count: Int) -> [UInt8] { [UInt8](repeating: letter, count: count) }
    for count in [1, 99, 100, 101, 155, 156, 254, 255, 256, 257, 300, 4000] {
        names.append(letters(0x6e, count))
        var cut = letters(0x73, count)
        for index in stride(from: 3, to: count - 1, by: 7) { cut[index] = UInt8(ascii: "/") }
        names.append(cut)
        // The only slash is where it is of no use.
        names.append(Array("a/".utf8) + letters(0x74, count))
        names.append(letters(0x66, count) + Array("/x".utf8))
        names.append(letters(0xff, count))
        names.append(Array("ä€🐳".utf8) + letters(0x75, count))
    }
    return names
}()

@Suite("Entries are written as they are read")
struct TarWriterTests {
    @Test("Every kind with everything that it has", arguments: [1, 511, 512, 513, .max])
    func kinds(_ piece: Int) throws {
        let device = DeviceNumber(major: 4095, minor: (1 << 20) - 1)
        let attributes: [String: [UInt8]] = [
            "user.empty": [], "security.capability": [1, 0, 0, 2, 0, 10, 255], "user.a=b %": [0, 61, 10, 255, 1],
        ]
        let all: [(TarEntry, [UInt8])] = [
            (TarEntry(name: Array("d/".utf8), kind: .directory, permissions: 0o1777, userID: 1, groupID: 2), []),
            (
                TarEntry(
                    name: Array("d/f".utf8), kind: .file, permissions: 0o6755, userID: .max - 1, groupID: 0o7777777, byteCount: 513,
                    modificationTime: FileTime(seconds: -2, nanoseconds: 750_000_000), extendedAttributes: attributes),
                [UInt8](repeating: 7, count: 513)
            ),
            (TarEntry(name: Array("h".utf8), kind: .hardLink, permissions: 0o600, linkName: Array("d/f".utf8)), []),
            (
                TarEntry(
                    name: Array("l".utf8), kind: .symbolicLink, permissions: 0o777, userID: 0o10000000,
                    modificationTime: FileTime(seconds: 0, nanoseconds: 1), linkName: Array("../\u{00e4}".utf8) + [0xff]), []
            ),
            (TarEntry(name: Array("c".utf8), kind: .characterDevice(device), permissions: 0o600), []),
            (TarEntry(name: Array("b".utf8), kind: .blockDevice(DeviceNumber(major: 8, minor: 0)), permissions: 0), []),
            (TarEntry(name: Array("p".utf8), kind: .fifo, permissions: 0o644, modificationTime: FileTime(seconds: 1 << 40)), []),
        ]
        let bytes = try archive(all)
        #expect(try archive(all) == bytes)
        #expect(bytes.count % 512 == 0 && bytes.suffix(1024).allSatisfy { $0 == 0 })
        #expect(try entries(bytes, piece: piece) == all.map(\.0))
    }

    @Test("Names and targets of every length and of any bytes; as Python reads them too")
    func names() throws {
        let all = BerthTarTests.names.map {
            TarEntry(name: $0, kind: .symbolicLink, permissions: 0o777, linkName: $0.reversed())
        }
        let bytes = try archive(all.map { ($0, []) })
        #expect(try entries(bytes) == all)
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("berth-\(UUID().uuidString).tar")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(bytes).write(to: file)
        let read = try python(
            """
            with tarfile.open('\(file.path)', encoding='utf-8', errors='surrogateescape') as tar:
                for entry in tar:
                    for text in (entry.name, entry.linkname): out.write(text.encode('utf-8', 'surrogateescape') + b'\\0')
            """)
        var expected: [UInt8] = []
        for entry in all { expected += entry.name + [0] + entry.linkName + [0] }
        #expect(read == expected)
    }

    @Test("What has room in ustar has no extended header: that is 512 bytes for each file")
    func plain() throws {
        for name in [
            "a", String(repeating: "x", count: 100), String(repeating: "p", count: 155) + "/" + String(repeating: "t", count: 100),
        ] {
            var entry = file(name)
            (entry.userID, entry.groupID, entry.modificationTime) = (0o7777777, 0o7777777, FileTime(seconds: 0o77777777777))
            #expect(try archive([(entry, [])]).count == 512 * 3)
        }
    }

    @Test(
        "Times to the nanosecond, on both sides of 1970",
        arguments: [(-1, 0), (-1, 1), (-1, 999_999_999), (-2, 500_000_000), (0, 100), (1 << 40, 5), (-(1 << 40), 0)] as [(Int64, Int64)])
    func times(_ seconds: Int64, _ nanoseconds: Int64) throws {
        var entry = file("f")
        entry.modificationTime = FileTime(seconds: seconds, nanoseconds: nanoseconds)
        #expect(try entries(try archive([(entry, [])])) == [entry])
    }

    @Test("A size beyond eight gigabytes")
    func largeSize() throws {
        let (sink, entry) = (MemorySink(), file("big", byteCount: 9 << 30))
        let writer = TarWriter(sink)
        try writer.append(entry)
        try unsafe writer.write([UInt8](repeating: 0, count: 512 << 10).span.bytes)
        #expect(try TarReader(PieceSource(sink.bytes)).next() == entry)
    }

    @Test("The holes of a sparse file are written as zeros", arguments: [1, 100, 3000])
    func holes(_ piece: Int) throws {
        var entry = file("sparse", byteCount: 5000)
        entry.regions = [(0, 0), (10, 3), (13, 4), (600, 1000)].map { TarEntry.Region(offset: $0, byteCount: $1) }
        let data = (0..<1007).map { UInt8(truncatingIfNeeded: $0 % 250 + 1) }
        let sink = MemorySink()
        let writer = TarWriter(sink)
        try writer.append(entry)
        for start in stride(from: 0, to: data.count, by: piece) {
            try unsafe writer.write(data.span.extracting(start..<min(start + piece, data.count)).bytes)
        }
        try writer.append(file("after"), contents: [1])
        try writer.finish()
        let reader = TarReader(PieceSource(sink.bytes))
        entry.regions = nil
        #expect(try reader.next() == entry)
        var read: [UInt8] = []
        while try unsafe reader.readData({ unsafe read.append(contentsOf: $0) }, wrapping: { error -> any Error in error }) {}
        var expected = [UInt8](repeating: 0, count: 5000)
        expected.replaceSubrange(10..<17, with: data[..<7])
        expected.replaceSubrange(600..<1600, with: data[7...])
        #expect(read == expected)
        #expect(try reader.next()?.byteCount == 1)
    }

    @Test("Data from a source that gives them in pieces, as many as its entry says", arguments: [0, 1, 511, 512, 300_000])
    func sources(_ count: Int) throws {
        let data = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let sink = MemorySink()
        let writer = TarWriter(sink)
        try writer.append(file("f", byteCount: UInt64(count)), contents: PieceSource(data, piece: 1000))
        try writer.finish()
        let reader = TarReader(PieceSource(sink.bytes))
        _ = try reader.next()
        var read: [UInt8] = []
        while try unsafe reader.readData({ unsafe read.append(contentsOf: $0) }, wrapping: { error -> any Error in error }) {}
        #expect(read == data)
        #expect(
            code { try TarWriter(MemorySink()).append(file("f", byteCount: UInt64(count) + 1), contents: PieceSource(data)) }
                == .wrongLength)
        guard count > 0 else { return }
        #expect(
            code { try TarWriter(MemorySink()).append(file("f", byteCount: UInt64(count) - 1), contents: PieceSource(data)) }
                == .wrongLength)
    }

    @Test("An entry with more data than it says, or less, is an error and names the entry")
    func wrongLengths() throws {
        let writer = TarWriter(MemorySink())
        try writer.append(file("the-file", byteCount: 2))
        #expect(code { try unsafe writer.write([UInt8](repeating: 1, count: 3).span.bytes) } == .wrongLength)
        #expect(code { try writer.append(file("other")) } == .wrongLength)
        #expect { try writer.finish() } throws: { "\($0)".contains("'the-file' are shorter than the 2 bytes") }
    }

    @Test("Names that no archive can have are errors")
    func unrepresentable() {
        let wrong = [file(""), file("a\u{0}b"), file("f/"), TarEntry(name: [97], kind: .symbolicLink, permissions: 0, linkName: [97, 0])]
        for entry in wrong { #expect(code { try TarWriter(MemorySink()).append(entry) } == .unrepresentable) }
        var entry = file("f")
        entry.extendedAttributes["user.huge"] = [UInt8](repeating: 1, count: 1 << 20)
        #expect(code { try TarWriter(MemorySink()).append(entry) } == .tooLarge)
        var sparse = file("s", byteCount: 10)
        let wrongRegions: [[(UInt64, UInt64)]] = [[(8, 3)], [(4, 4), (6, 1)], [(.max, 2)], [(0, .max)]]
        for regions in wrongRegions {
            sparse.regions = regions.map { TarEntry.Region(offset: $0.0, byteCount: $0.1) }
            #expect(code { try TarWriter(MemorySink()).append(sparse) } == .corrupt)
        }
    }

    @Test("A sink that takes no more ends the writing")
    func fullSink() {
        let writer = TarWriter(MemorySink(limit: 1 << 20))
        #expect(code { try writer.append(file("f"), contents: [UInt8](repeating: 1, count: 2 << 20)) } == .sink(.cancelled))
    }
}
