internal import BerthArchive
internal import BerthContent
internal import BerthLinux
public import BerthTar

extension LayerStore {
    /// What a source gives as a tar, whatever kind of archive it is, in whatever way it is compressed.
    ///
    /// A tar that is plain, or compressed as layers are, passes as it is. One that is compressed otherwise comes decompressed: no other tool takes such a
    /// layer. What is no tar is kept in a file, of which nothing is left afterwards, and converted.
    /// - Throws: `storage`; what is wrong with the archive is thrown when it is read.
    public func tar(from source: any ByteSource) throws(LayerError) -> any ByteSource { try opened(source).tar }

    /// The same, with whether it comes compressed.
    func opened(_ source: any ByteSource) throws(LayerError) -> (tar: any ByteSource, isCompressed: Bool) {
        let peeked = PeekedSource(source)
        try peek(peeked, Self.peekedByteCount)
        if case .other = Compression.of(peeked.head) {
            let plain = PeekedSource(Decompressor(peeked, limits: limits))
            try peek(plain, ConvertedArchive.telltaleByteCount)
            return (TarReader.isHeader(plain.head) || !ConvertedArchive.isKnown(plain.head) ? plain : try converted(plain), false)
        }
        let head = Self.plain(peeked.head)
        guard !TarReader.isHeader(head), ConvertedArchive.isKnown(head) else { return (peeked, Compression.of(peeked.head) != .none) }
        return (try converted(Decompressor(peeked, limits: limits)), false)
    }

    private func peek(_ source: PeekedSource, _ byteCount: Int) throws(LayerError) {
        do throws(ByteSourceError) { try source.peek(byteCount) } catch { throw LayerError(TarError(error)) }
    }

    /// Enough to see an ISO 9660, also in what hardly compresses.
    private static let peekedByteCount = 64 << 10

    /// The beginning of what some bytes are the beginning of, decompressed.
    private static func plain(_ head: [UInt8]) -> [UInt8] {
        let source = Decompressor(BytesSource(head))
        var plain: [UInt8] = []
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: ConvertedArchive.telltaleByteCount, alignment: 16)
        defer { unsafe buffer.deallocate() }
        while plain.count < ConvertedArchive.telltaleByteCount {
            // It is cut off, which is no fault here.
            guard let count = unsafe try? source.read(into: buffer), count > 0 else { break }
            unsafe plain.append(contentsOf: buffer[..<count])
        }
        return plain
    }

    private func converted(_ source: any ByteSource) throws(LayerError) -> ConvertedArchive {
        let file = try spool(source)
        do throws(ByteSourceError) { return try ConvertedArchive(file, limits: limits) } catch { throw LayerError(TarError(error)) }
    }

    /// What a source gives, in a file that has no name any more, and goes when it is closed.
    private func spool(_ source: any ByteSource) throws(LayerError) -> OwnedDescriptor {
        let kept: ArrivingSource
        // It becomes no blob: nothing has to be held.
        do throws(ContentError) {
            kept = ArrivingSource(source, try content.makeIngest(for: content.leases.begin())) { (_) throws(LayerError) in }
        } catch {
            throw LayerError(error)
        }
        try kept.readToEnd()
        do throws(ContentError) { return try kept.end().open() } catch { throw LayerError(error) }
    }
}

/// A source of which the beginning can be looked at before it is read.
final class PeekedSource: ByteSource {
    private let source: any ByteSource
    /// What has been looked at and not been read.
    private(set) var head: [UInt8] = []
    private var position = 0

    init(_ source: any ByteSource) { self.source = source }

    /// Looks at so many bytes, or at all that there are.
    func peek(_ byteCount: Int) throws(ByteSourceError) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 4096)
        defer { unsafe buffer.deallocate() }
        while head.count < byteCount {
            let count = try unsafe source.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<(byteCount - head.count)]))
            if count == 0 { break }
            unsafe head.append(contentsOf: buffer[..<count])
        }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ByteSourceError) -> Int {
        guard position < head.count else { return try unsafe source.read(into: buffer) }
        let piece = head[position...].prefix(buffer.count)
        unsafe buffer.copyBytes(from: piece)
        position += piece.count
        if position == head.count { (head, position) = ([], 0) }
        return piece.count
    }

    func interrupt() { source.interrupt() }
}

/// Bytes that are there.
final class BytesSource: ByteSource {
    private var rest: ArraySlice<UInt8>
    init(_ bytes: [UInt8]) { rest = bytes[...] }
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ByteSourceError) -> Int {
        let piece = rest.prefix(buffer.count)
        unsafe buffer.copyBytes(from: piece)
        rest = rest.dropFirst(piece.count)
        return piece.count
    }
}
