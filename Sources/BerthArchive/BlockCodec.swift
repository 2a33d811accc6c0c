internal import BerthTar
internal import CISAL
internal import CZlib
internal import CZstd

/// A block that was compressed on its own.
struct CompressedBlock {
    /// How many bytes it has become.
    var byteCount: Int
    /// Of the block before it was compressed, where the format has one.
    var checksum: UInt
}

/// What the blocks so far had in them.
struct BlockChecksum {
    private(set) var value: UInt = 0
    private(set) var byteCount: UInt64 = 0

    mutating func add(_ checksum: UInt, of byteCount: Int) {
        value = crc32_combine(value, checksum, byteCount)
        self.byteCount += UInt64(byteCount)
    }
}

/// A way of compressing blocks that are then written one after the other.
protocol BlockCodec: Sendable {
    /// What comes before the first block.
    var beginning: [UInt8] { get }
    /// The most that so many bytes become.
    func bound(of byteCount: Int) -> Int
    /// Compresses a block into one of that many bytes or more; `nil` without memory.
    func compress(_ block: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) -> CompressedBlock?
    /// What comes after the last.
    func ending(_ all: BlockChecksum) -> [UInt8]
}

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

    func bound(of byteCount: Int) -> Int { Int(berth_isal_bound(UInt32(byteCount))) }

    func compress(_ block: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) -> CompressedBlock? {
        guard let start = unsafe block.bindMemory(to: UInt8.self).baseAddress,
            let output = unsafe target.bindMemory(to: UInt8.self).baseAddress
        else { return nil }
        let checksum = unsafe berth_isal_checksum(start, UInt64(block.count))
        let count = Int(unsafe berth_isal_deflate(start, UInt32(block.count), output, UInt32(target.count)))
        return count == 0 ? nil : CompressedBlock(byteCount: count, checksum: UInt(checksum))
    }
}

/// gzip by zlib, as hard as is asked for.
struct GzipCodec: GzipBlockCodec {
    let level: Int32

    /// zlib's own is for a stream that ends; one that is flushed instead has five bytes more at most.
    func bound(of byteCount: Int) -> Int { Int(compressBound(UInt(byteCount))) + 16 }

    func compress(_ block: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) -> CompressedBlock? {
        var stream = unsafe z_stream()
        guard
            unsafe deflateInit2_(
                &stream, level, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
        else { return nil }
        defer { unsafe deflateEnd(&stream) }
        let start = unsafe UnsafeMutablePointer(mutating: block.bindMemory(to: UInt8.self).baseAddress)
        let checksum = unsafe crc32(0, start, UInt32(block.count))
        unsafe stream.next_in = start
        unsafe stream.avail_in = UInt32(block.count)
        unsafe stream.next_out = target.bindMemory(to: UInt8.self).baseAddress
        unsafe stream.avail_out = UInt32(target.count)
        _ = unsafe deflate(&stream, Z_SYNC_FLUSH)
        guard unsafe stream.avail_in == 0, unsafe stream.avail_out > 0 else { return nil }
        return CompressedBlock(byteCount: unsafe target.count - Int(stream.avail_out), checksum: checksum)
    }
}

/// A zstd frame (RFC 8878) for each block, with its size and a checksum.
struct ZstdCodec: BlockCodec {
    let level: Int32

    var beginning: [UInt8] { [] }

    func bound(of byteCount: Int) -> Int { ZSTD_compressBound(byteCount) }

    func compress(_ block: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) -> CompressedBlock? {
        guard let context = unsafe ZSTD_createCCtx() else { return nil }
        defer { unsafe ZSTD_freeCCtx(context) }
        unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)
        unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
        let result = unsafe ZSTD_compress2(context, target.baseAddress, target.count, block.baseAddress, block.count)
        return ZSTD_isError(result) != 0 ? nil : CompressedBlock(byteCount: result, checksum: 0)
    }

    /// Nothing at all would be no stream: an empty one is a frame without anything in it.
    func ending(_ all: BlockChecksum) -> [UInt8] {
        guard all.byteCount == 0 else { return [] }
        return unsafe [UInt8](unsafeUninitializedCapacity: bound(of: 0)) { target, count in
            let nothing = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
            count = unsafe compress(nothing, into: UnsafeMutableRawBufferPointer(target))?.byteCount ?? 0
        }
    }
}
