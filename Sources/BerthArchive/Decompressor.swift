public import BerthTar
internal import CZlib
internal import CZstd

/// How bytes are compressed.
public enum Compression: Hashable, Sendable {
    /// Not at all.
    case none
    /// RFC 1952.
    case gzip
    /// RFC 8878.
    case zstd
    /// In another way, by its name: `xz`, `bzip2`, `lz4`, `lzip`, `lzma`, `compress`.
    case other(String)

    /// How many first bytes say it.
    static let telltaleByteCount = 262

    /// What the first bytes say. What says nothing is not compressed.
    public static func of(_ bytes: [UInt8]) -> Compression {
        // A tar begins with a name, which may look like anything.
        if bytes.count >= 262, bytes[257..<262].elementsEqual("ustar".utf8) { return .none }
        if bytes.starts(with: [0x1f, 0x8b]) { return .gzip }
        if bytes.starts(with: [0x28, 0xb5, 0x2f, 0xfd]) { return .zstd }
        // zstd's skippable frames come before what they skip.
        if bytes.count >= 4, (0x50...0x5f).contains(bytes[0]), bytes[1...3].elementsEqual([0x2a, 0x4d, 0x18]) { return .zstd }
        let others: [(name: String, magic: [UInt8])] = [
            ("bzip2", Array("BZh".utf8)), ("xz", [0xfd, 0x37, 0x7a, 0x58]), ("lz4", [0x04, 0x22, 0x4d, 0x18]),
            ("lz4", [0x02, 0x21, 0x4c, 0x18]), ("lzip", Array("LZIP".utf8)), ("lzma", [0x5d, 0, 0]), ("compress", [0x1f, 0x9d]),
        ]
        for other in others where bytes.starts(with: other.magic) { return .other(other.name) }
        return .none
    }
}

/// Gives what a source's bytes were before they were compressed. Which way is found out from the first of them.
///
/// Several members one after the other, as gzip and zstd allow, are one stream.
public final class Decompressor: ByteSource {
    private let source: any ByteSource
    private let limits: ArchiveLimits
    private var inflater: (any Inflater)?
    private var filter: LibraryFilter?
    private var input: [UInt8]
    private var filled = 0..<0
    private var hasEnded = false
    private var isMemberOpen = false
    private var readByteCount: UInt64 = 0
    private var unpackedByteCount: UInt64 = 0

    /// How the source is compressed; known once something was read.
    public private(set) var compression: Compression?

    /// Decompresses a source.
    public init(_ source: any ByteSource, limits: ArchiveLimits = ArchiveLimits()) {
        (self.source, self.limits) = (source, limits)
        input = [UInt8](repeating: 0, count: 256 << 10)
    }

    /// Reads.
    ///
    /// - Throws: `corrupt` for a stream that is damaged or cut off, `tooLarge` beyond the limits.
    public func read(into buffer: UnsafeMutableRawBufferPointer) throws(ByteSourceError) -> Int {
        if compression == nil { try begin() }
        let count = try unsafe decompress(into: buffer)
        unpackedByteCount += UInt64(count)
        guard unpackedByteCount <= limits.unpackedByteCount else {
            throw ByteSourceError(
                .tooLarge, "the archive has more than \(limits.unpackedByteCount) bytes when it is decompressed, the limit that is set")
        }
        if compression != Compression.none, unpackedByteCount > ArchiveLimits.ratioFreeByteCount,
            unpackedByteCount / max(1, readByteCount) > limits.ratio
        {
            throw ByteSourceError(
                .tooLarge,
                "the archive becomes more than \(limits.ratio) times larger when it is decompressed, the limit that is set: it looks like a bomb"
            )
        }
        return count
    }

    /// Interrupts the source.
    public func interrupt() { source.interrupt() }

    private func begin() throws(ByteSourceError) {
        // A pipe may give the first bytes one by one.
        while filled.count < Compression.telltaleByteCount {
            let count = try fill(from: filled.upperBound)
            if count == 0 { break }
        }
        let found = Compression.of(Array(input[filled.prefix(Compression.telltaleByteCount)]))
        compression = found
        switch found {
        case .none: break
        case .gzip: inflater = FastGzipInflater.isAvailable ? try FastGzipInflater() : try GzipInflater()
        case .zstd: inflater = try ZstdInflater()
        case .other: filter = try LibraryFilter(Compressed(self))
        }
    }

    private func fill(from start: Int) throws(ByteSourceError) -> Int {
        var failure: ByteSourceError?
        let count = unsafe input.withUnsafeMutableBytes { bytes -> Int in
            do throws(ByteSourceError) {
                return try unsafe source.read(into: UnsafeMutableRawBufferPointer(rebasing: bytes[start...]))
            } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw failure }
        filled = filled.lowerBound..<start + count
        readByteCount += UInt64(count)
        return count
    }

    /// What the source gives, for a filter that reads by itself.
    private final class Compressed: ByteSource {
        private unowned let owner: Decompressor
        init(_ owner: Decompressor) { self.owner = owner }
        func read(into buffer: UnsafeMutableRawBufferPointer) throws(ByteSourceError) -> Int {
            let count = try unsafe owner.pass(into: buffer)
            owner.readByteCount += UInt64(count)
            return count
        }
    }

    /// Gives what there is as it is: first what was read to find out what it is.
    private func pass(into buffer: UnsafeMutableRawBufferPointer) throws(ByteSourceError) -> Int {
        guard !filled.isEmpty else { return try unsafe source.read(into: buffer) }
        let count = min(filled.count, buffer.count)
        unsafe input.withUnsafeBytes {
            unsafe buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[filled.lowerBound..<filled.lowerBound + count]))
        }
        filled = filled.lowerBound + count..<filled.upperBound
        return count
    }

    private func decompress(into buffer: UnsafeMutableRawBufferPointer) throws(ByteSourceError) -> Int {
        if let filter { return try unsafe filter.read(into: buffer) }
        guard let inflater else { return try unsafe pass(into: buffer) }
        while !hasEnded {
            if filled.isEmpty {
                filled = 0..<0
                if try fill(from: 0) == 0 {
                    guard !isMemberOpen else {
                        throw ByteSourceError(.corrupt, "the archive is cut off: its compressed stream does not end")
                    }
                    hasEnded = true
                    break
                }
            }
            let range = filled
            let step = try unsafe input.withUnsafeBytes { bytes in
                unsafe inflater.step(UnsafeRawBufferPointer(rebasing: bytes[range]), buffer)
            }.get()
            filled = range.lowerBound + step.consumed..<range.upperBound
            switch step.state {
            case .inside: isMemberOpen = true
            case .betweenMembers: isMemberOpen = false
            case .afterLast:
                // What follows the last member is padding, and read so that a digest of the source covers it.
                isMemberOpen = false
                filled = 0..<0
                while try fill(from: 0) > 0 { filled = 0..<0 }
                hasEnded = true
            }
            if step.produced > 0 { return step.produced }
        }
        return 0
    }
}

/// What a step of decompression did.
struct InflateStep {
    enum State { case inside, betweenMembers, afterLast }
    var consumed: Int
    var produced: Int
    var state: State
}

/// One way of decompressing.
protocol Inflater: AnyObject {
    func step(_ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer) -> Result<InflateStep, ByteSourceError>
}

/// gzip, by zlib.
@safe final class GzipInflater: Inflater {
    private let stream: UnsafeMutablePointer<z_stream>
    private var hasEnded = false

    init() throws(ByteSourceError) {
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        // 16 says that there is a gzip header, and that its checksum is compared.
        guard unsafe inflateInit2_(stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            unsafe stream.deallocate()
            throw ByteSourceError(.storage, "there is no memory to decompress the archive")
        }
    }

    deinit {
        unsafe inflateEnd(stream)
        unsafe stream.deallocate()
    }

    func step(_ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer) -> Result<InflateStep, ByteSourceError> {
        if hasEnded {
            // Another member, or padding.
            guard unsafe input.first == 0x1f else { return .success(InflateStep(consumed: input.count, produced: 0, state: .afterLast)) }
            unsafe inflateReset(stream)
            hasEnded = false
        }
        unsafe stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress!.assumingMemoryBound(to: UInt8.self))
        unsafe stream.pointee.avail_in = UInt32(input.count)
        unsafe stream.pointee.next_out = output.baseAddress!.assumingMemoryBound(to: UInt8.self)
        unsafe stream.pointee.avail_out = UInt32(output.count)
        let result = unsafe inflate(stream, Z_NO_FLUSH)
        let step = unsafe InflateStep(
            consumed: input.count - Int(stream.pointee.avail_in), produced: output.count - Int(stream.pointee.avail_out), state: .inside)
        switch result {
        // The second: nothing could be done without more input.
        case Z_OK, Z_BUF_ERROR: return .success(step)
        case Z_STREAM_END:
            hasEnded = true
            return .success(InflateStep(consumed: step.consumed, produced: step.produced, state: .betweenMembers))
        case Z_MEM_ERROR: return .failure(ByteSourceError(.storage, "there is no memory to decompress the archive"))
        default:
            // zlib has one code for all kinds of damage, and words for each.
            let words = unsafe stream.pointee.msg.map { unsafe String(cString: $0) } ?? ""
            return .failure(Self.damaged(inItsChecksum: ["incorrect data check", "incorrect length check"].contains(words)))
        }
    }

    static func damaged(inItsChecksum: Bool) -> ByteSourceError {
        ByteSourceError(
            .corrupt,
            "the archive's gzip stream is damaged" + (inItsChecksum ? ": its checksum, or its length, is that of other bytes" : ""))
    }
}

/// zstd, by its own library.
@safe final class ZstdInflater: Inflater {
    private let stream: OpaquePointer
    /// The most that a frame may ask to remember: 128 MiB, what zstd itself allows without being asked.
    private static let maximumWindowLog: Int32 = 27

    init() throws(ByteSourceError) {
        guard let stream = unsafe ZSTD_createDStream() else {
            throw ByteSourceError(.storage, "there is no memory to decompress the archive")
        }
        unsafe self.stream = stream
        unsafe ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, Self.maximumWindowLog)
    }

    deinit { unsafe ZSTD_freeDStream(stream) }

    func step(_ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer) -> Result<InflateStep, ByteSourceError> {
        var from = unsafe ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        var to = unsafe ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
        let result = unsafe ZSTD_decompressStream(stream, &to, &from)
        guard ZSTD_isError(result) == 0 else {
            let reason = unsafe String(cString: ZSTD_getErrorName(result))
            return .failure(ByteSourceError(.corrupt, "the archive's zstd stream is damaged: \(reason)"))
        }
        return .success(unsafe InflateStep(consumed: from.pos, produced: to.pos, state: result == 0 ? .betweenMembers : .inside))
    }
}
