internal import BerthArchive
public import BerthContent
public import BerthLayers
public import BerthLinux
public import BerthOCI
internal import BerthReactor
internal import BerthSnapshots
public import BerthState
internal import BerthTar
internal import Synchronization

// Images that are made of values: what they are of is kept first, and unpacked when one is written.
extension ImageStore {
    /// An image as a draft. Its blobs and layers stay for as long as the lease lasts.
    ///
    /// - Throws: as ``find(_:platform:)``; `invalid` if its history tells of more layers than it has.
    public func draft(of text: String, for lease: Lease) throws(ImageError) -> ImageDraft { try ImageDraft(of: try find(text, for: lease)) }

    /// Keeps a layer of what a stream gives, as it comes: a tar, plain or compressed, or another archive, read to its end. Nothing is unpacked.
    ///
    /// The job's value is the layer, which stays for as long as the lease lasts. Whole or absent; the same bytes are the same layer.
    /// - Parameter source: where the bytes come from; taken over.
    /// - Throws: by the job `invalid`, `tooLarge`, `unsupported`, `storage`, `cancelled`: then at once, also where the stream
    ///   waits for whoever writes to it.
    public func keepLayer(from source: consuming OwnedDescriptor, for lease: Lease) -> Job<KeptLayer> {
        let box = SourceBox(source)
        return keepLayer("stream") { [services] (context) throws(ImageError) in
            guard let descriptor = box.take() else { throw ImageError(.invalid, "the archive has been read already") }
            let source = DescriptorSource(descriptor, until: try context.interruption())
            do throws(LayerError) {
                return try services.layers.keep(from: source, for: lease, progress: context.reporting("Packing"))
            } catch { throw ImageError(error) }
        }
    }

    /// Keeps a layer of what a directory of the host has: as the other does it. The same files, in the same place, make the same layer.
    public func keepLayer(of directory: PackedDirectory, for lease: Lease) -> Job<KeptLayer> {
        keepLayer(directory.path) { [services] (context) throws(ImageError) in
            do throws(LayerError) {
                return try services.layers.keep(directory, for: lease, progress: context.reporting("Packing"))
            } catch { throw ImageError(error) }
        }
    }

    private func keepLayer(
        _ title: String, _ keep: @escaping @Sendable (JobContext) throws(ImageError) -> KeptLayer
    ) -> Job<KeptLayer> {
        services.jobs.start(kind: "layer", title: title) { context in
            // A source may be slow: it holds up nobody else.
            try await Lane(named: "a new layer").run { () throws(ImageError) in try keep(context) }
        }
    }

    /// Makes an image of a draft: its layers are unpacked, several at a time, where they are not yet.
    ///
    /// The job's value is the image. Killed at any moment, it has made the whole image, or nothing that is seen; the same can be done again. The same draft is the
    /// same image, down to the bytes of its manifest; one that is here already gets the name.
    /// - Parameter reference: its name; `nil` for none. Another image of that name loses it.
    /// - Throws: at once `invalid` for a name with a digest, `tooLarge` for too many layers or a configuration of more than 4 MiB; by the job `notFound` for a
    ///   layer that no lease has held, `invalid` for one that says what no layer may, `storage`, `cancelled`.
    public func write(_ draft: ImageDraft, as reference: ImageReference? = nil) throws(ImageError) -> Job<ImageRecord> {
        let name = try Self.nameToGive(reference)
        try Self.requireSense(of: draft)
        return services.jobs.start(kind: "image", title: name?.familiar ?? "image") { [self] context in
            try await makeImage(of: name, context) { (_) throws(ImageError) in draft }
        }
    }

    static func nameToGive(_ reference: ImageReference?) throws(ImageError) -> ImageReference? {
        if let reference, reference.digest != nil { throw ImageError(.invalid, "refusing to create a tag with a digest reference") }
        return reference.map(tagged)
    }

    private static func requireSense(of draft: ImageDraft) throws(ImageError) {
        guard draft.layers.count <= FoundImage.maximumLayerCount else {
            throw ImageError(
                .tooLarge, "the image has \(draft.layers.count) layers: at most \(FoundImage.maximumLayerCount) can lie on each other")
        }
        guard try encoded(draft.configuration).count <= maximumDocumentByteCount else {
            throw ImageError(.tooLarge, "the image's configuration is larger than \(maximumDocumentByteCount) bytes, which is the limit")
        }
    }

    /// Makes an image of a draft that is made under the same lease.
    func makeImage(
        of name: ImageReference?, _ context: JobContext, _ make: (Lease) async throws(ImageError) -> ImageDraft
    ) async throws(ImageError) -> ImageRecord {
        let record = try await withLease { (lease) throws(ImageError) in
            let draft = try await make(lease)
            try Self.requireSense(of: draft)
            let layers = try await unpack(draft, lease, context)
            return try await lane.run { () throws(ImageError) in try self.makeImage(of: draft, layers, name, lease) }
        }
        if let name {
            services.events.publish(
                Event(type: "image", action: "tag", actorID: record.id.description, attributes: ["name": name.familiar]))
        }
        return record
    }

    private func makeImage(
        of draft: ImageDraft, _ layers: [UnpackedLayer], _ name: ImageReference?, _ lease: Lease
    ) throws(ImageError) -> ImageRecord {
        do throws(LayerError) {
            _ = try services.layers.commit(zip(layers, draft.layers).map { ($0, $1.diffID) }, on: nil, for: lease)
        } catch { throw ImageError(error) }
        let id = Digest(of: try Self.encoded(draft.configuration))
        return try writing.withLock { _ throws(ImageError) in
            if let known = index.withLock({ $0.images[id] }) {
                if let name {
                    try writeReference(name, to: .image(id))
                    try writeIndex()
                }
                return record(known)
            }
            let image = try keep(draft.configuration, layers: draft.layers.map(\.blob), comment: "", for: lease)
            try publish(image, as: name)
            return record(image)
        }
    }

    // MARK: Unpacking

    /// How many layers are unpacked at a time.
    static var unpackingWidth: Int { max(2, min(4, HostFile.processorCount())) }

    /// The layers of a draft, unpacked where they are not there yet.
    private func unpack(_ draft: ImageDraft, _ lease: Lease, _ context: JobContext) async throws(ImageError) -> [UnpackedLayer] {
        var below: LayerName?
        var missing: [(index: Int, layer: KeptLayer)] = []
        var unpacked: [UnpackedLayer?] = []
        for (index, layer) in draft.layers.enumerated() {
            let name = LayerName(chainID: LayerStore.chainID(of: layer.diffID, on: below))
            if services.layers.layer(name, for: lease) == nil { missing.append((index, layer)) }
            unpacked.append(try hold(layer, lease))
            below = name
        }
        let results = await withTaskGroup(of: (Int, Result<UnpackedLayer, LayerError>).self) { group in
            var results: [(Int, Result<UnpackedLayer, LayerError>)] = []
            for (count, next) in missing.enumerated() {
                if count >= Self.unpackingWidth, let result = await group.next() { results.append(result) }
                group.addTask { [services] in
                    do throws(LayerError) {
                        let layer = try await Lane(named: "unpacking \(next.layer.blob.digest)").run { () throws(LayerError) in
                            context.report(Progress(status: "Unpacking \(next.layer.blob.digest)"))
                            return try services.layers.unpack(next.layer, for: lease, while: { !context.isCancelled })
                        }
                        return (next.index, .success(layer))
                    } catch { return (next.index, .failure(error)) }
                }
            }
            for await result in group { results.append(result) }
            return results
        }
        for (index, result) in results.sorted(by: { $0.0 < $1.0 }) {
            do throws(LayerError) { unpacked[index] = try result.get() } catch {
                throw ImageError(ImageError(error).code, "layer \(draft.layers[index].blob.digest): \(error)", underlying: error.underlying)
            }
        }
        return unpacked.compactMap(\.self)
    }

    private func hold(_ layer: KeptLayer, _ lease: Lease) throws(ImageError) -> UnpackedLayer {
        do throws(ContentError) {
            guard try services.content.contains(layer.blob.digest, for: lease) else {
                throw ContentError(.notFound, "the layer is gone")
            }
        } catch {
            guard error.code == .notFound else { throw ImageError(error) }
            throw ImageError(
                .notFound,
                "the draft's layer \(layer.blob.digest) is not here any more: a layer stays while a lease holds it, or an image has it")
        }
        do throws(LayerError) { return try services.layers.hold(layer.blob.digest, for: lease) } catch { throw ImageError(error) }
    }
}

extension JobContext {
    /// Tells how many bytes are done, and ends what is not wanted any more.
    func reporting(_ status: String) -> @Sendable (UInt64) throws(LayerError) -> Void {
        { [self] (count) throws(LayerError) in
            try requireWanted()
            report(Progress(status: status, completedByteCount: count))
        }
    }

    func requireWanted() throws(LayerError) {
        if isCancelled { throw LayerError(.cancelled, "the work was cancelled") }
    }
}
