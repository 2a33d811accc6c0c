public import BerthOCI
public import BerthSnapshots

/// An image, as it is at one moment.
public struct ImageRecord: Hashable, Sendable {
    /// The digest of its configuration.
    public let id: Digest
    /// Its names, in order. An image without a name is an image.
    public let references: [ImageReference]
    /// When it came here.
    public let arrivedAt: Timestamp
    /// What it came by, as `docker import -m` says it.
    public let comment: String
    /// The image whose container it was made of; `nil` if it was not made here of one. It may be gone.
    public let parent: Digest?
    /// Its manifest.
    public let manifest: Descriptor
    /// What it says of itself.
    public let configuration: ImageConfiguration
    /// Its layers as they arrived, the lowest first.
    public let layers: [Descriptor]
    /// Its uppermost layer; `nil` for an image without any.
    public let topLayer: LayerName?
    /// How many bytes its files have, all layers together.
    public let byteCount: UInt64

    /// When it was made, as it says itself.
    public var createdAt: Timestamp { configuration.created ?? arrivedAt }
}

/// What is kept of an image (`images/<hex of its id>.json`).
struct ImageDocument: Sendable, Codable, Hashable {
    var id: Digest
    var manifest: Descriptor
    var configuration: Descriptor
    var layers: [Descriptor]
    var arrivedAt: Timestamp
    var comment: String
    var parent: Digest?

    /// Everything of it that lies in the content store.
    var blobs: [Digest] { [id, manifest.digest] + layers.map(\.digest) }
}

/// What is kept of a name (`references/<sha256 of the name>.json`).
struct ReferenceDocument: Sendable, Codable, Hashable {
    var name: ImageReference
    var image: Digest
    /// What had the name before: it still has it while there is no such `image`, whose document is written after this one.
    var previous: Digest?
}

/// What was done when an image was removed.
public enum ImageRemoval: Hashable, Sendable {
    /// A name is gone.
    case untagged(ImageReference)
    /// An image or a layer is gone.
    case deleted(Digest)
}

/// A container that is made of an image.
public struct ImageUse: Hashable, Sendable {
    /// The container.
    public var containerID: String
    /// Whether it runs.
    public var isRunning: Bool

    /// A use by this container.
    public init(containerID: String, isRunning: Bool) { (self.containerID, self.isRunning) = (containerID, isRunning) }
}

/// What of images is to be listed.
public struct ImageQuery: Sendable, Hashable {
    /// Docker's filters: of one key any value may match, of several keys all must.
    public var filters: [String: [String]] = [:]

    /// All images.
    public init(filters: [String: [String]] = [:]) { self.filters = filters }
}
