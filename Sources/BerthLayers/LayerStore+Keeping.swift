internal import BerthArchive
public import BerthContent
internal import BerthLinux
internal import BerthOCI
internal import BerthReactor
internal import BerthSnapshots
public import BerthTar

// Layers that are kept as blobs and unpacked only when an image is made of them.
extension LayerStore {
    /// Reads an archive, of any kind (``tar(from:)``), to its end, and keeps it as it arrived, without unpacking it.
    ///
    /// Whether its entries are what a layer may have is found out when it is unpacked; that it is a tar, and whole, is seen here. When this throws,
    /// nothing is left. The same bytes are the same layer.
    /// - Parameters:
    ///   - lease: holds the blob from before it has its name.
    ///   - progress: told now and then how many bytes have arrived. What it throws ends it.
    /// - Throws: `invalid`, `tooLarge`, `unsupported`, `storage`, and what `progress` throws.
    public func keep(
        from source: any ByteSource, for lease: Lease, progress: (UInt64) throws(LayerError) -> Void = { (_) throws(LayerError) in }
    ) throws(LayerError) -> KeptLayer {
        try withoutActuallyEscaping(progress) { (progress) throws(LayerError) in
            let archive = try tar(from: source)
            let arriving: ArrivingSource
            do throws(ContentError) { arriving = ArrivingSource(archive, try content.makeIngest(for: lease), progress) } catch {
                throw LayerError(error)
            }
            let plain = HashedSource(Decompressor(arriving, limits: limits), hashesPlain: true)
            do throws(TarError) {
                let reader = TarReader(plain)
                while try reader.next() != nil {}
                try reader.drain()
            } catch { throw arriving.refusal ?? LayerError(error) }
            guard let diffID = plain.digest else { preconditionFailure("what is hashed in any case has a digest") }
            do throws(ContentError) {
                let blob = try arriving.end()
                try blob.commit()
                let mediaType = Self.mediaType(of: plain.compression ?? .none)
                return KeptLayer(
                    blob: Descriptor(mediaType: mediaType, digest: blob.digest, byteCount: blob.byteCount), diffID: diffID)
            } catch { throw LayerError(error) }
        }
    }

    /// Keeps what somebody writes as a layer's tar, compressed by gzip. The same tar makes the same layer; when this throws, nothing is left.
    ///
    /// - Parameters:
    ///   - lease: holds the blob from before it has its name.
    ///   - progress: told now and then how many bytes of tar there are. What it throws ends it.
    ///   - write: writes the whole tar.
    /// - Throws: `storage`, what `write` throws, and what `progress` throws.
    public func keep(
        for lease: Lease, progress: @escaping @Sendable (UInt64) throws(LayerError) -> Void,
        writing write: (any ByteSink) throws(LayerError) -> Void
    ) throws(LayerError) -> KeptLayer {
        let sink: LayerSink
        do throws(ContentError) { sink = LayerSink(try content.makeIngest(for: lease), progress) } catch { throw LayerError(error) }
        do throws(LayerError) { try write(sink) } catch { throw sink.refusal ?? error }
        try sink.finish()
        let (blob, diffID) = try sink.commit()
        return KeptLayer(blob: blob, diffID: diffID)
    }

    /// Makes a layer of a directory of the host: with owners, modes, times, attributes, links and devices as there, but for what is said otherwise. Sockets are
    /// left out. The same files, in the same place, make the same layer.
    ///
    /// - Throws: as the other; `invalid` for a name that no layer can have, with its path; `storage` also if there is no such directory.
    public func keep(
        _ directory: PackedDirectory, for lease: Lease, progress: @escaping @Sendable (UInt64) throws(LayerError) -> Void
    ) throws(LayerError) -> KeptLayer {
        let prefix = try directory.prefix()
        return try keep(for: lease, progress: progress) { (sink) throws(LayerError) in
            let root: Directory
            do throws(Errno) { root = try Directory.open(directory.path) } catch {
                throw LayerError(.storage, "cannot open the directory '\(directory.path)': \(error)", underlying: error)
            }
            do throws(TarError) {
                let writer = TarWriter(sink)
                try TreePacker(into: writer) { (entry) throws(TarError) in try directory.decide(&entry, beneath: prefix) }.pack(root)
                try writer.finish()
            } catch { throw LayerError(error) }
        }
    }

    /// Unpacks a layer that is kept, where layers are kept apart: of several, in any order, at the same time. Elsewhere it is unpacked when it is
    /// committed. When this throws, nothing is left.
    ///
    /// - Parameter isWanted: asked now and then whether to go on.
    public func unpack(
        _ layer: KeptLayer, for lease: Lease, while isWanted: @escaping () -> Bool = { true }
    ) throws(LayerError) -> UnpackedLayer {
        let held = try hold(layer.blob.digest, for: lease)
        guard snapshots.keepsLayersApart else { return held }
        let files = try unpack(WantedSource(try source(of: held), isWanted), on: nil, hashesPlain: true, held.absoluteNames)
        return UnpackedLayer(held.bytes, files, snapshots)
    }
}

/// Bytes for as long as somebody wants them.
private final class WantedSource: ByteSource {
    private let source: any ByteSource
    private let isWanted: () -> Bool

    init(_ source: any ByteSource, _ isWanted: @escaping () -> Bool) { (self.source, self.isWanted) = (source, isWanted) }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ByteSourceError) -> Int {
        guard isWanted() else { throw ByteSourceError(.cancelled, "the layer is not wanted any more") }
        return try unsafe source.read(into: buffer)
    }

    func interrupt() { source.interrupt() }
}
