/// How far a job has come.
public struct Progress: Hashable, Sendable {
    /// One of several things that a job is at: a layer of a pull.
    public struct Part: Hashable, Sendable, Identifiable {
        /// What it is called, among the job's parts.
        public var id: String
        /// What becomes of it just now.
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

    /// What it is at.
    public var status: String
    /// How much is done, in bytes, where that is known.
    public var completedByteCount: UInt64?
    /// Of how much.
    public var totalByteCount: UInt64?
    /// What it is at besides, all at once, in the order in which these were first told of. Each progress has all of them.
    public var parts: [Part] = []

    /// These, without parts.
    public init(status: String, completedByteCount: UInt64? = nil, totalByteCount: UInt64? = nil) {
        (self.status, self.completedByteCount, self.totalByteCount) = (status, completedByteCount, totalByteCount)
    }

    /// The most parts that are told of: a job may be made of more.
    public static let maximumPartCount = 1024

    /// Says of a part how far it is; a new one comes behind the others.
    mutating func set(_ part: Part) {
        // The parts of an image are few, and the ones that are told of most are the last.
        if let at = parts.lastIndex(where: { $0.id == part.id }) {
            parts[at] = part
        } else if parts.count < Self.maximumPartCount {
            parts.append(part)
        }
    }
}
