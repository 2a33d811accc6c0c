internal import BerthArchive
public import BerthContent
public import BerthLinux
internal import BerthOCI
public import BerthSnapshots
public import BerthTar

extension LayerStore {
    /// Reads an archive, of any kind (``tar(from:)``), to its end: hashes it, keeps it, decompresses it, hashes that, and unpacks it on another layer.
    ///
    /// One that is compressed as layers are is kept as it arrived; any other as a layer's tar, compressed by gzip. The same bytes make the same layer.
    /// Whole or absent: when this throws, there is no layer that was not there before, and at most a blob that only the lease holds. Taking the
    /// same bytes in again is fine.
    /// - Parameters:
    ///   - source: where the bytes come from; read from where it is.
    ///   - parent: the layer below; `nil` for the lowest.
    ///   - lease: holds the blob and the layer from before they have their names, and the layer below.
    ///   - interruption: ends the import also while it waits for bytes. `nil`: nothing does.
    ///   - progress: told now and then how many bytes have arrived. What it throws ends the import.
    /// - Throws: `invalid`, `tooLarge`, `unsupported`, `storage`, and what `progress` throws.
    public func importLayer(
        from source: consuming OwnedDescriptor, on parent: LayerName?, for lease: Lease, until interruption: SourceInterruption? = nil,
        progress: (UInt64) throws(LayerError) -> Void
    ) throws(LayerError) -> ImportedLayer {
        let bytes: DescriptorSource
        do throws(ByteSourceError) {
            // Whoever reads ahead of the import interrupts it, too.
            bytes =
                if let interruption { DescriptorSource(source, until: interruption) } else { try DescriptorSource(interruptible: source) }
        } catch {
            throw LayerError(.storage, error.description, underlying: error.underlying)
        }
        let (tar, isCompressed) = try opened(bytes)
        let layer =
            isCompressed
            ? try unpack(from: tar, .refused, for: lease, progress: progress)
            : try unpackCompressing(tar, .refused, for: lease, progress: progress)
        guard let imported = try commit([(layer, nil)], on: parent, for: lease).first else {
            preconditionFailure("of one layer comes one")
        }
        return imported
    }

    /// Takes a plain tar in: what is kept is compressed while it is unpacked. When this throws, nothing is left.
    private func unpackCompressing(
        _ tar: any ByteSource, _ absoluteNames: LayerRules.AbsoluteNames, for lease: Lease, progress: (UInt64) throws(LayerError) -> Void
    ) throws(LayerError) -> UnpackedLayer {
        try withoutActuallyEscaping(progress) { (progress) throws(LayerError) in
            let sink: LayerSink
            do throws(ContentError) { sink = LayerSink(try content.makeIngest(for: lease), progress) } catch { throw LayerError(error) }
            var files: UnpackedLayer.Files?
            do throws(LayerError) {
                let kept = KeptSource(tar, in: sink)
                if snapshots.keepsLayersApart {
                    let ahead = ReadAhead(kept)
                    defer { ahead.stop() }
                    files = try unpack(ahead, on: nil, hashesPlain: false, absoluteNames)
                } else {
                    try kept.readToEnd()
                }
                try sink.finish()
                let (blob, diffID) = try sink.seal()
                files?.compression = .gzip
                files?.diffID = diffID
                return UnpackedLayer(.pending(blob), files, snapshots, absoluteNames)
            } catch {
                if let files { snapshots.discard(files.prepared) }
                throw sink.refusal ?? error
            }
        }
    }
}

/// Bytes of which each goes into a layer's sink before anybody else sees it.
private final class KeptSource: ByteSource {
    private let source: any ByteSource
    private let sink: LayerSink

    init(_ source: any ByteSource, in sink: LayerSink) { (self.source, self.sink) = (source, sink) }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ByteSourceError) -> Int {
        let count = try unsafe source.read(into: buffer)
        guard count > 0 else { return 0 }
        do throws(ByteSinkError) {
            try unsafe sink.write(RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: buffer[..<count])))
        } catch { throw ByteSourceError(error.kind == .cancelled ? .cancelled : .storage, error.description, underlying: error.underlying) }
        return count
    }

    func interrupt() { source.interrupt() }
}
