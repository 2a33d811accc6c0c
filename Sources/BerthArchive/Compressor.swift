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
/// At most one block for each thread, and one more, are in memory, before and after. Not to be shared between threads.
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
    /// The one that is being filled.
    private var block: BlockWorkspace?
    /// What is being compressed, the first first.
    private var running: [Running] = []
    /// Those that have been written, for those that come: new ones would be cleared by the kernel, page by page.
    private var free: [BlockWorkspace] = []
    private var checksum = BlockChecksum()

    private enum Running {
        case thread(Companion<BlockWorkspace>)
        case done(BlockWorkspace)
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
    }

    /// Takes bytes. What they become is written once a block is full, or at the end.
    public func write(_ bytes: borrowing RawSpan) throws(ByteSinkError) {
        guard let codec else { return try sink.write(bytes) }
        var offset = 0
        while offset < bytes.byteCount {
            let block = block ?? free.popLast() ?? BlockWorkspace(for: codec, byteCount: Self.blockByteCount)
            self.block = block
            offset += unsafe bytes.withUnsafeBytes { unsafe block.fill(from: UnsafeRawBufferPointer(rebasing: $0[offset...])) }
            if block.isFull { try compressBlock() }
        }
    }

    /// Compresses what is left and ends the stream. Nothing may be written afterwards.
    public func finish() throws(ByteSinkError) {
        guard let codec else { return }
        if block != nil { try compressBlock() }
        while !running.isEmpty { try writeFirst() }
        if checksum.byteCount == 0 { try unsafe sink.write(codec.beginning.span.bytes) }
        let ending = codec.ending(checksum)
        if !ending.isEmpty { try unsafe sink.write(ending.span.bytes) }
    }

    private func compressBlock() throws(ByteSinkError) {
        guard let codec, let full = block.take() else { return }
        if running.count == threadCount { try writeFirst() }
        do throws(Errno) {
            running.append(
                .thread(
                    try Companion {
                        full.compress(codec)
                        return full
                    }))
        } catch {
            // No thread to be had: it is done here.
            full.compress(codec)
            running.append(.done(full))
        }
    }

    private func writeFirst() throws(ByteSinkError) {
        let block: BlockWorkspace
        switch running.removeFirst() {
        case .done(let done): block = done
        case .thread(let companion):
            do throws(Errno) { block = try companion.join() } catch {
                throw ByteSinkError(.storage, "cannot compress: \(error)", underlying: error)
            }
        }
        guard let compressed = block.compressed else { throw ByteSinkError(.storage, "there is no memory to compress") }
        if checksum.byteCount == 0, let codec, !codec.beginning.isEmpty { try unsafe sink.write(codec.beginning.span.bytes) }
        try unsafe sink.write(RawSpan(_unsafeBytes: block.output(compressed.byteCount)))
        checksum.add(compressed.checksum, of: block.byteCount)
        block.empty()
        free.append(block)
    }
}

/// Where a block is before and after it is compressed. It belongs to one thread at a time.
@safe private final class BlockWorkspace: @unchecked Sendable {
    private let before: UnsafeMutableRawBufferPointer
    private let after: UnsafeMutableRawBufferPointer
    private(set) var byteCount = 0
    /// What became of it.
    private(set) var compressed: CompressedBlock?

    init(for codec: any BlockCodec, byteCount: Int) {
        unsafe before = .allocate(byteCount: byteCount, alignment: 4096)
        unsafe after = .allocate(byteCount: codec.bound(of: byteCount), alignment: 4096)
    }

    deinit {
        unsafe before.deallocate()
        unsafe after.deallocate()
    }

    var isFull: Bool { unsafe byteCount == before.count }

    /// - Returns: how many of the bytes it had room for.
    func fill(from bytes: UnsafeRawBufferPointer) -> Int {
        let count = unsafe min(bytes.count, before.count - byteCount)
        unsafe UnsafeMutableRawBufferPointer(rebasing: before[byteCount...]).copyMemory(
            from: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
        byteCount += count
        return count
    }

    func compress(_ codec: any BlockCodec) {
        compressed = unsafe codec.compress(UnsafeRawBufferPointer(rebasing: before[..<byteCount]), into: after)
    }

    func output(_ count: Int) -> UnsafeRawBufferPointer { unsafe UnsafeRawBufferPointer(rebasing: after[..<count]) }

    func empty() { (byteCount, compressed) = (0, nil) }
}
