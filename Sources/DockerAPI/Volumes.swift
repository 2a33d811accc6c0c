/// A volume (`Volume`).
public struct VolumeResource: JSONWritable, Hashable {
    /// How much it takes, and who keeps it.
    public struct Usage: Sendable, Hashable {
        /// How many containers have it; -1 is not counted.
        public var containerCount: Int64
        /// How many bytes its files have; -1 is not counted.
        public var byteCount: Int64

        /// These.
        public init(containerCount: Int64, byteCount: Int64) { (self.containerCount, self.byteCount) = (containerCount, byteCount) }
    }

    /// Its name.
    public var name = ""
    /// Who keeps it.
    public var driver = ""
    /// The directory of its files.
    public var mountPoint = ""
    /// When it was made, as RFC 3339 text.
    public var created = ""
    /// Names and values; `nil` where none were given.
    public var labels: [String: String]?
    /// The driver's options; `nil` where none were given.
    public var options: [String: String]?
    /// How much it takes; `nil` where that is not asked for.
    public var usage: Usage?

    /// Nothing known.
    public init() {}

    /// Writes it.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("CreatedAt", created)
            writer.member("Driver", driver)
            writer.member("Labels", labels)
            writer.member("Mountpoint", mountPoint)
            writer.member("Name", name)
            writer.member("Options", options)
            writer.member("Scope", "local")
            if let usage {
                writer.member("UsageData") { writer in
                    writer.member("RefCount", usage.containerCount)
                    writer.member("Size", usage.byteCount)
                }
            }
        }
    }
}

/// Volumes (`GET /volumes`).
public struct VolumeList: JSONWritable, Hashable {
    /// The volumes.
    public var volumes: [VolumeResource]
    /// What could not be asked.
    public var warnings: [String]?

    /// These.
    public init(_ volumes: [VolumeResource], warnings: [String]? = nil) { (self.volumes, self.warnings) = (volumes, warnings) }

    /// Writes it.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("Volumes", list: volumes)
            writer.member("Warnings", warnings)
        }
    }
}

/// A request to make a volume (`POST /volumes/create`).
public struct VolumeCreateRequest: Sendable, Hashable {
    /// The name; empty is one that is made up.
    public var name = ""
    /// Who is to keep it; empty is the default.
    public var driver = ""
    /// The driver's options; `nil` where none are given.
    public var options: [String: String]?
    /// Names and values; `nil` where none are given.
    public var labels: [String: String]?

    /// Parses a request's body.
    ///
    /// - Throws: `invalid` for what is malformed, `unsupported` for what does not exist here.
    public init(parsing body: [UInt8]) throws(RequestError) {
        var fields = try RequestFields.parse(body)
        guard !fields.has("ClusterVolumeSpec") else {
            throw RequestError(
                .unsupported, "not supported here: ClusterVolumeSpec: engines of this kind are for one machine, and have no swarms")
        }
        _ = fields.value("ClusterVolumeSpec")
        (name, driver) = (try fields.string("Name"), try fields.string("Driver"))
        if fields.has("DriverOpts") { options = try fields.stringMap("DriverOpts") }
        if fields.has("Labels") { labels = try fields.stringMap("Labels") }
        try fields.refuseUnread()
    }
}

/// What a pruning has removed (`POST /volumes/prune`).
public struct VolumePruneReport: JSONWritable, Hashable {
    /// The names.
    public var names: [String]
    /// How many bytes they had.
    public var reclaimedByteCount: UInt64

    /// These.
    public init(names: [String], reclaimedByteCount: UInt64) { (self.names, self.reclaimedByteCount) = (names, reclaimedByteCount) }

    /// Writes it.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("VolumesDeleted", names.isEmpty ? nil : names)
            writer.member("SpaceReclaimed", reclaimedByteCount)
        }
    }
}
