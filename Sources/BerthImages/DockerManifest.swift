internal import BerthContent
internal import BerthOCI

/// `manifest.json` of `docker save`: which file is an image's configuration, which are its layers, and what it is called.
struct DockerManifest: Codable {
    /// One image.
    struct Item: Codable {
        var Config: String
        var RepoTags: [String]?
        var Layers: [String]?
    }

    /// The images that it names; `nil` if there is none.
    static func images(in documents: ArchiveDocuments) throws(ImageError) -> [FoundImage]? {
        guard let bytes = try documents.read("manifest.json") else { return nil }
        let items = try FoundImage.decode([Item].self, bytes, "manifest.json")
        guard items.count <= FoundImage.maximumCount else {
            throw ImageError(.tooLarge, "manifest.json names \(items.count) images: at most \(FoundImage.maximumCount) are loaded at once")
        }
        var images: [FoundImage] = []
        for item in items { images.append(try image(item, in: documents)) }
        return images
    }

    private static func image(_ item: Item, in documents: ArchiveDocuments) throws(ImageError) -> FoundImage {
        let path = try member(item.Config)
        guard let bytes = try documents.read(path) else {
            throw ImageError(
                .invalid, "manifest.json names the configuration '\(item.Config.prefix(512))', which the archive does not have")
        }
        let id = Digest(of: bytes)
        let name = path.split(separator: "/").last?.split(separator: ".").first.map(String.init) ?? ""
        // Docker names the file by the digest; others by whatever they like.
        if let claimed = try? Digest(parsing: "sha256:\(name)"), claimed != id {
            throw ImageError(.invalid, "the configuration '\(path)' is damaged: its bytes have the digest \(id)")
        }
        let configuration = try FoundImage.decode(ImageConfiguration.self, bytes, "the configuration '\(path)'")
        var image = FoundImage(
            id: id, configuration: configuration, configurationBytes: bytes,
            configurationDescriptor: Descriptor(mediaType: .configuration, digest: id, byteCount: UInt64(bytes.count)), layers: [])
        for layer in item.Layers ?? [] { image.layers.append(FoundImage.Layer(path: try member(layer))) }
        for tag in item.RepoTags ?? [] {
            guard let name = try? ImageReference(parsing: tag) else { throw .invalidTag(tag) }
            guard name.digest == nil else { throw .tagWithDigest(tag) }
            image.names.append(ImageStore.tagged(name))
        }
        return image
    }

    private static func member(_ text: String) throws(ImageError) -> String {
        guard let path = ArchiveMembers.path(text) else {
            throw ImageError(
                .invalid, "manifest.json names the file '\(text.prefix(512))', which cannot be one of the archive: it leads out of it")
        }
        guard !path.isEmpty else {
            throw ImageError(
                .invalid, "manifest.json names the file '\(text.prefix(512))', which cannot be one of the archive: it has no name")
        }
        return path
    }
}
