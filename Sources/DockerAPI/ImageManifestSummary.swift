public import BerthOCI

/// A manifest of an image, or of those that an index of images names (`ImageManifestSummary`).
public struct ImageManifestSummary: JSONWritable, Hashable {
    /// What it is of.
    public enum Kind: Sendable, Hashable {
        /// An image, for a platform, of which these containers are made; its files have so many bytes.
        case image(Platform, containers: [String], unpackedByteCount: UInt64)
        /// About the image whose manifest has this digest.
        case attestation(of: String)
        /// Something else.
        case unknown
    }
    /// What names it.
    public var descriptor: Descriptor
    /// What it is of.
    public var kind: Kind
    /// Whether everything that it names is here.
    public var isAvailable: Bool
    /// How many bytes of it and of what it names are here, as they came.
    public var byteCount: UInt64

    /// One of these.
    public init(_ descriptor: Descriptor, _ kind: Kind, isAvailable: Bool, byteCount: UInt64) {
        (self.descriptor, self.kind, self.isAvailable, self.byteCount) = (descriptor, kind, isAvailable, byteCount)
    }

    /// Writes it.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("ID", descriptor.digest.description)
            writer.member("Descriptor", DescriptorMember(descriptor))
            writer.member("Available", isAvailable)
            var unpacked: UInt64 = 0
            if case .image(_, _, let count) = kind { unpacked = count }
            writer.member("Size") { writer in
                writer.member("Content", byteCount)
                writer.member("Total", byteCount + unpacked)
            }
            switch kind {
            case .image(let platform, let containers, _):
                writer.member("Kind", "image")
                writer.member("ImageData") { writer in
                    writer.member("Platform", PlatformMember(platform))
                    writer.member("Size") { $0.member("Unpacked", unpacked) }
                    writer.member("Containers", containers)
                }
            case .attestation(let digest):
                writer.member("Kind", "attestation")
                writer.member("AttestationData") { $0.member("For", digest) }
            case .unknown: writer.member("Kind", "unknown")
            }
        }
    }
}

/// What names an image or an index (`OCIDescriptor`). What the specification has beside these members is not told: whoever has the digest needs no `urls`
/// and no `data`.
struct DescriptorMember: JSONWritable {
    private let descriptor: Descriptor

    init(_ descriptor: Descriptor) { self.descriptor = descriptor }

    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("mediaType", descriptor.mediaType.rawValue)
            writer.member("digest", descriptor.digest.description)
            writer.member("size", descriptor.byteCount)
            if let annotations = descriptor.annotations, !annotations.isEmpty { writer.member("annotations", annotations) }
            if let platform = descriptor.platform { writer.member("platform", PlatformMember(platform)) }
            if case .string(let type)? = descriptor.unknown.fields["artifactType"] { writer.member("artifactType", type) }
        }
    }
}

/// What an image runs on (`OCIPlatform`).
struct PlatformMember: JSONWritable {
    private let platform: Platform

    init(_ platform: Platform) { self.platform = platform }

    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("architecture", platform.architecture)
            writer.member("os", platform.os)
            if let version = platform.osVersion { writer.member("os.version", version) }
            if let features = platform.osFeatures, !features.isEmpty { writer.member("os.features", features) }
            if let variant = platform.variant { writer.member("variant", variant) }
        }
    }
}
