public import BerthLayers
public import BerthOCI
internal import BerthReactor
public import BerthSnapshots
public import BerthState
internal import Synchronization

/// A layer of an image, with what it does.
public struct ImageLayer: Hashable, Sendable {
    /// Its blob.
    public let blob: Descriptor
    /// The digest of its uncompressed tar.
    public let diffID: Digest
    /// The chain of layers up to it.
    public let name: LayerName
    /// The step that made it; `nil` where the image does not say.
    public let step: ImageConfiguration.HistoryEntry?
    /// What it has, and what it hides of the layers below it.
    public let effect: LayeredTree.Effect
    /// The names of the images of which it is the uppermost layer, in order.
    public let references: [ImageReference]
}

/// In what two images differ.
public struct ImageComparison: Sendable {
    /// The first image.
    public let before: ImageRecord
    /// The other one.
    public let after: ImageRecord
    /// How many layers, from the lowest on, both have.
    public let sharedLayerCount: Int
    /// The layers of the first, those that both have included.
    public let layersBefore: [ImageLayer]
    /// The layers of the other, those that both have included.
    public let layersAfter: [ImageLayer]
    /// In what their files differ, in the order of their paths.
    public let differences: [TreeDifference]
}

extension ImageStore {
    /// The layers of an image, the lowest first, with what each of them does: found out from the blobs, and nothing is unpacked.
    ///
    /// The image's blobs stay while the job works. It holds the names and attributes of the image's files in memory: of at most as many files as may be unpacked.
    /// - Throws: at once `notFound` and `invalid`, as ``find(_:platform:)``; by the job `storage` for a blob that is damaged, `tooLarge`, `cancelled`.
    public func layers(of text: String, platform: Platform? = nil) throws(ImageError) -> Job<[ImageLayer]> {
        let image = try find(text, platform: platform)
        return services.jobs.start(kind: "layers", title: text) { [self] context in
            try await withLease { (lease) throws(ImageError) in
                let image = try find(image.id.description, for: lease)
                return try await reading.run { () throws(ImageError) in
                    let tree = try self.tree(of: image.layers[...], above: nil, hashesContents: false, context)
                    return self.layers(of: image, with: tree.effects)
                }
            }
        }
    }

    /// Compares what two images show, found out from their blobs: nothing is unpacked, and layers that both have are read once.
    ///
    /// Compared are kinds, owners, permissions, modification times, attributes, targets of links, devices, sizes and contents. Memory as for ``layers(of:platform:)``,
    /// of both. An image does not differ from itself.
    /// - Throws: as ``layers(of:platform:)``.
    public func compare(_ before: String, with after: String, platform: Platform? = nil) throws(ImageError) -> Job<ImageComparison> {
        let (first, second) = (try find(before, platform: platform), try find(after, platform: platform))
        return services.jobs.start(kind: "compare", title: "\(before) and \(after)") { [self] context in
            try await withLease { (lease) throws(ImageError) in
                let (first, second) = (try find(first.id.description, for: lease), try find(second.id.description, for: lease))
                return try await reading.run { () throws(ImageError) in try self.compare(first, second, context) }
            }
        }
    }

    private func compare(_ before: ImageRecord, _ after: ImageRecord, _ context: JobContext) throws(ImageError) -> ImageComparison {
        let sharedCount = zip(before.configuration.diffIDs, after.configuration.diffIDs).prefix { $0 == $1 }.count
        let isSame = max(before.layers.count, after.layers.count) == sharedCount
        let shared = try tree(of: before.layers.prefix(sharedCount), above: nil, hashesContents: !isSame, context)
        let old = try tree(of: before.layers.dropFirst(sharedCount), above: shared, hashesContents: true, context)
        let new = try tree(of: after.layers.dropFirst(sharedCount), above: shared, hashesContents: true, context)
        return ImageComparison(
            before: before, after: after, sharedLayerCount: sharedCount, layersBefore: layers(of: before, with: old.effects),
            layersAfter: layers(of: after, with: new.effects), differences: isSame ? [] : old.differences(to: new))
    }

    private func tree(
        of blobs: ArraySlice<Descriptor>, above below: LayeredTree?, hashesContents: Bool, _ context: JobContext
    ) throws(ImageError) -> LayeredTree {
        if let below, blobs.isEmpty { return below }
        let blobs = Array(blobs)
        do throws(LayerError) {
            return try services.layers.tree(of: blobs, above: below, hashesContents: hashesContents) { (index) throws(LayerError) in
                try context.requireWanted()
                context.report(Progress(status: "Reading \(blobs[index].digest)"))
            }
        } catch { throw ImageError(error) }
    }

    private func layers(of image: ImageRecord, with effects: [LayeredTree.Effect]) -> [ImageLayer] {
        let steps = image.configuration.stepsOfLayers
        var below: LayerName?
        return image.layers.indices.map { index in
            let diffID = image.configuration.diffIDs[index]
            let name = LayerName(chainID: LayerStore.chainID(of: diffID, on: below))
            below = name
            return ImageLayer(
                blob: image.layers[index], diffID: diffID, name: name, step: steps[index], effect: effects[index],
                references: references(endingWith: name))
        }
    }

    private func references(endingWith layer: LayerName) -> [ImageReference] {
        index.withLock { index in
            index.references.filter { index.image(of: $0.value, for: nil)?.topLayer == layer }.keys.sorted {
                $0.description < $1.description
            }
        }
    }
}
