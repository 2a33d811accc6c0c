/// What a pruning of images has done (`POST /images/prune`).
public struct ImagePruneReport: JSONWritable, Hashable {
    /// What is gone.
    public var items: [ImageDeleteItem]
    /// How many bytes are free again.
    public var reclaimedByteCount: UInt64

    /// These.
    public init(items: [ImageDeleteItem], reclaimedByteCount: UInt64) {
        (self.items, self.reclaimedByteCount) = (items, reclaimedByteCount)
    }

    /// Writes it.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            if items.isEmpty { writer.nullMember("ImagesDeleted") } else { writer.member("ImagesDeleted", list: items) }
            writer.member("SpaceReclaimed", reclaimedByteCount)
        }
    }
}
