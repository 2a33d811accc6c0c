internal import BerthArchive
internal import BerthContent
internal import BerthLinux
internal import BerthOCI
internal import BerthTar

/// Bytes as they arrive: each goes into the content store before anybody else sees it.
final class ArrivingSource: ByteSource {
    private let source: any ByteSource
    private var ingest: IngestHolder
    private let progress: (UInt64) throws(LayerError) -> Void
    private var byteCount: UInt64 = 0
    private var toldAt: UInt64 = 0
    /// What `progress` threw.
    private(set) var refusal: LayerError?

    private final class IngestHolder {
        var value: Ingest?
        init(_ value: consuming Ingest) { self.value = consume value }
    }

    init(_ source: any ByteSource, _ ingest: consuming Ingest, _ progress: @escaping (UInt64) throws(LayerError) -> Void) {
        self.source = source
        self.ingest = IngestHolder(ingest)
        self.progress = progress
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ByteSourceError) -> Int {
        let count = try unsafe source.read(into: buffer)
        guard count > 0 else { return 0 }
        do throws(ContentError) {
            try unsafe ingest.value?.write(RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: buffer[..<count])))
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

    func commit() throws(ContentError) -> (digest: Digest, byteCount: UInt64) {
        guard let ingest = ingest.value.take() else { throw ContentError(.storage, "the archive has been kept already") }
        return try ingest.commit(expecting: nil)
    }
}

/// Bytes after decompression, with their digest. What was not compressed is not hashed twice.
final class HashedSource: ByteSource {
    private let source: Decompressor
    private var hasher = DigestHasher()

    init(_ source: Decompressor) { self.source = source }

    var compression: Compression? { source.compression }
    /// `nil` where it is that of the bytes as they arrived.
    var digest: Digest? { source.compression == Compression.none ? nil : hasher.digest() }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ByteSourceError) -> Int {
        let count = try unsafe source.read(into: buffer)
        if count > 0, source.compression != Compression.none { unsafe hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
        return count
    }
}
