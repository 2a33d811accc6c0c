internal import BerthContent
public import BerthLinux
public import BerthOCI
internal import BerthReactor
public import BerthState
internal import BerthTar
internal import Synchronization

extension ImageStore {
    /// Writes images into an archive: an OCI layout in a tar that has Docker's `manifest.json` besides, so that both kinds of tools read it.
    ///
    /// Blobs are in it as they were kept, byte for byte, each once. The same images under the same names give the same bytes. Images that are asked for by
    /// name have that name in it; by a name without a tag, all tags of the repository; by id, none.
    /// - Parameters:
    ///   - names: which ones: names, or ids.
    ///   - target: where the archive goes; taken over. It need not be able to go back. If the job fails, what it got is no whole archive.
    ///   - platform: which platform they must be for: of an index only the image that is the best for that. `nil`: any, and of an index, which is then in
    ///     the archive byte for byte, all that are here.
    /// - Throws: at once `notFound` for what is not here, `invalid` for no names, and for what can be none. By the job `storage`, and `cancelled` also
    ///   where nobody reads what is written.
    public func save(_ names: [String], to target: consuming OwnedDescriptor, platform: Platform? = nil) throws(ImageError) -> Job<Void> {
        let images = try selection(names, platform)
        let box = SourceBox(target)
        return services.jobs.start(kind: "save", title: names.joined(separator: " ")) { [self] context in
            try await keeping(images) { () throws(ImageError) in
                guard let descriptor = box.take() else { throw ImageError(.invalid, "the archive has been written already") }
                try self.write(images, to: DescriptorSink(descriptor), context)
            }
        }
    }

    /// Writes images into a directory, as an OCI layout (OCI image specification, *Image Layout*).
    ///
    /// - Parameter path: a directory that is empty, or not there. `index.json` is written last: without it, it is no layout. If the job fails, what was
    ///   written is removed.
    /// - Throws: as the other; by the job also `conflict` if there is something in the directory.
    public func save(_ names: [String], toLayout path: String, platform: Platform? = nil) throws(ImageError) -> Job<Void> {
        let images = try selection(names, platform)
        return services.jobs.start(kind: "save", title: names.joined(separator: " ")) { [self] context in
            try await keeping(images) { () throws(ImageError) in
                try LayoutWriter(self.services.content, context).write(images, to: path)
            }
        }
    }

    /// Runs what reads the images' blobs in a lane of its own. None of them goes meanwhile.
    private func keeping(
        _ images: SavedImages, _ body: @escaping @Sendable () throws(ImageError) -> Void
    ) async throws(ImageError) {
        try await withLease { (lease) throws(ImageError) in
            let blobs = images.blobs.map { LeasedResource.blob($0.digest) }
            for blob in blobs { lease.hold(blob) }
            // Collection comes after the image is gone: what is still named has not been taken, and now it will not be.
            for image in images.images where index.withLock({ $0.images[image.document.id] == nil }) {
                throw .noSuchImage(image.document.id.description)
            }
            for saved in images.indexes {
                let isWhole = index.withLock { index in
                    let now = index.indexes[saved.descriptor.digest].map { Set(index.blobs(of: $0).map(\.digest)) } ?? []
                    return saved.blobs.allSatisfy { now.contains($0.digest) }
                }
                guard isWhole else { throw .noSuchImage(saved.descriptor.digest.description) }
            }
            try await Lane(named: "the save").run(body)
        }
    }

    /// The images that are meant, by Docker's rules.
    private func selection(_ names: [String], _ platform: Platform?) throws(ImageError) -> SavedImages {
        guard !names.isEmpty else { throw ImageError(.invalid, "no image is named that could be saved") }
        var images = SavedImages()
        let state = index.withLock { $0 }
        for text in names {
            let reference = try? ImageReference(parsing: text)  // an id is none
            if let reference, !Self.hasTag(text) {
                let all = state.references.filter { $0.key.familiarName == reference.familiarName && $0.key.digest == nil }
                for (name, target) in all { try Self.add(target, text, name, platform, state, to: &images) }
                if !all.isEmpty { continue }
            }
            let target = try Self.target(named: text, in: state)
            let isName = reference.map { state.references[$0] == target } ?? false
            try Self.add(target, text, isName ? reference : nil, platform, state, to: &images)
        }
        return images
    }

    /// Adds an image; or an index whole; or of an index the image for a platform.
    private static func add(
        _ target: ReferenceTarget, _ text: String, _ name: ImageReference?, _ platform: Platform?, _ state: StoreIndex,
        to images: inout SavedImages
    ) throws(ImageError) {
        guard let image = state.image(of: target, for: platform) else {
            guard let platform else { throw .noSuchImage(text) }
            throw .noSuchPlatform(platform, of: text, state.platforms(of: target))
        }
        guard case .index(let descriptor) = target, let index = state.indexes[descriptor.digest],
            let member = state.member(of: index, for: platform)
        else { return images.add(image.document, name) }
        if platform == nil {
            return images.add(
                SavedImages.Index(descriptor: descriptor, blobs: state.blobs(of: index), own: member, names: []), name)
        }
        var document = image.document
        (document.manifest, document.layers) = (member.descriptor.withoutContext, member.manifest.layers)
        images.add(document, name)
    }

    /// Whether a name says a tag or a digest itself.
    private static func hasTag(_ text: String) -> Bool {
        let last = text.lastIndex(of: "/").map { text.index(after: $0) } ?? text.startIndex
        return text[last...].contains { $0 == ":" || $0 == "@" }
    }

    private func write(_ images: SavedImages, to sink: DescriptorSink, _ context: JobContext) throws(ImageError) {
        let (index, manifest, repositories) = (try images.index(), try images.dockerManifest(), try images.repositories())
        do throws(TarError) {
            let writer = TarWriter(sink)
            // What says what there is comes first: whoever reads the archive once can then know what follows.
            var documents = [("oci-layout", SavedImages.layout), ("index.json", index), ("manifest.json", manifest)]
            if let repositories { documents.append(("repositories", repositories)) }
            for (name, bytes) in documents {
                try writer.append(TarEntry(name: Array(name.utf8), kind: .file, permissions: 0o644), contents: bytes)
            }
            var folders: Set<String> = []
            for blob in images.blobs {
                let algorithm = "blobs/\(blob.digest.algorithm.rawValue)"
                for folder in ["blobs", algorithm] where folders.insert(folder).inserted {
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

    /// Writes a blob to where a layout has it.
    func append(_ blob: Descriptor, to writer: TarWriter, _ context: JobContext) throws(TarError) {
        let file: OwnedDescriptor
        do throws(ContentError) { file = try services.content.open(blob.digest) } catch {
            throw TarError(.storage, error.description, underlying: error.underlying)
        }
        context.report(Progress(status: "Saving", totalByteCount: blob.byteCount))
        let path = SavedImages.path(of: blob.digest)
        try writer.append(
            TarEntry(name: Array(path.utf8), kind: .file, permissions: 0o644, byteCount: blob.byteCount),
            contents: WantedSource(DescriptorSource(file), context))
    }
}

/// A source that ends with its job.
final class WantedSource: ByteSource {
    private let source: any ByteSource
    private let context: JobContext

    init(_ source: any ByteSource, _ context: JobContext) { (self.source, self.context) = (source, context) }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ByteSourceError) -> Int {
        if context.isCancelled { throw ByteSourceError(.cancelled, "it was cancelled") }
        return try unsafe source.read(into: buffer)
    }
}
