internal import BerthArchive
internal import BerthContent
internal import BerthLinux
internal import BerthOCI
internal import BerthTar
internal import Synchronization

/// Bytes as they arrive: each goes into the content store before anybody else sees it.
final class ArrivingSource: ByteSource {
    private let source: any ByteSource
    private let ingest: Mutex<Ingest?>
    private let progress: (UInt64) throws(LayerError) -> Void
    private var byteCount: UInt64 = 0
    private var toldAt: UInt64 = 0
    /// What `progress` threw.
    private(set) var refusal: LayerError?

    init(_ source: any ByteSource, _ ingest: consuming Ingest, _ progress: @escaping (UInt64) throws(LayerError) -> Void) {
        self.source = source
        self.ingest = Mutex(consume ingest)
        self.progress = progress
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ByteSourceError) -> Int {
        let count = try unsafe source.read(into: buffer)
        guard count > 0 else { return 0 }
        do throws(ContentError) {
            let bytes = unsafe UnsafeRawBufferPointer(rebasing: buffer[..<count])
            try ingest.withLock { (ingest) throws(ContentError) in try unsafe ingest?.write(RawSpan(_unsafeBytes: bytes)) }
        } catch {
            throw ByteSourceError(.storage, error.description, underlying: error.underlying)
        }
        byteCount += UInt64(count)
        if byteCount - toldAt >= 1 << 20 {
            toldAt = byteCount
            do throws(LayerError) { try progress(byteCount) } catch {
                refusal = error
                throw ByteSourceError(.cancelled, error.description)
            }
        }
        return count
    }

    func interrupt() { source.interrupt() }

    /// Says that this was all.
    func end() throws(ContentError) -> PendingBlob {
        guard let blob = ingest.withLock({ $0.take()?.seal() }) else { throw ContentError(.storage, "the archive has been kept already") }
        return blob
    }
}

extension ByteSource {
    /// Reads what is still to come, for what reading does to it.
    func readToEnd() throws(LayerError) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 4096)
        defer { unsafe buffer.deallocate() }
        do throws(ByteSourceError) { while try unsafe read(into: buffer) > 0 {} } catch { throw LayerError(TarError(error)) }
    }
}

/// Bytes after decompression, with their digest. What was not compressed is not hashed twice.
final class HashedSource: ByteSource {
    private let source: Decompressor
    private let hashesPlain: Bool
    private var hasher = DigestHasher()

    /// - Parameter hashesPlain: whether also what was not compressed is hashed: nobody else does.
    init(_ source: Decompressor, hashesPlain: Bool) { (self.source, self.hashesPlain) = (source, hashesPlain) }

    var compression: Compression? { source.compression }
    private var hashes: Bool { hashesPlain || source.compression != Compression.none }
    /// `nil` where it is that of the bytes as they arrived.
    var digest: Digest? { hashes ? hasher.digest() : nil }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ByteSourceError) -> Int {
        let count = try unsafe source.read(into: buffer)
        if count > 0, hashes { unsafe hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
        return count
    }

    func interrupt() { source.interrupt() }
}
