internal import BerthArchive
internal import BerthContent
internal import BerthLayers
internal import BerthLinux
internal import BerthOCI

/// Finds one image, or index, of an archive, and keeps what it is made of as blobs: byte for byte, and nothing is unpacked.
struct ArchivedImage {
    private let members: ArchiveMembers
    private let documents: ArchiveDocuments
    private let content: ContentStore
    private let lease: Lease
    private var documentCount = 0

    init(_ members: ArchiveMembers, in content: ContentStore, for lease: Lease) {
        (self.members, self.content, self.lease) = (members, content, lease)
        documents = ArchiveDocuments(members)
    }

    /// - Parameter name: which one; `nil` for the only one.
    /// - Returns: the manifest or index, which lies in the content store now, with all that the archive has of what it names.
    /// - Throws: `notFound`, `invalid` where several could be meant, and for what is no such archive.
    mutating func keep(_ name: String?) throws(ImageError) -> Descriptor {
        if let bytes = try documents.read("index.json") {
            let index = try FoundImage.decode(Index.self, bytes, "index.json")
            let descriptor = try choose(
                index.manifests.filter { !$0.isAttachment }, named: name, id: \.digest, names: Self.names,
                isCalled: { name in { descriptor in Self.isCalled(name, descriptor) } })
            try keep(descriptor.withoutContext, depth: 1)
            return descriptor.withoutContext
        }
        var images = try DockerManifest.images(in: documents)
        if images == nil { images = try LegacyRepositories.images(in: documents) }
        guard let images else { throw ArchiveLooks.complaint(aboutPaths: members.paths) }
        let reference = name.flatMap { try? ImageReference(parsing: $0) }.map(ImageStore.tagged)
        let image = try choose(
            images, named: name, id: \.id, names: { $0.names.map(\.familiar) },
            isCalled: { _ in { image in reference.map(image.names.contains) ?? false } })
        return try keep(image)
    }

    private func choose<Item>(
        _ items: [Item], named name: String?, id: (Item) -> Digest, names: (Item) -> [String], isCalled: (String) -> (Item) -> Bool
    ) throws(ImageError) -> Item {
        let digest = name.flatMap { try? Digest(parsing: $0) }
        let found =
            if let digest { items.filter { id($0) == digest } } else if let name { items.filter(isCalled(name)) } else { items }
        if let first = found.first, Set(found.map(id)).count == 1 { return first }
        let known = items.flatMap { item in names(item).isEmpty ? [id(item).description] : names(item) }
        let words = known.isEmpty ? "it has no image" : "it has \(known.prefix(32).joined(separator: ", "))"
        guard found.isEmpty else { throw ImageError(.invalid, "the archive has more than one image, and it is not said which: \(words)") }
        throw ImageError(.notFound, "the archive has no image\(name.map { " '\($0.prefix(512))'" } ?? ""): \(words)")
    }

    // MARK: OCI

    private static func names(of descriptor: Descriptor) -> [String] {
        let annotations = descriptor.annotations ?? [:]
        return [annotations["io.containerd.image.name"], annotations["org.opencontainers.image.ref.name"]].compactMap(\.self)
    }

    /// By the name as it stands, or by another form of the same.
    private static func isCalled(_ name: String, _ descriptor: Descriptor) -> Bool {
        let names = names(of: descriptor)
        if names.contains(name) { return true }
        guard let reference = (try? ImageReference(parsing: name)).map(ImageStore.tagged) else { return false }
        return names.contains { text in
            text.contains { $0 == "/" || $0 == ":" } && (try? ImageReference(parsing: text)).map(ImageStore.tagged) == reference
        }
    }

    private mutating func keep(_ descriptor: Descriptor, depth: Int) throws(ImageError) {
        documentCount += 1
        guard depth <= ImageIndex.maximumDepth, documentCount <= ImageIndex.maximumDocumentCount else {
            throw ImageError(
                .tooLarge,
                "the image's indexes are nested deeper than \(ImageIndex.maximumDepth), or name more than \(ImageIndex.maximumDocumentCount) documents"
            )
        }
        guard let bytes = try documents.read(SavedImages.path(of: descriptor.digest)) else {
            throw ImageError(.invalid, "the archive does not have the blob \(descriptor.digest) (\(descriptor.mediaType)), which it names")
        }
        guard Digest(of: bytes, descriptor.digest.algorithm) == descriptor.digest, UInt64(bytes.count) == descriptor.byteCount else {
            throw ImageError(.invalid, "the blob \(descriptor.digest) of the archive is damaged")
        }
        try members.keep(descriptor, in: content, for: lease)
        if descriptor.isIndex {
            let index = try FoundImage.decode(Index.self, bytes, "the index \(descriptor.digest)")
            for next in index.manifests where members.contains(SavedImages.path(of: next.digest)) {
                try keep(next.withoutContext, depth: depth + 1)
            }
        } else {
            let manifest = try ImageIndex.manifest(descriptor, bytes)
            for blob in [manifest.configuration] + manifest.layers where !blob.isForeignLayer {
                // Of an index's images not all need be there.
                if depth > 1, !members.contains(SavedImages.path(of: blob.digest)) { continue }
                try members.keep(blob, in: content, for: lease)
            }
        }
    }

    // MARK: Docker

    /// Makes the manifest that there is none of: the layers are what the archive has, as it has them.
    private func keep(_ image: FoundImage) throws(ImageError) -> Descriptor {
        var layers: [Descriptor] = []
        for layer in image.layers {
            guard let blob = try members.blob(at: layer.path, in: content, for: lease) else {
                throw ImageError(.invalid, "image \(image.id) has the layer '\(layer.path)', which the archive does not have")
            }
            layers.append(try described(blob, layer.path))
        }
        do throws(ContentError) {
            _ = try content.add(image.configurationBytes, for: lease)
            let bytes: [UInt8]
            do throws(ImageError) {
                bytes = try ImageStore.encoded(Manifest(configuration: image.configurationDescriptor, layers: layers))
            } catch { throw ContentError(.storage, error.description) }
            return Descriptor(mediaType: .manifest, digest: try content.add(bytes, for: lease), byteCount: UInt64(bytes.count))
        } catch { throw ImageError(error) }
    }

    private func described(_ blob: (digest: Digest, byteCount: UInt64), _ path: String) throws(ImageError) -> Descriptor {
        var head = [UInt8](repeating: 0, count: 512)
        do throws(ContentError) {
            let file = try content.open(blob.digest)
            do throws(Errno) { head.removeLast(512 - (try file.read(intoArray: &head))) } catch {
                throw ContentError(.storage, "cannot read blob \(blob.digest): \(error)", underlying: error)
            }
        } catch { throw ImageError(error) }
        let compression = Compression.of(head)
        if case .other(let name) = compression {
            throw ImageError(
                .unsupported, "the layer '\(path)' is compressed by \(name): registries and layouts have plain layers, gzip and zstd")
        }
        return Descriptor(mediaType: LayerStore.mediaType(of: compression), digest: blob.digest, byteCount: blob.byteCount)
    }
}

extension ArchiveMembers {
    /// Keeps what is at a path as a blob, whatever it is.
    ///
    /// - Returns: `nil` if there is nothing of that path.
    func blob(
        at path: String, in content: ContentStore, for lease: Lease
    ) throws(ImageError) -> (digest: Digest, byteCount: UInt64)? {
        let pending: PendingBlob
        do throws(ContentError) {
            switch try resolved(path) {
            case nil, .link: return nil
            case .bytes(let bytes): return (try content.add(bytes, for: lease), UInt64(bytes.count))
            case .blob(let blob): pending = blob
            case .layer(let layer):
                guard let whole = layer.arrival.whole else { return nil }
                pending = whole
            }
            try pending.commit()
        } catch { throw ImageError(error) }
        return (pending.digest, pending.byteCount)
    }

    private func resolved(_ path: String) throws(ContentError) -> Member? {
        do throws(ImageError) { return try member(at: path) } catch { throw ContentError(.storage, error.description) }
    }
}
