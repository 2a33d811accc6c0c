internal import BerthLinux
internal import BerthReactor
public import BerthTar
internal import Glibc

/// Compresses what it is given, into another sink.
///
/// The bytes are cut into blocks of 1 MiB, and each is compressed on its own, several at a time. What comes out depends on the bytes, the
/// compression, the level and the version of its library (ISA-L, zlib, libzstd) alone: not on how the bytes came, nor on how many threads there are, nor on
/// the clock, nor on which x86-64 processor it is, as long as that has SSE 4.2. gzip is one member without a name and a time; zstd is a frame for each block. Both are read by every tool that reads the formats.
///
/// At most two blocks for each thread are in memory. Not to be shared between threads.
public final class Compressor: ByteSink {
    /// What can be written; more can be read.
    public enum Format: Hashable, Sendable, CaseIterable {
        /// As they are.
        case none
        /// RFC 1952.
        case gzip
        /// RFC 8878.
        case zstd
    }

    /// How many bytes are compressed together.
    public static var blockByteCount: Int { 1 << 20 }
    /// As many threads as there are processors, at most 8.
    public static var defaultThreadCount: Int { min(8, max(1, sysconf(CInt(_SC_NPROCESSORS_ONLN)))) }
    /// gzip: 1, which takes a fifteenth of the time of 6 and makes layers an eighth larger; zstd: 3, its own.
    public static func defaultLevel(of format: Format) -> Int { format == .zstd ? 3 : 1 }

    private let sink: any ByteSink
    private let codec: (any BlockCodec)?
    private let threadCount: Int
    private var block: [UInt8] = []
    /// What is being compressed, the first first.
    private var running: [Running] = []
    private var checksum = BlockChecksum()

    private enum Running {
        case thread(Companion<Result<CompressedBlock, ByteSinkError>>)
        case done(Result<CompressedBlock, ByteSinkError>)
    }

    /// Compresses into a sink.
    ///
    /// - Parameters:
    ///   - level: 1 to 9 for gzip, 1 to 19 for zstd; what is beyond is the nearest. Default: ``defaultLevel(of:)``.
    ///   - threadCount: how many blocks are compressed at a time.
    public init(_ sink: any ByteSink, _ format: Format, level: Int? = nil, threadCount: Int = Compressor.defaultThreadCount) {
        let level = level ?? Self.defaultLevel(of: format)
        (self.sink, self.threadCount) = (sink, max(1, threadCount))
        codec =
            switch format {
            case .none: nil
            case .gzip: level <= 1 ? FastGzipCodec() : GzipCodec(level: Int32(min(level, 9)))
            case .zstd: ZstdCodec(level: Int32(min(max(level, 1), 19)))
            }
        if codec != nil { block.reserveCapacity(Self.blockByteCount) }
    }

    /// Takes bytes. What they become is written once a block is full, or at the end.
    public func write(_ bytes: borrowing RawSpan) throws(ByteSinkError) {
        guard codec != nil else { return try sink.write(bytes) }
        var offset = 0
        while offset < bytes.byteCount {
            let count = min(bytes.byteCount - offset, Self.blockByteCount - block.count)
            unsafe bytes.extracting(offset..<offset + count).withUnsafeBytes { unsafe block.append(contentsOf: $0) }
            offset += count
            if block.count == Self.blockByteCount { try compressBlock() }
        }
    }

    /// Compresses what is left and ends the stream. Nothing may be written afterwards.
    public func finish() throws(ByteSinkError) {
        guard let codec else { return }
        if !block.isEmpty { try compressBlock() }
        while !running.isEmpty { try writeFirst() }
        try write(codec.ending(checksum), isFirst: checksum.byteCount == 0)
    }

    private func compressBlock() throws(ByteSinkError) {
        guard let codec else { return }
        if running.count == threadCount { try writeFirst() }
        let full = block
        block = []
        block.reserveCapacity(Self.blockByteCount)
        do throws(Errno) {
            running.append(.thread(try Companion { codec.compress(full) }))
        } catch {
            // No thread to be had: it is done here.
            running.append(.done(codec.compress(full)))
        }
    }

    private func writeFirst() throws(ByteSinkError) {
        let result: Result<CompressedBlock, ByteSinkError>
        switch running.removeFirst() {
        case .done(let done): result = done
        case .thread(let companion):
            do throws(Errno) { result = try companion.join() } catch {
                throw ByteSinkError(.storage, "cannot compress: \(error)", underlying: error)
            }
        }
        let compressed = try result.get()
        try write(compressed.bytes, isFirst: checksum.byteCount == 0)
        checksum.add(compressed)
    }

    private func write(_ bytes: [UInt8], isFirst: Bool) throws(ByteSinkError) {
        if isFirst, let codec { try unsafe sink.write(codec.beginning.span.bytes) }
        if !bytes.isEmpty { try unsafe sink.write(bytes.span.bytes) }
    }
}
