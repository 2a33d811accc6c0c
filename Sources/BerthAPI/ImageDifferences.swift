/// What is compared, when two images are (`GET /berth/v1/images/{name}/diff`). The differences follow, in pages: ``ImageDifferencePage``.
public struct ImageDifferences: VersionedDocument, Hashable {
    /// 1.
    public static let currentVersion = 1
    /// The first image.
    public var before: ImageItem
    /// The other one.
    public var after: ImageItem
    /// How many layers, from the lowest on, both have.
    public var sharedLayerCount: Int
    /// The layers of the first, the lowest first, those that both have included.
    public var layersBefore: [ImageLayerItem]
    /// The layers of the other.
    public var layersAfter: [ImageLayerItem]
    /// How many differences follow, in all pages together.
    public var count: Int

    /// Two images of which nothing else is known.
    public init(before: ImageItem, after: ImageItem) {
        (self.before, self.after) = (before, after)
        (sharedLayerCount, layersBefore, layersAfter, count) = (0, [], [], 0)
    }
}

/// Some of the differences of two images, in the order of their paths.
public struct ImageDifferencePage: VersionedDocument, Hashable {
    /// 1.
    public static let currentVersion = 1
    /// The differences.
    public var differences: [ImageDifferenceItem]

    /// These.
    public init(_ differences: [ImageDifferenceItem]) { self.differences = differences }
}

/// In what two images differ, at one path.
public struct ImageDifferenceItem: Codable, Hashable, Sendable {
    /// `A`: only the other image has it; `C`: both have it, and it differs; `D`: only the first has it.
    public var kind: String
    /// Where: absolute. What is no UTF-8 in it is replaced.
    public var path: String
    /// The path's bytes, in base64, where it is no UTF-8.
    public var pathBytes: String?
    /// How many bytes the first image's file has; `nil` where it has no such file.
    public var byteCountBefore: UInt64?
    /// How many bytes the other's has; `nil` where it has no such file.
    public var byteCountAfter: UInt64?
    /// The layer that did it: of the other image, counted from 1 for the lowest; of a removal, the layer of the first image that had it.
    public var layer: Int

    /// A difference of which no size is known.
    public init(kind: String, path: String, pathBytes: String?, layer: Int) {
        (self.kind, self.path, self.pathBytes, self.layer) = (kind, path, pathBytes, layer)
    }
}
