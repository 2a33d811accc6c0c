internal import BerthContent
internal import BerthOCI

/// What an OCI layout's `index.json` leads to (OCI image specification, *Image Layout*): images, and indexes of them.
struct LayoutIndex {
    private let documents: ArchiveDocuments
    private let platform: Platform?
    private var documentCount = 0

    init(_ documents: ArchiveDocuments, _ platform: Platform?) { (self.documents, self.platform) = (documents, platform) }

    /// All of it; `nil` if there is no `index.json`.
    mutating func found() throws(ImageError) -> FoundArchive? {
        guard let bytes = try documents.read("index.json") else { return nil }
        let index = try FoundImage.decode(Index.self, bytes, "index.json")
        try ImageIndex.refuse(["config", "layers"], beside: "manifests", index.unknown, "index.json")
        var found = FoundArchive()
        for descriptor in index.manifests where !descriptor.isAttachment {
            let name = Self.name(of: descriptor)
            if descriptor.isIndex {
                try found.add(try self.index(descriptor), name)
            } else if !descriptor.isManifest {
                // Not an error (OCI image specification, *Image Index*, "manifests"), unless there is nothing else.
                found.passOver(descriptor)
            } else {
                let manifest = try ImageIndex.manifest(descriptor, try document(descriptor))
                guard manifest.configuration.isImageConfiguration else {
                    found.passOver(manifest.configuration)
                    continue
                }
                found.add(try image(descriptor, manifest), name.map { [$0] } ?? [])
            }
        }
        return found
    }

    /// What a single descriptor leads to, under a name.
    ///
    /// - Throws: `unsupported` for what is neither an image nor an index of images.
    mutating func found(at descriptor: Descriptor, as name: ImageReference) throws(ImageError) -> FoundArchive {
        var found = FoundArchive()
        if descriptor.isIndex {
            try found.add(try index(descriptor), name)
        } else {
            let manifest = try ImageIndex.manifest(descriptor, try document(descriptor))
            found.add(try image(descriptor, manifest), [name])
        }
        return found
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

    /// An index with its images: those of this system, or, where a platform is asked for, the best one for that.
    private mutating func index(_ descriptor: Descriptor) throws(ImageError) -> FoundIndex {
        let parts = documents.parts
        let contains: (Digest) throws(ImageError) -> Bool = { parts.contains(SavedImages.path(of: $0)) }
        let index = try ImageIndex(descriptor, contains: contains) { descriptor throws(ImageError) in try document(descriptor) }
        var images: [(image: FoundImage, platform: Platform)] = []
        // What is there of other platforms may be their manifests alone.
        for member in index.members where member.blobs.allSatisfy({ parts.contains(SavedImages.path(of: $0.digest)) }) {
            let image = try image(member.descriptor, member.manifest)
            images.append((image, member.descriptor.platform ?? image.configuration.platform))
        }
        let chosen =
            if let platform {
                platform.best(of: images, { $0.platform }).map { [$0.image] } ?? []
            } else { images.filter { $0.image.configuration.platform.os == Platform.host.os }.map(\.image) }
        guard !chosen.isEmpty else {
            let there = images.map(\.platform.description)
            throw ImageError(
                .notFound,
                "there is no image for \(platform.map { "the platform \($0)" } ?? Platform.host.os) in \(descriptor.digest): "
                    + (there.isEmpty ? "none of its images is in the archive" : "there is \(there.prefix(32).joined(separator: ", "))"))
        }
        return FoundIndex(index: index, images: chosen)
    }

    private mutating func image(_ descriptor: Descriptor, _ manifest: Manifest) throws(ImageError) -> FoundImage {
        let (bytes, configurationBytes) = (try document(descriptor), try document(manifest.configuration))
        var image = FoundImage(
            id: manifest.configuration.digest,
            configuration: try FoundImage.decode(
                ImageConfiguration.self, configurationBytes, "the configuration \(manifest.configuration.digest)"),
            configurationBytes: configurationBytes, configurationDescriptor: manifest.configuration,
            manifest: (descriptor.withoutContext, bytes), layers: [])
        for layer in manifest.layers {
            image.layers.append(FoundImage.Layer(path: SavedImages.path(of: layer.digest), descriptor: layer))
        }
        return image
    }

    /// Reads a document, and compares it with what names it.
    private mutating func document(_ descriptor: Descriptor) throws(ImageError) -> [UInt8] {
        documentCount += 1
        guard documentCount <= ImageIndex.maximumDocumentCount else {
            throw ImageError(
                .tooLarge, "index.json leads to more than \(ImageIndex.maximumDocumentCount) documents, the most that are read")
        }
        guard let bytes = try documents.read(SavedImages.path(of: descriptor.digest)) else {
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
}
