import BerthArchive
import BerthTar
import Foundation
import Testing

private final class MemorySink: ByteSink {
    private(set) var bytes: [UInt8] = []
    private let limit: Int
    init(limit: Int = .max) { self.limit = limit }
    func write(_ bytes: borrowing RawSpan) throws(ByteSinkError) {
        guard self.bytes.count + bytes.byteCount <= limit else { throw ByteSinkError(.cancelled, "full") }
        unsafe bytes.withUnsafeBytes { unsafe self.bytes.append(contentsOf: $0) }
    }
}

private final class MemorySource: ByteSource {
    private var rest: ArraySlice<UInt8>
    init(_ bytes: [UInt8]) { rest = bytes[...] }
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ByteSourceError) -> Int {
        let count = min(rest.count, buffer.count)
        unsafe buffer.copyBytes(from: rest.prefix(count))
        rest = rest.dropFirst(count)
        return count
    }
}

/// Bytes that repeat themselves here and there.
private func text(_ count: Int) -> [UInt8] {
    var (bytes, state): ([UInt8], UInt64) = ([], 88172645463325252)
    bytes.reserveCapacity(count)
    while bytes.count < count {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        guard state % 3 == 0, bytes.count > 100 else {
            bytes.append(UInt8(truncatingIfNeeded: state))
            continue
        }
        let start = bytes.count - Int((state >> 8) % 90) - 1
        for index in start..<start + 40 where index < bytes.count { bytes.append(bytes[index]) }
    }
    return Array(bytes[..<count])
}

private func compressed(_ bytes: [UInt8], _ compression: Compressor.Format, piece: Int = .max, threads: Int = 2, level: Int? = nil) throws
    -> [UInt8]
{
    let sink = MemorySink()
    let compressor = Compressor(sink, compression, level: level, threadCount: threads)
    for start in stride(from: 0, to: bytes.count, by: min(piece, max(1, bytes.count))) {
        try unsafe compressor.write(bytes.span.extracting(start..<min(start + min(piece, bytes.count), bytes.count)).bytes)
    }
    try compressor.finish()
    return sink.bytes
}

/// What another program makes of bytes that it gets on its standard input.
private func piped(_ bytes: [UInt8], through command: String) throws -> [UInt8] {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("berth-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    try Data(bytes).write(to: directory.appendingPathComponent("in"))
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", "cd '\(directory.path)' && \(command) <in >out"]
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
    return [UInt8](try Data(contentsOf: directory.appendingPathComponent("out")))
}

@Suite("What is compressed is read by others, and always the same")
struct CompressorTests {
    private static let sizes = [0, 1, 1000, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3_500_000]

    @Test("What comes out is what went in, by us and by the formats' own programs", arguments: sizes, [Compressor.Format.gzip, .zstd])
    func roundTrip(_ size: Int, _ compression: Compressor.Format) throws {
        let bytes = text(size)
        let packed = try compressed(bytes, compression)
        if size > 1000 { #expect(packed.count < size) }
        #expect(try piped(packed, through: compression == .gzip ? "gzip -dc" : "zstd -dcq") == bytes)
        let source = Decompressor(MemorySource(packed))
        var (read, buffer): ([UInt8], [UInt8]) = ([], [UInt8](repeating: 0, count: 70_000))
        while true {
            let count = try unsafe buffer.withUnsafeMutableBytes { try unsafe source.read(into: $0) }
            if count == 0 { break }
            read += buffer[..<count]
        }
        #expect(read == bytes)
    }

    @Test("Neither the number of threads nor how the bytes came makes a difference", arguments: [Compressor.Format.gzip, .zstd])
    func deterministic(_ compression: Compressor.Format) throws {
        let bytes = text(5_000_000)
        let once = try compressed(bytes, compression, threads: 1)
        for threads in [2, 3, 8] {
            for piece in [1 << 16, 999_999, .max] { #expect(try compressed(bytes, compression, piece: piece, threads: threads) == once) }
        }
        #expect(try compressed(bytes, compression, level: 9).count < once.count)
    }

    /// The same on every processor: the digest is that of six kinds, real and emulated. Where another version of the library gives other bytes, this says so.
    @Test("The bytes are the ones that other machines make")
    func golden() throws {
        let digest = try piped(try compressed(text(2_500_000), .gzip), through: "sha256sum")
        #expect(String(decoding: digest.prefix(64), as: UTF8.self) == "d0fcbbf4971a2a28fd6c7ed37b5dd0502b89a1ba44286e22a5cbb9139529e6c1")
    }

    @Test("gzip has no name and no time")
    func header() throws {
        #expect(try compressed([1], .gzip).prefix(10) == [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255])
    }

    @Test("What is not to be compressed passes as it is")
    func none() throws {
        #expect(try compressed(text(3000), .none) == text(3000))
    }

    @Test("What cannot be compressed is hardly larger", arguments: [Compressor.Format.gzip, .zstd])
    func random(_ compression: Compressor.Format) throws {
        var generator = SystemRandomNumberGenerator()
        let bytes = (0..<(2 << 20)).map { _ in UInt8.random(in: 0...255, using: &generator) }
        let packed = try compressed(bytes, compression)
        #expect(packed.count < bytes.count + 2000)
        #expect(try piped(packed, through: compression == .gzip ? "gzip -dc" : "zstd -dcq") == bytes)
    }

    @Test("A sink that takes no more ends it")
    func full() throws {
        let compressor = Compressor(MemorySink(limit: 1000), .gzip, threadCount: 2)
        #expect(throws: ByteSinkError.self) {
            for _ in 0..<8 { try unsafe compressor.write(text(1 << 20).span.bytes) }
        }
    }
}
