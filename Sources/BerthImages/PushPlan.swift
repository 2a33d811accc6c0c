internal import BerthContent
internal import BerthOCI

/// What has to be in a repository so that a name in it names an image: decided from what is here, before anything is asked.
struct PushPlan: Hashable {
    /// The blobs, each once, in the order in which they are told of, with what they are told of by.
    private(set) var blobs: [Blob] = []
    /// The manifests and indexes: each behind all that it names, the one that gets the tag last.
    private(set) var manifests: [Descriptor] = []
    /// What the name names here, where that is an index of which not everything is here, so that one image of it goes instead.
    var insteadOf: Descriptor?

    struct Blob: Hashable {
        var descriptor: Descriptor
        /// What Docker's clients know it by: of a layer the digest of its tar. `nil` for what they are not told of.
        var shown: String?
    }

    /// An image alone.
    init(image: ImageDocument, diffIDs: [Digest]) {
        add(manifest: image.manifest, configuration: image.configuration, image.layers, diffIDs)
    }

    /// An image of an index, by the manifest that it has there.
    init(member: ImageIndex.Member, of index: Descriptor, diffIDs: [Digest]) {
        add(manifest: member.descriptor.withoutContext, configuration: member.manifest.configuration, member.manifest.layers, diffIDs)
        insteadOf = index
    }

    /// A whole index; `nil` if something of it is not here.
    ///
    /// - Parameter isHere: whether a blob is in the store.
    init?<Failure: Error>(
        index: ImageIndex, diffIDs: (Digest) -> [Digest], isHere: (Digest) throws(Failure) -> Bool
    ) throws(Failure) {
        for named in index.manifests {
            guard let manifest = named.manifest else { return nil }
            for part in [manifest.configuration] + manifest.layers { guard try isHere(part.digest) else { return nil } }
            add(
                manifest: named.descriptor.withoutContext, configuration: manifest.configuration, manifest.layers,
                diffIDs(manifest.configuration.digest))
        }
        // Those of indexes in it stand behind it; whoever is asked for one must have what it names.
        let known = Set(manifests.map(\.digest) + blobs.map(\.descriptor.digest))
        for blob in index.blobs.reversed() where !known.contains(blob.digest) {
            if blob.isIndex { manifests.append(blob) } else { blobs.append(Blob(descriptor: blob, shown: nil)) }
        }
    }

    private mutating func add(manifest: Descriptor, configuration: Descriptor, _ layers: [Descriptor], _ diffIDs: [Digest]) {
        // Clients show the uppermost first.
        for (number, layer) in layers.enumerated().reversed() {
            let shown = number < diffIDs.count ? diffIDs[number] : layer.digest
            add(Blob(descriptor: layer.withoutContext, shown: String(shown.hex.prefix(12))))
        }
        add(Blob(descriptor: configuration.withoutContext, shown: nil))
        if !manifests.contains(where: { $0.digest == manifest.digest }) { manifests.append(manifest.withoutContext) }
    }

    private mutating func add(_ blob: Blob) {
        if !blobs.contains(where: { $0.descriptor.digest == blob.descriptor.digest }) { blobs.append(blob) }
    }

    /// What the tag is to name.
    var top: Descriptor {
        guard let last = manifests.last else { preconditionFailure("there is at least one manifest") }
        return last
    }
}
