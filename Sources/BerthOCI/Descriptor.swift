/// The kind of some bytes (OCI image specification, *Media Types*, and Docker's own of the same meaning).
public struct MediaType: RawRepresentable, Hashable, Sendable, Codable, CustomStringConvertible {
    /// The words as in a `Content-Type`.
    public let rawValue: String

    /// Any words.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// An OCI image manifest.
    public static var manifest: Self { Self(rawValue: "application/vnd.oci.image.manifest.v1+json") }
    /// An OCI image index.
    public static var index: Self { Self(rawValue: "application/vnd.oci.image.index.v1+json") }
    /// An OCI image configuration.
    public static var configuration: Self { Self(rawValue: "application/vnd.oci.image.config.v1+json") }
    /// A layer as a plain tar.
    public static var layer: Self { Self(rawValue: "application/vnd.oci.image.layer.v1.tar") }
    /// A layer as a tar compressed by gzip.
    public static var layerGzip: Self { Self(rawValue: "application/vnd.oci.image.layer.v1.tar+gzip") }
    /// A layer as a tar compressed by Zstandard.
    public static var layerZstd: Self { Self(rawValue: "application/vnd.oci.image.layer.v1.tar+zstd") }

    /// The words.
    public var description: String { rawValue }

    /// The word of the OCI specification for what Docker's older ones say of a layer; any other as it is. In a manifest of the one kind, tools expect no
    /// words of the other.
    public var ofOCI: Self {
        switch rawValue {
        case "application/vnd.docker.image.rootfs.diff.tar": .layer
        case "application/vnd.docker.image.rootfs.diff.tar.gzip": .layerGzip
        case "application/vnd.docker.image.rootfs.diff.tar.zstd": .layerZstd
        default: self
        }
    }
}

/// Names some bytes, their kind and their size (OCI image specification, *Content Descriptors*).
public struct Descriptor: Hashable, Sendable {
    /// What the bytes are.
    public var mediaType: MediaType
    /// The bytes' name.
    public var digest: Digest
    /// How many bytes there are.
    public var byteCount: UInt64
    /// Words for tools and people.
    public var annotations: [String: String]?
    /// What an image needs, where an index names it.
    public var platform: Platform?
    /// The rest, kept as it came.
    public var unknown: UnknownFields

    /// A descriptor of these.
    public init(mediaType: MediaType, digest: Digest, byteCount: UInt64, annotations: [String: String]? = nil, platform: Platform? = nil) {
        (self.mediaType, self.digest, self.byteCount, self.annotations, self.platform) = (
            mediaType, digest, byteCount, annotations, platform
        )
        unknown = UnknownFields()
    }
}

extension Descriptor: Codable {
    private enum CodingKeys: String, CodingKey, CaseIterable { case mediaType, digest, size, annotations, platform }

    /// Decodes; fields that we do not know are kept. A negative size is an error.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        mediaType = try container.decode(MediaType.self, forKey: .mediaType)
        digest = try container.decode(Digest.self, forKey: .digest)
        let size = try container.decode(Int64.self, forKey: .size)
        guard size >= 0 else {
            throw DecodingError.dataCorruptedError(forKey: .size, in: container, debugDescription: "a size is not negative")
        }
        byteCount = UInt64(size)
        annotations = try container.decodeIfPresent([String: String].self, forKey: .annotations)
        platform = try container.decodeIfPresent(Platform.self, forKey: .platform)
        unknown = try UnknownFields(from: decoder, except: CodingKeys.self)
    }

    /// Encodes, with the fields that we did not know.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(mediaType, forKey: .mediaType)
        try container.encode(digest, forKey: .digest)
        try container.encode(byteCount, forKey: .size)
        try container.encodeIfPresent(annotations, forKey: .annotations)
        try container.encodeIfPresent(platform, forKey: .platform)
        try unknown.encode(to: encoder)
    }
}
