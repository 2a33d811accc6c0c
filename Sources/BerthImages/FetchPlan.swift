internal import BerthContent
internal import BerthLayers
internal import BerthOCI
internal import BerthSnapshots

/// What of an image has to be fetched, and what is here: decided from what its documents say, before anything is done.
struct FetchPlan: Hashable {
    /// What has to be done for a layer.
    enum Need: Hashable {
        /// It is here, unpacked.
        case nothing
        /// Its bytes are here.
        case unpacking
        /// Its bytes have to come.
        case fetching
    }
    struct Layer: Hashable {
        var descriptor: Descriptor
        var need: Need
    }

    /// The lowest first; a layer that an image has twice is here once.
    private(set) var layers: [Layer] = []

    /// - Parameters:
    ///   - image: what is wanted; it makes sense (``FoundImage/requireSense(_:)``).
    ///   - hasBlob: whether there is such a blob.
    ///   - hasLayer: whether there is such a layer, unpacked on what it lies on.
    init<Failure: Error>(
        of image: FoundImage, hasBlob: (Digest) throws(Failure) -> Bool, hasLayer: (LayerName) -> Bool
    ) throws(Failure) {
        var below: LayerName?
        var seen: Set<Digest> = []
        for (layer, diffID) in zip(image.layers, image.configuration.diffIDs) {
            let name = LayerName(chainID: LayerStore.chainID(of: diffID, on: below))
            below = name
            guard let descriptor = layer.descriptor, seen.insert(descriptor.digest).inserted else { continue }
            // A blob is wanted also where its files are here: what was pulled is pushed byte for byte.
            let need: Need = try !hasBlob(descriptor.digest) ? .fetching : hasLayer(name) ? .nothing : .unpacking
            layers.append(Layer(descriptor: descriptor, need: need))
        }
    }

    /// What has to come.
    var missing: [Descriptor] { layers.filter { $0.need == .fetching }.map(\.descriptor) }

    /// How many bytes have to come, as their descriptors say. What overflows is more than any disk has.
    var missingByteCount: UInt64 {
        missing.reduce(0) { sum, layer in
            let (total, isOver) = sum.addingReportingOverflow(layer.byteCount)
            return isOver ? .max : total
        }
    }

    /// Which of an index's manifests is to be fetched: the best for a platform (OCI image specification, *Image Index*: the first among equals). Where none says
    /// what it is for, the first that may be an image: its configuration says it.
    static func choice(of index: Index, for platform: Platform) -> Descriptor? {
        let candidates = index.manifests.filter { ($0.isManifest || $0.isIndex) && !$0.isAttachment }
        let named = candidates.filter { $0.platform != nil }
        if let best = platform.best(of: named, { $0.platform ?? platform }) { return best }
        return named.isEmpty ? candidates.first : nil
    }
}

/// Layers that no registry is to hand out, and whose manifests say where else they are (`…foreign…`, `…nondistributable…`).
extension Descriptor {
    var isForeignLayer: Bool { mediaType.rawValue.contains(".foreign.") || mediaType.rawValue.contains(".nondistributable.") }
}
