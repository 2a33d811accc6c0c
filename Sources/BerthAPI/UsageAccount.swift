/// What takes space beside what Docker's `GET /system/df` counts, and what keeps each of it (`GET /berth/v1/usage`).
public struct UsageAccount: VersionedDocument, Hashable {
    /// 1.
    public static let currentVersion = 1
    /// The blobs of images, by image, the newest image first.
    public var images: [ImageBlobs] = []
    /// How many blobs these are, each counted once.
    public var blobCount = 0
    /// How many bytes they have, each counted once.
    public var blobsByteCount: UInt64 = 0
    /// The logs of containers, the newest container first.
    public var logs: [ContainerLog] = []
    /// Blobs that no image has.
    public var loose: [LooseContent] = []
    /// Content that is still coming.
    public var partial: [LooseContent] = []

    /// Nothing.
    public init() {}
}

/// What an image came as: kept, so that it can be saved and pushed byte for byte.
public struct ImageBlobs: Codable, Hashable, Sendable {
    /// The image's id.
    public var id: String
    /// Its names, which keep it.
    public var names: [String]
    /// How many containers are made of it, which keep it as well.
    public var containerCount: Int
    /// How many bytes its blobs have.
    public var byteCount: UInt64

    /// These.
    public init(id: String, names: [String], containerCount: Int, byteCount: UInt64) {
        (self.id, self.names, self.containerCount, self.byteCount) = (id, names, containerCount, byteCount)
    }
}

/// A container's log. The container keeps it.
public struct ContainerLog: Codable, Hashable, Sendable {
    /// The container's id.
    public var id: String
    /// Its name.
    public var name: String
    /// In one word: `running`, `exited` ….
    public var state: String
    /// How many bytes the log has.
    public var byteCount: UInt64

    /// These.
    public init(id: String, name: String, state: String, byteCount: UInt64) {
        (self.id, self.name, self.state, self.byteCount) = (id, name, state, byteCount)
    }
}

/// Content that no image has.
public struct LooseContent: Codable, Hashable, Sendable {
    /// A blob's digest, or the name of one that is still coming.
    public var name: String
    /// How many bytes it has.
    public var byteCount: UInt64
    /// What keeps it: `work` that runs, something `unreadable` that may name it, or `nothing`: then the next collection removes it.
    public var keeper: String

    /// These.
    public init(name: String, byteCount: UInt64, keeper: String) { (self.name, self.byteCount, self.keeper) = (name, byteCount, keeper) }
}
