public import BerthLinux

/// What is known of one path in a container.
public struct PathStatus: Sendable, Hashable {
    /// The last part of the path, as Docker names it: `/` for the root, `.` for a path that ends with it.
    public var name: String
    /// What it is.
    public var kind: FileStatus.Kind
    /// The lower twelve bits of its mode.
    public var permissions: UInt32
    /// How long it is.
    public var byteCount: Int64
    /// When it was written last.
    public var modificationTime: FileTime
    /// Where a symbolic link leads, from the container's root, all links on the way being followed; empty for what is none.
    public var linkTarget: String

    init(_ name: [UInt8], _ status: FileStatus, linkTarget: String = "") {
        (self.name, kind, permissions) = (String(decoding: name, as: UTF8.self), status.kind, status.permissions)
        (byteCount, modificationTime, self.linkTarget) = (status.byteCount, status.modificationTime, linkTarget)
    }
}

/// How files are copied into a container.
public struct CopyInOptions: Sendable, Hashable {
    /// Whether something that is no directory may take the place of a directory, or the other way round. Default `true`, as the API has it.
    public var replacesOtherKinds = true
    /// Whether everything is to be the container's user's, where it has one. Default `false`: it is whose the archive says.
    public var ownedByContainerUser = false

    /// The defaults.
    public init() {}
}
