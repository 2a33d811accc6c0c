public import BerthContent
internal import BerthLinux
public import BerthOCI
internal import BerthReactor
public import BerthState
internal import Synchronization

extension ImageStore {
    /// Copies an image from one place to another as it is there: an index with all that it names, byte for byte. Nothing is unpacked, and no image is made here:
    /// what has to come through is kept as blobs for as long as the copy lasts.
    ///
    /// Blobs that are there already are not sent, and of one registry they are mounted where it lets that be. When the job fails or is cancelled, the tag is as it was. Copying again is
    /// fine.
    /// - Parameters:
    ///   - reference: what is copied.
    ///   - tag: the name that it gets there.
    ///   - width: how many blobs go at once.
    /// - Throws: at once what the source says of the reference. By the job ``TransferError``, and ``ImageError``: `invalid`, `tooLarge`, `storage`, `cancelled`.
    public func copy(
        _ reference: ManifestReference, from source: any ContentSource, to destination: any ContentDestination, tag: String,
        width: Int = 3, _ lifetime: JobRegistry.Lifetime = .detached
    ) async throws(TransferError) -> JobStake<Descriptor> {
        let top = try await source.manifest(reference)
        let title = "\(source.repository.map(\.description) ?? "")\(reference.description.contains(":") ? "@" : ":")\(reference)"
        // Who may write is for the destination to say, for each copy: nobody joins another's.
        var random = SystemRandomNumberGenerator()
        return services.jobs.share("\(title) \(random.next())", kind: "copy", title: title, lifetime) { [self] context in
            do {
                return try await withLease { (lease) throws(any Error) in
                    let copy = ImageCopy(self, source, destination, context, lease)
                    return try await copy.perform(top, tag: tag, width: width)
                }
            } catch { throw context.isCancelled ? ImageError(.cancelled, "the copy was cancelled") : error }
        }
    }
}

/// Brings everything that a manifest or an index names from one place to another.
private final class ImageCopy: Sendable {
    private let store: ImageStore
    private let source: any ContentSource
    private let destination: any ContentDestination
    private let context: JobContext
    private let lease: Lease
    private let lane = Lane(named: "the copy")

    init(
        _ store: ImageStore, _ source: any ContentSource, _ destination: any ContentDestination, _ context: JobContext, _ lease: Lease
    ) {
        (self.store, self.source, self.destination, self.context, self.lease) = (store, source, destination, context, lease)
    }

    /// What is to be there: the manifests each behind all that it names.
    private struct Tree {
        var manifests: [FetchedManifest] = []
        var blobs: [Descriptor] = []
        var seen: Set<Digest> = []
        var byteCount = 0
    }

    func perform(_ top: FetchedManifest, tag: String, width: Int) async throws -> Descriptor {
        var tree = Tree()
        try await add(top, depth: 1, to: &tree)
        for blob in tree.blobs { tell(blob, "Waiting") }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (count, blob) in tree.blobs.enumerated() {
                // The first that fails ends the others: a group that is left by an error cancels its tasks.
                if count >= max(1, width) { try await group.next() }
                group.addTask { try await self.bring(blob) }
            }
            try await group.waitForAll()
        }
        for manifest in tree.manifests {
            try await destination.put(manifest, tags: manifest.descriptor.digest == top.descriptor.digest ? [tag] : [])
        }
        return top.descriptor
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

    private func bring(_ blob: Descriptor) async throws {
        if try await destination.contains(blob) { return tell(blob, "Layer already exists") }
        if let from = source.repository, from.registry == destination.repository?.registry,
            try await destination.mount(blob, from: from)
        {
            return tell(blob, "Mounted from \(from.path)")
        }
        try await source.fetch(blob, into: store.services.content, for: lease, in: lane) { [self] in tell(blob, "Downloading", $0) }
        let opened = try await lane.run { [store] () throws(ImageError) in
            do throws(ContentError) { return OpenedBlob(try store.services.content.open(blob.digest)) } catch { throw ImageError(error) }
        }
        guard let file = opened.take() else { preconditionFailure("it was opened for this") }
        try await destination.upload(blob, from: file) { [self] in tell(blob, "Pushing", $0) }
        tell(blob, "Pushed")
    }
}
