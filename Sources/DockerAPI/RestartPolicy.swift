extension HostConfig {
    /// When a container is started again (`RestartPolicy`).
    public struct RestartPolicy: Sendable, Hashable, JSONWritable {
        /// `no`, `always`, `unless-stopped`, `on-failure`; empty is `no`.
        public var name = ""
        /// How often in a row; 0 is without end.
        public var maximumRetryCount: Int64 = 0

        /// Never.
        public init() {}
        /// One of these.
        public init(name: String, maximumRetryCount: Int64 = 0) { (self.name, self.maximumRetryCount) = (name, maximumRetryCount) }

        /// Takes it from a request.
        public init(reading fields: inout RequestFields) throws(RequestError) {
            var policy = try fields.fields("RestartPolicy")
            name = try policy.string("Name")
            maximumRetryCount = try policy.integer("MaximumRetryCount")
            try policy.refuseUnread()
        }

        /// Writes it.
        public func write(to writer: inout JSONWriter) {
            writer.object { writer in
                writer.member("Name", name.isEmpty ? "no" : name)
                writer.member("MaximumRetryCount", maximumRetryCount)
            }
        }
    }
}

/// What a pruning of containers has done (`POST /containers/prune`).
public struct ContainerPruneReport: JSONWritable, Hashable {
    /// What is gone.
    public var ids: [String]
    /// How many bytes are free again.
    public var reclaimedByteCount: UInt64

    /// These.
    public init(ids: [String], reclaimedByteCount: UInt64) { (self.ids, self.reclaimedByteCount) = (ids, reclaimedByteCount) }

    /// Writes it.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("ContainersDeleted", ids.isEmpty ? nil : ids)
            writer.member("SpaceReclaimed", reclaimedByteCount)
        }
    }
}
