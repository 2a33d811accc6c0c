internal import BerthContent
internal import BerthLayers
public import BerthLinux
public import BerthOCI
internal import BerthReactor
public import BerthState
internal import BerthTar
internal import FoundationEssentials
internal import Synchronization

extension ImageStore {
    /// Makes an image of a root file system: a tar, plain or compressed, read to its end.
    ///
    /// The job's value is the image. Killed at any moment, it has made the whole image, or nothing that is seen; the same can be done again.
    /// - Parameters:
    ///   - source: where the tar comes from; taken over.
    ///   - byteCount: how many bytes it has, where that is known: without a place for them nothing is begun.
    ///   - reference: its name; `nil` for none. Another image of that name loses it.
    ///   - changes: Dockerfile instructions, as `docker import --change` takes them.
    ///   - message: kept as the comment of its only layer. Default: `Imported from -`.
    ///   - platform: what it is for. Default: this machine's.
    /// - Throws: at once `invalid` for a name with a digest and for changes that are none.
    public func importRootFileSystem(
        from source: consuming OwnedDescriptor, byteCount: UInt64? = nil, as reference: ImageReference? = nil, changes: [String] = [],
        message: String? = nil, platform: Platform = .host
    ) throws(ImageError) -> Job<ImageRecord> {
        if let reference, reference.digest != nil { throw ImageError(.invalid, "cannot import digest reference") }
        let name = reference.map(Self.tagged)
        let execution = try ImageChanges.apply(changes, to: ImageConfiguration.Execution())
        let box = SourceBox(source)
        return services.jobs.start(kind: "import", title: name?.familiar ?? "root file system") { [self] context in
            // A source may be slow: it holds up nobody else.
            let own = Lane(named: "an import")
            let record = try await withLease { (lease) throws(ImageError) in
                try await own.run { () throws(ImageError) in
                    if let byteCount { try self.requireSpace(for: byteCount) }
                    return try self.takeIn(box, name, execution, message ?? "Imported from -", platform, lease, context)
                }
            }
            services.events.publish(
                Event(
                    type: "image", action: "import", actorID: record.id.description,
                    attributes: ["name": name?.familiar ?? record.id.description]))
            return record
        }
    }

    /// Makes an image of a root file system in a file: as the other does it.
    ///
    /// - Throws: also `notFound` if there is no such file.
    public func importRootFileSystem(
        fromFile path: String, as reference: ImageReference? = nil, changes: [String] = [], message: String? = nil,
        platform: Platform = .host
    ) throws(ImageError) -> Job<ImageRecord> {
        let source: OwnedDescriptor
        do throws(Errno) { source = try HostFile.open(path) } catch {
            throw ImageError(error == .ENOENT ? .notFound : .storage, "cannot open the archive '\(path)': \(error)", underlying: error)
        }
        // What cannot say how long it is, is read as what does not know it.
        let status = try? source.status()
        let byteCount = status?.kind == .regular ? status.map { UInt64($0.byteCount) } : nil
        return try importRootFileSystem(
            from: source, byteCount: byteCount, as: reference, changes: changes, message: message ?? "Imported from \(path)",
            platform: platform)
    }

    private func takeIn(
        _ source: SourceBox, _ name: ImageReference?, _ execution: ImageConfiguration.Execution, _ message: String, _ platform: Platform,
        _ lease: Lease, _ context: JobContext
    ) throws(ImageError) -> ImageRecord {
        guard let descriptor = source.take() else { throw ImageError(.invalid, "the archive has been read already") }
        let layer: ImportedLayer
        let interruption = try context.interruption()
        do throws(LayerError) {
            layer = try services.layers.importLayer(from: descriptor, on: nil, for: lease, until: interruption) {
                (count) throws(LayerError) in
                if context.isCancelled { throw LayerError(.cancelled, "the import was cancelled") }
                context.report(Progress(status: "Importing", completedByteCount: count))
            }
        } catch { throw ImageError(error) }
        let now = Timestamp.now
        let configuration = ImageConfiguration(
            platform: platform, created: now, execution: execution, diffIDs: [layer.diffID],
            history: [ImageConfiguration.HistoryEntry(created: now, createdBy: nil, comment: message)])
        return try writing.withLock { _ throws(ImageError) in
            let image = try keep(configuration, layers: [layer.blob], comment: message, for: lease)
            try publish(image, as: name)
            return record(image)
        }
    }

    /// Writes an image's configuration and manifest.
    ///
    /// - Parameter manifest: as it came; `nil` to make one.
    func keep(
        _ configuration: [UInt8], _ described: Descriptor, manifest: (descriptor: Descriptor, bytes: [UInt8])?, layers: [Descriptor],
        comment: String, parent: Digest? = nil, for lease: Lease
    ) throws(ImageError) -> Entry {
        let manifest = if let manifest { manifest } else { try Self.manifest(of: described, layers) }
        do throws(ContentError) {
            for (descriptor, bytes) in [(descriptor: described, bytes: configuration), manifest] {
                _ = try services.content.add(bytes, descriptor.digest.algorithm, for: lease)
            }
        } catch { throw ImageError(error) }
        return try entry(
            ImageDocument(
                id: described.digest, manifest: manifest.descriptor, configuration: described, layers: layers, arrivedAt: .now,
                comment: comment, parent: parent))
    }

    /// Writes the configuration and manifest of an image that is made here.
    func keep(
        _ configuration: ImageConfiguration, layers: [Descriptor], comment: String, parent: Digest? = nil, for lease: Lease
    ) throws(ImageError) -> Entry {
        let bytes = try Self.encoded(configuration)
        let described = Descriptor(mediaType: .configuration, digest: Digest(of: bytes), byteCount: UInt64(bytes.count))
        return try keep(bytes, described, manifest: nil, layers: layers, comment: comment, parent: parent, for: lease)
    }

    private static func manifest(
        of configuration: Descriptor, _ layers: [Descriptor]
    ) throws(ImageError) -> (descriptor: Descriptor, bytes: [UInt8]) {
        var manifest = Manifest(configuration: configuration, layers: layers)
        for place in layers.indices { manifest.layers[place].mediaType = layers[place].mediaType.ofOCI }
        let bytes = try encoded(manifest)
        return (Descriptor(mediaType: .manifest, digest: Digest(of: bytes), byteCount: UInt64(bytes.count)), bytes)
    }

    /// A document of an image as JSON: the same value gives the same bytes.
    static func encoded(_ value: some Encodable) throws(ImageError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do { return Array(try encoder.encode(value)) } catch { throw ImageError(.storage, "the image cannot be written: \(error)") }
    }

    /// Writes an image's documents: the name's first, which is nothing without the image, the image's last. With it all is there. The caller holds
    /// ``writing``.
    func publish(_ image: Entry, as name: ImageReference?) throws(ImageError) {
        try publish([image], as: name, .image(image.document.id))
    }

    /// Writes images' documents, and the name of what they are before them: without any of them it names nothing. The caller holds ``writing``.
    ///
    /// - Parameters:
    ///   - target: what gets the name.
    ///   - given: of an index that gets it, what of it is here. An index that gets none, and has none, is given a document of its own instead.
    func publish(
        _ images: [Entry], as name: ImageReference?, _ target: ReferenceTarget, _ given: ImageIndex? = nil
    ) throws(ImageError) {
        let before = index.withLock { $0 }
        let previous = name.flatMap { before.references[$0] }
        let unnamed = name == nil ? given.map(\.descriptor).flatMap { before.indexes[$0.digest] == nil ? $0 : nil } : nil
        do throws(ImageError) {
            do throws(StateError) {
                if let name {
                    let document = ReferenceDocument(name: name, target: target, previous: previous)
                    try references.write(document, id: Self.documentID(of: name))
                }
                if let unnamed { try unnamedIndexes.write(IndexDocument(index: unnamed), id: unnamed.digest.hex) }
                for image in images { try self.images.write(image.document, id: image.document.id.hex) }
            } catch { throw ImageError(error) }
            index.withLock { index in
                for image in images { index.images[image.document.id] = image }
                if let name { index.name(name, target, given) } else if let given { index.keep(unnamed: given) }
            }
            try writeIndex()
        } catch {
            index.withLock { $0 = before }
            // These may fail as that did. What is left is either whole images, or a name without one, which the next opening gives back. An image
            // that was there before stays.
            for image in images.reversed() {
                let id = image.document.id
                if let known = before.images[id] {
                    try? self.images.write(known.document, id: id.hex)
                } else {
                    try? self.images.remove(id: id.hex)
                }
            }
            if let unnamed { try? unnamedIndexes.remove(id: unnamed.digest.hex) }
            if let name {
                if let previous {
                    try? references.write(ReferenceDocument(name: name, target: previous), id: Self.documentID(of: name))
                } else {
                    try? references.remove(id: Self.documentID(of: name))
                }
            }
            throw error
        }
        if let name {
            forgetUnnamed(target)
            collectReleased(from: before, by: name)
        }
    }
}

extension JobContext {
    /// Ends the reading of a source when the job is cancelled, also while it waits for whoever is at the other end.
    func interruption() throws(ImageError) -> SourceInterruption {
        let interruption: SourceInterruption
        do throws(ByteSourceError) { interruption = try SourceInterruption() } catch { throw ImageError(TarError(error)) }
        onCancel { interruption.signal() }
        return interruption
    }
}

/// A descriptor on its way to the thread that reads it.
final class SourceBox: Sendable {
    private let value: Mutex<OwnedDescriptor?>
    init(_ value: consuming OwnedDescriptor) { self.value = Mutex(consume value) }
    func take() -> OwnedDescriptor? { value.withLock { $0.take() } }
}
