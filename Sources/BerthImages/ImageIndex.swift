internal import BerthContent
internal import BerthOCI

/// An index of images, with what of it is here (OCI image specification, *Image Index*): through the indexes that it names, each of them once.
///
/// What it names need not be here: an archive mostly has some platforms only. What is attached to its images, such as where they were built, and
/// whatever else is no image, are blobs of it.
struct ImageIndex: Sendable {
    /// An image's manifest that is here.
    struct Member: Sendable {
        /// What the index says of it.
        var descriptor: Descriptor
        var manifest: Manifest

        /// The id of the image.
        var image: Digest { manifest.configuration.digest }
        /// Everything of it that lies in the content store.
        var blobs: [Descriptor] { [descriptor, manifest.configuration] + manifest.layers }
    }

    /// A manifest that it names, whatever it is of.
    struct Named: Sendable {
        /// What the index says of it.
        var descriptor: Descriptor
        /// What it says itself; `nil` if it is not here.
        var manifest: Manifest?
    }

    /// How deep indexes may be nested.
    static let maximumDepth = 8
    /// The most indexes and manifests that are read.
    static let maximumDocumentCount = 4096

    /// What names it.
    let descriptor: Descriptor
    /// In the index's order, which is the order of preference among equals.
    private(set) var members: [Member] = []
    /// All manifests, here or not, in the same order.
    private(set) var manifests: [Named] = []
    /// Of what it is made itself: the index, the indexes in it, and what is no image. None of these is twice.
    private(set) var blobs: [Descriptor] = []

    /// Reads one from the store.
    ///
    /// - Throws: `storage` if it is not there, or damaged.
    init(_ descriptor: Descriptor, in content: ContentStore) throws(ImageError) {
        let contains: (Digest) throws(ImageError) -> Bool = { digest throws(ImageError) in
            do throws(ContentError) { return try content.contains(digest) } catch { throw ImageError(error) }
        }
        try self.init(descriptor, contains: contains) { descriptor throws(ImageError) in
            do throws(ContentError) {
                return try content.read(descriptor.digest, limit: ImageStore.maximumDocumentByteCount)
            } catch { throw ImageError(error) }
        }
    }

    /// Reads one from wherever it is.
    ///
    /// - Parameter read: reads a document that is there, and compares it with what names it.
    init(
        _ descriptor: Descriptor, contains: (Digest) throws(ImageError) -> Bool,
        read: (Descriptor) throws(ImageError) -> [UInt8]
    ) throws(ImageError) {
        self.descriptor = descriptor.withoutContext
        var seen: Set<Digest> = [descriptor.digest]
        try add(index: descriptor, depth: 1, &seen, contains, read)
    }

    private mutating func add(
        index descriptor: Descriptor, depth: Int, _ seen: inout Set<Digest>, _ contains: (Digest) throws(ImageError) -> Bool,
        _ read: (Descriptor) throws(ImageError) -> [UInt8]
    ) throws(ImageError) {
        guard depth <= Self.maximumDepth else {
            throw ImageError(.tooLarge, "the indexes of the archive are nested deeper than \(Self.maximumDepth): they may lead in a circle")
        }
        let index = try FoundImage.decode(Index.self, try read(descriptor), "the index \(descriptor.digest)")
        try Self.require(index.mediaType, toBe: descriptor)
        try Self.refuse(["config", "layers"], beside: "manifests", index.unknown, "the index \(descriptor.digest)")
        blobs.append(descriptor.withoutContext)
        for next in index.manifests where seen.insert(next.digest).inserted {
            if try !contains(next.digest) {
                if next.isManifest { manifests.append(Named(descriptor: next, manifest: nil)) }
            } else if next.isIndex {
                try add(index: next, depth: depth + 1, &seen, contains, read)
            } else {
                try add(manifest: next, &seen, contains, read)
            }
        }
    }

    private mutating func add(
        manifest descriptor: Descriptor, _ seen: inout Set<Digest>, _ contains: (Digest) throws(ImageError) -> Bool,
        _ read: (Descriptor) throws(ImageError) -> [UInt8]
    ) throws(ImageError) {
        guard descriptor.isManifest else {
            blobs.append(descriptor.withoutContext)
            return
        }
        let manifest = try Self.manifest(descriptor, try read(descriptor))
        manifests.append(Named(descriptor: descriptor, manifest: manifest))
        if !descriptor.isAttachment, manifest.configuration.isImageConfiguration {
            members.append(Member(descriptor: descriptor, manifest: manifest))
            return
        }
        blobs.append(descriptor.withoutContext)
        for part in [manifest.configuration] + manifest.layers where try contains(part.digest) && seen.insert(part.digest).inserted {
            blobs.append(part.withoutContext)
        }
    }

    /// Reads a manifest.
    static func manifest(_ descriptor: Descriptor, _ bytes: [UInt8]) throws(ImageError) -> Manifest {
        let manifest = try FoundImage.decode(Manifest.self, bytes, "the manifest \(descriptor.digest)")
        try require(manifest.mediaType, toBe: descriptor)
        try refuse(["manifests"], beside: "layers", manifest.unknown, "the manifest \(descriptor.digest)")
        return manifest
    }

    /// A document that says of itself that it is of another kind could be read in two ways: by one tool as this, by another as that.
    private static func require(_ mediaType: MediaType?, toBe descriptor: Descriptor) throws(ImageError) {
        guard let mediaType, mediaType != descriptor.mediaType else { return }
        throw ImageError(
            .invalid, "the blob \(descriptor.digest) is named as \(descriptor.mediaType), and says of itself that it is \(mediaType)")
    }

    /// The same holds of a document that has the members of both (CVE-2021-41190).
    static func refuse(_ others: [String], beside own: String, _ fields: UnknownFields, _ what: String) throws(ImageError) {
        guard let other = others.first(where: { fields.fields[$0] != nil }) else { return }
        throw ImageError(.invalid, "\(what) has '\(own)' and '\(other)': it could be taken for an image and for an index of images")
    }
}

extension Descriptor {
    /// Whether it names a list of manifests, in the specification's words or Docker's.
    var isIndex: Bool {
        mediaType == .index || mediaType.rawValue == "application/vnd.docker.distribution.manifest.list.v2+json"
    }

    /// Whether it names a manifest, in the specification's words or Docker's.
    var isManifest: Bool {
        mediaType == .manifest || mediaType.rawValue == "application/vnd.docker.distribution.manifest.v2+json"
    }

    /// Whether it names how an image is run, in the specification's words or Docker's.
    var isImageConfiguration: Bool {
        mediaType == .configuration || mediaType.rawValue == "application/vnd.docker.container.image.v1+json"
    }

    /// Whether it names a layer, in the specification's words or Docker's.
    var isLayer: Bool {
        let words = ["application/vnd.oci.image.layer.", "application/vnd.docker.image.rootfs."]
        return words.contains { mediaType.rawValue.hasPrefix($0) }
    }

    /// Whether it is something about an image, such as where it was built, and none itself.
    var isAttachment: Bool { annotations?["vnd.docker.reference.type"] != nil || platform?.os == "unknown" }

    /// The same, without what the one who names it says besides.
    var withoutContext: Descriptor { Descriptor(mediaType: mediaType, digest: digest, byteCount: byteCount) }
}
