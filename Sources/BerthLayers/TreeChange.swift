/// How a file of a container differs from its image's.
public struct TreeChange: Hashable, Sendable {
    /// What has happened to it.
    public enum Kind: Hashable, Sendable {
        /// It is in the image too, and was changed, or something in it was.
        case modified
        /// It is new.
        case added
        /// It is in the image, and was removed.
        case deleted
    }

    /// What has happened to it.
    public let kind: Kind
    /// Its path in the container, from the root on, without a slash at its end: any bytes but NUL.
    public let path: [UInt8]

    /// A change of this kind; the path is given without the slash at its beginning.
    init(_ kind: Kind, _ path: [UInt8]) { (self.kind, self.path) = (kind, [UInt8(ascii: "/")] + path) }
}
