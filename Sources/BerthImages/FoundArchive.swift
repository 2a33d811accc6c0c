internal import BerthOCI

/// An index that an archive, or a directory, says it has, with those of its images that are to be taken.
struct FoundIndex {
    /// What of it is in the archive.
    var index: ImageIndex
    /// In the index's order; there is at least one.
    var images: [FoundImage]
    var names: [ImageReference] = []

    func has(_ image: Digest) -> Bool { images.contains { $0.id == image } }
}

/// What an archive, or a directory, says it has.
struct FoundArchive {
    /// Something that gets names.
    enum Item {
        case image(FoundImage)
        case index(FoundIndex)
    }

    /// In the archive's order; none is twice.
    private(set) var items: [Item] = []
    /// The kinds of what its index names and nobody here knows.
    private(set) var otherKinds: Set<String> = []

    /// Notes something that is neither an image nor an index.
    mutating func passOver(_ descriptor: Descriptor) {
        if otherKinds.count < 8 { otherKinds.insert(String(descriptor.mediaType.rawValue.prefix(128))) }
    }

    /// Everything of an archive: what its OCI index has, then what Docker's manifest has besides.
    ///
    /// - Parameter platform: for which platform. `nil`: of an index all that are there, and of a single image any.
    /// - Returns: `nil` if there is neither an index nor a manifest.
    static func all(in parts: any ImageParts, for platform: Platform?) throws(ImageError) -> FoundArchive? {
        let documents = ArchiveDocuments(parts)
        var layout = LayoutIndex(documents, platform)
        let ofIndex = try layout.found()
        var ofDocker = try DockerManifest.images(in: documents)
        // Newer archives have `repositories` besides, and what it leads to no longer.
        if ofIndex == nil, ofDocker == nil { ofDocker = try LegacyRepositories.images(in: documents) }
        guard ofIndex != nil || ofDocker != nil else { return nil }
        var found = ofIndex ?? FoundArchive()
        let isAlone = found.items.isEmpty
        let nameless = Set(found.indexes.filter(\.names.isEmpty).map(\.index.descriptor.digest))
        for image in ofDocker ?? [] {
            if isAlone || found.hasImage(image.id) {
                found.add(image, image.names)
            } else if let index = found.indexes.first(where: { nameless.contains($0.index.descriptor.digest) && $0.has(image.id) }) {
                // Docker's form names the image that the index means, where there is an index.
                for name in image.names { try found.add(index, name) }
            }
        }
        let images = found.images
        guard images.count <= FoundImage.maximumCount else {
            throw ImageError(
                .tooLarge, "the archive has \(images.count) images: at most \(FoundImage.maximumCount) are loaded at once")
        }
        for image in images { try image.requireSense(platform) }
        return found
    }

    /// All images, also those of indexes.
    var images: [FoundImage] {
        items.flatMap { item in
            switch item {
            case .image(let image): [image]
            case .index(let index): index.images
            }
        }
    }

    private var indexes: [FoundIndex] { items.compactMap { item in if case .index(let index) = item { index } else { nil } } }

    private func hasImage(_ id: Digest) -> Bool {
        items.contains { item in if case .image(let image) = item { image.id == id } else { false } }
    }

    /// Adds an image, or names to one that it has.
    mutating func add(_ image: FoundImage, _ names: [ImageReference]) {
        for (at, item) in items.enumerated() {
            guard case .image(var known) = item, known.id == image.id else { continue }
            for name in names where !known.names.contains(name) { known.names.append(name) }
            items[at] = .image(known)
            return
        }
        var image = image
        image.names = names.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
        items.append(.image(image))
    }

    /// Adds an index, or a name to one that it has.
    mutating func add(_ found: FoundIndex, _ name: ImageReference?) throws(ImageError) {
        for (at, item) in items.enumerated() {
            guard case .index(var known) = item, known.index.descriptor.digest == found.index.descriptor.digest else { continue }
            if let name, !known.names.contains(name) { known.names.append(name) }
            guard known.names.count <= FoundImage.maximumNameCount else {
                throw .tooManyNames(known.names.count, of: "index \(known.index.descriptor.digest)")
            }
            items[at] = .index(known)
            return
        }
        var found = found
        found.names = name.map { [$0] } ?? []
        items.append(.index(found))
    }
}
