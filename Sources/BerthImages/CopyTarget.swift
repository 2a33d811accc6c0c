internal import BerthContent
internal import BerthLinux
internal import BerthOCI
internal import BerthReactor
internal import BerthState
internal import BerthTar

/// Where a copy goes to, for the job that makes it.
enum CopyTarget: Sendable {
    case content(any ContentDestination, tag: String)
    case store(ImageReference)
    case archive(SourceBox, ArchiveForm)

    init(_ destination: consuming CopyDestination) {
        switch consume destination {
        case .content(let destination, let tag): self = .content(destination, tag: tag)
        case .store(let name): self = .store(name)
        case .archive(let descriptor, let form): self = .archive(SourceBox(descriptor), form)
        }
    }

    /// Takes what was found.
    ///
    /// - Returns: what the name names there.
    func take(
        _ found: FoundOrigin, _ store: ImageStore, _ options: CopyOptions, _ context: JobContext, _ lease: Lease
    ) async throws -> Descriptor {
        let copy = ImageCopy(store, found.source, context, lease)
        switch self {
        case .content(let destination, let tag):
            let top = try await found.chosen(options, takesIndexes: true)
            return try await copy.perform(top, to: destination, tag: tag, width: options.width)
        case .store(let name):
            var top = found.top
            if options.platform != nil || options.requiresAll { top = try await found.chosen(options, takesIndexes: false) }
            // By its digest: what a tag names may be another by now.
            let fetched = try await store.fetching(
                ImageStore.tagged(name), top.descriptor, from: found.source, FetchOptions(platform: options.platform), context)
            return Descriptor(mediaType: top.descriptor.mediaType, digest: fetched.digest, byteCount: top.descriptor.byteCount)
        case .archive(let box, let form):
            let isLayout = if case .layout = form { true } else { false }
            let top = try await found.chosen(options, takesIndexes: isLayout)
            let tree = try await copy.tree(of: top)
            try await copy.keep(tree, width: options.width)
            try await Lane(named: "the archive that is written").run { () throws(ImageError) in
                guard let descriptor = box.take() else { throw ImageError(.invalid, "the archive has been written already") }
                try store.write(tree, top.descriptor, form, to: DescriptorSink(descriptor), context)
            }
            return top.descriptor
        }
    }
}

extension ImageStore {
    /// Writes an archive of what lies in the content store: its documents first, then the blobs in the order of their names.
    fileprivate func write(
        _ tree: ImageCopy.Tree, _ top: Descriptor, _ form: ArchiveForm, to sink: DescriptorSink, _ context: JobContext
    ) throws(ImageError) {
        var documents = [("oci-layout", SavedImages.layout)]
        var named = top
        switch form {
        case .layout(let name): named.annotations = name.map { ["org.opencontainers.image.ref.name": $0] }
        case .docker(let name):
            named.annotations = name.map {
                ["io.containerd.image.name": $0.description, "org.opencontainers.image.ref.name": $0.description]
            }
            documents.append(("manifest.json", try Self.dockerManifest(of: tree, name)))
        }
        documents.append(("index.json", try Self.encoded(Index(manifests: [named]))))
        var blobs: [String: Descriptor] = [:]
        for blob in tree.blobs + tree.manifests.map(\.descriptor) { blobs[SavedImages.path(of: blob.digest)] = blob }
        do throws(TarError) {
            let writer = TarWriter(sink)
            // What says what there is comes first: whoever reads the archive once can then know what follows.
            for (name, bytes) in documents {
                try writer.append(TarEntry(name: Array(name.utf8), kind: .file, permissions: 0o644), contents: bytes)
            }
            var folders: Set<String> = []
            for (_, blob) in blobs.sorted(by: { $0.key < $1.key }) {
                for folder in ["blobs", "blobs/\(blob.digest.algorithm.rawValue)"] where folders.insert(folder).inserted {
                    try writer.append(TarEntry(name: Array(folder.utf8), kind: .directory, permissions: 0o755))
                }
                try append(blob, to: writer, context)
            }
            try writer.finish()
        } catch {
            if case .sink(.cancelled) = error.code { throw ImageError(.cancelled, error.description, underlying: error.underlying) }
            throw ImageError(error)
        }
    }

    private static func dockerManifest(of tree: ImageCopy.Tree, _ name: ImageReference?) throws(ImageError) -> [UInt8] {
        guard let last = tree.manifests.last else { preconditionFailure("a tree has its top") }
        let manifest = try ImageIndex.manifest(last.descriptor, last.bytes)
        guard manifest.configuration.isImageConfiguration else {
            throw ImageError(
                .unsupported,
                "\(last.descriptor.digest) is no image: its configuration is of the kind '\(manifest.configuration.mediaType.rawValue.prefix(128))', which Docker's archives cannot have"
            )
        }
        if let layer = manifest.layers.first(where: \.isForeignLayer) {
            throw ImageError(.unsupported, "the layer \(layer.digest) is not for registries to hand out, and the archive would lack it")
        }
        return try encoded([
            DockerManifest.Item(
                Config: SavedImages.path(of: manifest.configuration.digest), RepoTags: name.map { [tagged($0).familiar] } ?? [],
                Layers: manifest.layers.map { SavedImages.path(of: $0.digest) })
        ])
    }
}
