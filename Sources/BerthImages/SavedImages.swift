internal import BerthOCI

/// Images that are to be saved, and what an archive of them says of them: the same images are the same bytes, in whatever order they were asked for.
struct SavedImages {
    struct Image {
        var document: ImageDocument
        /// The names that the archive gives it.
        var names: [ImageReference]
    }
    struct Index {
        var descriptor: Descriptor
        /// What of it is here.
        var blobs: [Descriptor]
        /// The image that tools which know no index are told of.
        var own: ImageIndex.Member
        /// The names that the archive gives it.
        var names: [ImageReference]
    }
    /// By id.
    private(set) var images: [Image] = []
    /// By digest.
    private(set) var indexes: [Index] = []

    /// Adds an image, and a name of it.
    mutating func add(_ document: ImageDocument, _ name: ImageReference?) {
        let at: Int
        if let known = images.firstIndex(where: { $0.document.id == document.id }) {
            at = known
        } else {
            at = images.firstIndex { $0.document.id.hex > document.id.hex } ?? images.endIndex
            images.insert(Image(document: document, names: []), at: at)
        }
        Self.add(name, to: &images[at].names)
    }

    /// Adds an index as it is here, and a name of it.
    mutating func add(_ index: Index, _ name: ImageReference?) {
        let at: Int
        if let known = indexes.firstIndex(where: { $0.descriptor.digest == index.descriptor.digest }) {
            at = known
        } else {
            at = indexes.firstIndex { $0.descriptor.digest.hex > index.descriptor.digest.hex } ?? indexes.endIndex
            indexes.insert(index, at: at)
        }
        Self.add(name, to: &indexes[at].names)
    }

    private static func add(_ name: ImageReference?, to names: inout [ImageReference]) {
        guard let name, !names.contains(name) else { return }
        names.append(name)
        names.sort { $0.description < $1.description }
    }

    /// All blobs that the images and indexes are of, each once, in order.
    var blobs: [Descriptor] {
        var found: [String: Descriptor] = [:]
        let ofImages = images.map(\.document).flatMap { [$0.manifest, $0.configuration] + $0.layers }
        for blob in ofImages + indexes.flatMap(\.blobs) { found[Self.path(of: blob.digest)] = blob }
        return found.sorted { $0.key < $1.key }.map(\.value)
    }

    static func path(of digest: Digest) -> String { "blobs/\(digest.algorithm.rawValue)/\(digest.hex)" }

    /// What makes a directory an OCI layout.
    static let layout = Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8)

    /// `index.json`: a descriptor for each name, with the words by which containerd and Docker, and everybody else, find names.
    func index() throws(ImageError) -> [UInt8] {
        var manifests: [Descriptor] = []
        for (var descriptor, names) in images.map({ ($0.document.manifest, $0.names) }) + indexes.map({ ($0.descriptor, $0.names) }) {
            descriptor.annotations = nil
            if names.isEmpty { manifests.append(descriptor) }
            for name in names {
                descriptor.annotations = [
                    "io.containerd.image.name": name.description, "org.opencontainers.image.ref.name": name.description,
                ]
                manifests.append(descriptor)
            }
        }
        return try ImageStore.encoded(BerthOCI.Index(manifests: manifests))
    }

    /// What Docker's form can say: images with their configuration, their layers and their names. Of an index it is the one that is meant by its name.
    private var plain: [(configuration: Descriptor, layers: [Descriptor], names: [ImageReference])] {
        images.map { ($0.document.configuration, $0.document.layers, $0.names) }
            + indexes.map { ($0.own.manifest.configuration, $0.own.manifest.layers, $0.names) }
    }

    /// `manifest.json`: the same in Docker's form, about the same files.
    func dockerManifest() throws(ImageError) -> [UInt8] {
        try ImageStore.encoded(
            plain.map { image in
                DockerManifest.Item(
                    Config: Self.path(of: image.configuration.digest), RepoTags: image.names.map(\.familiar),
                    Layers: image.layers.map { Self.path(of: $0.digest) })
            })
    }

    /// `repositories`, which old tools look for: names, tags, and of each the uppermost layer.
    func repositories() throws(ImageError) -> [UInt8]? {
        var repositories: [String: [String: String]] = [:]
        for image in plain {
            for name in image.names {
                repositories[name.familiarName, default: [:]][name.tag ?? ""] = image.layers.last?.digest.hex ?? ""
            }
        }
        return repositories.isEmpty ? nil : try ImageStore.encoded(repositories)
    }
}
