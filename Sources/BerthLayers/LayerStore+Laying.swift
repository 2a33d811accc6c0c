public import BerthArchive
public import BerthContent
public import BerthOCI
public import BerthSnapshots

extension LayerStore {
    /// Lays layers on another, one on the other, and keeps their blobs. All that one call brings is synced at once.
    ///
    /// Whole or absent, each of them; when this throws, some of the lower ones may be there, and blobs, which only the lease holds.
    /// - Parameters:
    ///   - layers: the lowest first, each with the digest that its uncompressed tar must have; `nil` for whatever it has.
    ///   - parent: the layer below the first; `nil` if that is the lowest.
    ///   - lease: holds the blobs and the layers from before they have their names, and the layer below.
    /// - Throws: `invalid` for a tar that has another digest, and what unpacking throws where that has not been done yet.
    public func commit(
        _ layers: [(layer: UnpackedLayer, diffID: Digest?)], on parent: LayerName?, for lease: Lease
    ) throws(LayerError) -> [ImportedLayer] {
        if let parent { lease.hold(parent) }
        var batch = Batch(below: parent)
        do throws(LayerError) {
            for (layer, expected) in layers {
                try add(layer, expecting: expected, to: &batch, lease)
                // Where a layer has in it what it lies on, that has to be there before the next is unpacked.
                if !snapshots.keepsLayersApart { try lay(&batch) }
            }
            try lay(&batch)
        } catch {
            // From the top: a document that comes back would lie on nothing.
            for (prepared, information) in batch.waiting.reversed() where snapshots.layers()[information.name] == nil {
                snapshots.discard(prepared)
            }
            throw error
        }
        let arrived = layers.compactMap { if case .pending(let blob) = $0.layer.bytes { blob } else { nil } }
        do throws(ContentError) { try content.commit(arrived) } catch { throw LayerError(error) }
        return batch.imported
    }

    private struct Batch {
        var below: LayerName?
        var waiting: [(prepared: PreparedLayer, information: LayerInformation)] = []
        var imported: [ImportedLayer] = []
    }

    private func add(
        _ layer: UnpackedLayer, expecting expected: Digest?, to batch: inout Batch, _ lease: Lease
    ) throws(LayerError) {
        // What is there already is not unpacked again: its digest was compared when it was.
        if let expected, let known = self.layer(LayerName(chainID: Self.chainID(of: expected, on: batch.below)), for: lease) {
            return append(layer, try compression(of: layer), known.diffID, known.byteCount, nil, to: &batch, lease)
        }
        // Its files may be another layer's by now; or they could not be unpacked before what they lie on was there.
        var files = layer.takeFiles()
        if files == nil {
            files = try unpack(
                try source(of: layer), on: snapshots.keepsLayersApart ? nil : batch.below, hashesPlain: true, layer.absoluteNames)
        }
        guard let files else { preconditionFailure("what was not unpacked is now") }
        let diffID = files.diffID ?? layer.digest
        if let expected, expected != diffID {
            snapshots.discard(files.prepared)
            throw LayerError(
                .invalid,
                "the layer \(layer.digest) is damaged, or another image's: its tar has the digest \(diffID), and the image says \(expected)"
            )
        }
        append(layer, files.compression, diffID, files.byteCount, files.prepared, to: &batch, lease)
    }

    private func append(
        _ layer: UnpackedLayer, _ compression: Compression, _ diffID: Digest, _ byteCount: UInt64, _ prepared: PreparedLayer?,
        to batch: inout Batch, _ lease: Lease
    ) {
        let name = LayerName(chainID: Self.chainID(of: diffID, on: batch.below))
        lease.hold(.blob(layer.digest))
        lease.hold(name)
        if let prepared {
            batch.waiting.append((prepared, LayerInformation(name: name, diffID: diffID, parent: batch.below, byteCount: byteCount)))
        }
        let blob = Descriptor(mediaType: Self.mediaType(of: compression), digest: layer.digest, byteCount: layer.byteCount)
        batch.imported.append(ImportedLayer(blob: blob, diffID: diffID, name: name, unpackedByteCount: byteCount))
        batch.below = name
    }

    /// What a layer is that is compressed in this way.
    public static func mediaType(of compression: Compression) -> MediaType {
        switch compression {
        case .none: .layer
        case .gzip: .layerGzip
        case .zstd: .layerZstd
        // The specification has no word for these; theirs is the one that everybody would make.
        case .other(let name): MediaType(rawValue: "\(MediaType.layer)+\(name)")
        }
    }

    private func lay(_ batch: inout Batch) throws(LayerError) {
        guard !batch.waiting.isEmpty else { return }
        do throws(SnapshotError) { try snapshots.commit(batch.waiting) } catch { throw LayerError(error) }
        batch.waiting = []
    }
}
