/// What a check of the store has found (`POST /berth/v1/check`).
public struct CheckReport: VersionedDocument, Hashable {
    /// 1.
    public static let currentVersion = 1
    /// Whether everything is, or is again, as it should be.
    public var isSound: Bool
    /// How many blobs were read.
    public var blobCount = 0
    /// How many bytes they have.
    public var byteCount: UInt64 = 0
    /// How many layers were compared with their blobs.
    public var layerCount = 0
    /// How many images there are.
    public var imageCount = 0
    /// How many names they have.
    public var referenceCount = 0
    /// How many containers there are.
    public var containerCount = 0
    /// What is wrong, in the order of kinds and subjects.
    public var findings: [CheckFinding]
    /// How much more is wrong than is told here.
    public var furtherFindingCount = 0

    /// A report of these.
    public init(isSound: Bool, findings: [CheckFinding]) { (self.isSound, self.findings) = (isSound, findings) }
}

/// Something that is wrong with the store.
public struct CheckFinding: Codable, Hashable, Sendable {
    /// What kind of thing is wrong: `damaged-blob`, `missing-layer`, `leftover` ….
    public var kind: String
    /// With what: a digest, an id, a name or a path below the engine's root.
    public var subject: String
    /// What is wrong.
    public var problem: String
    /// More of it, the first 16.
    public var details: [String]
    /// What it means for whoever uses the engine.
    public var meaning: String
    /// What was done, or is to be done.
    public var remedy: String
    /// `found`, `repaired`, or `failed` where a repair did not succeed.
    public var outcome: String
    /// Whether it is still so, and is a fault.
    public var isFault: Bool

    /// A finding of these.
    public init(
        kind: String, subject: String, problem: String, details: [String] = [], meaning: String, remedy: String, outcome: String,
        isFault: Bool
    ) {
        (self.kind, self.subject, self.problem, self.details) = (kind, subject, problem, details)
        (self.meaning, self.remedy, self.outcome, self.isFault) = (meaning, remedy, outcome, isFault)
    }
}
