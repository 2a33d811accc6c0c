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
    /// By a name: the name goes, and the image with its last one. By id: the image goes with its name.
    /// - Parameters:
    ///   - force: whether several names go at once, and an image goes that a container which does not run is made of. Such a container can still be
    ///     started: its layers stay.
    ///   - uses: the containers of an image.
    /// - Throws: `notFound`; `conflict` where a container uses it, or several names refer to it; nothing has changed then.
    public func remove(
        _ text: String, force: Bool = false, uses: @escaping @Sendable (Digest) -> [ImageUse]
    ) async throws(ImageError) -> [ImageRemoval] {
        try await lane.run { () throws(ImageError) in
            try self.writing.withLock { _ throws(ImageError) in try self.remove(text, force, uses) }
        }
    }

    private func remove(
        _ text: String, _ force: Bool, _ uses: (Digest) -> [ImageUse]
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
        return try remove(found, names: going)
    }

    /// Takes names from an image, and removes it. The caller holds ``writing``.
    func remove(_ image: Entry, names: [ImageReference]) throws(ImageError) -> [ImageRemoval] {
        var done: [ImageRemoval] = []
        for name in names { done.append(try untag(name, image.document.id)) }
        done += try delete(image)
        return done
    }

    private func untag(_ name: ImageReference, _ id: Digest) throws(ImageError) -> ImageRemoval {
        do throws(StateError) { try references.remove(id: Self.documentID(of: name)) } catch { throw ImageError(error) }
        index.withLock { _ = $0.references.removeValue(forKey: name) }
        try writeIndex()
        services.events.publish(Event(type: "image", action: "untag", actorID: id.description, attributes: ["name": id.description]))
        return .untagged(name)
    }

    private func delete(_ image: Entry) throws(ImageError) -> [ImageRemoval] {
        let id = image.document.id
        do throws(StateError) { try images.remove(id: id.hex) } catch { throw ImageError(error) }
        index.withLock { $0.images[id] = nil }
        services.events.publish(Event(type: "image", action: "delete", actorID: id.description, attributes: ["name": id.description]))
        var parts = Set(image.document.blobs.map { LeasedResource.blob($0) })
        if let layer = image.topLayer { parts.insert(.layer(chainID: layer.chainID)) }
        return [.deleted(id)] + collect(parts).map { .deleted($0.chainID) }
    }
}
