internal import BerthContent
internal import BerthLayers
internal import BerthLinux
public import BerthOCI
internal import BerthReactor
public import BerthSnapshots
internal import BerthState
internal import Synchronization

extension ImageStore {
    /// Takes a name from an image, or removes the image, as `docker rmi` decides it.
    ///
    /// By a name: the name goes, and the image with its last one. By id: the image goes with its name.
    /// - Parameters:
    ///   - force: whether several names go at once, and an image goes that a container which does not run is made of. Such a container can still be
    ///     started: its layers stay.
    ///   - uses: the containers of an image.
    ///   - wanted: the layers that containers lie on.
    /// - Throws: `notFound`; `conflict` where a container uses it, or several names refer to it; nothing has changed then.
    public func remove(
        _ text: String, force: Bool = false, uses: @escaping @Sendable (Digest) -> [ImageUse],
        wanted: @escaping @Sendable () -> Set<LayerName>
    ) async throws(ImageError) -> [ImageRemoval] {
        try await lane.run { () throws(ImageError) in
            try self.writing.withLock { _ throws(ImageError) in try self.remove(text, force, uses, wanted) }
        }
    }

    private func remove(
        _ text: String, _ force: Bool, _ uses: (Digest) -> [ImageUse], _ wanted: () -> Set<LayerName>
    ) throws(ImageError) -> [ImageRemoval] {
        let found = try entry(named: text)
        let id = found.document.id
        let names = record(found).references
        let users = uses(id)
        let short = String(id.hex.prefix(12))
        var going = names
        if let asked = try? ImageReference(parsing: text), names.contains(asked) {
            if names.count > 1 { return [try untag(asked, id)] }
            if let user = users.first(where: { $0.isRunning }) ?? users.first {
                guard force && !user.isRunning || names.isEmpty else {
                    if force { return [try untag(asked, id)] }
                    let containerID = user.containerID.prefix(12)
                    throw ImageError(
                        .conflict,
                        "conflict: unable to remove repository reference \"\(text)\" (must force) - container \(containerID) is using its referenced image \(short)"
                    )
                }
            }
            going = [asked]
        } else {
            if let user = users.first(where: \.isRunning) {
                throw ImageError(
                    .conflict,
                    "conflict: unable to delete \(short) (cannot be forced) - image is being used by running container \(user.containerID.prefix(12))"
                )
            }
            if names.count > 1, !force {
                throw ImageError(
                    .conflict, "conflict: unable to delete \(short) (must be forced) - image is referenced in multiple repositories")
            }
            if let user = users.first, !force {
                throw ImageError(
                    .conflict,
                    "conflict: unable to delete \(short) (must be forced) - image is being used by stopped container \(user.containerID.prefix(12))"
                )
            }
        }
        var done: [ImageRemoval] = []
        for name in going { done.append(try untag(name, id)) }
        done += try delete(found, wanted())
        return done
    }

    private func untag(_ name: ImageReference, _ id: Digest) throws(ImageError) -> ImageRemoval {
        do throws(StateError) { try references.remove(id: Self.documentID(of: name)) } catch { throw ImageError(error) }
        index.withLock { _ = $0.references.removeValue(forKey: name) }
        try writeIndex()
        services.events.publish(Event(type: "image", action: "untag", actorID: id.description, attributes: ["name": id.description]))
        return .untagged(name)
    }

    private func delete(_ image: Entry, _ wanted: Set<LayerName>) throws(ImageError) -> [ImageRemoval] {
        let id = image.document.id
        do throws(StateError) { try images.remove(id: id.hex) } catch { throw ImageError(error) }
        var layers: [LayerName] = []
        for diffID in image.configuration.diffIDs { layers.append(LayerName(chainID: LayerStore.chainID(of: diffID, on: layers.last))) }
        let blobs = [id, image.document.manifest.digest] + image.document.layers.map(\.digest)
        index.withLock { index in
            index.images[id] = nil
            index.candidates.blobs.formUnion(blobs)
            index.candidates.layers.formUnion(Set(layers).subtracting(wanted))
        }
        services.events.publish(Event(type: "image", action: "delete", actorID: id.description, attributes: ["name": id.description]))
        let removed = sweep()
        return [.deleted(id)] + layers.reversed().filter { removed.contains($0) }.map { .deleted($0.chainID) }
    }

    /// Removes what is a candidate and that no image names. While an import is under way, or a document is set aside, it waits.
    ///
    /// - Returns: the layers that are gone.
    @discardableResult
    func sweep() -> Set<LayerName> {
        let taken = index.withLock { index -> (Candidates, [Entry])? in
            guard index.importCount == 0, index.setAsideCount == 0 else { return nil }
            defer { index.candidates = Candidates() }
            return (index.candidates, Array(index.images.values))
        }
        guard let (candidates, images) = taken else { return [] }
        var (blobs, layers) = (candidates.blobs, candidates.layers)
        for image in images {
            blobs.subtract([image.document.id, image.document.manifest.digest])
            blobs.subtract(image.document.layers.map(\.digest))
            var below: LayerName?
            for diffID in image.configuration.diffIDs {
                let name = LayerName(chainID: LayerStore.chainID(of: diffID, on: below))
                layers.remove(name)
                below = name
            }
        }
        // What cannot be removed now is found when the store is opened again.
        for blob in blobs { try? services.content.remove(blob) }
        var removed: Set<LayerName> = []
        for _ in 0..<layers.count {
            for layer in layers.subtracting(removed) where (try? services.layers.removeLayer(layer)) != nil { removed.insert(layer) }
        }
        return removed
    }

    /// Removes blobs and layers that no image names: what kills have left. Once, when the engine starts.
    ///
    /// - Parameter wanted: the layers that containers lie on.
    public func collect(keeping wanted: Set<LayerName>) async throws(ImageError) {
        try await lane.run { () throws(ImageError) in
            try self.writing.withLock { _ throws(ImageError) in
                let known = self.services.snapshots.layers()
                var kept: Set<LayerName> = []
                for layer in wanted {
                    var next: LayerName? = layer
                    while let name = next, kept.insert(name).inserted { next = known[name]?.parent }
                }
                do throws(ContentError) {
                    let blobs = try self.services.content.all()
                    self.index.withLock { index in
                        index.candidates.blobs.formUnion(blobs)
                        index.candidates.layers.formUnion(Set(known.keys).subtracting(kept))
                    }
                } catch { throw ImageError(error) }
                self.sweep()
                try self.writeIndex()
            }
        }
    }
}
