internal import BerthArchive
internal import BerthContent
internal import BerthLayers
public import BerthLinux
public import BerthOCI
internal import BerthReactor
public import BerthState
internal import BerthTar
internal import Synchronization

/// An image that was loaded.
public struct LoadedImage: Hashable, Sendable {
    /// The image.
    public let image: ImageRecord
    /// The names that the archive has given it; those that it had before stay.
    public let names: [ImageReference]
    /// The index that it came with, which has the names, if there are any. It is one of the images of that; the names are with the one that is found by them.
    public let index: Digest?
}

extension ImageStore {
    /// Takes in the images of an archive: of `docker save`, or an OCI layout in a tar, plain or compressed. It is read once, to its end.
    ///
    /// The job's value is the images, in the archive's order. Each of them is whole or absent, killed at any moment: those that came first may be there
    /// when another cannot be taken in. An image that is here already gets the archive's names; loading again is fine.
    ///
    /// An index is kept whole, byte for byte, with what is attached to its images; the images of it that the archive has, each with all its
    /// layers, are taken in. Loading another archive of the same index adds those of that. One without a name is found by its digest.
    /// - Parameters:
    ///   - source: where the archive comes from; taken over. It need not be able to go back.
    ///   - byteCount: how many bytes it has, where that is known: without a place for them nothing is begun.
    ///   - platform: of an index only the image that is the best for it is taken. `nil`: all for this operating system.
    /// - Throws: by the job `invalid` for what is no such archive, and says what it looks like; `notFound` for a platform that it has not; `tooLarge`,
    ///   `unsupported`, `noSpace`, `storage`, `cancelled`.
    public func load(
        from source: consuming OwnedDescriptor, byteCount: UInt64? = nil, platform: Platform? = nil
    ) -> Job<[LoadedImage]> {
        let box = SourceBox(source)
        return services.jobs.start(kind: "load", title: "images") { [self] context in
            try await loading(platform, context) { (lane, lease) throws(ImageError) in
                try await receive(box, byteCount, lane, lease, context)
            }
        }
    }

    /// Takes in the images of an archive in a file, or of an OCI layout in a directory: as the other does it.
    ///
    /// - Throws: at once `notFound` if there is nothing of that path.
    public func load(fromFile path: String, platform: Platform? = nil) throws(ImageError) -> Job<[LoadedImage]> {
        do throws(Errno) {
            let file = try HostFile.open(path)
            let status = try file.status()
            if status.kind == .directory { return load(from: try Directory.open(path), path, platform) }
            return load(from: file, byteCount: status.kind == .regular ? UInt64(status.byteCount) : nil, platform: platform)
        } catch {
            throw ImageError(error == .ENOENT ? .notFound : .storage, "open \(path): \(error)", underlying: error)
        }
    }

    private func load(from directory: consuming Directory, _ path: String, _ platform: Platform?) -> Job<[LoadedImage]> {
        let layout = LayoutDirectory(directory, path, services.layers)
        return services.jobs.start(kind: "load", title: path) { [self] context in
            try await loading(platform, context) { (_, lease) throws(ImageError) in
                layout.follow(context, lease)
                return layout
            }
        }
    }

    /// Has the parts of images brought, and makes images of them.
    private func loading(
        _ platform: Platform?, _ context: JobContext, _ bring: (Lane, Lease) async throws(ImageError) -> any ImageParts
    ) async throws(ImageError) -> [LoadedImage] {
        // A lane of its own: it is busy for as long as the archive comes.
        let lane = Lane(named: "the load")
        let images = try await withLease { (lease) throws(ImageError) in
            let parts = try await bring(lane, lease)
            return try await lane.run { () throws(ImageError) in
                defer { parts.drop() }
                if context.isCancelled { throw ImageError(.cancelled, "the load was cancelled") }
                return try self.make(imagesOf: parts, platform, lease)
            }
        }
        for loaded in images {
            let id = loaded.image.id.description
            services.events.publish(Event(type: "image", action: "load", actorID: id, attributes: ["name": id]))
        }
        return images
    }

    // MARK: Bringing

    /// Before an archive of known size is read: what it has in it needs as much, at least.
    func requireSpace(for byteCount: UInt64) throws(ImageError) {
        do throws(ContentError) { try services.content.requireSpace(for: "the archive", byteCount: byteCount) } catch {
            throw ImageError(error)
        }
    }

    private func receive(
        _ source: SourceBox, _ byteCount: UInt64?, _ lane: Lane, _ lease: Lease, _ context: JobContext
    ) async throws(ImageError) -> any ImageParts {
        let members = ArchiveMembers(services.layers)
        let (started, continuation) = AsyncStream<StartedLayer>.makeStream()
        async let unpacking: Void = unpack(started, context)
        let result: Result<Void, ImageError>
        do throws(ImageError) {
            try await lane.run { () throws(ImageError) in
                guard let descriptor = source.take() else { throw ImageError(.invalid, "the archive has been read already") }
                if let byteCount { try self.requireSpace(for: byteCount) }
                let receiver = ArchiveReceiver(self.services, context, lease, into: members) { continuation.yield($0) }
                let archive: any ByteSource
                let source = DescriptorSource(descriptor, until: try context.interruption())
                do throws(LayerError) { archive = try self.services.layers.tar(from: source) } catch { throw ImageError(error) }
                try receiver.receive(from: Decompressor(archive, limits: self.services.layers.limits))
            }
            result = .success(())
        } catch { result = .failure(error) }
        continuation.finish()
        await unpacking
        if case .failure(let error) = result {
            // Removing what has come blocks.
            do throws(ImageError) { try await lane.run { () throws(ImageError) in members.drop() } } catch { members.drop() }
            throw error
        }
        return members
    }

    /// Unpacks layers while they come, so many at a time.
    private func unpack(_ started: AsyncStream<StartedLayer>, _ context: JobContext) async {
        await performConcurrently(started, width: Self.unpackingWidth) { await self.unpack($0, context) }
    }

    private func unpack(_ layer: StartedLayer, _ context: JobContext) async {
        let (layers, content) = (services.layers, services.content)
        do throws(LayerError) {
            let unpacked = try await Lane(named: "unpacking '\(layer.path)'").run { () throws(LayerError) in
                // One that is here already is mostly unpacked, too; if it is not, that is found out when an image names it.
                if let blob = layer.arrival.whole, (try? content.contains(blob.digest)) == true { return layers.hold(blob) }
                return try layers.unpack(layer.arrival, while: { !context.isCancelled })
            }
            layer.finish(.success(unpacked))
        } catch { layer.finish(.failure(error)) }
    }
}
