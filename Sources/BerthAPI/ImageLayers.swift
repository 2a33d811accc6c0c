/// An image, as far as it has to be known which one is meant.
public struct ImageItem: Codable, Hashable, Sendable {
    /// Its id.
    public var id: String
    /// Its names, as people write them, in order.
    public var names: [String]

    /// An image of these.
    public init(id: String, names: [String]) { (self.id, self.names) = (id, names) }
}

/// The image that some work has made (`POST /berth/v1/images/{name}/squash` and `…/rebase`).
public struct ImageMade: VersionedDocument, Hashable {
    /// 1.
    public static let currentVersion = 1
    /// The image.
    public var image: ImageItem

    /// This one.
    public init(_ image: ImageItem) { self.image = image }
}

/// The layers of an image (`GET /berth/v1/images/{name}/layers`).
public struct ImageLayerList: VersionedDocument, Hashable {
    /// 1.
    public static let currentVersion = 1
    /// The image.
    public var image: ImageItem
    /// Its layers, the lowest first.
    public var layers: [ImageLayerItem]

    /// These.
    public init(_ image: ImageItem, _ layers: [ImageLayerItem]) { (self.image, self.layers) = (image, layers) }
}

/// A layer of an image, with what it does.
public struct ImageLayerItem: Codable, Hashable, Sendable {
    /// Which it is, counted from 1 for the lowest.
    public var number: Int
    /// The digest of its blob.
    public var digest: String
    /// How many bytes the blob has.
    public var storedByteCount: UInt64
    /// The digest of its uncompressed tar.
    public var diffID: String
    /// The instruction that made it, the first 1,024 characters; `nil` where the image does not say.
    public var createdBy: String?
    /// Words of who made it, likewise.
    public var comment: String?
    /// When it was made (RFC 3339).
    public var created: String?
    /// How many files, directories and whatever else it has.
    public var entryCount: UInt64
    /// How many bytes its files have.
    public var byteCount: UInt64
    /// How many files of the layers below it replaces or removes.
    public var hiddenFileCount: UInt64
    /// How many bytes these have.
    public var hiddenByteCount: UInt64
    /// The names of the images of which it is the uppermost layer, in order.
    public var imageNames: [String]

    /// A layer of which nothing else is known.
    public init(number: Int, digest: String, storedByteCount: UInt64, diffID: String) {
        (self.number, self.digest, self.storedByteCount, self.diffID) = (number, digest, storedByteCount, diffID)
        (entryCount, byteCount, hiddenFileCount, hiddenByteCount) = (0, 0, 0, 0)
        imageNames = []
    }
}
