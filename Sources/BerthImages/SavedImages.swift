internal import BerthOCI

/// Images that are to be saved, and what an archive of them says of them: the same images are the same bytes, in whatever order they were asked for.
struct SavedImages {
    struct Image {
        var document: ImageDocument
        /// The names that the archive gives it.
        var names: [ImageReference]
    }
    /// By id.
    private(set) var images: [Image] = []

    /// Adds an image, and a name of it.
    mutating func add(_ document: ImageDocument, _ name: ImageReference?) {
        let index: Int
        if let known = images.firstIndex(where: { $0.document.id == document.id }) {
            index = known
        } else {
            index = images.firstIndex { $0.document.id.hex > document.id.hex } ?? images.endIndex
            images.insert(Image(document: document, names: []), at: index)
        }
        guard let name, !images[index].names.contains(name) else { return }
        images[index].names.append(name)
        images[index].names.sort { $0.description < $1.description }
    }

    /// All blobs that the images are of, each once, in order.
    var blobs: [Descriptor] {
        var found: [String: Descriptor] = [:]
        for image in images.map(\.document) {
            for blob in [image.manifest, image.configuration] + image.layers { found[Self.path(of: blob.digest)] = blob }
        }
        return found.sorted { $0.key < $1.key }.map(\.value)
    }

    static func path(of digest: Digest) -> String { "blobs/\(digest.algorithm.rawValue)/\(digest.hex)" }

    /// What makes a directory an OCI layout.
    static let layout = Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8)

    /// `index.json`: a descriptor for each name, with the words by which containerd and Docker, and everybody else, find names.
    func index() throws(ImageError) -> [UInt8] {
        var manifests: [Descriptor] = []
        for image in images {
            var descriptor = image.document.manifest
            descriptor.annotations = nil
            if image.names.isEmpty { manifests.append(descriptor) }
            for name in image.names {
                descriptor.annotations = [
                    "io.containerd.image.name": name.description, "org.opencontainers.image.ref.name": name.description,
                ]
                manifests.append(descriptor)
            }
        }
        return try ImageStore.encoded(Index(manifests: manifests))
    }

    /// `manifest.json`: the same in Docker's form, about the same files.
    func dockerManifest() throws(ImageError) -> [UInt8] {
        try ImageStore.encoded(
            images.map { image in
                DockerManifest.Item(
                    Config: Self.path(of: image.document.configuration.digest), RepoTags: image.names.map(\.familiar),
                    Layers: image.document.layers.map { Self.path(of: $0.digest) })
            })
    }

    /// `repositories`, which old tools look for: names, tags, and of each the uppermost layer.
    func repositories() throws(ImageError) -> [UInt8]? {
        var repositories: [String: [String: String]] = [:]
        for image in images {
            for name in image.names {
                repositories[name.familiarName, default: [:]][name.tag ?? ""] = image.document.layers.last?.digest.hex ?? ""
            }
        }
        return repositories.isEmpty ? nil : try ImageStore.encoded(repositories)
    }
}
