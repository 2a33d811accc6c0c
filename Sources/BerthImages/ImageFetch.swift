internal import BerthContent
internal import BerthLayers
internal import BerthLinux
internal import BerthOCI
internal import BerthReactor
internal import BerthState
internal import Synchronization

/// Brings the parts of one image here: its documents first, then those of its layers that are missing, several at a time, each unpacked while it comes.
final class ImageFetch: Sendable {
    let store: ImageStore
    let source: any ContentSource
    let options: FetchOptions
    let context: JobContext
    let lease: Lease
    let parts: FetchedParts
    /// A lane of its own: it is busy for as long as the image comes.
    let lane = Lane(named: "the pull")

    init(_ store: ImageStore, _ source: any ContentSource, _ options: FetchOptions, _ context: JobContext, _ lease: Lease) {
        (self.store, self.source, self.options, self.context, self.lease) = (store, source, options, context, lease)
        parts = FetchedParts(store.services.layers, for: lease)
    }

    var content: ContentStore { store.services.content }

    /// Brings everything of what was resolved.
    ///
    /// - Returns: what it is, and whether any layer had to come.
    func bring(_ resolved: Descriptor, as name: ImageReference) async throws -> (found: FoundArchive, hasBrought: Bool) {
        try await bringDocuments(of: resolved)
        let (found, plan) = try await lane.run { () throws(ImageError) in try self.plan(resolved, as: name) }
        for layer in plan.layers { tell(layer.descriptor, layer.need == .fetching ? .waiting : .isHere) }
        try await bringLayers(plan.missing)
        return (found, !plan.missing.isEmpty)
    }

    /// Finds out what is wanted, and refuses what cannot be had, before anything large comes.
    private func plan(_ resolved: Descriptor, as name: ImageReference) throws(ImageError) -> (FoundArchive, FetchPlan) {
        var layout = LayoutIndex(ArchiveDocuments(parts), nil)
        let found = try layout.found(at: resolved.withoutContext, as: name)
        guard let image = found.images.first else { preconditionFailure("an image was chosen") }
        try image.requireSense(options.platform)
        for layer in image.layers.compactMap(\.descriptor) {
            if layer.isForeignLayer {
                throw ImageError(
                    .unsupported,
                    "the layer \(layer.digest) is not for registries to hand out (\(layer.mediaType)): images with such layers cannot be pulled"
                )
            }
            guard layer.byteCount <= options.maximumLayerByteCount else {
                throw ImageError(
                    .tooLarge,
                    "the layer \(layer.digest) has \(layer.byteCount) bytes: at most \(options.maximumLayerByteCount) are fetched of one")
            }
        }
        let plan = try FetchPlan(
            of: image,
            hasBlob: { (digest) throws(ImageError) in
                do throws(ContentError) { return try content.contains(digest, for: lease) } catch { throw ImageError(error) }
            },
            hasLayer: { store.services.layers.layer($0, for: lease) != nil })
        for layer in plan.layers where layer.need != .fetching { parts.add(kept: layer.descriptor.digest) }
        do throws(ContentError) {
            try content.requireSpace(for: "image \(name.familiar)", byteCount: plan.missingByteCount)
        } catch { throw ImageError(error) }
        return (found, plan)
    }

    // MARK: Layers

    /// What a layer is at, in the words that clients of Docker's know.
    enum Stage {
        case waiting, isHere, coming(UInt64), whole, unpacking(UInt64), done

        var words: String {
            switch self {
            case .waiting: "Pulling fs layer"
            case .isHere: "Already exists"
            case .coming: "Downloading"
            case .whole: "Download complete"
            case .unpacking: "Extracting"
            case .done: "Pull complete"
            }
        }
    }

    func tell(_ layer: Descriptor, _ stage: Stage) {
        var part = Progress.Part(id: String(layer.digest.hex.prefix(12)), status: stage.words)
        switch stage {
        case .coming(let count), .unpacking(let count): (part.completedByteCount, part.totalByteCount) = (count, layer.byteCount)
        case .waiting, .isHere, .whole, .done: break
        }
        context.report(part)
    }

    private func bringLayers(_ missing: [Descriptor]) async throws {
        let (started, continuation) = AsyncStream<StartedLayer>.makeStream()
        async let unpacking: Void = unpack(started)
        let result: Result<Void, any Error>
        do {
            try await download(missing) { continuation.yield($0) }
            result = .success(())
        } catch { result = .failure(error) }
        continuation.finish()
        await unpacking
        do { try result.get() } catch {
            parts.drop()
            throw context.isCancelled ? ImageError(.cancelled, "the pull was cancelled") : Self.ofImages(error)
        }
        for layer in missing { tell(layer, .done) }
    }

    /// What goes wrong below, as images' callers are told it.
    private static func ofImages(_ error: any Error) -> any Error {
        switch error {
        case let error as LayerError: ImageError(error)
        case let error as ContentError: ImageError(error)
        default: error
        }
    }

    private func download(_ missing: [Descriptor], _ started: @escaping @Sendable (StartedLayer) -> Void) async throws {
        try await performConcurrently(missing, width: options.downloadWidth) { try await self.download($0, started) }
    }

    private func download(_ layer: Descriptor, _ started: (StartedLayer) -> Void) async throws {
        // Two that want the same layer fetch it once.
        let turn = try await content.turns.take(for: .blob(layer.digest))
        defer { turn.end() }
        if let blob = store.arrived.find(layer.digest) {
            parts.add(blob)
        } else if try await lane.run({ [content, lease] () throws(TransferError) in
            do throws(ContentError) { return try content.contains(layer.digest, for: lease) } catch { throw TransferError(error) }
        }) {
            parts.add(kept: layer.digest)
        } else {
            do { try await bring(layer, started) } catch let error as TransferError where error.code == .digestMismatch {
                // What was wrong may have been an earlier part, or a mirror's: it is gone, and this begins at 0.
                try await bring(layer, started)
            }
        }
    }

    private func bring(_ layer: Descriptor, _ started: (StartedLayer) -> Void) async throws {
        let arrival = try await lane.run { [store, lease] () throws(LayerError) in
            try store.services.layers.makeArrival(continuing: layer, for: lease)
        }
        let coming = StartedLayer(path: SavedImages.path(of: layer.digest), arrival)
        parts.add(coming, layer.digest)
        started(coming)
        do {
            let told = Mutex(arrival.byteCount)
            tell(layer, .coming(arrival.byteCount))
            try await source.fetch(layer, from: arrival.byteCount) { [self] (bytes) throws(TransferError) in
                // Of a layer that cannot be unpacked, no more is wanted.
                if let failure = coming.failure { throw TransferError(.cancelled, failure.description) }
                do throws(LayerError) {
                    try unsafe bytes.withUnsafeBytes { (bytes) throws(LayerError) in try unsafe arrival.write(bytes) }
                } catch {
                    throw TransferError(error.code == .noSpace ? .noSpace : .storage, error.description, underlying: error.underlying)
                }
                let count = arrival.byteCount
                let isNews = told.withLock { told in
                    guard count - told >= Self.toldByteCount else { return false }
                    told = count
                    return true
                }
                if isNews { tell(layer, .coming(count)) }
            }
            let blob = try await lane.run { () throws(LayerError) in try arrival.end() }
            guard blob.digest == layer.digest else {
                throw TransferError(
                    .digestMismatch, "the layer \(layer.digest) has come with the digest \(blob.digest)", digest: layer.digest)
            }
            store.arrived.add(blob)
            tell(layer, .whole)
            if !coming.hasEnded { tell(layer, .unpacking(coming.unpackedByteCount)) }
        } catch {
            arrival.abandon()
            if let failure = coming.failure, failure.code != .cancelled {
                throw ImageError(
                    ImageError(failure).code, "the layer \(layer.digest): \(failure)", underlying: failure.underlying)
            }
            throw error
        }
    }

    /// After so many bytes the followers are told.
    private static let toldByteCount: UInt64 = 512 << 10

    /// Unpacks layers while they come, so many at a time.
    private func unpack(_ started: AsyncStream<StartedLayer>) async {
        await performConcurrently(started, width: ImageStore.unpackingWidth) { await self.unpack($0) }
    }

    private func unpack(_ layer: StartedLayer) async {
        let (layers, context) = (store.services.layers, context)
        let progress: @Sendable (UInt64) -> Void = { [self] count in
            // While it comes, how much has come is told.
            guard layer.unpacked(count, every: Self.toldByteCount), let blob = layer.arrival.whole else { return }
            tell(Descriptor(mediaType: .layer, digest: blob.digest, byteCount: blob.byteCount), .unpacking(count))
        }
        do throws(LayerError) {
            let unpacked = try await Lane(named: "unpacking '\(layer.path)'").run { () throws(LayerError) in
                try layers.unpack(layer.arrival, progress: progress, while: { !context.isCancelled })
            }
            layer.finish(.success(unpacked))
        } catch { layer.finish(.failure(error)) }
    }
}
