internal import BerthLayers
internal import BerthOCI
internal import BerthSnapshots
internal import Synchronization

// What is said of what was found: what it is, what it means, what was or is to be done.
extension StoreCheck {
    /// The images that have a blob, for people.
    private func images(with blob: Digest) -> String {
        let indexes = store.index.withLock { index in
            func has(_ digest: Digest) -> Bool { index.indexes[digest].map { $0.blobs.contains { $0.digest == blob } } ?? false }
            let named = index.references.filter { _, target in
                if case .index(let descriptor) = target { has(descriptor.digest) } else { false }
            }
            return named.keys.map(\.familiar) + index.unnamed.filter(has).map { String($0.hex.prefix(12)) }
        }
        return names(adding: indexes) { $0.document.blobs.contains(blob) }
    }

    /// The images that have a layer, for people.
    func images(on layer: LayerName) -> String { names { $0.layers.contains { $0.name == layer } } }

    private func names(adding more: [String] = [], _ isMeant: (Subject) -> Bool) -> String {
        let subjects = state.withLock { $0.subjects }.filter(isMeant)
        let all = store.index.withLock { $0.names() }
        let names = Set(
            more
                + subjects.map { subject in
                    all[subject.document.id]?.own.first?.familiar ?? String(subject.document.id.hex.prefix(12))
                }
        ).sorted()
        guard names.count > 8 else { return names.joined(separator: ", ") }
        return names.prefix(8).joined(separator: ", ") + " and \(names.count - 8) more"
    }

    func tellMissing(_ blob: Digest) {
        tell(
            StoreFinding(
                .missingBlob, blob.description, "the blob is not there", meaning: "these images cannot be saved: \(images(with: blob))",
                remedy: "load the images again: what is there already is kept"))
    }

    func tellDamaged(_ blob: Digest, _ fault: String) {
        let images = images(with: blob)
        tell(
            StoreFinding(
                .damagedBlob, blob.description, fault,
                meaning: images.isEmpty ? "no image has it" : "these images cannot be saved: \(images)",
                remedy: "a repair sets it aside; then load the images again"))
    }

    func tellLeftover(_ blob: Digest) {
        tell(
            StoreFinding(
                .leftover, blob.description, "no image and no work has the blob", meaning: "it takes space",
                remedy: "a repair removes it, and so does the next start of the engine"))
    }

    func tellUnverified(_ verification: LayerVerification) {
        let reason = verification.blobFault ?? ""
        tell(
            StoreFinding(
                .unverifiedLayer, verification.name.chainID.description,
                "its files cannot be compared with its blob \(verification.blob): \(reason)",
                meaning: "whether its files are right is not known", remedy: "load the image again, then check again"))
    }

    func tellDamaged(_ verification: LayerVerification) {
        var finding = StoreFinding(
            .damagedLayer, verification.name.chainID.description,
            "its files are not what its blob \(verification.blob) says: \(verification.faultCount) differences",
            meaning: "containers of these images see other files than they should: \(images(on: verification.name))",
            remedy: "a repair unpacks it anew")
        finding.details = verification.faults
        state.withLock { $0.damagedLayers[verification.name] = finding }
        tell(finding)
    }

    /// Says of something that was found what has become of it.
    func conclude(_ kind: StoreFinding.Kind, _ subject: String, _ outcome: StoreFinding.Outcome, _ remedy: String) {
        state.withLock { state in
            for index in state.report.findings.indices
            where state.report.findings[index].kind == kind && state.report.findings[index].subject == subject {
                (state.report.findings[index].outcome, state.report.findings[index].remedy) = (outcome, remedy)
            }
        }
    }
}
