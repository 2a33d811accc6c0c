public import BerthOCI
public import BerthSnapshots

/// An image, as it is at one moment.
public struct ImageRecord: Hashable, Sendable {
    /// The digest of its configuration.
    public let id: Digest
    /// Its names, in order: by each of them it is found. An image without a name is an image.
    public internal(set) var references: [ImageReference]
    /// The names of indexes that have it for another platform than this machine's, in order: by these it is found if its platform is asked for.
    public let indexReferences: [ImageReference]
    /// Its names with the digest by which a registry would know it, in order: of the index, where a name has one and means this image, else of the
    /// manifest.
    public internal(set) var digests: [ImageReference]
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
    /// The index that it is meant by: where it was found by a name or a digest, of that; else of the first of its names that has one. `nil` for none,
    /// and for an image that was asked for by its platform.
    public internal(set) var index: Descriptor? = nil

    /// When it was made, as it says itself.
    public var createdAt: Timestamp { configuration.created ?? arrivedAt }

    /// Whether no name has it, neither itself nor by an index.
    public var isDangling: Bool { references.isEmpty && indexReferences.isEmpty }
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
    /// 2 since a name can name an index: who does not know that would take its blobs away.
    static var version: Int { 2 }

    var name: ImageReference
    var target: ReferenceTarget
    /// What had the name before: it still has it while no image of `target` is there, whose documents are written after this one.
    var previous: ReferenceTarget?

    private enum CodingKeys: String, CodingKey {
        case name, previous
        case target = "image"
    }
}

/// What is kept of an index without a name (`indexes/<hex of its digest>.json`).
struct IndexDocument: Sendable, Codable, Hashable {
    var index: Descriptor
}

/// What was done when an image was removed.
public enum ImageRemoval: Hashable, Sendable {
    /// A name is gone.
    case untagged(ImageReference)
    /// An image, an index without a name, or a layer is gone.
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
    /// Docker's filters: of one key any value may match, of several keys all must. With `reference`, an image is listed with those names alone that match.
    public var filters: [String: [String]] = [:]
    /// Also the images that the index of a name has for other platforms than this machine's. Default: no.
    public var includesAll = false
    /// Only those that were made before it. Default `nil`: whenever.
    public var until: Timestamp?

    /// All images that have a name of their own, or none at all.
    public init(filters: [String: [String]] = [:], includesAll: Bool = false) {
        (self.filters, self.includesAll) = (filters, includesAll)
    }
}
