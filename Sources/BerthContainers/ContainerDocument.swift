internal import BerthOCI
internal import BerthSnapshots

/// What is kept of a container (`containers/<id>/container.json`): what it is to be, never whether it runs.
struct ContainerDocument: Sendable, Codable {
    var name: String
    var createdAt: Timestamp
    var configuration: ContainerConfiguration
    /// The image as the maker named it, and what that was then.
    var imageID: Digest
    /// The image's own words, kept here so that the container does not change when the image goes.
    var imageExecution: ImageConfiguration.Execution
    /// The uppermost of the image's layers, which the container's own lies on.
    var topLayer: LayerName?
    /// What its own layer is called; absent while that is the container's id, as it is unless it has become one of another image.
    var layerID: String?
    /// Which snapshotter keeps them.
    var snapshotter: String
    /// Of `--network container:`, whose sandbox it shares: its id, found at create.
    var sandboxOwner: String?
    /// What it has at places of its file system; absent in what engines wrote that had no volumes.
    var mounts: [ContainerMount]?
    /// Its contexts of SELinux's; absent where it was made without.
    var securityLabels: SecurityLabels?
    /// Why the last start failed; absent if it did not.
    var startFailure: ExitStatus?
    /// Whether the policy starts it again; absent without one.
    var restartMemory: RestartMemory?
}

extension ContainerDocument {
    /// The layer of a container of this id that it writes to.
    func layer(of id: String) -> WritableLayer { WritableLayer(id: layerID ?? id) }
}
