public import BerthOCI
public import BerthSnapshots

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
    /// Which snapshotter keeps them.
    var snapshotter: String
    /// Of `--network container:`, whose sandbox it shares: its id, found at create.
    var sandboxOwner: String?
    /// Why the last start failed; absent if it did not.
    var startFailure: ExitStatus?
}

/// The image that a container is made of.
public struct ContainerImage: Sendable {
    /// Its id.
    public var id: Digest
    /// Its configuration.
    public var configuration: ImageConfiguration
    /// Its uppermost layer; `nil` for an image without any.
    public var topLayer: BerthSnapshots.LayerName?

    /// An image of these.
    public init(id: Digest, configuration: ImageConfiguration, topLayer: BerthSnapshots.LayerName?) {
        (self.id, self.configuration, self.topLayer) = (id, configuration, topLayer)
    }
}
