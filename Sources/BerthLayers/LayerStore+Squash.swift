internal import BerthArchive
internal import BerthContent
public import BerthOCI
public import BerthTar

extension LayerStore {
    /// What layers show together, found out from their blobs: nothing is unpacked.
    ///
    /// - Parameters:
    ///   - blobs: the layers, the lowest first.
    ///   - below: what the layers below show; it stays as it is. Default `nil`: there are none.
    ///   - hashesContents: whether files get the digest of their contents.
    ///   - progress: told before each layer how many have been read. What it throws ends the reading.
    /// - Throws: `storage` for a blob that is not there, `invalid` for one that is damaged, `tooLarge`, and what `progress` throws.
    public func tree(
        of blobs: [Descriptor], above below: LayeredTree? = nil, hashesContents: Bool = false,
        progress: (Int) throws(LayerError) -> Void = { _ in }
    ) throws(LayerError) -> LayeredTree {
        let tree = below.map { LayeredTree(copying: $0) } ?? LayeredTree(maximumEntryCount: limits.entryCount)
        for (index, blob) in blobs.enumerated() {
            try progress(index)
            let reader = try reader(of: blob)
            do throws(TarError) { try tree.add(reader, hashesContents: hashesContents) } catch { throw LayerError(error) }
        }
        return tree
    }

    /// Writes one layer that does what several do together, from their blobs: nothing is unpacked, and no file is held in memory.
    ///
    /// The same layers give the same bytes. What no container would see is left out. A file that has lost the name that its data came with has
    /// them under the first of its others.
    /// - Parameters:
    ///   - blobs: the layers, the lowest first.
    ///   - keepsRemovals: whether others lie below, so that what is removed from them has to be said.
    ///   - progress: told before each layer, in each of the two readings, how many have been read. What it throws ends it.
    /// - Throws: as ``tree(of:hashesContents:progress:)``; what the sink throws as `storage` or `cancelled`.
    public func writeSquashed(
        _ blobs: [Descriptor], keepsRemovals: Bool, to sink: any ByteSink, progress: (Int) throws(LayerError) -> Void = { _ in }
    ) throws(LayerError) {
        let plan = SquashPlan(try tree(of: blobs, progress: progress), keepsRemovals: keepsRemovals)
        let writer = TarWriter(sink)
        do throws(TarError) { try plan.writeSkeleton(to: writer) } catch { throw LayerError(error) }
        for (index, blob) in blobs.enumerated() {
            try progress(blobs.count + index)
            let reader = try reader(of: blob)
            do throws(TarError) { try plan.copy(reader, layer: index, to: writer) } catch { throw LayerError(error) }
        }
        do throws(TarError) { try writer.finish() } catch { throw LayerError(error) }
    }

    private func reader(of blob: Descriptor) throws(LayerError) -> TarReader {
        do throws(ContentError) {
            return TarReader(Decompressor(DescriptorSource(try content.open(blob.digest)), limits: limits))
        } catch { throw LayerError(error) }
    }
}
