public import BerthOCI
internal import BerthReactor
internal import BerthSnapshots
internal import BerthState
internal import Synchronization

/// Which of the images that no container is made of are to be removed.
public struct ImagePruning: Hashable, Sendable {
    /// Also those that have names. Default: only those without.
    public var includesNamed = false
    /// Only those that were made by then.
    public var until: Timestamp?
    /// Only those that have all of these labels: `NAME`, or `NAME=VALUE`.
    public var labels: [String] = []
    /// None that has any of these labels.
    public var excludedLabels: [String] = []

    /// All without a name.
    public init() {}

    func includes(_ image: ImageRecord) -> Bool { (includesNamed || image.isDangling) && isMeant(image) }

    /// Whether it is one of these, be it named or not.
    func isMeant(_ image: ImageRecord) -> Bool {
        until.map { image.createdAt <= $0 } ?? true
            && labels.allSatisfy(image.hasLabel) && !excludedLabels.contains(where: image.hasLabel)
    }
}

/// What a pruning has done.
public struct ImagesPruned: Hashable, Sendable {
    /// What is gone, in order.
    public internal(set) var removals: [ImageRemoval] = []
    /// How many bytes the files of the layers that are gone had.
    public internal(set) var reclaimedByteCount: UInt64 = 0
}

extension ImageStore {
    /// Removes images that no container is made of, whether it runs or not; all names of such an image go with it, and of an index all images, unless a
    /// container is made of any. Layers that something else relies on stay.
    ///
    /// - Parameters:
    ///   - query: which.
    ///   - uses: the containers of an image.
    /// - Throws: `conflict` while the document of a name cannot be read: which image has that name is not known, and no image is removed. `storage`,
    ///   `busy`; those that it has come to before are gone then.
    public func prune(
        _ query: ImagePruning = ImagePruning(), uses: @escaping @Sendable (Digest) -> [ImageUse]
    ) async throws(ImageError) -> ImagesPruned {
        if let file = unreadableReferences.keys.min() {
            throw ImageError(
                .conflict,
                "no image is pruned while the name in references/\(file) cannot be read: which image has it is not known; put that file right, or remove it, and start the engine again"
            )
        }
        let sizes = services.snapshots.layers().mapValues(\.byteCount)
        var pruned = ImagesPruned()
        // One at a time, so that other work need not wait for all.
        for digest in index.withLock({ $0.unnamed }).sorted(by: { $0.hex < $1.hex }) {
            pruned.removals += try await lane.run { () throws(ImageError) in
                try self.writing.withLock { _ throws(ImageError) in try self.prune(unnamed: digest, query, uses) }
            }
        }
        for image in try list() where query.includes(image) {
            pruned.removals += try await lane.run { () throws(ImageError) in
                try self.writing.withLock { _ throws(ImageError) in
                    guard let found = self.index.withLock({ $0.images[image.id] }) else { return [] }
                    let now = self.record(found)
                    // What an index without a name has goes with that.
                    if self.index.withLock({ index in index.unnamed.contains { index.has(image.id, of: $0) } }) { return [] }
                    let going = now.isDangling ? [image.id] : self.index.withLock { $0.orphans(without: now.references) }
                    guard query.includes(now), going.allSatisfy({ uses($0).isEmpty }) else { return [] }
                    return try self.remove(names: now.references, and: going)
                }
            }
        }
        for case .deleted(let digest) in pruned.removals { pruned.reclaimedByteCount += sizes[LayerName(chainID: digest)] ?? 0 }
        services.events.publish(
            Event(type: "image", action: "prune", actorID: "", attributes: ["reclaimed": String(pruned.reclaimedByteCount)]))
        return pruned
    }

    /// Removes an index without a name, if the image that it means is one of those that are asked for, and no container is made of any that goes. The caller
    /// holds ``writing``.
    private func prune(unnamed digest: Digest, _ query: ImagePruning, _ uses: (Digest) -> [ImageUse]) throws(ImageError) -> [ImageRemoval] {
        let state = index.withLock { $0 }
        guard state.unnamed.contains(digest), let descriptor = state.indexes[digest]?.descriptor,
            let own = state.image(of: .index(descriptor), for: nil), query.isMeant(record(own))
        else { return [] }
        let going = state.orphans(without: [], [digest])
        guard going.allSatisfy({ uses($0).isEmpty }) else { return [] }
        return try remove(names: [], indexes: [digest], and: going)
    }
}
