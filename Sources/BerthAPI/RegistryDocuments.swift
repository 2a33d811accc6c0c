/// A manifest or an index as its registry has it (`GET /berth/v1/manifest`).
public struct ManifestDocument: VersionedDocument, Hashable {
    /// 1.
    public static let currentVersion = 1
    /// What it is.
    public var mediaType: String
    /// The digest of its bytes.
    public var digest: String
    /// Its bytes, which are JSON.
    public var text: String

    /// These.
    public init(mediaType: String, digest: String, text: String) { (self.mediaType, self.digest, self.text) = (mediaType, digest, text) }
}

/// Names, in the order of who knows them: repositories, tags, what was removed.
public struct NameList: VersionedDocument, Hashable {
    /// 1.
    public static let currentVersion = 1
    /// The names.
    public var names: [String]

    /// These.
    public init(_ names: [String]) { self.names = names }
}
