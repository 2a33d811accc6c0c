internal import BerthContent
public import BerthLayers
public import BerthOCI
internal import BerthReactor
public import BerthSnapshots
public import BerthState
internal import Synchronization

/// A container of which an image is to be made.
public struct ImageCommit: Sendable {
    /// The image that the container was made of.
    public var image: Digest
    /// The container's own layer.
    public var container: WritableLayer
    /// What in it is no change of the container's.
    public var mountPoints: MountPoints
    /// How the container runs: the new image says the same, but for what follows.
    public var execution: ImageConfiguration.Execution
    /// What the new image says instead; what is empty in it is the container's. Default `nil`: nothing.
    public var said: ImageConfiguration.Execution?
    /// Dockerfile instructions, as `docker commit --change` takes them.
    public var changes: [String] = []
    /// Who made it.
    public var author = ""
    /// What about.
    public var message = ""
    /// What the history says made the layer: the container's command.
    public var createdBy: String
    /// Called on a thread that may block, before the container is looked at, so that it stands still.
    public var pause: @Sendable () throws(ImageError) -> Void = {}
    /// Called after it, whatever has happened, if ``pause`` did not throw.
    public var resume: @Sendable () -> Void = {}
    /// Told of the image when it is there.
    public var finished: @Sendable (ImageRecord) -> Void = { _ in }

    /// A commit of a container on an image.
    public init(
        of container: WritableLayer, on image: Digest, leavingOut mountPoints: MountPoints, execution: ImageConfiguration.Execution,
        createdBy: String
    ) {
        (self.container, self.image, self.mountPoints) = (container, image, mountPoints)
        (self.execution, self.createdBy) = (execution, createdBy)
    }
}

extension ImageStore {
    /// Makes an image of what a container has changed: a layer on those of its image.
    ///
    /// The job's value is the image. Killed at any moment, it has made the whole image, or nothing that is seen; the same can be done again. Where
    /// nothing has changed, the image has the layers of the container's image, and its history says so. The container is only read.
    /// - Parameter reference: its name; `nil` for none. Another image of that name loses it.
    /// - Throws: at once `invalid` for a name with a digest and for changes that are none, `notFound` if the container's image is gone.
    public func commit(_ commit: ImageCommit, as reference: ImageReference? = nil) throws(ImageError) -> Job<ImageRecord> {
        let name = try Self.nameToGive(reference)
        let execution = try ImageChanges.apply(changes: commit.changes, to: commit.said, over: commit.execution)
        _ = try entry(named: commit.image.description)
        return services.jobs.start(kind: "commit", title: name?.familiar ?? String(commit.container.id.prefix(12))) { [self] context in
            let record = try await withLease { (lease) throws(ImageError) in
                try await lane.run { () throws(ImageError) in try self.makeImage(commit, name, execution, lease, context) }
            }
            if let name {
                services.events.publish(
                    Event(type: "image", action: "tag", actorID: record.id.description, attributes: ["name": name.familiar]))
            }
            commit.finished(record)
            return record
        }
    }

    private func makeImage(
        _ commit: ImageCommit, _ name: ImageReference?, _ execution: ImageConfiguration.Execution, _ lease: Lease,
        _ context: JobContext
    ) throws(ImageError) -> ImageRecord {
        // What the image's layers are must not go while they are built on.
        _ = try find(commit.image.description, for: lease)
        let parent = try entry(named: commit.image.description)
        let layer = try makeLayer(commit, on: parent.topLayer, lease, context)
        let now = Timestamp.now
        var configuration = parent.configuration
        (configuration.created, configuration.execution) = (now, execution)
        configuration.author = commit.author.isEmpty ? nil : commit.author
        if let layer { configuration.diffIDs.append(layer.diffID) }
        configuration.history.append(
            ImageConfiguration.HistoryEntry(
                created: now, createdBy: commit.createdBy, author: configuration.author,
                comment: commit.message.isEmpty ? nil : commit.message, emptyLayer: layer == nil ? true : nil))
        return try writing.withLock { _ throws(ImageError) in
            let image = try keep(
                configuration, layers: parent.document.layers + (layer.map { [$0.blob] } ?? []), comment: commit.message,
                parent: parent.document.id, for: lease)
            try publish(image, as: name)
            return record(image)
        }
    }

    private func makeLayer(_ commit: ImageCommit, on top: LayerName?, _ lease: Lease, _ context: JobContext) throws(ImageError)
        -> ImportedLayer?
    {
        try commit.pause()
        defer { commit.resume() }
        do throws(LayerError) {
            return try services.layers.commitLayer(of: commit.container, on: top, leavingOut: commit.mountPoints, for: lease) {
                (count) throws(LayerError) in
                if context.isCancelled { throw LayerError(.cancelled, "the commit was cancelled") }
                context.report(Progress(status: "Committing", completedByteCount: count))
            }
        } catch { throw ImageError(error) }
    }
}
