public import BerthContent
internal import BerthLayers
internal import BerthLinux
public import BerthOCI
internal import BerthReactor
public import BerthSnapshots
public import BerthState
internal import Synchronization

// What is wanted: what documents name, what leases hold, and what lies below. Everything else goes, while all other work goes on.
extension ImageStore {
    /// What keeps blobs and layers from being collected, beside the images: running jobs, and containers.
    public var leases: Leases { services.content.leases }

    /// Work under a lease of its own: what it has brought, or relies on, stays until it has ended. Then what only this lease held, and no image
    /// names, is collected.
    public func withLease<Result: Sendable, Failure: Error>(
        _ body: (Lease) async throws(Failure) -> Result
    ) async throws(Failure) -> Result {
        let lease = leases.begin()
        do throws(Failure) {
            let result = try await body(lease)
            await end(lease)
            return result
        } catch {
            await end(lease)
            throw error
        }
    }

    /// Ends a lease, and collects what it alone held. Ending it again does nothing.
    public func end(_ lease: Lease) async { await end(lease, leaving: []) }

    /// The same, but for what was nobody's before.
    func end(_ lease: Lease, leaving left: Set<LeasedResource>) async {
        endingCount.withLock { $0 += 1 }
        defer { endingCount.withLock { $0 -= 1 } }
        let released = lease.end().filter { !left.contains($0) && !isNamed($0) }
        if released.isEmpty { return }
        do throws(ImageError) {
            try await collecting.run { () throws(ImageError) in _ = self.collect(released) }
        } catch {}  // Too many wait for the same: what is left is found when the store is opened again.
    }

    /// Finds an image as ``find(_:platform:)`` does. Its blobs and layers stay for as long as the lease lasts.
    public func find(_ text: String, platform: Platform? = nil, for lease: Lease) throws(ImageError) -> ImageRecord {
        let image = try entry(named: text, for: platform)
        guard hold(image, lease) else { throw .noSuchImage(text) }
        return record(image)
    }

    /// Holds an image, with its blobs and its layers.
    ///
    /// - Returns: whether it is still there. Collection comes after the image is gone: if it is, nothing of it has been taken, and now nothing will be.
    func hold(_ image: Entry, _ lease: Lease) -> Bool {
        for blob in image.document.blobs { lease.hold(.blob(blob)) }
        if let layer = image.topLayer { lease.hold(layer) }
        return isThere(image)
    }

    private func isThere(_ image: Entry) -> Bool { index.withLock { $0.images[image.document.id] != nil } }

    /// Finds an image as ``find(_:platform:)`` does. Its layers stay, unpacked, for as long as the lease lasts; its blobs go with the image.
    public func find(_ text: String, platform: Platform? = nil, layersFor lease: Lease) throws(ImageError) -> ImageRecord {
        let image = try entry(named: text, for: platform)
        if let layer = image.topLayer { lease.hold(layer) }
        guard isThere(image) else { throw .noSuchImage(text) }
        return record(image)
    }

    /// Removes what of these nobody wants, and the layers below that nobody wants either. Blocks.
    ///
    /// - Returns: the layers that are gone, the uppermost of a chain first.
    @discardableResult
    func collect(_ candidates: Set<LeasedResource>) -> [LayerName] {
        var removed: [LayerName] = []
        for candidate in candidates {
            // What cannot be removed now is found when the store is opened again.
            switch candidate {
            case .blob(let digest):
                try? services.content.remove(digest, unless: { isNamed(candidate) })
            case .layer(let chainID):
                let gone = try? services.snapshots.removeLayers(
                    from: LayerName(chainID: chainID),
                    unless: { name in
                        let resource = LeasedResource.layer(chainID: name.chainID)
                        return leases.areHolding(resource) || isNamed(resource)
                    })
                removed += (gone ?? []).map(\.name)
            case .everyBlob, .everyLayer: continue
            }
        }
        return removed
    }

    /// Whether an image or a named index has it.
    func isNamed(_ resource: LeasedResource) -> Bool { index.withLock { $0.keeps(resource) } }

    /// What nobody needs, and nobody is about to remove: what is asked for when nothing is being removed. Blocks.
    func unneeded() throws(ImageError) -> Set<LeasedResource> {
        // Who removes an image holds this until its blobs and layers are gone.
        try writing.withLock { _ throws(ImageError) in
            guard endingCount.withLock({ $0 == 0 }) else { return [] }
            let known = services.snapshots.layers()
            let below = Set(known.values.compactMap(\.parent))
            let blobs: Set<Digest>
            do throws(ContentError) { blobs = try services.content.all() } catch { throw ImageError(error) }
            var unneeded = Set(blobs.map { LeasedResource.blob($0) })
            // What lies below another layer is that one's.
            unneeded.formUnion(known.keys.filter { !below.contains($0) }.map { .layer(chainID: $0.chainID) })
            let named = index.withLock { $0.blobs }
            return unneeded.filter { resource in
                if case .blob(let digest) = resource, named.contains(digest) { return false }
                return !leases.areHolding(resource) && !isNamed(resource)
            }
        }
    }

    /// Removes every blob and layer that nobody wants: what kills have left, and what could not be removed before. It runs while everything
    /// else does.
    ///
    /// The job's value tells what has gone.
    public func startCollection() -> Job<StoreCollection> {
        services.jobs.start(kind: "collect", title: "the store") { [self] context in
            try await collecting.run { () throws(ImageError) in try self.collectAll(context) }
        }
    }

    /// Does what ``startCollection()`` starts, and waits for it.
    @discardableResult
    public func collect() async throws(ImageError) -> StoreCollection {
        do { return try await startCollection().value } catch let error as ImageError { throw error } catch {
            throw ImageError(.storage, "the collection did not end: \(error)")
        }
    }

    private func collectAll(_ context: JobContext) throws(ImageError) -> StoreCollection {
        let known = services.snapshots.layers()
        let below = Set(known.values.compactMap(\.parent))
        let blobs: Set<Digest>
        do throws(ContentError) { blobs = try services.content.all() } catch { throw ImageError(error) }
        let named = index.withLock { $0.blobs }
        let candidates =
            blobs.subtracting(named).map { LeasedResource.blob($0) }
            + known.keys.filter { !below.contains($0) }.map { .layer(chainID: $0.chainID) }
        var collected = StoreCollection()
        for candidate in candidates {
            if context.isCancelled { throw ImageError(.cancelled, "the collection was cancelled") }
            let layers = collect([candidate])
            collected.layers += layers
            collected.byteCount += layers.reduce(0) { $0 + (known[$1]?.byteCount ?? 0) }
        }
        // What could not be removed is still there.
        do throws(ContentError) { collected.blobs = blobs.subtracting(try services.content.all()) } catch { throw ImageError(error) }
        try writing.withLock { _ throws(ImageError) in try writeIndex() }
        return collected
    }
}

/// What a collection has removed.
public struct StoreCollection: Hashable, Sendable {
    /// The blobs.
    public internal(set) var blobs: Set<Digest> = []
    /// The layers, the uppermost of a chain first.
    public internal(set) var layers: [LayerName] = []
    /// How many bytes the files of the layers had.
    public internal(set) var byteCount: UInt64 = 0
}
