/// The jobs of an engine: those that run, and the latest that have ended; the oldest first (`GET /berth/v1/jobs`).
public struct JobList: VersionedDocument, Hashable {
    /// 1.
    public static let currentVersion = 1
    /// The jobs.
    public var jobs: [JobItem]

    /// These.
    public init(_ jobs: [JobItem]) { self.jobs = jobs }
}

/// One piece of work of an engine's.
public struct JobItem: Codable, Hashable, Sendable {
    /// The job's id.
    public var id: String
    /// What kind of work: `import`, `load`, `collect` ….
    public var kind: String
    /// On what.
    public var title: String
    /// `running`, `succeeded`, `failed` or `cancelled`.
    public var state: String
    /// Why it failed; `nil` if it did not.
    public var failure: String?
    /// When it began, in nanoseconds since 1970.
    public var startedAt: Int64
    /// What it is at; `nil` where it has not said so.
    public var status: String?
    /// How much is done, in bytes, where that is known.
    public var completedByteCount: UInt64?
    /// Of how much.
    public var totalByteCount: UInt64?

    /// A job of which nothing more is known.
    public init(id: String, kind: String, title: String, state: String, startedAt: Int64) {
        (self.id, self.kind, self.title, self.state, self.startedAt) = (id, kind, title, state, startedAt)
    }
}
