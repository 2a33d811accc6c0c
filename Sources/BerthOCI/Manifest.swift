/// An image for one platform: its configuration and its layers, the lowest first (OCI image specification, *Image Manifest*).
public struct Manifest: Hashable, Sendable {
    /// The kind of this document; old ones have none.
    public var mediaType: MediaType?
    /// Names the configuration.
    public var configuration: Descriptor
    /// Names the layers, the lowest first.
    public var layers: [Descriptor]
    /// Words for tools and people.
    public var annotations: [String: String]?
    /// The rest, kept as it came.
    public var unknown: UnknownFields

    /// An OCI manifest of these.
    public init(configuration: Descriptor, layers: [Descriptor], annotations: [String: String]? = nil) {
        (self.configuration, self.layers, self.annotations) = (configuration, layers, annotations)
        mediaType = .manifest
        unknown = UnknownFields()
    }
}

extension Manifest: Codable {
    private enum CodingKeys: String, CodingKey, CaseIterable { case schemaVersion, mediaType, config, layers, annotations }

    /// Decodes schema version 2; any other is an error.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        try requireSchemaVersion2(in: container, .schemaVersion)
        mediaType = try container.decodeIfPresent(MediaType.self, forKey: .mediaType)
        configuration = try container.decode(Descriptor.self, forKey: .config)
        layers = try container.decode([Descriptor].self, forKey: .layers)
        annotations = try container.decodeIfPresent([String: String].self, forKey: .annotations)
        unknown = try UnknownFields(from: decoder, except: CodingKeys.self)
    }

    /// Encodes, with the fields that we did not know.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(2, forKey: .schemaVersion)
        try container.encodeIfPresent(mediaType, forKey: .mediaType)
        try container.encode(configuration, forKey: .config)
        try container.encode(layers, forKey: .layers)
        try container.encodeIfPresent(annotations, forKey: .annotations)
        try unknown.encode(to: encoder)
    }
}

/// A list of manifests, usually one a platform (OCI image specification, *Image Index*).
public struct Index: Hashable, Sendable {
    /// The kind of this document; old ones have none.
    public var mediaType: MediaType?
    /// Names the manifests.
    public var manifests: [Descriptor]
    /// Words for tools and people.
    public var annotations: [String: String]?
    /// The rest, kept as it came.
    public var unknown: UnknownFields

    /// An OCI index of these.
    public init(manifests: [Descriptor], annotations: [String: String]? = nil) {
        (self.manifests, self.annotations) = (manifests, annotations)
        mediaType = .index
        unknown = UnknownFields()
    }
}

extension Index: Codable {
    private enum CodingKeys: String, CodingKey, CaseIterable { case schemaVersion, mediaType, manifests, annotations }

    /// Decodes schema version 2; any other is an error.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        try requireSchemaVersion2(in: container, .schemaVersion)
        mediaType = try container.decodeIfPresent(MediaType.self, forKey: .mediaType)
        manifests = try container.decode([Descriptor].self, forKey: .manifests)
        annotations = try container.decodeIfPresent([String: String].self, forKey: .annotations)
        unknown = try UnknownFields(from: decoder, except: CodingKeys.self)
    }

    /// Encodes, with the fields that we did not know.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(2, forKey: .schemaVersion)
        try container.encodeIfPresent(mediaType, forKey: .mediaType)
        try container.encode(manifests, forKey: .manifests)
        try container.encodeIfPresent(annotations, forKey: .annotations)
        try unknown.encode(to: encoder)
    }
}

private func requireSchemaVersion2<Key: CodingKey>(in container: KeyedDecodingContainer<Key>, _ key: Key) throws {
    let version = try container.decode(Int.self, forKey: key)
    guard version == 2 else {
        throw DecodingError.dataCorruptedError(
            forKey: key, in: container, debugDescription: "schema version \(version) is not supported: only 2 is")
    }
}
