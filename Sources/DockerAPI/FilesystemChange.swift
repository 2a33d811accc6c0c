/// A file that a container has changed (`ContainerChangeResponseItem`, later `FilesystemChange`).
public struct FilesystemChange: JSONWritable, Hashable, Sendable {
    /// What has happened to it.
    public enum Kind: Int64, Sendable {
        /// It, or something in it, was changed.
        case modified = 0
        /// It is new.
        case added = 1
        /// It was removed.
        case deleted = 2
    }

    /// Its path in the container, absolute.
    public var path: String
    /// What has happened to it.
    public var kind: Kind

    /// A change of these.
    public init(path: String, kind: Kind) { (self.path, self.kind) = (path, kind) }

    /// Writes the change.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("Path", path)
            writer.member("Kind", kind.rawValue)
        }
    }
}
