import BerthLinux
import BerthTar
import Foundation
import Testing

/// Bytes that come in pieces.
final class PieceSource: ByteSource {
    private var rest: ArraySlice<UInt8>
    private let piece: Int

    init(_ bytes: [UInt8], piece: Int = .max) { (rest, self.piece) = (bytes[...], piece) }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ByteSourceError) -> Int {
        let count = min(rest.count, min(piece, buffer.count))
        unsafe buffer.copyBytes(from: rest.prefix(count))
        rest = rest.dropFirst(count)
        return count
    }
}

/// What a script of Python writes to its standard output.
func python(_ script: String) throws -> [UInt8] {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
    process.arguments = ["-c", "import sys, tarfile, io\nfrom tarfile import TarInfo\nout = sys.stdout.buffer\n" + script]
    let output = Foundation.Pipe()
    process.standardOutput = output
    try process.run()
    let data = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
    return [UInt8](data)
}

func entries(_ bytes: [UInt8], piece: Int = .max) throws -> [TarEntry] {
    let reader = TarReader(PieceSource(bytes, piece: piece))
    var found: [TarEntry] = []
    while let entry = try reader.next() { found.append(entry) }
    return found
}

@Suite("Entries of archives are read as they were written")
struct TarReaderTests {
    @Test("Sizes beyond eight gigabytes, in base 256 and in extended headers", arguments: ["GNU_FORMAT", "PAX_FORMAT"])
    func largeSizes(_ format: String) throws {
        let header = try python("t = TarInfo('big'); t.size = 9 << 30; out.write(t.tobuf(tarfile.\(format)))")
        let entry = try #require(try TarReader(PieceSource(header)).next())
        #expect(entry.byteCount == 9 << 30)
        #expect(entry.name == Array("big".utf8))
        #expect(entry.kind == .file)
    }

    @Test("Owners beyond two millions, and times before 1970, in base 256")
    func largeNumbers() throws {
        let header = try python(
            "t = TarInfo('f'); t.uid = 4000000000; t.gid = 3000000; t.mtime = -5; out.write(t.tobuf(tarfile.GNU_FORMAT))")
        let entry = try #require(try entries(header).first)
        #expect(entry.userID == 4_000_000_000)
        #expect(entry.groupID == 3_000_000)
        #expect(entry.modificationTime == FileTime(seconds: -5))
    }

    @Test(
        "Times to the nanosecond, counted from their second on, also before 1970",
        arguments: [
            ("1.5", 1, 500_000_000), ("1700000000.123456789", 1_700_000_000, 123_456_789), ("-1.25", -2, 750_000_000),
            ("-0.000000001", -1, 999_999_999), ("-86400", -86400, 0), ("5.1234567899", 5, 123_456_789), ("0", 0, 0),
        ] as [(String, Int64, Int64)])
    func times(_ text: String, _ seconds: Int64, _ nanoseconds: Int64) throws {
        let header = try python("t = TarInfo('f'); t.pax_headers = {'mtime': '\(text)'}; out.write(t.tobuf(tarfile.PAX_FORMAT))")
        #expect(try entries(header).first?.modificationTime == FileTime(seconds: seconds, nanoseconds: nanoseconds))
    }

    @Test("Long names and targets, and names that are no text", arguments: ["GNU_FORMAT", "PAX_FORMAT"], [1, 511, 512, 513, 4096, .max])
    func names(_ format: String, _ piece: Int) throws {
        let bytes = try python(
            """
            t = tarfile.open(fileobj=out, mode='w|', format=tarfile.\(format), encoding='utf-8', errors='surrogateescape')
            for name in ['short', 'd/' * 100 + 'long', b'odd\\xff\\xfe\\nname'.decode('utf-8', 'surrogateescape'), 'x' * 100, 'y' * 101]:
                entry = TarInfo(name); entry.type = tarfile.SYMTYPE; entry.linkname = name[::-1]; t.addfile(entry)
            t.close()
            """)
        let found = try entries(bytes, piece: piece)
        let names =
            [
                Array("short".utf8), Array((String(repeating: "d/", count: 100) + "long").utf8),
                Array("odd".utf8) + [0xff, 0xfe, 10] + Array("name".utf8),
            ]
            + [[UInt8](repeating: UInt8(ascii: "x"), count: 100), [UInt8](repeating: UInt8(ascii: "y"), count: 101)]
        #expect(found.map(\.name) == names)
        #expect(found.map(\.linkName) == names.map { $0.reversed() })
    }

    @Test("The oldest format: directories by a slash, no numbers of devices")
    func oldest() throws {
        let bytes = try python(
            """
            for name, type in (('d/', b'\\0'), ('f', b'\\0'), ('g', b'7')):
                block = bytearray(512); block[0:len(name)] = name.encode(); block[100:107] = b'0000755'; block[108:115] = b'0000001'; block[116:123] = b'0000002'
                block[124:135] = b'00000000000'; block[136:147] = b'00000000007'; block[156:157] = type; block[148:156] = b' ' * 8
                block[148:156] = b'%06o\\0 ' % sum(block); out.write(block)
            """)
        let found = try entries(bytes)
        #expect(found.map(\.kind) == [.directory, .file, .file])
        #expect(
            found.allSatisfy { $0.permissions == 0o755 && $0.userID == 1 && $0.groupID == 2 && $0.modificationTime == FileTime(seconds: 7) }
        )
    }

    @Test("Attributes as both of their writers write them; GNU's as they are, libarchive's decoded")
    func attributes() throws {
        let header = try python(
            "t = TarInfo('f'); t.pax_headers = {'SCHILY.xattr.user.a': 'plain', 'LIBARCHIVE.xattr.user.b%20c': 'AAEC/w==', 'LIBARCHIVE.xattr.user.a': 'AAEC'}; out.write(t.tobuf(tarfile.PAX_FORMAT))"
        )
        #expect(try entries(header).first?.extendedAttributes == ["user.a": Array("plain".utf8), "user.b c": [0, 1, 2, 255]])
    }

    @Test("What holds for all entries holds until an entry says otherwise")
    func global() throws {
        let bytes = try python(
            """
            out.write(TarInfo.create_pax_global_header({'mtime': '77', 'uid': '5'}))
            t = TarInfo('a'); out.write(t.tobuf(tarfile.USTAR_FORMAT))
            t = TarInfo('b'); t.pax_headers = {'mtime': '88'}; out.write(t.tobuf(tarfile.PAX_FORMAT))
            t = TarInfo('c'); out.write(t.tobuf(tarfile.USTAR_FORMAT))
            t = TarInfo('d'); t.pax_headers = {'mtime': '', 'uid': ''}; out.write(t.tobuf(tarfile.PAX_FORMAT))
            """)
        // An empty value takes back what holds for all.
        #expect(try entries(bytes).map(\.modificationTime.seconds) == [77, 88, 77, 0])
        #expect(try entries(bytes).map(\.userID) == [5, 5, 5, 0])
    }

    @Test("An archive cut off anywhere is an error, or, between two entries, has only the first ones")
    func truncation() throws {
        let whole = try python(
            """
            t = tarfile.open(fileobj=out, mode='w|', format=tarfile.PAX_FORMAT)
            for i in range(4):
                entry = TarInfo('name%d' % i * 40); entry.size = 700; entry.mtime = 1.5; t.addfile(entry, io.BytesIO(b'x' * 700))
            t.close()
            """)
        let all = try entries(whole)
        #expect(all.count == 4)
        var (refused, shorter) = (0, 0)
        for length in stride(from: 0, to: whole.count, by: 113) {
            do {
                let found = try entries(Array(whole[..<length]))
                #expect(found == Array(all.prefix(found.count)), "\(length)")
                shorter += 1
            } catch let error as TarError {
                #expect(error.code == .truncated, "\(length): \(error)")
                refused += 1
            }
        }
        #expect(refused > 20 && shorter > 1)
    }

    @Test("The data that is lent is the entry's, and what is not read is skipped", arguments: [1, 700, .max])
    func data(_ piece: Int) throws {
        let bytes = try python(
            """
            t = tarfile.open(fileobj=out, mode='w|')
            for i in range(5):
                entry = TarInfo('f%d' % i); entry.size = 300 * i; t.addfile(entry, io.BytesIO(bytes([65 + i]) * 300 * i))
            t.close()
            """)
        let reader = TarReader(PieceSource(bytes, piece: piece))
        for index in 0..<5 {
            let entry = try #require(try reader.next())
            #expect(entry.byteCount == 300 * UInt64(index))
            guard index % 2 == 0 else { continue }
            var read: [UInt8] = []
            while try unsafe reader.readData({ (bytes) throws(TarError) in unsafe read += Array(bytes) }, wrapping: { $0 }) {}
            #expect(read == [UInt8](repeating: 65 + UInt8(index), count: 300 * index))
        }
        #expect(try reader.next() == nil)
        #expect(try reader.next() == nil)
    }
}
