public import BerthOCI

/// What a registry says of an image's name (`DistributionInspect`).
public struct DistributionInspect: JSONWritable, Hashable {
    /// What the name names now.
    public var descriptor: Descriptor
    /// What it is for.
    public var platforms: [Platform]

    /// These.
    public init(descriptor: Descriptor, platforms: [Platform]) { (self.descriptor, self.platforms) = (descriptor, platforms) }

    /// Writes it.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("Descriptor", DescriptorMember(descriptor))
            writer.name("Platforms")
            writer.array { for platform in platforms { $0.value(PlatformMember(platform)) } }
        }
    }
}

/// An image's parts as they are pushed, for `aux`.
public struct PushResult: JSONWritable, Hashable {
    /// The tag.
    public var tag: String
    /// What it names now.
    public var digest: Digest
    /// How many bytes the manifest has.
    public var byteCount: UInt64

    /// These.
    public init(tag: String, digest: Digest, byteCount: UInt64) { (self.tag, self.digest, self.byteCount) = (tag, digest, byteCount) }

    /// Writes it.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("Tag", tag)
            writer.member("Digest", digest.description)
            writer.member("Size", byteCount)
        }
    }
}

/// What goes instead of an index of which not everything is here, for `aux` (`ManifestPushedInsteadOfIndex`).
public struct PushedInsteadOfIndex: JSONWritable, Hashable {
    /// What the name names here.
    public var index: Descriptor
    /// What the name names there now.
    public var manifest: Descriptor

    /// These.
    public init(index: Descriptor, manifest: Descriptor) { (self.index, self.manifest) = (index, manifest) }

    /// Writes it.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("manifestPushedInsteadOfIndex", true)
            writer.member("originalIndex", DescriptorMember(index))
            writer.member("selectedManifest", DescriptorMember(manifest))
        }
    }
}

/// What a registry says of a login (`AuthResponse`).
public struct LoginResult: JSONWritable, Hashable {
    /// What is to be kept instead of the password; empty for nothing.
    public var identityToken: String

    /// With this.
    public init(identityToken: String) { self.identityToken = identityToken }

    /// Writes it.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("IdentityToken", identityToken)
            writer.member("Status", "Login Succeeded")
        }
    }
}

/// A repository that a search has found.
public struct SearchItem: JSONWritable, Hashable {
    private let name: String
    private let description: String
    private let starCount: Int
    private let isOfficial: Bool

    /// A repository.
    public init(name: String, description: String, starCount: Int, isOfficial: Bool) {
        (self.name, self.description, self.starCount, self.isOfficial) = (name, description, starCount, isOfficial)
    }

    /// Writes it.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("star_count", starCount)
            writer.member("is_official", isOfficial)
            writer.member("name", name)
            writer.member("is_automated", false)
            writer.member("description", description)
        }
    }
}
