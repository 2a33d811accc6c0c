internal import BerthContent
internal import BerthLayers
internal import BerthOCI
internal import BerthSnapshots
internal import BerthState
internal import Synchronization

// What is looked at beside blobs and the files of layers.
extension StoreCheck {
    /// Images whose layers are not there, layers that no blob is there to compare with, and what cannot be read of images.
    func checkImages(_ subjects: [Subject]) throws(ImageError) {
        let known = store.services.snapshots.layers()
        for subject in subjects {
            for layer in subject.layers where known[layer.name] == nil { tellMissing(layer.name) }
        }
        for (id, reason) in store.index.withLock({ $0.unreadable }) {
            let isRead = subjects.contains { $0.document.id.hex == id }
            tell(
                StoreFinding(
                    .unreadableImage, id, reason, meaning: "the image is not shown, and nothing at all is collected while it is so",
                    remedy: isRead
                        ? "a repair makes what is missing of it from its blobs, where they are sound"
                        : "put what cannot be read right, or remove its document in images/, indexes/ or references/; then start the engine again"
                ))
        }
        for (file, reason) in store.index.withLock({ $0.unreadableReferences }) {
            tell(
                StoreFinding(
                    .unreadableReference, "references/\(file)", reason,
                    meaning: "an image may lack a name, and nothing at all is collected while it is so",
                    remedy: "give the image its name again; then remove the file, and start the engine again"))
        }
        for (directory, reason) in store.services.snapshots.unreadable {
            tell(
                StoreFinding(
                    .unreadableLayer, "\(store.services.snapshots.name)/\(directory)", reason,
                    meaning: "images on it may not be shown, and no layer is collected while it is so",
                    remedy: "a repair makes the layer anew where an image has it; then remove the directory, and start the engine again"))
        }
        let compared = state.withLock { $0.comparedLayers }
        for name in known.keys where !compared.contains(name) { tellUncompared(name) }
    }

    private func tellMissing(_ name: LayerName) {
        let isNew = state.withLock { state in
            !state.report.findings.contains { $0.kind == .missingLayer && $0.subject == name.chainID.description }
        }
        guard isNew else { return }
        tell(
            StoreFinding(
                .missingLayer, name.chainID.description, "it is not unpacked",
                meaning: "no container can be made of these images: \(images(on: name))", remedy: "a repair unpacks it from its blob"))
    }

    /// Of layers without a blob: whoever lies on them keeps them; or nobody does.
    private func tellUncompared(_ name: LayerName) {
        let subject = name.chainID.description
        // With the uppermost of a chain goes what only that needs.
        if leftovers.contains(.layer(chainID: name.chainID)) {
            return tell(
                StoreFinding(
                    .leftover, subject, "no image and no container has the layer", meaning: "it takes space",
                    remedy: "a repair removes it, and so does the next start of the engine"))
        }
        guard store.services.snapshots.layers()[name] != nil else { return }  // it has gone meanwhile
        let users = uses().containers.filter { store.chain(from: $0.topLayer).contains(name) }.map { String($0.id.prefix(12)) }
        let who = users.isEmpty ? "" : ": it is there for \(users.sorted().prefix(8).joined(separator: ", "))"
        tell(
            StoreFinding(
                .unverifiedLayer, subject, "there is no blob to compare it with\(who)", meaning: "whether its files are right is not known",
                remedy: "load its image again, then check again"))
    }

    /// Documents, as they lie on the disk, against what is known.
    func checkDocuments() throws(ImageError) {
        try store.writing.withLock { _ throws(ImageError) in
            let index = store.index.withLock { $0 }
            for image in index.images.values {
                let fault = Self.fault { () throws(StateError) in try store.images.read(id: image.document.id.hex) == image.document }
                if let fault { tellDamaged("images/\(image.document.id.hex).json", fault) }
            }
            for (name, target) in index.references {
                let file = ImageStore.documentID(of: name)
                let fault = Self.fault { () throws(StateError) in
                    let document = try store.references.read(id: file)
                    return document?.name == name && document?.target == target
                }
                if let fault { tellDamaged("references/\(file).json", fault) }
            }
            for digest in index.unnamed {
                let fault = Self.fault { () throws(StateError) in
                    try store.unnamedIndexes.read(id: digest.hex)?.index == index.indexes[digest]?.descriptor
                }
                if let fault { tellDamaged("indexes/\(digest.hex).json", fault) }
            }
            do throws(ContentError) {
                if try !store.services.content.hasIndex(store.layoutIndex()) { tellLayout("content/index.json") }
                if try !store.services.content.hasMarker() { tellLayout("content/oci-layout") }
            } catch { throw ImageError(error) }
        }
    }

    private static func fault(_ isRight: () throws(StateError) -> Bool) -> String? {
        do throws(StateError) { return try isRight() ? nil : "it is missing, or says something else than it should" } catch {
            return error.description
        }
    }

    private func tellDamaged(_ path: String, _ fault: String) {
        state.withLock { _ = $0.damagedDocuments.insert(path) }
        tell(
            StoreFinding(
                .damagedDocument, path, fault, meaning: "the next start of the engine would not know what it says",
                remedy: "a repair writes it anew"))
    }

    private func tellLayout(_ path: String) {
        tell(
            StoreFinding(
                .damagedLayout, path, "it does not say what there is", meaning: "other tools do not read the store as an image layout",
                remedy: "a repair writes it anew"))
    }

    /// How layers are kept, and what lies about.
    func checkStructure() throws(ImageError) {
        let snapshots = store.services.snapshots
        do {
            for name in snapshots.layers().keys {
                let faults: [String]
                do throws(SnapshotError) { faults = try snapshots.faults(of: name) } catch {
                    if error.code == .notFound { continue }
                    throw error
                }
                guard !faults.isEmpty else { continue }
                let isTold = state.withLock { $0.damagedLayers[name] != nil }
                if isTold { continue }
                let finding = StoreFinding(
                    .damagedLayer, name.chainID.description, faults.joined(separator: "; "),
                    meaning: "containers of these images may not start: \(images(on: name))", remedy: "a repair makes it right")
                state.withLock { $0.damagedLayers[name] = finding }
                tell(finding)
            }
            for path in try store.services.content.leftovers() { tellUnfinished("content/\(path)") }
            for path in try snapshots.leftovers() { tellUnfinished("\(snapshots.name)/\(path)") }
        } catch let error as SnapshotError {
            throw ImageError(LayerError(.storage, error.description, underlying: error.underlying))
        } catch let error as ContentError {
            throw ImageError(error)
        } catch { throw ImageError(.storage, "\(error)") }
    }

    private func tellUnfinished(_ path: String) {
        tell(
            StoreFinding(
                .leftover, path, "nobody is at it any more", meaning: "it takes space",
                remedy: "a repair removes it, and so does the next start of the engine"))
    }

    /// Containers' own layers, and what they lie on.
    func checkContainers() throws(ImageError) {
        let use = uses()
        let snapshots = store.services.snapshots
        let known = snapshots.layers()
        let there = snapshots.writableLayers()
        for container in use.containers {
            let (meaning, remedy) = (
                "the container cannot be started", "a repair makes it right from its image's blobs, where they are here"
            )
            if let missing = container.topLayer.flatMap({ known[$0] == nil ? $0 : nil }) {
                tell(
                    StoreFinding(
                        .damagedContainerLayer, container.id, "layer \(missing.chainID), which it lies on, is missing", meaning: meaning,
                        remedy: remedy))
                continue
            }
            let faults: [String]
            do throws(SnapshotError) {
                faults = try snapshots.faults(of: container.layer, on: container.topLayer)
            } catch {
                guard error.code == .notFound else {
                    throw ImageError(LayerError(.storage, error.description, underlying: error.underlying))
                }
                // One that has been removed meanwhile has none.
                guard uses().containers.contains(where: { $0.id == container.id }) else { continue }
                tell(
                    StoreFinding(
                        .damagedContainerLayer, container.id, "the container's own layer is missing",
                        meaning: "what the container has changed is lost, and it cannot be started", remedy: "remove the container"))
                continue
            }
            if !faults.isEmpty {
                tell(
                    StoreFinding(.damagedContainerLayer, container.id, faults.joined(separator: "; "), meaning: meaning, remedy: remedy))
            }
        }
        for (id, reason) in use.unreadable {
            tell(
                StoreFinding(
                    .unreadableContainer, id, reason, meaning: "it is listed and cannot be used, and no layer is collected while it is so",
                    remedy: "put its document in containers/\(id) right, or remove that directory; then start the engine again"))
        }
        for (id, reason) in use.unreadableNetworks {
            tell(
                StoreFinding(
                    .unreadableNetwork, id, reason, meaning: "it is not listed, and nothing is removed of any network's while it is so",
                    remedy: "put its document in networks/ right, or remove it; then start the engine again"))
        }
        for (id, reason) in use.unreadableSandboxes {
            tell(
                StoreFinding(
                    .unreadableSandbox, id, reason,
                    meaning: "the container goes on with what it has in its networks, which cannot be changed",
                    remedy: "stop the container, and start it again; then remove the file in sandboxes/ of the exec-root"))
        }
        // One that is being made has its id already.
        for id in there.subtracting(uses().ids).sorted() where snapshots.writableLayers().contains(id) {
            tell(
                StoreFinding(
                    .leftover, "\(snapshots.name)/\(id)", "the layer's container is not there", meaning: "it takes space",
                    remedy: "the next start of the engine removes it"))
        }
    }
}
