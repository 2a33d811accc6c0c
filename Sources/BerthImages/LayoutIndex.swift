internal import BerthContent
internal import BerthOCI

/// The images that an OCI layout's `index.json` leads to (OCI image specification, *Image Layout*), through indexes of indexes.
struct LayoutIndex {
    private let parts: any ImageParts
    private let platform: Platform?
    private var documentCount = 0

    /// How deep indexes may be nested.
    static let maximumDepth = 8
    /// The most indexes and manifests that are read.
    static let maximumDocumentCount = 4096

    init(_ parts: any ImageParts, _ platform: Platform?) { (self.parts, self.platform) = (parts, platform) }

    /// All of them; `nil` if there is no `index.json`.
    mutating func images() throws(ImageError) -> [FoundImage]? {
        guard let bytes = try parts.document(at: "index.json") else { return nil }
        let index = try FoundImage.decode(Index.self, bytes, "index.json")
        var images: [FoundImage] = []
        for descriptor in index.manifests where !descriptor.isAttachment {
            guard var image = try image(descriptor) else { continue }
            if let name = Self.name(of: descriptor) { image.names = [name] }
            // One image may be named several times.
            if let known = images.firstIndex(where: { $0.id == image.id }) {
                for name in image.names where !images[known].names.contains(name) { images[known].names.append(name) }
            } else {
                images.append(image)
            }
        }
        return images
    }

    /// The name that whoever wrote the layout gave; a tag alone is none.
    private static func name(of descriptor: Descriptor) -> ImageReference? {
        let annotations = descriptor.annotations ?? [:]
        if let full = annotations["io.containerd.image.name"], let name = try? ImageReference(parsing: full), name.digest == nil {
            return ImageStore.tagged(name)
        }
        guard let text = annotations["org.opencontainers.image.ref.name"], text.contains(where: { $0 == "/" || $0 == ":" }),
            let name = try? ImageReference(parsing: text), name.digest == nil
        else { return nil }
        return ImageStore.tagged(name)
    }

    /// The image that a descriptor leads to: of several the one for the platform; `nil` for what is something else than an image.
    private mutating func image(_ descriptor: Descriptor) throws(ImageError) -> FoundImage? {
        guard descriptor.isIndex else { return try manifest(descriptor) }
        var choices: [Descriptor] = []
        try collect(descriptor, depth: 1, into: &choices)
        let wanted = platform ?? .host
        let ranked = choices.compactMap { choice in choice.platform?.preference(for: wanted).map { (choice, $0) } }
            .filter { parts.contains(Self.path(of: $0.0.digest)) }
            .min { $0.1 < $1.1 }
        if let (best, _) = ranked { return try manifest(best) }
        // A list of one that does not say what it is for.
        if choices.count == 1, choices[0].platform == nil, parts.contains(Self.path(of: choices[0].digest)) {
            return try manifest(choices[0])
        }
        let there = choices.filter { parts.contains(Self.path(of: $0.digest)) }.compactMap { $0.platform?.description }
        throw ImageError(
            .notFound,
            "there is no image for the platform \(wanted) in \(descriptor.digest): "
                + (there.isEmpty ? "none of its images is in the archive" : "there is \(there.prefix(32).joined(separator: ", "))"))
    }

    /// The manifests that an index leads to, in order.
    private mutating func collect(_ descriptor: Descriptor, depth: Int, into choices: inout [Descriptor]) throws(ImageError) {
        guard depth <= Self.maximumDepth else {
            throw ImageError(.tooLarge, "the indexes of the archive are nested deeper than \(Self.maximumDepth): they may lead in a circle")
        }
        // Those of other platforms need not be there.
        guard depth == 1 || parts.contains(Self.path(of: descriptor.digest)) else { return }
        let index = try FoundImage.decode(Index.self, try document(descriptor), "the index \(descriptor.digest)")
        try Self.require(index.mediaType, toBe: descriptor)
        for next in index.manifests where !next.isAttachment {
            if next.isIndex { try collect(next, depth: depth + 1, into: &choices) } else { choices.append(next) }
        }
    }

    private mutating func manifest(_ descriptor: Descriptor) throws(ImageError) -> FoundImage? {
        let bytes = try document(descriptor)
        let what = "the manifest \(descriptor.digest)"
        let manifest = try FoundImage.decode(Manifest.self, bytes, what)
        try Self.require(manifest.mediaType, toBe: descriptor)
        guard manifest.configuration.isImageConfiguration else { return nil }
        let configurationBytes = try document(manifest.configuration)
        var image = FoundImage(
            id: manifest.configuration.digest,
            configuration: try FoundImage.decode(
                ImageConfiguration.self, configurationBytes, "the configuration \(manifest.configuration.digest)"),
            configurationBytes: configurationBytes, configurationDescriptor: manifest.configuration,
            manifest: (Descriptor(mediaType: descriptor.mediaType, digest: descriptor.digest, byteCount: descriptor.byteCount), bytes),
            layers: [])
        for layer in manifest.layers {
            guard !layer.mediaType.rawValue.hasSuffix("+encrypted") else {
                throw ImageError(.unsupported, "the layer \(layer.digest) is encrypted (\(layer.mediaType)), which is not supported")
            }
            image.layers.append(FoundImage.Layer(path: Self.path(of: layer.digest), descriptor: layer))
        }
        return image
    }

    /// Reads a document, and compares it with what names it.
    private mutating func document(_ descriptor: Descriptor) throws(ImageError) -> [UInt8] {
        documentCount += 1
        guard documentCount <= Self.maximumDocumentCount else {
            throw ImageError(.tooLarge, "index.json leads to more than \(Self.maximumDocumentCount) documents, the most that are read")
        }
        guard let bytes = try parts.document(at: Self.path(of: descriptor.digest)) else {
            throw ImageError(.invalid, "the archive does not have the blob \(descriptor.digest) (\(descriptor.mediaType)), which it names")
        }
        let found = Digest(of: bytes, descriptor.digest.algorithm)
        guard found == descriptor.digest else {
            throw ImageError(.invalid, "the blob \(descriptor.digest) is damaged: its bytes have the digest \(found)")
        }
        guard UInt64(bytes.count) == descriptor.byteCount else {
            throw ImageError(
                .invalid, "the blob \(descriptor.digest) has \(bytes.count) bytes, and what names it says \(descriptor.byteCount)")
        }
        return bytes
    }

    /// A document that says of itself that it is of another kind could be read in two ways: by one tool as this, by another as that.
    private static func require(_ mediaType: MediaType?, toBe descriptor: Descriptor) throws(ImageError) {
        guard let mediaType, mediaType != descriptor.mediaType else { return }
        throw ImageError(
            .invalid, "the blob \(descriptor.digest) is named as \(descriptor.mediaType), and says of itself that it is \(mediaType)")
    }

    private static func path(of digest: Digest) -> String { "blobs/\(digest.algorithm.rawValue)/\(digest.hex)" }
}

extension Descriptor {
    /// Whether it names a list of manifests, in the specification's words or Docker's.
    var isIndex: Bool {
        mediaType == .index || mediaType.rawValue == "application/vnd.docker.distribution.manifest.list.v2+json"
    }

    /// Whether it names how an image is run, in the specification's words or Docker's.
    fileprivate var isImageConfiguration: Bool {
        mediaType == .configuration || mediaType.rawValue == "application/vnd.docker.container.image.v1+json"
    }

    /// Whether it is something about an image, such as where it was built, and none itself.
    fileprivate var isAttachment: Bool { annotations?["vnd.docker.reference.type"] != nil }
}
