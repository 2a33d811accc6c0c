internal import BerthLayers
public import BerthOCI
public import BerthSnapshots

/// One step of an image's making.
public struct ImageStep: Hashable, Sendable {
    /// The image that the step ended with, where it is known and here: the image itself for the last step, then those that it was committed on.
    public let image: Digest?
    /// The names of that image, in order.
    public let references: [ImageReference]
    /// When, by what, and why.
    public let entry: ImageConfiguration.HistoryEntry
    /// The layer that the step made; `nil` if it made none.
    public let layer: LayerName?
    /// How many bytes the files of that layer have.
    public let byteCount: UInt64
}

extension ImageStore {
    /// How an image was made, as its configuration tells it: the last step first. Layers of which that says nothing are not in it. Waits for
    /// nothing.
    ///
    /// - Throws: `notFound`; `storage` if the configuration tells of more layers than it has.
    public func history(of image: ImageRecord) throws(ImageError) -> [ImageStep] {
        let known = services.snapshots.layers()
        var (diffIDs, top): (ArraySlice<Digest>, LayerName?) = (image.configuration.diffIDs[...], nil)
        var made: [(entry: ImageConfiguration.HistoryEntry, layer: LayerInformation?)] = []
        for entry in image.configuration.history {
            guard entry.emptyLayer != true else {
                made.append((entry, nil))
                continue
            }
            guard let diffID = diffIDs.popFirst() else {
                throw ImageError(
                    .storage,
                    "too many non-empty layers in History section: image \(image.id) has \(image.configuration.diffIDs.count) layers")
            }
            let name = LayerName(chainID: LayerStore.chainID(of: diffID, on: top))
            // It is removed only when its image is.
            guard let layer = known[name] else { throw .noSuchImage(image.id.description) }
            made.append((entry, layer))
            top = name
        }
        var next: ImageRecord? = image
        return made.reversed().map { step in
            let ended = next
            next = ended?.parent.flatMap { try? find($0.description) }
            return ImageStep(
                image: ended?.id, references: ended?.references ?? [], entry: step.entry, layer: step.layer?.name,
                byteCount: step.layer?.byteCount ?? 0)
        }
    }
}
