/// What became of a container that was edited, or would become of it (`/berth/v1/containers/{id}/edit`).
public struct EditReport: VersionedDocument, Hashable {
    /// 1.
    public static let currentVersion = 1
    /// The container's id, which it keeps.
    public var id: String
    /// Whether it runs, and is stopped and started again for it.
    public var isRestarted: Bool
    /// Whether it is of another image, so that what it has written beside its volumes goes.
    public var hasNewLayer: Bool
    /// What the client should know.
    public var warnings: [String]

    /// A report of these.
    public init(id: String, isRestarted: Bool, hasNewLayer: Bool, warnings: [String]) {
        (self.id, self.isRestarted, self.hasNewLayer, self.warnings) = (id, isRestarted, hasNewLayer, warnings)
    }
}
