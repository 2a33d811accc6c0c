internal import BerthContent
internal import BerthLayers
internal import BerthOCI
internal import Synchronization

// Images, and indexes, are made of the parts that have come.
extension ImageStore {
    func make(imagesOf parts: any ImageParts, _ platform: Platform?, _ lease: Lease) throws(ImageError) -> [LoadedImage] {
        guard let found = try FoundArchive.all(in: parts, for: platform) else { throw ArchiveLooks.complaint(aboutPaths: parts.paths) }
        guard !found.items.isEmpty else {
            let others = found.otherKinds.sorted().map { "'\($0)'" }.joined(separator: ", ")
            throw ImageError(
                .invalid,
                "there is no image in the archive: its index and manifest name none"
                    + (others.isEmpty ? "" : ", but something of the kind \(others)"))
        }
        try parts.requireSpace(for: found.images, in: services.content)
        return try make(found, of: parts, lease)
    }

    /// Makes what was found, one after the other.
    func make(_ found: FoundArchive, of parts: any ImageParts, _ lease: Lease) throws(ImageError) -> [LoadedImage] {
        var loaded: [LoadedImage] = []
        for item in found.items {
            switch item {
            case .image(let image): loaded.append(try make(image, of: parts, lease))
            case .index(let index): loaded += try make(index, of: parts, lease)
            }
        }
        return loaded
    }

    private func make(_ image: FoundImage, of parts: any ImageParts, _ lease: Lease) throws(ImageError) -> LoadedImage {
        if let known = index.withLock({ $0.images[image.id] }) {
            // What was damaged and set aside comes with its image again.
            if try isIncomplete(known, lease) {
                let layers = try commitLayers(of: image, parts, lease)
                _ = try keep(
                    image.configurationBytes, image.configurationDescriptor, manifest: image.manifest, layers: layers, comment: "",
                    for: lease)
            }
            return try name(known, image.names)
        }
        let layers = try commitLayers(of: image, parts, lease)
        let entry = try writing.withLock { _ throws(ImageError) in
            let entry = try keep(
                image.configurationBytes, image.configurationDescriptor, manifest: image.manifest, layers: layers, comment: "",
                for: lease)
            try publish(entry, as: image.names.first)
            return entry
        }
        return try name(entry, image.names)
    }

    /// Whether a blob of an image that is here is missing. Those that are here stay for as long as the lease lasts.
    private func isIncomplete(_ image: Entry, _ lease: Lease) throws(ImageError) -> Bool {
        do throws(ContentError) {
            for blob in image.document.blobs { if try !services.content.contains(blob, for: lease) { return true } }
            return false
        } catch { throw ImageError(error) }
    }

    /// Lays an image's layers, and compares them with what names them.
    private func commitLayers(of image: FoundImage, _ parts: any ImageParts, _ lease: Lease) throws(ImageError) -> [Descriptor] {
        var layers: [(layer: UnpackedLayer, diffID: Digest?)] = []
        for (layer, diffID) in zip(image.layers, image.configuration.diffIDs) {
            guard let unpacked = try parts.layer(at: layer.path) else {
                throw ImageError(.invalid, "image \(image.id) has the layer '\(layer.path)', which the archive does not have")
            }
            if let descriptor = layer.descriptor {
                guard unpacked.digest == descriptor.digest, unpacked.byteCount == descriptor.byteCount else {
                    throw ImageError(
                        .invalid,
                        "the layer \(descriptor.digest) of image \(image.id) is damaged: it has \(unpacked.byteCount) bytes with the digest \(unpacked.digest), and is to have \(descriptor.byteCount)"
                    )
                }
            }
            layers.append((unpacked, diffID))
        }
        let imported: [ImportedLayer]
        do throws(LayerError) {
            imported = try services.layers.commit(layers, on: nil, for: lease)
        } catch { throw ImageError(ImageError(error).code, "image \(image.id): \(error)", underlying: error.underlying) }
        return zip(image.layers, imported).map { $0.descriptor ?? $1.blob }
    }

    private func name(_ entry: Entry, _ names: [ImageReference]) throws(ImageError) -> LoadedImage {
        try writing.withLock { _ throws(ImageError) in
            let target = ReferenceTarget.image(entry.document.id)
            try give(target, names)
            return LoadedImage(image: record(entry), names: names, index: nil)
        }
    }

    private func give(_ target: ReferenceTarget, _ names: [ImageReference]) throws(ImageError) {
        let missing = index.withLock { index in names.filter { index.references[$0] != target } }
        for name in missing { try writeReference(name, to: target) }
        if !missing.isEmpty { try writeIndex() }
    }

    // MARK: Indexes

    /// Makes the images of an index, and then, all at once, the index: what can fail for want of space has been done by then.
    private func make(_ found: FoundIndex, of parts: any ImageParts, _ lease: Lease) throws(ImageError) -> [LoadedImage] {
        var entries: [Entry] = []
        for image in found.images { entries.append(try entry(of: image, parts, lease)) }
        for blob in found.index.blobs { try parts.keep(blob, in: services.content, for: lease) }
        let target = ReferenceTarget.index(found.index.descriptor)
        return try writing.withLock { _ throws(ImageError) in
            // Whatever it has here by now, also of earlier loads.
            let kept = try ImageIndex(found.index.descriptor, in: services.content)
            let absent = index.withLock { index in entries.filter { index.images[$0.document.id] == nil } }
            try publish(absent, as: found.names.first, target, kept)
            try give(target, Array(found.names.dropFirst()))
            let own = index.withLock { $0.image(of: target, for: nil)?.document.id }
            return entries.map { entry in
                let id = entry.document.id
                return LoadedImage(image: record(entry), names: id == own ? found.names : [], index: found.index.descriptor.digest)
            }
        }
    }

    /// An image of an index: its parts are kept by the lease. One that is here already may be so by another manifest, with other blobs of the same layers.
    private func entry(of image: FoundImage, _ parts: any ImageParts, _ lease: Lease) throws(ImageError) -> Entry {
        let known = index.withLock { $0.images[image.id] }
        if let known, known.document.manifest.digest == image.manifest?.descriptor.digest, hold(known, lease),
            try !isIncomplete(known, lease)
        {
            return known
        }
        let layers = try commitLayers(of: image, parts, lease)
        let entry = try keep(
            image.configurationBytes, image.configurationDescriptor, manifest: image.manifest, layers: layers, comment: "", for: lease)
        return known ?? entry
    }
}
