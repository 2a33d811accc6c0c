internal import BerthContent
internal import BerthLayers
internal import BerthOCI

/// What Docker saved before 1.10, and 20.10 still loads: `repositories`, and of each layer a folder with `json` and `layer.tar`.
///
/// Configurations as they are today did not exist then: one is made of the uppermost layer's, with the history of all of them. Images share layers,
/// and names share images: each of them is read once, however many lead to it.
struct LegacyRepositories {
    /// `<id>/json`.
    private struct Layer: Codable {
        struct Command: Codable {
            var Cmd: [String]?
        }
        var parent: String?
        var created: Timestamp?
        var author: String?
        var comment: String?
        var architecture: String?
        var os: String?
        var config: ImageConfiguration.Execution?
        var container_config: Command?
    }

    private let documents: ArchiveDocuments
    private var layers: [String: Layer] = [:]
    private var diffIDs: [String: Digest] = [:]

    private init(_ documents: ArchiveDocuments) { self.documents = documents }

    /// The images that it names; `nil` if there is none.
    static func images(in documents: ArchiveDocuments) throws(ImageError) -> [FoundImage]? {
        guard let bytes = try documents.read("repositories") else { return nil }
        var archive = LegacyRepositories(documents)
        return try archive.images(of: try FoundImage.decode([String: [String: String]].self, bytes, "repositories"))
    }

    private mutating func images(of repositories: [String: [String: String]]) throws(ImageError) -> [FoundImage] {
        var images: [FoundImage] = []
        /// Which of them a layer is the uppermost of.
        var known: [String: Int] = [:]
        for (repository, tags) in repositories.sorted(by: { $0.key < $1.key }) {
            for (tag, id) in tags.sorted(by: { $0.key < $1.key }) {
                let text = "\(repository):\(tag)"
                guard let name = try? ImageReference(parsing: text) else { throw .invalidTag(text) }
                guard name.digest == nil else { throw .tagWithDigest(text) }
                if let index = known[id] {
                    images[index].names.append(name)
                    continue
                }
                var image = try image(id)
                image.names = [name]
                if let index = images.firstIndex(where: { $0.id == image.id }) {
                    images[index].names.append(name)
                    known[id] = index
                } else {
                    known[id] = images.count
                    images.append(image)
                }
                guard images.count <= FoundImage.maximumCount else {
                    throw ImageError(
                        .tooLarge, "repositories names more than \(FoundImage.maximumCount) images, the most that are loaded at once")
                }
            }
        }
        return images
    }

    private mutating func layer(_ id: String) throws(ImageError) -> Layer {
        if let known = layers[id] { return known }
        guard ArchiveMembers.path(id) == id else {
            throw ImageError(.invalid, "repositories leads to the layer '\(id.prefix(64))', which cannot be a folder of the archive")
        }
        guard let bytes = try documents.read("\(id)/json") else {
            throw ImageError(.invalid, "repositories leads to the layer '\(id.prefix(64))', which the archive does not have")
        }
        let layer = try FoundImage.decode(Layer.self, bytes, "'\(id.prefix(64))/json'")
        layers[id] = layer
        return layer
    }

    private mutating func diffID(_ id: String) throws(ImageError) -> Digest {
        if let known = diffIDs[id] { return known }
        guard let diffID = try documents.parts.diffID(ofLayerAt: "\(id)/layer.tar") else {
            throw ImageError(.invalid, "the archive does not have '\(id.prefix(64))/layer.tar', which repositories leads to")
        }
        diffIDs[id] = diffID
        return diffID
    }

    private mutating func image(_ id: String) throws(ImageError) -> FoundImage {
        var chain: [(id: String, layer: Layer)] = []
        var next: String? = id
        while let id = next, !id.isEmpty {
            guard chain.count < FoundImage.maximumLayerCount else {
                throw ImageError(
                    .tooLarge, "the layer \(id.prefix(64)) of repositories lies on more than \(FoundImage.maximumLayerCount), or on itself")
            }
            let layer = try layer(id)
            chain.append((id, layer))
            next = layer.parent
        }
        chain.reverse()
        guard let top = chain.last?.layer else { throw ImageError(.invalid, "repositories names an image without an id") }
        var (diffIDs, history): ([Digest], [ImageConfiguration.HistoryEntry]) = ([], [])
        for (id, layer) in chain {
            diffIDs.append(try diffID(id))
            history.append(
                ImageConfiguration.HistoryEntry(
                    created: layer.created, createdBy: layer.container_config?.Cmd?.joined(separator: " "), author: layer.author,
                    comment: layer.comment))
        }
        var configuration = ImageConfiguration(
            platform: Platform(os: top.os ?? Platform.host.os, architecture: top.architecture ?? Platform.host.architecture),
            created: top.created, execution: top.config ?? ImageConfiguration.Execution(), diffIDs: diffIDs, history: history)
        configuration.author = top.author
        let bytes = try ImageStore.encoded(configuration)
        try documents.count(bytes, "the configuration of the image '\(id.prefix(64))'")
        let described = Descriptor(mediaType: .configuration, digest: Digest(of: bytes), byteCount: UInt64(bytes.count))
        return FoundImage(
            id: described.digest, configuration: configuration, configurationBytes: bytes, configurationDescriptor: described,
            layers: chain.map { FoundImage.Layer(path: "\($0.id)/layer.tar") })
    }
}
