internal import BerthContent
internal import BerthLayers
internal import BerthOCI

/// What Docker saved before 1.10, and 20.10 still loads: `repositories`, and of each layer a folder with `json` and `layer.tar`.
///
/// Configurations as they are today did not exist then: one is made of the uppermost layer's, with the history of all of them.
enum LegacyRepositories {
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

    /// The images that it names; `nil` if there is none.
    static func images(in parts: any ImageParts) throws(ImageError) -> [FoundImage]? {
        guard let bytes = try parts.document(at: "repositories") else { return nil }
        let repositories = try FoundImage.decode([String: [String: String]].self, bytes, "repositories")
        var images: [FoundImage] = []
        for (repository, tags) in repositories.sorted(by: { $0.key < $1.key }) {
            for (tag, id) in tags.sorted(by: { $0.key < $1.key }) {
                guard let name = try? ImageReference(parsing: "\(repository):\(tag)"), name.digest == nil else {
                    throw ImageError(.invalid, "invalid tag \"\("\(repository):\(tag)".prefix(512))\"")
                }
                var image = try image(id, in: parts)
                image.names = [name]
                if let known = images.firstIndex(where: { $0.id == image.id }) {
                    images[known].names.append(name)
                } else {
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

    private static func image(_ id: String, in parts: any ImageParts) throws(ImageError) -> FoundImage {
        var chain: [(id: String, layer: Layer)] = []
        var next: String? = id
        while let id = next, !id.isEmpty {
            guard chain.count < FoundImage.maximumLayerCount else {
                throw ImageError(
                    .tooLarge, "the layer \(id.prefix(64)) of repositories lies on more than \(FoundImage.maximumLayerCount), or on itself")
            }
            guard ArchiveMembers.path(id) == id else {
                throw ImageError(.invalid, "repositories leads to the layer '\(id.prefix(64))', which cannot be a folder of the archive")
            }
            guard let bytes = try parts.document(at: "\(id)/json") else {
                throw ImageError(.invalid, "repositories leads to the layer '\(id.prefix(64))', which the archive does not have")
            }
            let layer = try FoundImage.decode(Layer.self, bytes, "'\(id.prefix(64))/json'")
            chain.insert((id, layer), at: 0)
            next = layer.parent
        }
        guard let top = chain.last?.layer else { throw ImageError(.invalid, "repositories names an image without an id") }
        var (diffIDs, history): ([Digest], [ImageConfiguration.HistoryEntry]) = ([], [])
        for (id, layer) in chain {
            guard let diffID = try parts.diffID(ofLayerAt: "\(id)/layer.tar") else {
                throw ImageError(.invalid, "the archive does not have '\(id.prefix(64))/layer.tar', which repositories leads to")
            }
            diffIDs.append(diffID)
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
        let described = Descriptor(mediaType: .configuration, digest: Digest(of: bytes), byteCount: UInt64(bytes.count))
        return FoundImage(
            id: described.digest, configuration: configuration, configurationBytes: bytes, configurationDescriptor: described,
            layers: chain.map { FoundImage.Layer(path: "\($0.id)/layer.tar") })
    }
}
