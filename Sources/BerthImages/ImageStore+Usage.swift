internal import BerthContent
public import BerthOCI
internal import BerthReactor
internal import BerthSnapshots
internal import Synchronization

/// How much space images take, and what keeps it taken.
public struct ImageUsage: Hashable, Sendable {
    /// One image's part.
    public struct Image: Hashable, Sendable {
        /// The image.
        public var image: ImageRecord
        /// How many bytes of its files are in layers that other images have as well.
        public var sharedByteCount: UInt64
        /// How many bytes its blobs have, as they came: those of all images that have them.
        public var blobByteCount: UInt64
    }
    /// Content that no image and no index names.
    public struct Loose: Hashable, Sendable {
        /// A blob's digest, or the name of one that is still coming.
        public var name: String
        /// How many bytes it has.
        public var byteCount: UInt64
        /// What keeps it.
        public var keeper: Keeper

        /// These.
        public init(name: String, byteCount: UInt64, keeper: Keeper) {
            (self.name, self.byteCount, self.keeper) = (name, byteCount, keeper)
        }
    }
    /// What keeps content that no image and no index names.
    public enum Keeper: Hashable, Sendable {
        /// Running work needs it, or brings it.
        case work
        /// A document cannot be read that may name it.
        case unreadable
        /// Nothing: the next collection removes it.
        case nothing
    }

    /// The images, the newest first.
    public var images: [Image]
    /// How many bytes the files of all unpacked layers have, each layer once.
    public var layersByteCount: UInt64
    /// How many blobs images and indexes have.
    public var blobCount: Int
    /// How many bytes these have, each once.
    public var blobsByteCount: UInt64
    /// Blobs that no image and no index has.
    public var loose: [Loose]
    /// Content that is still coming.
    public var partial: [Loose]
}

extension ImageStore {
    /// Counts what the images, their layers and their blobs take. What comes and goes meanwhile may be in it or not.
    ///
    /// - Throws: `storage`, `busy`.
    public func usage() async throws(ImageError) -> ImageUsage {
        let (shared, layers) = layerUsage()
        return try await lane.run { () throws(ImageError) in
            let (blobs, partial): ([Digest: UInt64], [PartialContent])
            do throws(ContentError) {
                (blobs, partial) = (try self.services.content.byteCounts(), try self.services.content.partials())
            } catch { throw ImageError(error) }
            let (entries, named) = self.index.withLock { (Array($0.images.values), $0.blobs) }
            let kept = blobs.filter { named.contains($0.key) }
            let images = entries.map { entry in
                ImageUsage.Image(
                    image: self.record(entry), sharedByteCount: shared[entry.document.id] ?? 0,
                    blobByteCount: Set(entry.document.blobs).reduce(0) { $0 + (kept[$1] ?? 0) })
            }
            return ImageUsage(
                images: images.sorted { $0.image.createdAt > $1.image.createdAt }, layersByteCount: layers,
                blobCount: kept.count, blobsByteCount: kept.values.reduce(0, +),
                loose: blobs.filter { !named.contains($0.key) }.sorted { $0.key.description < $1.key.description }.map {
                    ImageUsage.Loose(name: $0.key.description, byteCount: $0.value, keeper: self.keeper(of: .blob($0.key)))
                },
                partial: partial.map { ImageUsage.Loose(name: $0.name, byteCount: $0.byteCount, keeper: .work) })
        }
    }

    /// How many bytes of each image's files are in layers that other images have as well. Waits for nothing.
    public func sharedByteCounts() -> [Digest: UInt64] { layerUsage().shared }

    private func layerUsage() -> (shared: [Digest: UInt64], all: UInt64) {
        let known = services.snapshots.layers()
        let tops = index.withLock { $0.images.mapValues(\.topLayer) }
        func chain(from top: LayerName?) -> [LayerInformation] {
            Array(sequence(first: top.flatMap { known[$0] }) { layer in layer?.parent.flatMap { known[$0] } }.prefix { $0 != nil })
                .compactMap(\.self)
        }
        let chains = tops.mapValues(chain)
        var imageCounts: [LayerName: Int] = [:]
        for layer in chains.values.joined() { imageCounts[layer.name, default: 0] += 1 }
        let shared = chains.mapValues { chain in
            chain.reduce(0) { $0 + ((imageCounts[$1.name] ?? 0) > 1 ? $1.byteCount : 0) }
        }
        return (shared, known.values.reduce(0) { $0 + $1.byteCount })
    }

    private func keeper(of resource: LeasedResource) -> ImageUsage.Keeper {
        if !unreadable.isEmpty || !unreadableLayers.isEmpty { return .unreadable }
        return leases.areHolding(resource) ? .work : .nothing
    }
}
