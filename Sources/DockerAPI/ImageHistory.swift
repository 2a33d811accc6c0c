/// One step of an image's making (`GET /images/{name}/history`).
public struct ImageHistoryItem: JSONWritable, Hashable {
    /// Words of who made it.
    public var comment = ""
    /// When, in seconds since 1970; 0 if it does not say.
    public var createdAt: Int64 = 0
    /// The command.
    public var createdBy = ""
    /// The image that it ended with; `nil` if that is not here.
    public var id: String?
    /// How many bytes the files of its layer have.
    public var byteCount: UInt64 = 0
    /// The names of that image with tags.
    public var tags: [String] = []

    /// Nothing known.
    public init() {}

    /// Writes it.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("Comment", comment)
            writer.member("Created", createdAt)
            writer.member("CreatedBy", createdBy)
            writer.member("Id", id ?? "<missing>")
            writer.member("Size", byteCount)
            writer.member("Tags", tags.isEmpty ? nil : tags)
        }
    }
}
