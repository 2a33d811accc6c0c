import BerthArchive
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

/// What a script gives, with the bytes on its standard input, from a file: they may be more than a pipe holds.
func shell(_ script: String, _ input: [UInt8] = []) throws -> [UInt8] {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("berth-archive-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }  // what is left lies in the temporary directory
    try Data(input).write(to: folder.appendingPathComponent("in"))
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/bash")
    process.arguments = ["-euo", "pipefail", "-c", "cd '\(folder.path)'; exec <in >out; \(script)"]
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
    return [UInt8](try Data(contentsOf: folder.appendingPathComponent("out")))
}

func decompress(_ bytes: [UInt8], piece: Int = .max, buffer size: Int = 256 << 10, limits: ArchiveLimits = ArchiveLimits()) throws
    -> (bytes: [UInt8], compression: Compression?)
{
    let source = Decompressor(PieceSource(bytes, piece: piece), limits: limits)
    var (result, buffer) = ([UInt8](), [UInt8](repeating: 0, count: size))
    while true {
        let count = try unsafe buffer.withUnsafeMutableBytes { try unsafe source.read(into: $0) }
        if count == 0 { return (result, source.compression) }
        result += buffer[..<count]
    }
}

@Suite("What was compressed is what is read")
struct DecompressorTests {
    /// 200 KB of lines that compress well, with a third that does not.
    private static let plain: [UInt8] = {
        var chance = SystemRandomNumberGenerator()
        return (0..<200_000).map { (index: Int) -> UInt8 in
            index % 3000 < 1000 ? UInt8.random(in: 0...255, using: &chance) : UInt8(index / 7 % 50 + 40)
        }
    }()

    private static let ways: [String] = [
        "cat", "gzip", "gzip -1", "(head -c 1000 | gzip; gzip)", "(gzip; head -c 700 /dev/zero)", "zstd -q", "zstd -q --no-check",
        "zstd -q -19 --no-check", "zstd -q --no-content-size --no-check -B1000",
        "xz", "(head -c 1000 | xz; xz)", "bzip2", "lz4 -qc", "xz --format=lzma",
        #"(printf '\x50\x2a\x4d\x18\x03\x00\x00\x00abc'; head -c 1000 | zstd -q; printf '\x5f\x2a\x4d\x18\x00\x00\x00\x00'; zstd -q --no-check)"#,
    ]

    @Test("Whatever way it was compressed, and in whatever pieces it comes and goes", arguments: Self.ways)
    func roundTrip(_ command: String) throws {
        let other = ["lzma", "xz", "bzip2", "lz4"].first { command.contains($0) }.map { Compression.other($0) }
        let compression: Compression = command.contains("zstd") ? .zstd : command.contains("gzip") ? .gzip : other ?? .none
        let packed = try shell(command, Self.plain)
        let (pieces, sizes): ([Int], [Int]) = ([1, 7, 4096, .max], [1, 1000, 256 << 10])
        for piece in pieces {
            for size in sizes where piece == .max || size > 1000 {
                let result = try decompress(packed, piece: piece, buffer: size)
                #expect(result.bytes == Self.plain, "pieces of \(piece), buffer of \(size)")
                #expect(result.compression == compression)
            }
        }
    }

    @Test("Nothing is nothing")
    func empty() throws {
        #expect(try decompress([]).bytes == [])
        #expect(try decompress([]).compression == Compression.none)
        #expect(try decompress(try shell("gzip")).bytes == [])
        #expect(try decompress(try shell("zstd -q")).bytes == [])
    }

    @Test(
        "A stream cut off anywhere, or with a byte changed anywhere, is never taken for whole",
        arguments: ["gzip", "zstd -q", "xz", "bzip2", "lz4 -qc"])
    func damage(_ command: String) throws {
        let plain = Array(Self.plain[..<20_000])
        let packed = try shell(command, plain)
        for length in stride(from: 4, to: packed.count, by: 61) {
            #expect("cut at \(length)") { try decompress(Array(packed[..<length])) } throws: { ($0 as? ByteSourceError)?.kind == .corrupt }
        }
        for index in stride(from: 12, to: packed.count, by: 61) {
            var damaged = packed
            damaged[index] ^= 0x10
            // A bit that nothing depends on may be there: then the bytes are the same.
            guard let result = try? decompress(damaged) else { continue }
            #expect(result.bytes == plain, "byte \(index) changed")
        }
    }

    @Test("Limits are kept, and named")
    func limits() throws {
        let packed = try shell("gzip", Self.plain)
        #expect(try decompress(packed, limits: ArchiveLimits(unpackedByteCount: 200_000)).bytes.count == 200_000)
        for bytes in [packed, Self.plain] {
            #expect { try decompress(bytes, limits: ArchiveLimits(unpackedByteCount: 199_999)) } throws: {
                ($0 as? ByteSourceError)?.kind == .tooLarge && "\($0)".contains("199999")
            }
        }
    }

    @Test("What deflate makes of zeros is let through, and what a bomb of zstd makes of them is not")
    func bombs() throws {
        let zeros = "head -c 90000000 /dev/zero | "
        #expect(try decompress(try shell(zeros + "gzip -9")).bytes.count == 90_000_000)
        let bomb = try shell(zeros + "zstd -q -19")
        #expect(bomb.count < 20_000)
        #expect { try decompress(bomb) } throws: { ($0 as? ByteSourceError)?.kind == .tooLarge && "\($0)".contains("2000 times") }
        #expect(try decompress(bomb, limits: ArchiveLimits(ratio: 100_000)).bytes.count == 90_000_000)
    }

    /// Gives some bytes, and then no more, for want of a disk.
    private final class FailingSource: ByteSource {
        private let source: PieceSource
        private var left: Int

        init(_ bytes: [UInt8]) { (source, left) = (PieceSource(bytes, piece: .max), bytes.count) }

        func read(into buffer: UnsafeMutableRawBufferPointer) throws(ByteSourceError) -> Int {
            if left == 0 { throw ByteSourceError(.storage, "the disk has gone") }
            let count = try unsafe source.read(into: buffer)
            left -= count
            return count
        }
    }

    @Test("Where the source gives no more, its reason is told, and what came is not taken for all", arguments: [0, 100, 30_000])
    func failing(_ count: Int) throws {
        let source = Decompressor(FailingSource(Array(try shell("gzip", Self.plain).prefix(count))))
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        #expect {
            while try unsafe buffer.withUnsafeMutableBytes({ try unsafe source.read(into: $0) }) > 0 {}
        } throws: { ($0 as? ByteSourceError)?.kind == .storage && "\($0)".contains("the disk has gone") }
    }

    @Test("A tar whose first name looks like something compressed is a tar", arguments: ["gzip", "zstd -q", "xz", "bzip2"])
    func looks(_ command: String) throws {
        let packed = try shell(command, Self.plain)
        var tar = [UInt8](repeating: 0, count: 1024)
        tar.replaceSubrange(0..<6, with: packed[..<6])
        tar.replaceSubrange(257..<262, with: "ustar".utf8)
        #expect(try decompress(tar).bytes == tar)
    }
}
