internal import BerthContent
internal import BerthLayers
internal import BerthOCI
internal import BerthReactor
internal import BerthSnapshots
internal import BerthState
internal import Synchronization

// What can be mended. Each step is whole or has not been, and can be done again.
extension StoreCheck {
    func repair(_ subjects: [Subject]) throws(ImageError) {
        report("Repairing")
        try setBlobsAside()
        try restoreLayers(subjects)
        try showImages(subjects)
        try mendContainers()
        try mendDocuments()
        try removeLeftovers()
    }

    // MARK: Blobs

    private func setBlobsAside() throws(ImageError) {
        for blob in state.withLock({ $0.damagedBlobs.sorted { $0.description < $1.description } }) {
            try requireWanted()
            let path: String?
            do throws(ContentError) { path = try store.services.content.setAside(blob) } catch {
                conclude(.damagedBlob, blob.description, .failed, error.description)
                continue
            }
            state.withLock { _ = $0.missingBlobs.insert(blob) }
            conclude(.damagedBlob, blob.description, .repaired, path.map { "it was set aside as content/\($0)" } ?? "it has gone")
            if state.withLock({ $0.namedBlobs }).contains(blob) { tellMissing(blob) }
        }
    }

    private func isUsable(_ blob: Digest) -> Bool {
        state.withLock { !$0.damagedBlobs.contains(blob) && !$0.missingBlobs.contains(blob) }
    }

    // MARK: Layers

    /// Unpacks anew what is missing and what is damaged, the lowest first: what lies on a layer may take from it.
    private func restoreLayers(_ subjects: [Subject]) throws(ImageError) {
        var done: Set<LayerName> = []
        for subject in subjects {
            for (index, layer) in subject.layers.enumerated() where done.insert(layer.name).inserted {
                try requireWanted()
                let parent = index > 0 ? subject.layers[index - 1].name : nil
                if store.services.snapshots.layers()[layer.name] == nil {
                    restoreMissing(layer, on: parent)
                } else if state.withLock({ $0.damagedLayers[layer.name] != nil }) {
                    restoreDamaged(layer.name, layer.blob)
                }
            }
        }
        // Those that only containers still have: what lies beside their files can be mended without a blob.
        for name in state.withLock({ Array($0.damagedLayers.keys) }) where !done.contains(name) { mend(name) }
    }

    private func restoreMissing(_ layer: (name: LayerName, diffID: Digest, blob: Digest), on parent: LayerName?) {
        let subject = layer.name.chainID.description
        guard isUsable(layer.blob) else {
            return conclude(.missingLayer, subject, .failed, "its blob \(layer.blob) is damaged, or missing: load the image again")
        }
        if let parent, store.services.snapshots.layers()[parent] == nil {
            return conclude(.missingLayer, subject, .failed, "the layer below it, \(parent.chainID), is missing as well")
        }
        do throws(LayerError) {
            let layers = store.services.layers
            _ = try layers.commit([(try layers.hold(layer.blob, for: lease), layer.diffID)], on: parent, for: lease)
            conclude(.missingLayer, subject, .repaired, "it was unpacked from its blob")
        } catch { conclude(.missingLayer, subject, .failed, error.description) }
    }

    private func restoreDamaged(_ name: LayerName, _ blob: Digest) {
        let subject = name.chainID.description
        mend(name)
        // What lies beside its files may have been all.
        guard state.withLock({ $0.damagedLayers[name]?.details.isEmpty == false }) || isDamaged(name) else { return }
        guard isUsable(blob) else {
            return conclude(.damagedLayer, subject, .failed, "its blob \(blob) is damaged, or missing: load the image again")
        }
        // Whoever starts a container looks at this after saying so: one of the two sees the other.
        store.replacing.withLock { _ = $0.insert(name) }
        defer { store.replacing.withLock { _ = $0.remove(name) } }
        let users = uses().containers.filter { $0.isInUse && store.chain(from: $0.topLayer).contains(name) }
        guard users.isEmpty else {
            let ids = users.prefix(8).map { String($0.id.prefix(12)) }.joined(separator: ", ")
            return conclude(.damagedLayer, subject, .failed, "containers run on it: stop \(ids), and repair again")
        }
        do throws(LayerError) {
            try store.services.layers.restore(name, from: blob)
            conclude(
                .damagedLayer, subject, .repaired,
                "it was unpacked anew from its blob; what was there before is removed when the engine starts next")
        } catch { conclude(.damagedLayer, subject, .failed, error.description) }
    }

    private func isDamaged(_ name: LayerName) -> Bool {
        // What cannot be looked at is damaged.
        (try? store.services.snapshots.faults(of: name).isEmpty) != true
    }

    private func mend(_ name: LayerName) {
        let subject = name.chainID.description
        do throws(SnapshotError) {
            try store.services.snapshots.mend(name)
            if isDamaged(name) {
                conclude(.damagedLayer, subject, .failed, "its files are missing, and no image has its blob")
            } else {
                conclude(.damagedLayer, subject, .repaired, "what was wrong was written anew")
            }
        } catch { conclude(.damagedLayer, subject, .failed, error.description) }
    }

    // MARK: Images and containers

    /// Images that were not shown because a layer of theirs was missing are shown again, under their names.
    private func showImages(_ subjects: [Subject]) throws(ImageError) {
        for subject in subjects where !subject.isShown {
            let id = subject.document.id.hex
            do throws(ImageError) {
                let entry = try store.entry(subject.document)
                store.index.withLock { index in
                    index.images[subject.document.id] = entry
                    index.unreadable[id] = nil
                }
                conclude(.unreadableImage, id, .repaired, "it is shown again")
            } catch { conclude(.unreadableImage, id, .failed, error.description) }
        }
        try store.writing.withLock { _ throws(ImageError) in try store.giveUnresolved() }
    }

    private func mendContainers() throws(ImageError) {
        let snapshots = store.services.snapshots
        // Layers that were unpacked anew have other short names.
        for name in snapshots.layers().keys {
            do throws(SnapshotError) { if try !snapshots.faults(of: name).isEmpty { try snapshots.mend(name) } } catch {
                if error.code != .notFound { throw ImageError(LayerError(.storage, error.description, underlying: error.underlying)) }
            }
        }
        for container in uses().containers {
            let layer = container.layer
            guard container.topLayer.map({ snapshots.layers()[$0] != nil }) ?? true else {
                conclude(.damagedContainerLayer, container.id, .failed, "a layer that it lies on is still missing")
                continue
            }
            do throws(SnapshotError) {
                guard try !snapshots.faults(of: layer, on: container.topLayer).isEmpty || isTold(container.id) else { continue }
                try snapshots.mend(layer, on: container.topLayer)
                let left = try snapshots.faults(of: layer, on: container.topLayer)
                conclude(
                    .damagedContainerLayer, container.id, left.isEmpty ? .repaired : .failed,
                    left.isEmpty ? "it lies on its image's layers again" : "\(left.joined(separator: "; ")): remove the container")
            } catch { conclude(.damagedContainerLayer, container.id, .failed, "\(error.description): remove the container") }
        }
    }

    private func isTold(_ id: String) -> Bool {
        state.withLock { $0.report.findings.contains { $0.kind == .damagedContainerLayer && $0.subject == id } }
    }

    // MARK: Documents

    private func mendDocuments() throws(ImageError) {
        let told = state.withLock { $0.damagedDocuments }
        try store.writing.withLock { _ throws(ImageError) in
            let index = store.index.withLock { $0 }
            do throws(StateError) {
                for image in index.images.values where told.contains("images/\(image.document.id.hex).json") {
                    try store.images.write(image.document, id: image.document.id.hex)
                }
                for (name, target) in index.references where told.contains("references/\(ImageStore.documentID(of: name)).json") {
                    try store.references.write(ReferenceDocument(name: name, target: target), id: ImageStore.documentID(of: name))
                }
                for digest in index.unnamed where told.contains("indexes/\(digest.hex).json") {
                    guard let descriptor = index.indexes[digest]?.descriptor else { continue }
                    try store.unnamedIndexes.write(IndexDocument(index: descriptor), id: digest.hex)
                }
            } catch { throw ImageError(error) }
            for path in told { conclude(.damagedDocument, path, .repaired, "it was written anew") }
            do throws(ContentError) {
                if try !store.services.content.hasIndex(store.layoutIndex()) { try store.services.content.writeIndex(store.layoutIndex()) }
                if try !store.services.content.hasMarker() { try store.services.content.writeMarker() }
            } catch { throw ImageError(error) }
        }
        for path in ["content/index.json", "content/oci-layout"] { conclude(.damagedLayout, path, .repaired, "it was written anew") }
    }

    // MARK: Leftovers

    private func removeLeftovers() throws(ImageError) {
        let leftovers = state.withLock { $0.report.findings.filter { $0.kind == .leftover }.map(\.subject) }
        do throws(ContentError) { try store.services.content.removeLeftovers() } catch { throw ImageError(error) }
        do throws(SnapshotError) { try store.services.snapshots.removeLeftovers() } catch {
            throw ImageError(LayerError(.storage, error.description, underlying: error.underlying))
        }
        // These this check holds: the last that does, it collects them when it ends.
        for case .layer(let chainID) in self.leftovers { lease.hold(.layer(chainID: chainID)) }
        let writable = store.services.snapshots.writableLayers()
        for subject in leftovers where !writable.contains(subject.split(separator: "/").last.map(String.init) ?? "") {
            // Blobs and layers are held by this check: they go when it ends.
            conclude(.leftover, subject, .repaired, "it was removed")
        }
    }
}
