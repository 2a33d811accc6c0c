public import BerthContent
public import BerthLinux
public import BerthOCI

/// Where an image is copied from: ``ImageStore/copy(from:to:_:_:)``.
public enum CopySource: ~Copyable, Sendable {
    /// A place that images come from, such as a repository of a registry, and what names it there.
    case content(any ContentSource, ManifestReference)
    /// This store: a name, or an id.
    case store(String)
    /// An archive of `docker save`, or an OCI layout in a tar, plain or compressed, read once to its end. The name is one that it has in the archive, or its digest; `nil` for
    /// the only image that there is.
    case archive(OwnedDescriptor, name: String?)
}

/// Where it is copied to.
public enum CopyDestination: ~Copyable, Sendable {
    /// A place that images go to, such as a repository of a registry, and the tag that it gets there.
    case content(any ContentDestination, tag: String)
    /// This store, which makes an image of it: the one thing that is unpacked. Of an index it takes the image of one platform, and keeps the index whole.
    case store(ImageReference)
    /// An archive, which is written when everything is here. If the job fails, what was written is no whole archive.
    case archive(OwnedDescriptor, ArchiveForm)
}

/// What an archive of one image is.
public enum ArchiveForm: Hashable, Sendable {
    /// An OCI layout in a tar, and the name that its `index.json` has for it, as it stands (`org.opencontainers.image.ref.name`); `nil` for none.
    case layout(name: String?)
    /// The same with Docker's `manifest.json` besides, which can name images and no indexes; `nil` for no name.
    case docker(name: ImageReference?)
}

/// How much is copied.
public struct CopyOptions: Sendable, Hashable {
    /// Of an index only the image that is the best for this. Default `nil`: the index with all that it names; where not all of that is here, or the destination takes no
    /// index, its image for this machine.
    public var platform: Platform?
    /// Whether anything less than all that the name names is an error. Default `false`.
    public var requiresAll = false
    /// How many blobs go at once. Default 3.
    public var width = 3

    /// These.
    public init(platform: Platform? = nil, requiresAll: Bool = false) { (self.platform, self.requiresAll) = (platform, requiresAll) }
}
