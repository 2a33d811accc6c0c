internal import BerthContent
public import BerthOCI
internal import BerthReactor
internal import BerthState
internal import Synchronization

extension ImageStore {
    /// Gives an image a name. Another image of that name loses it; giving it again does nothing.
    ///
    /// - Throws: `notFound`, `invalid` for a name with a digest.
    public func tag(_ text: String, as reference: ImageReference) async throws(ImageError) {
        guard reference.digest == nil else { throw ImageError(.invalid, "refusing to create a tag with a digest reference") }
        guard reference.familiarName != "sha256" else {
            throw ImageError(.invalid, "refusing to create an ambiguous tag using digest algorithm as name")
        }
        let name = Self.tagged(reference)
        let id = try await lane.run { () throws(ImageError) in
            try self.writing.withLock { _ throws(ImageError) in
                let state = self.index.withLock { $0 }
                let target = try Self.target(named: text, in: state)
                guard let image = state.image(of: target, for: nil) else { throw ImageError.noSuchImage(text) }
                try self.writeReference(name, to: target)
                try self.writeIndex()
                return image.document.id
            }
        }
        services.events.publish(Event(type: "image", action: "tag", actorID: id.description, attributes: ["name": name.familiar]))
    }

    static func tagged(_ reference: ImageReference) -> ImageReference {
        guard reference.tag == nil, reference.digest == nil else { return reference }
        return (try? ImageReference(parsing: reference.description + ":latest")) ?? reference
    }

    /// Gives the names that were not given when the store was opened, because what they name could not be read, and that lead to something now. The
    /// caller holds ``writing``.
    func giveUnresolved() throws(ImageError) {
        var givenCount = 0
        for id in index.withLock({ $0.unresolved }).sorted() {
            let state = index.withLock { $0 }
            // One whose document cannot be read by now is told with the documents; one that was given, or taken away, meanwhile is done with.
            guard let document = try? references.read(id: id), state.references[document.name] == nil else { continue }
            guard case .something(let target, let found) = try resolve(document, in: state) else { continue }
            do throws(StateError) {
                if target != document.target { try references.write(ReferenceDocument(name: document.name, target: target), id: id) }
            } catch { throw ImageError(error) }
            index.withLock { index in
                index.name(document.name, target, found)
                index.unresolved.remove(id)
            }
            givenCount += 1
        }
        if givenCount > 0 { try writeIndex() }
    }

    /// Points a name at something that is here. The caller holds ``writing``.
    func writeReference(_ name: ImageReference, to target: ReferenceTarget) throws(ImageError) {
        do throws(StateError) {
            try references.write(ReferenceDocument(name: name, target: target), id: Self.documentID(of: name))
        } catch { throw ImageError(error) }
        let before = index.withLock { index in
            defer { index.name(name, target) }
            return index
        }
        forgetUnnamed(target)
        collectReleased(from: before, by: name)
    }

    /// Takes away the document of an index that has a name now. One that stays is taken away when the store is opened again.
    func forgetUnnamed(_ target: ReferenceTarget) {
        guard case .index(let descriptor) = target, index.withLock({ $0.unnamed.contains(descriptor.digest) }) else { return }
        try? unnamedIndexes.remove(id: descriptor.digest.hex)
        index.withLock { $0.forget(unnamed: descriptor.digest) }
    }

    /// Collects what only an index had whose last name went to something else, or to nothing. The caller holds ``writing``.
    func collectReleased(from before: StoreIndex, by name: ImageReference) {
        guard case .index(let descriptor)? = before.references[name], let old = before.indexes[descriptor.digest] else { return }
        guard index.withLock({ $0.indexes[descriptor.digest] == nil }) else { return }
        collect(Set(before.blobs(of: old).map { .blob($0.digest) }))
    }

    static func documentID(of name: ImageReference) -> String { Digest(of: Array(name.description.utf8)).hex }

    /// Writes the content's index anew: the named images, under their names, as other tools expect them.
    func writeIndex() throws(ImageError) {
        do throws(ContentError) { try services.content.writeIndex(layoutIndex()) } catch { throw ImageError(error) }
    }

    /// What the content's index is to say.
    func layoutIndex() -> Index {
        let state = index.withLock { $0 }
        var manifests: [Descriptor] = []
        for (name, target) in state.references.sorted(by: { $0.key.description < $1.key.description }) {
            var descriptor: Descriptor
            switch target {
            case .image(let id):
                guard let manifest = state.images[id]?.document.manifest else { continue }
                descriptor = manifest
            case .index(let index): descriptor = index
            }
            descriptor.annotations = ["org.opencontainers.image.ref.name": name.description]
            manifests.append(descriptor)
        }
        return Index(manifests: manifests)
    }
}
