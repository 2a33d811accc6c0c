public import BerthOCI

/// The name of a repository: a registry, and a path in it. A repository holds an image's manifests under tags and digests, and the blobs that they name.
public struct RepositoryName: Hashable, Sendable, CustomStringConvertible {
    /// The registry's host, with a port where one was given: `docker.io`, `localhost:5000`.
    public let registry: String
    /// The path in the registry: `library/nginx`.
    public let path: String

    /// The repository of a reference.
    public init(of reference: ImageReference) { (registry, path) = (reference.registry, reference.repository) }

    /// The whole name, without a tag: `docker.io/library/nginx`.
    public var description: String { "\(registry)/\(path)" }
}

/// What a manifest is asked for by, or put under, in its repository.
public enum ManifestReference: Hashable, Sendable, CustomStringConvertible {
    /// A name that may be given to another manifest at any time.
    case tag(String)
    /// The digest of the manifest's bytes.
    case digest(Digest)

    /// What a reference names in its repository: its digest if it has one, else its tag.
    public init(of reference: ImageReference) {
        // A reference has one of the two: parsing sees to it.
        self = reference.digest.map(Self.digest) ?? .tag(reference.tag ?? "latest")
    }

    /// The words, as in a registry's paths.
    public var description: String {
        switch self {
        case .tag(let tag): tag
        case .digest(let digest): digest.description
        }
    }
}

/// A manifest or an index as it came: its bytes are what its digest names, and are never written anew.
public struct FetchedManifest: Hashable, Sendable {
    /// The kind, the digest and the size of the bytes.
    public let descriptor: Descriptor
    /// The bytes.
    public let bytes: [UInt8]

    /// A manifest of these, which the caller has compared.
    public init(descriptor: Descriptor, bytes: [UInt8]) { (self.descriptor, self.bytes) = (descriptor, bytes) }
}
