public import BerthContent
internal import BerthLayers
public import BerthOCI
internal import BerthReactor
public import BerthState

// Images that are made of others.
extension ImageStore {
    /// Makes one layer of a draft's layers from an index on. Nothing is unpacked, and no file is held in memory; what no container sees is left out.
    ///
    /// The job's value is the draft, whose new layer stays for as long as the lease lasts. The steps that made the layers stay in the history, as steps that made none,
    /// and one follows that says which they were. The same draft gives the same one. Where there is but one layer from there on, nothing changes.
    /// - Parameters:
    ///   - index: the lowest of them. Default: the lowest of all.
    ///   - lease: holds the draft's layers, and the new one.
    /// - Throws: at once `invalid` if there is no such layer; by the job `storage` for a layer that is not here, `tooLarge`, `cancelled`.
    public func squash(_ draft: ImageDraft, from index: Int = 0, for lease: Lease) throws(ImageError) -> Job<ImageDraft> {
        try draft.requireLayer(index)
        return services.jobs.start(kind: "squash", title: "image") { [self] context in
            try await squashed(draft, from: index, lease, context)
        }
    }

    /// Makes an image that shows what another shows, with one layer in the place of several.
    ///
    /// The job's value is the image; the other stays. When it was made is when the other was made: the same image gives the same one. Where there is but one
    /// layer from there on, it is the image itself.
    /// - Parameters:
    ///   - text: the image.
    ///   - layer: the lowest of these layers, as ``ImageDraft/indexOfLayer(named:)`` finds it. Default `nil`: the lowest of all.
    ///   - reference: the new image's name; `nil` for none. Another image of that name loses it.
    ///   - platform: of an index, which image is meant.
    /// - Throws: at once `notFound` and `invalid` for an image or layer that is not there, and for a name with a digest; by the job as
    ///   ``squash(_:from:for:)`` and ``write(_:as:)``.
    public func squash(
        _ text: String, from layer: String? = nil, as reference: ImageReference? = nil, platform: Platform? = nil
    ) throws(ImageError) -> Job<ImageRecord> {
        let name = try Self.nameToGive(reference)
        let image = try find(text, platform: platform)
        let index = try layer.map { text throws(ImageError) in try ImageDraft(of: image).indexOfLayer(named: text) } ?? 0
        let id = image.id.description
        return services.jobs.start(kind: "squash", title: text) { [self] context in
            guard image.layers.count - index > 1 else {
                if let name { try await tag(id, as: name) }
                return try find(id)
            }
            return try await makeImage(of: name, context) { (lease) throws(ImageError) in
                try await squashed(try draft(of: id, for: lease), from: index, lease, context)
            }
        }
    }

    private func squashed(
        _ draft: ImageDraft, from index: Int, _ lease: Lease, _ context: JobContext
    ) async throws(ImageError) -> ImageDraft {
        guard draft.layers.count - index > 1 else { return draft }
        let layer = try await reading.run { () throws(ImageError) in
            do throws(LayerError) {
                return try self.services.layers.keep(for: lease, progress: context.reporting("Squashing")) { (sink) throws(LayerError) in
                    try self.services.layers.writeSquashed(draft.layers[index...].map(\.blob), keepsRemovals: index > 0, to: sink) {
                        (_) throws(LayerError) in try context.requireWanted()
                    }
                }
            } catch { throw ImageError(error) }
        }
        var squashed = draft
        let step = ImageConfiguration.HistoryEntry(
            created: draft.created, createdBy: nil, comment: "merge of layers \(index + 1) to \(draft.layers.count)")
        try squashed.replaceLayers(from: index, with: layer, step: step)
        return squashed
    }

    /// Makes an image of what another has above one base, on another base: it moves to a newer base without being built again.
    ///
    /// The job's value is the image; the other stays. How to run it, and when it was made, is as before. Nothing is unpacked but what is not there yet.
    /// - Parameters:
    ///   - text: the image.
    ///   - old: what it was made on.
    ///   - new: what it is to be on.
    ///   - reference: the new image's name; `nil` for none. Another image of that name loses it.
    ///   - platform: of indexes, which images are meant.
    /// - Throws: at once `notFound` for an image that is not there, `invalid` as ``ImageDraft/rebase(from:onto:)`` and for a name with a digest; by the job as
    ///   ``write(_:as:)``.
    public func rebase(
        _ text: String, from old: String, onto new: String, as reference: ImageReference? = nil, platform: Platform? = nil
    ) throws(ImageError) -> Job<ImageRecord> {
        let name = try Self.nameToGive(reference)
        let (image, oldBase, newBase) = (
            try find(text, platform: platform), try find(old, platform: platform), try find(new, platform: platform)
        )
        var draft = try ImageDraft(of: image)
        try draft.rebase(from: try ImageDraft(of: oldBase), onto: try ImageDraft(of: newBase))
        let rebased = draft
        return services.jobs.start(kind: "rebase", title: text) { [self] context in
            try await makeImage(of: name, context) { (lease) throws(ImageError) in
                for image in [image, newBase] { _ = try find(image.id.description, for: lease) }
                return rebased
            }
        }
    }
}
