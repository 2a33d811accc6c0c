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

    /// What it is at besides, all at once; `nil` where there is nothing of that.
    public var parts: [JobPart]?
    /// How many follow it; `nil` from an older daemon.
    public var followerCount: Int?
    /// Whether it ends when nobody waits for it any more; `nil` from an older daemon.
    public var isBound: Bool?

    /// A job of which nothing more is known.
    public init(id: String, kind: String, title: String, state: String, startedAt: Int64) {
        (self.id, self.kind, self.title, self.state, self.startedAt) = (id, kind, title, state, startedAt)
    }
}

/// One of several things that a job is at, such as a layer.
public struct JobPart: Codable, Hashable, Sendable {
    /// What it is called.
    public var id: String
    /// What becomes of it.
    public var status: String
    /// How much of that is done, in bytes, where that is known.
    public var completedByteCount: UInt64?
    /// Of how much.
    public var totalByteCount: UInt64?

    /// A part.
    public init(id: String, status: String, completedByteCount: UInt64? = nil, totalByteCount: UInt64? = nil) {
        (self.id, self.status, self.completedByteCount, self.totalByteCount) = (id, status, completedByteCount, totalByteCount)
    }
}

/// One job, as it is at one moment.
public struct JobReport: VersionedDocument, Hashable {
    /// 1.
    public static let currentVersion = 1
    /// The job.
    public var job: JobItem

    /// Of this.
    public init(_ job: JobItem) { self.job = job }
}
