internal import BerthContent
internal import BerthOCI
internal import FoundationEssentials

/// A manifest as a client pushed it: its bytes, and what they say that a registry must know (OCI distribution specification, *Pushing Manifests*).
struct ReceivedManifest {
    static let maximumByteCount = TransferLimits.manifestByteCount
    static let maximumReferenceCount = 32768

    let bytes: [UInt8]
    let mediaType: MediaType
    let subject: Digest?
    /// The blobs that must be there, and those that its author says may be elsewhere.
    let blobs: [Digest]
    let foreignBlobs: [Digest]
    let manifests: [Digest]
    /// How many bytes its blobs have, as it says.
    let sizes: [Digest: UInt64]
    let artifactType: String?
    let annotations: [String: String]?

    /// What may be in a manifest of any kind. What is not of the right shape is no manifest; what is not known is of no interest here.
    private struct Fields: Decodable {
        struct Reference: Decodable {
            var mediaType: String?
            var digest: Digest
            var size: Int64?
            var urls: [String]?
        }
        var schemaVersion: Int?
        var mediaType: String?
        var artifactType: String?
        var config: Reference?
        var layers: [Reference]?
        var blobs: [Reference]?
        var manifests: [Reference]?
        var subject: Reference?
        var annotations: [String: String]?
    }

    /// - Parameter otherwise: what kind it is where neither the request nor itself says.
    init(_ bytes: [UInt8], contentType: String?, otherwise: MediaType? = nil) throws(RegistryFailure) {
        let fields: Fields
        do { fields = try JSONDecoder().decode(Fields.self, from: Data(bytes)) } catch {
            throw .manifestInvalid("the manifest is not JSON of the right shape: \(Self.words(of: error))")
        }
        let said = contentType.map { String($0.prefix { $0 != ";" }).trimmingSpaces() }.flatMap { $0.isEmpty ? nil : $0 }
        if let said, let own = fields.mediaType, said != own {
            throw .manifestInvalid("the manifest says that it is '\(own)', and its Content-Type '\(said)'")
        }
        guard let name = said ?? fields.mediaType ?? otherwise?.rawValue else {
            throw .manifestInvalid("neither the request nor the manifest says what kind it is")
        }
        // It is sent back as a header.
        guard name.utf8.count <= 255, name.contains("/"), name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
            throw .manifestInvalid("'\(name.prefix(64))' is no media type")
        }
        mediaType = MediaType(rawValue: name)
        if mediaType.isImage, fields.config == nil || fields.layers == nil {
            throw .manifestInvalid("an image's manifest names its configuration and its layers, and this one does not")
        }
        if mediaType.isIndex, fields.manifests == nil { throw .manifestInvalid("an index lists manifests, and this one does not") }
        if mediaType.isImage || mediaType.isIndex, fields.schemaVersion != 2 {
            throw .manifestInvalid("schema version \(fields.schemaVersion.map(String.init) ?? "(none)") is not supported: only 2 is")
        }
        let layers = (fields.config.map { [$0] } ?? []) + (fields.layers ?? []) + (fields.blobs ?? [])
        guard layers.count + (fields.manifests?.count ?? 0) <= Self.maximumReferenceCount else {
            throw .manifestInvalid("the manifest names more than \(Self.maximumReferenceCount) others")
        }
        let isForeign = { (layer: Fields.Reference) in
            layer.urls?.isEmpty == false || layer.mediaType.map { MediaType(rawValue: $0).isNotDistributed } == true
        }
        self.bytes = bytes
        subject = fields.subject?.digest
        blobs = layers.filter { !isForeign($0) }.map(\.digest)
        foreignBlobs = layers.filter(isForeign).map(\.digest)
        sizes = Dictionary(layers.compactMap { layer in layer.size.flatMap { UInt64(exactly: $0) }.map { (layer.digest, $0) } }) {
            first, _ in first
        }
        manifests = (fields.manifests ?? []).map(\.digest)
        annotations = fields.annotations
        // Of an index without a type of its own it is left out (*Listing Referrers*).
        artifactType = fields.artifactType.flatMap { $0.isEmpty ? nil : $0 } ?? fields.config?.mediaType
    }

    func record(named digest: Digest) -> ManifestRecord {
        ManifestRecord(
            digest: digest, mediaType: mediaType, byteCount: UInt64(bytes.count), subject: subject, blobs: blobs + foreignBlobs,
            manifests: manifests)
    }

    private static func words(of error: any Error) -> String {
        guard let error = error as? DecodingError else { return "it cannot be read" }
        switch error {
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .keyNotFound(_, let context), .dataCorrupted(let context):
            let path = context.codingPath.map(\.stringValue).joined(separator: ".")
            return "\(context.debugDescription)\(path.isEmpty ? "" : " (at '\(path.prefix(128))')")"
        @unknown default: return "it cannot be read"
        }
    }
}

extension MediaType {
    fileprivate var isImage: Bool { self == .manifest || rawValue == "application/vnd.docker.distribution.manifest.v2+json" }
    fileprivate var isIndex: Bool { self == .index || rawValue == "application/vnd.docker.distribution.manifest.list.v2+json" }
    fileprivate var isNotDistributed: Bool {
        rawValue.hasPrefix("application/vnd.oci.image.layer.nondistributable.")
            || rawValue.hasPrefix("application/vnd.docker.image.rootfs.foreign.")
    }
}

extension String {
    func trimmingSpaces() -> String {
        var text = self[...]
        while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return String(text)
    }
}
