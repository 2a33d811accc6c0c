public import BerthArchive
public import BerthContent
public import BerthLinux
public import BerthOCI
public import BerthSnapshots
internal import BerthTar

/// A layer that has come in.
public struct ImportedLayer: Hashable, Sendable {
    /// The archive, as it arrived.
    public let blob: Descriptor
    /// The digest of its uncompressed tar.
    public let diffID: Digest
    /// The chain of layers up to it.
    public let name: LayerName
    /// How many bytes its files have.
    public let unpackedByteCount: UInt64
}

/// Takes layers in: blobs and unpacked, in one pass over their bytes.
///
/// All calls block: they belong in a lane.
public final class LayerStore: Sendable {
    private let content: ContentStore
    private let snapshots: any Snapshotter
    private let limits: ArchiveLimits

    /// Layers of these stores.
    public init(content: ContentStore, snapshots: any Snapshotter, limits: ArchiveLimits = ArchiveLimits()) {
        (self.content, self.snapshots, self.limits) = (content, snapshots, limits)
    }

    /// Reads a tar, plain or compressed, to its end: hashes it, keeps it as it arrived, decompresses it, hashes that, and unpacks it on another layer.
    ///
    /// Whole or absent: when this throws, there is no layer that was not there before, and at most a blob that nobody names, which goes when the
    /// engine opens its images. Taking the same bytes in again is fine.
    /// - Parameters:
    ///   - source: where the bytes come from; read from where it is.
    ///   - parent: the layer below; `nil` for the lowest.
    ///   - progress: told now and then how many bytes have arrived. What it throws ends the import.
    ///   - arrived: told once the blob is kept and before the layer is: what is to go if what follows fails.
    /// - Throws: `invalid`, `tooLarge`, `unsupported`, `storage`, and what `progress` throws.
    public func importLayer(
        from source: consuming OwnedDescriptor, on parent: LayerName?, progress: (UInt64) throws(LayerError) -> Void,
        arrived: (_ blob: Digest, _ layer: LayerName) -> Void = { _, _ in }
    ) throws(LayerError) -> ImportedLayer {
        let prepared: PreparedLayer
        do throws(SnapshotError) { prepared = try snapshots.prepareLayer(on: parent) } catch { throw LayerError(error) }
        do throws(LayerError) {
            let arrival = try unpack(DescriptorSource(source), into: prepared, progress: progress)
            let name = LayerName(chainID: Self.chainID(of: arrival.diffID, on: parent))
            arrived(arrival.blob.digest, name)
            do throws(SnapshotError) {
                try snapshots.commit(
                    prepared, as: LayerInformation(name: name, diffID: arrival.diffID, parent: parent, byteCount: arrival.unpackedByteCount)
                )
            } catch { throw LayerError(error) }
            return ImportedLayer(blob: arrival.blob, diffID: arrival.diffID, name: name, unpackedByteCount: arrival.unpackedByteCount)
        } catch {
            snapshots.discard(prepared)
            throw error
        }
    }

    /// Removes a layer that nothing lies on. One that is not there is removed already.
    public func removeLayer(_ name: LayerName) throws(LayerError) {
        do throws(SnapshotError) { try snapshots.removeLayer(name) } catch { throw LayerError(error) }
    }

    /// The name of a chain (OCI image specification, *Image Configuration*, "Layer ChainID").
    public static func chainID(of diffID: Digest, on parent: LayerName?) -> Digest {
        guard let parent else { return diffID }
        return Digest(of: Array("\(parent.chainID) \(diffID)".utf8))
    }

    private struct Arrival {
        var blob: Descriptor
        var diffID: Digest
        var unpackedByteCount: UInt64
    }

    private func unpack(
        _ source: DescriptorSource, into prepared: PreparedLayer, progress: (UInt64) throws(LayerError) -> Void
    ) throws(LayerError) -> Arrival {
        try withoutActuallyEscaping(progress) { (progress) throws(LayerError) in
            let arriving: ArrivingSource
            let directory: Directory
            do throws(ContentError) { arriving = ArrivingSource(source, try content.makeIngest(), progress) } catch {
                throw LayerError(error)
            }
            do throws(SnapshotError) { directory = try prepared.open() } catch { throw LayerError(error) }
            let plain = HashedSource(Decompressor(arriving, limits: limits))
            let rules = LayerRules(style: snapshots.whiteouts)
            let extractor = TreeExtractor(
                into: directory, maximumEntryCount: limits.entryCount,
                screen: { (entry, path) throws(TarError) in try rules.isAllowed(entry, at: path) },
                filter: { (entry, path, parent) throws(TarError) in try rules.isToBeUnpacked(entry, at: path, in: parent) })
            do throws(TarError) {
                let reader = TarReader(plain)
                try extractor.extractAll(reader)
                try reader.drain()
            } catch {
                throw arriving.refusal ?? LayerError(error)
            }
            do throws(ContentError) {
                let (digest, byteCount) = try arriving.commit()
                let isPlain = plain.compression == Compression.none
                let mediaType: MediaType = isPlain ? .layer : plain.compression == .zstd ? .layerZstd : .layerGzip
                return Arrival(
                    blob: Descriptor(mediaType: mediaType, digest: digest, byteCount: byteCount), diffID: plain.digest ?? digest,
                    unpackedByteCount: extractor.byteCount)
            } catch { throw LayerError(error) }
        }
    }
}
