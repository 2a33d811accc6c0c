internal import BerthContent
internal import BerthLinux
public import BerthOCI
internal import BerthReactor
internal import BerthSnapshots
internal import BerthState
internal import Synchronization

extension ImageStore {
    /// Takes a name from an image, or removes the image, as `docker rmi` decides it.
    ///
    /// By a name: the name goes, and with it what no other name has: the image, or all images of the index that it names. By id: the image goes with its
    /// names; one that an index has for another platform goes from that index alone, which has its name for as long as an image is left. An index without a
    /// name goes with the image that is meant by it, or by its digest, and with it all of its images that nothing else has.
    /// - Parameters:
    ///   - platform: of the index that the name names only the image for this goes; of all other indexes that have it, too. It has to be forced.
    ///   - force: whether several names go at once, and an image goes that a container which does not run is made of. Such a container can still be
    ///     started: its layers stay.
    ///   - uses: the containers of an image.
    /// - Throws: `notFound`; `conflict` where a container uses it, or several names refer to it, and for a platform without force; nothing has changed
    ///   then.
    public func remove(
        _ text: String, platform: Platform? = nil, force: Bool = false, uses: @escaping @Sendable (Digest) -> [ImageUse]
    ) async throws(ImageError) -> [ImageRemoval] {
        if platform != nil, !force {
            throw ImageError(.conflict, "Content will be removed from all images referencing this variant. Use --force to force delete.")
        }
        return try await lane.run { () throws(ImageError) in
            try self.writing.withLock { _ throws(ImageError) in
                if let platform {
                    let id = try self.entry(named: text, exactlyFor: platform).document.id
                    return try self.remove(id, self.thatGo(with: id, ofIndexes: false), force, uses)
                }
                let id = try self.entry(named: text).document.id
                let state = self.index.withLock { $0 }
                if case .index(let descriptor) = try Self.target(named: text, in: state), state.unnamed.contains(descriptor.digest) {
                    return try self.remove(nil, ([], [descriptor.digest]), force, uses)
                }
                if let asked = try? ImageReference(parsing: text),  // an id is none
                    let target = state.references[asked], try Self.target(named: text, in: state) == target
                {
                    return try self.untag(asked, text, force, uses)
                }
                return try self.remove(id, self.thatGo(with: id, ofIndexes: true), force, uses)
            }
        }
    }

    /// Takes a name away, and removes what no other has.
    private func untag(
        _ name: ImageReference, _ text: String, _ force: Bool, _ uses: (Digest) -> [ImageUse]
    ) throws(ImageError) -> [ImageRemoval] {
        let orphans = index.withLock { $0.orphans(without: [name]) }
        let users = orphans.flatMap { id in uses(id).map { (user: $0, image: id) } }
        guard let (user, image) = users.first(where: \.user.isRunning) ?? users.first, !force || user.isRunning else {
            return try remove(names: [name], and: orphans)
        }
        // Its images are then without a name.
        if force { return try remove(names: [name], and: []) }
        throw ImageError(
            .conflict,
            "conflict: unable to remove repository reference \"\(text)\" (must force) - container \(user.containerID.prefix(12)) is using its referenced image \(image.hex.prefix(12))"
        )
    }

    /// Removes an image, if there is one, with names and indexes without a name.
    private func remove(
        _ id: Digest?, _ others: (names: [ImageReference], indexes: Set<Digest>), _ force: Bool, _ uses: (Digest) -> [ImageUse]
    ) throws(ImageError) -> [ImageRemoval] {
        let (names, indexes) = others
        let going = (id.map { [$0] } ?? []) + index.withLock { $0.orphans(without: names, indexes) }.filter { $0 != id }
        let users = going.flatMap { id in uses(id).map { (user: $0, image: id) } }
        func conflict(_ image: Digest, _ reason: String) -> ImageError {
            ImageError(.conflict, "conflict: unable to delete \(image.hex.prefix(12)) \(reason)")
        }
        if let (user, image) = users.first(where: \.user.isRunning) {
            throw conflict(
                image, "(cannot be forced) - image is being used by running container \(user.containerID.prefix(12))")
        }
        if let id, names.count > 1, !force { throw conflict(id, "(must be forced) - image is referenced in multiple repositories") }
        if let (user, image) = users.first, !force {
            throw conflict(image, "(must be forced) - image is being used by stopped container \(user.containerID.prefix(12))")
        }
        return try remove(names: names, indexes: indexes, and: going)
    }

    /// The names, and the indexes without a name, that an image takes with it: those that mean it, and those of indexes of which it is the last image.
    private func thatGo(with image: Digest, ofIndexes: Bool) -> (names: [ImageReference], indexes: Set<Digest>) {
        index.withLock { index in
            let own = ofIndexes ? index.names()[image]?.own ?? [] : []
            let names = index.references.filter { own.contains($0.key) || index.images(of: $0.value) == [image] }.keys
            return (names.sorted { $0.description < $1.description }, index.unnamedThatGo(with: image, ofMeaning: ofIndexes))
        }
    }

    /// Takes names away, and indexes without a name, and removes images. The caller holds ``writing``.
    func remove(names: [ImageReference], indexes: Set<Digest> = [], and images: [Digest]) throws(ImageError) -> [ImageRemoval] {
        var done: [ImageRemoval] = []
        for name in names { done.append(try untag(name)) }
        for index in indexes.sorted(by: { $0.hex < $1.hex }) { done.append(try removeUnnamed(index)) }
        for id in images {
            if let image = index.withLock({ $0.images[id] }) { done += try delete(image) }
        }
        return done
    }

    private func removeUnnamed(_ digest: Digest) throws(ImageError) -> ImageRemoval {
        do throws(StateError) { try unnamedIndexes.remove(id: digest.hex) } catch { throw ImageError(error) }
        let released = index.withLock { index in
            let blobs = index.indexes[digest].map { index.blobs(of: $0) } ?? []
            index.forget(unnamed: digest)
            return blobs
        }
        collect(Set(released.map { .blob($0.digest) }))
        return .deleted(digest)
    }

    private func untag(_ name: ImageReference) throws(ImageError) -> ImageRemoval {
        do throws(StateError) { try references.remove(id: Self.documentID(of: name)) } catch { throw ImageError(error) }
        let before = index.withLock { index in
            let before = index
            index.name(name, nil)
            return before
        }
        try writeIndex()
        let id = before.references[name].flatMap { before.image(of: $0, for: nil)?.document.id.description } ?? ""
        services.events.publish(Event(type: "image", action: "untag", actorID: id, attributes: ["name": id]))
        collectReleased(from: before, by: name)
        return .untagged(name)
    }

    private func delete(_ image: Entry) throws(ImageError) -> [ImageRemoval] {
        let id = image.document.id
        do throws(StateError) { try images.remove(id: id.hex) } catch { throw ImageError(error) }
        // An index may have it by another manifest than it came with.
        let ofIndexes = index.withLock { index in
            index.images[id] = nil
            return index.indexes.values.flatMap(\.members).filter { $0.image == id }.flatMap(\.blobs).map(\.digest)
        }
        services.events.publish(Event(type: "image", action: "delete", actorID: id.description, attributes: ["name": id.description]))
        var parts = Set((image.document.blobs + ofIndexes).map { LeasedResource.blob($0) })
        if let layer = image.topLayer { parts.insert(.layer(chainID: layer.chainID)) }
        return [.deleted(id)] + collect(parts).map { .deleted($0.chainID) }
    }
}
