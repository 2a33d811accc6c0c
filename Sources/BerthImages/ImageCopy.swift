internal import BerthContent
internal import BerthLinux
internal import BerthOCI
internal import BerthReactor
internal import BerthState

/// Brings everything that a manifest or an index names from one place to another.
final class ImageCopy: Sendable {
    private let store: ImageStore
    private let source: any ContentSource
    private let context: JobContext
    private let lease: Lease
    private let lane = Lane(named: "the copy")

    init(
        _ store: ImageStore, _ source: any ContentSource, _ context: JobContext, _ lease: Lease
    ) {
        (self.store, self.source, self.context, self.lease) = (store, source, context, lease)
    }

    /// What is to be there: the manifests each behind all that it names.
    struct Tree {
        var manifests: [FetchedManifest] = []
        var blobs: [Descriptor] = []
        var seen: Set<Digest> = []
        var byteCount = 0
    }

    /// Everything that a manifest or an index names.
    func tree(of top: FetchedManifest) async throws -> Tree {
        var tree = Tree()
        try await add(top, depth: 1, to: &tree)
        return tree
    }

    /// Brings it to a place that images go to, under a tag.
    func perform(_ top: FetchedManifest, to destination: any ContentDestination, tag: String, width: Int) async throws -> Descriptor {
        let tree = try await tree(of: top)
        try await each(tree.blobs, width: width) { try await self.bring($0, to: destination) }
        for manifest in tree.manifests {
            try await destination.put(manifest, tags: manifest.descriptor.digest == top.descriptor.digest ? [tag] : [])
        }
        return top.descriptor
    }

    /// Brings it into the content store.
    func keep(_ tree: Tree, width: Int) async throws {
        try await each(tree.blobs, width: width) { blob in
            try await self.keep(blob)
            self.tell(blob, "Download complete")
        }
        for manifest in tree.manifests {
            try await lane.run { [store, lease] () throws(ImageError) in
                do throws(ContentError) {
                    _ = try store.services.content.add(manifest.bytes, manifest.descriptor.digest.algorithm, for: lease)
                } catch { throw ImageError(error) }
            }
        }
    }

    private func each(_ blobs: [Descriptor], width: Int, _ body: @escaping @Sendable (Descriptor) async throws -> Void) async throws {
        for blob in blobs { tell(blob, "Waiting") }
        try await performConcurrently(blobs, width: width, body)
    }

    private func add(_ manifest: FetchedManifest, depth: Int, to tree: inout Tree) async throws {
        guard depth <= ImageIndex.maximumDepth else {
            throw ImageError(.tooLarge, "the indexes are nested deeper than \(ImageIndex.maximumDepth): they may lead in a circle")
        }
        guard tree.seen.insert(manifest.descriptor.digest).inserted else { return }
        tree.byteCount += manifest.bytes.count
        guard tree.seen.count <= ImageIndex.maximumDocumentCount, tree.byteCount <= ArchiveDocuments.maximumTotalByteCount else {
            throw ImageError(
                .tooLarge,
                "the image has more than \(ImageIndex.maximumDocumentCount) documents, or more than \(ArchiveDocuments.maximumTotalByteCount) bytes of them"
            )
        }
        if manifest.descriptor.isIndex {
            let index = try FoundImage.decode(Index.self, manifest.bytes, "the index \(manifest.descriptor.digest)")
            for next in index.manifests {
                try await add(try await source.manifest(.digest(next.digest)), depth: depth + 1, to: &tree)
            }
        } else {
            let found = try ImageIndex.manifest(manifest.descriptor, manifest.bytes)
            // Layers that registries do not hand out stay where they are.
            for blob in found.layers + [found.configuration] where !blob.isForeignLayer && tree.seen.insert(blob.digest).inserted {
                tree.blobs.append(blob.withoutContext)
            }
        }
        tree.manifests.append(manifest)
    }

    private func tell(_ blob: Descriptor, _ status: String, _ count: UInt64? = nil) {
        context.report(
            Progress.Part(
                id: String(blob.digest.hex.prefix(12)), status: status, completedByteCount: count,
                totalByteCount: count == nil ? nil : blob.byteCount))
    }

    private func keep(_ blob: Descriptor) async throws {
        try await source.fetch(blob, into: store.services.content, for: lease, in: lane) { [self] in tell(blob, "Downloading", $0) }
    }

    private func bring(_ blob: Descriptor, to destination: any ContentDestination) async throws {
        if try await destination.contains(blob) { return tell(blob, "Layer already exists") }
        if let from = source.repository, from.registry == destination.repository?.registry,
            try await destination.mount(blob, from: from)
        {
            return tell(blob, "Mounted from \(from.path)")
        }
        try await keep(blob)
        let opened = try await lane.run { [store] () throws(ImageError) in
            do throws(ContentError) { return OpenedBlob(try store.services.content.open(blob.digest)) } catch { throw ImageError(error) }
        }
        guard let file = opened.take() else { preconditionFailure("it was opened for this") }
        try await destination.upload(blob, from: file) { [self] in tell(blob, "Pushing", $0) }
        tell(blob, "Pushed")
    }
}
