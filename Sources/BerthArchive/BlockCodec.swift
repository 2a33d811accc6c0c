internal import BerthTar
internal import CISAL
internal import CZlib
internal import CZstd

/// A block that was compressed on its own.
struct CompressedBlock: Sendable {
    var bytes: [UInt8]
    /// Of the block before it was compressed.
    var checksum: UInt
    var byteCount: Int
}

/// What the blocks so far had in them.
struct BlockChecksum {
    private(set) var value: UInt = 0
    private(set) var byteCount: UInt64 = 0

    mutating func add(_ block: CompressedBlock) {
        value = crc32_combine(value, block.checksum, block.byteCount)
        byteCount += UInt64(block.byteCount)
    }
}

/// A way of compressing blocks that are then written one after the other.
protocol BlockCodec: Sendable {
    /// What comes before the first block.
    var beginning: [UInt8] { get }
    func compress(_ block: [UInt8]) -> Result<CompressedBlock, ByteSinkError>
    /// What comes after the last.
    func ending(_ all: BlockChecksum) -> [UInt8]
}

private let outOfMemory = ByteSinkError(.storage, "there is no memory to compress")

/// One gzip member (RFC 1952) of deflate blocks (RFC 1951), each part ending on a byte and referring to nothing before it.
protocol GzipBlockCodec: BlockCodec {
    /// How hard it is tried, as zlib counts it.
    var level: Int32 { get }
}

extension GzipBlockCodec {
    /// No flags, no time; how hard it was tried; an unknown system.
    var beginning: [UInt8] { [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, level == 1 ? 4 : level == 9 ? 2 : 0, 255] }

    /// A last deflate block without anything, the checksum and the size.
    func ending(_ all: BlockChecksum) -> [UInt8] {
        let (crc, size) = (UInt32(truncatingIfNeeded: all.value), UInt32(truncatingIfNeeded: all.byteCount))
        return [3, 0] + [crc, size].flatMap { number in (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) } }
    }
}

/// gzip by ISA-L, five times as fast as zlib's fastest. Its level 1 gives the same bytes on every x86-64 processor that has SSE 4.2, whichever further
/// instructions it has; its level 3 does not.
struct FastGzipCodec: GzipBlockCodec {
    var level: Int32 { 1 }

    func compress(_ block: [UInt8]) -> Result<CompressedBlock, ByteSinkError> {
        let capacity = berth_isal_bound(UInt32(block.count))
        var checksum: UInt32 = 0
        let bytes = unsafe block.withUnsafeBufferPointer { input in
            unsafe [UInt8](unsafeUninitializedCapacity: Int(capacity)) { output, count in
                guard let start = input.baseAddress, let target = output.baseAddress else { return }
                checksum = unsafe berth_isal_checksum(start, UInt64(input.count))
                count = Int(unsafe berth_isal_deflate(start, UInt32(input.count), target, capacity))
            }
        }
        guard !bytes.isEmpty else { return .failure(outOfMemory) }
        return .success(CompressedBlock(bytes: bytes, checksum: UInt(checksum), byteCount: block.count))
    }
}

/// gzip by zlib, as hard as is asked for.
struct GzipCodec: GzipBlockCodec {
    let level: Int32

    func compress(_ block: [UInt8]) -> Result<CompressedBlock, ByteSinkError> {
        var stream = unsafe z_stream()
        guard
            unsafe deflateInit2_(
                &stream, level, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
        else { return .failure(outOfMemory) }
        defer { unsafe deflateEnd(&stream) }
        // The bound is for a stream that ends; one that is flushed instead has five bytes more at most.
        let capacity = Int(unsafe deflateBound(&stream, UInt(block.count))) + 16
        var input = block
        var checksum: UInt = 0
        let bytes = unsafe input.withUnsafeMutableBytes { input in
            unsafe [UInt8](unsafeUninitializedCapacity: capacity) { output, count in
                let start = unsafe input.baseAddress?.assumingMemoryBound(to: UInt8.self)
                checksum = unsafe crc32(0, start, UInt32(input.count))
                unsafe stream.next_in = start
                unsafe stream.avail_in = UInt32(input.count)
                unsafe stream.next_out = output.baseAddress
                unsafe stream.avail_out = UInt32(capacity)
                _ = unsafe deflate(&stream, Z_SYNC_FLUSH)
                count = unsafe capacity - Int(stream.avail_out)
            }
        }
        guard unsafe stream.avail_in == 0, bytes.count < capacity else { return .failure(outOfMemory) }
        return .success(CompressedBlock(bytes: bytes, checksum: checksum, byteCount: block.count))
    }
}

/// A zstd frame (RFC 8878) for each block, with its size and a checksum.
struct ZstdCodec: BlockCodec {
    let level: Int32

    var beginning: [UInt8] { [] }

    func compress(_ block: [UInt8]) -> Result<CompressedBlock, ByteSinkError> {
        guard let context = unsafe ZSTD_createCCtx() else { return .failure(outOfMemory) }
        defer { unsafe ZSTD_freeCCtx(context) }
        unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)
        unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
        let capacity = ZSTD_compressBound(block.count)
        var failed = false
        let bytes = unsafe block.withUnsafeBytes { input in
            unsafe [UInt8](unsafeUninitializedCapacity: capacity) { output, count in
                let result = unsafe ZSTD_compress2(context, output.baseAddress, capacity, input.baseAddress, input.count)
                failed = ZSTD_isError(result) != 0
                count = failed ? 0 : result
            }
        }
        return failed ? .failure(outOfMemory) : .success(CompressedBlock(bytes: bytes, checksum: 0, byteCount: block.count))
    }

    /// Nothing at all would be no stream: an empty one is a frame without anything in it.
    func ending(_ all: BlockChecksum) -> [UInt8] {
        guard all.byteCount == 0, case .success(let empty) = compress([]) else { return [] }
        return empty.bytes
    }
}
