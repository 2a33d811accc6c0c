internal import BerthContent
internal import BerthOCI
internal import FoundationEssentials

/// What a document says about itself: enough to know whether it is one that can be used.
struct ManifestLook: Decodable {
    let mediaType: String?
    private let schemaVersion: Int?
    private let hasManifests: Bool
    private let hasLayers: Bool

    private enum Keys: String, CodingKey { case schemaVersion, mediaType, manifests, layers, config, fsLayers }

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: Keys.self)
        schemaVersion = try? values.decode(Int.self, forKey: .schemaVersion)
        mediaType = try? values.decode(String.self, forKey: .mediaType)
        hasManifests = values.contains(.manifests)
        hasLayers = values.contains(.layers) || values.contains(.config) || values.contains(.fsLayers)
    }

    /// The kinds of documents that are asked for, the best first.
    static let accepted: [MediaType] = [
        .index, .manifest, MediaType(rawValue: "application/vnd.docker.distribution.manifest.list.v2+json"),
        MediaType(rawValue: "application/vnd.docker.distribution.manifest.v2+json"),
    ]
    static var acceptHeaders: [(String, String)] { [("Accept", accepted.map(\.rawValue).joined(separator: ", "))] }

    /// The kind of a document that came.
    ///
    /// - Parameters:
    ///   - header: the `Content-Type` it came with.
    ///   - name: what it is, for people.
    static func mediaType(of bytes: [UInt8], header: String?, _ name: String, request: String) throws(TransferError) -> MediaType {
        let header = mediaType(header: header)
        if let header { try refuseSchema1(header.rawValue, name, request) }
        guard let look = try? JSONDecoder().decode(ManifestLook.self, from: Data(bytes)) else {
            throw TransferError(.badAnswer, "the manifest of '\(name)' is no JSON object", request: request)
        }
        if look.schemaVersion == 1 { throw schema1(name, request) }
        // One that is both could be read as the one by us and as the other by somebody else.
        guard !(look.hasManifests && look.hasLayers) else {
            throw TransferError(.badAnswer, "the manifest of '\(name)' has both layers and manifests", request: request)
        }
        guard
            let said = look.mediaType.map(MediaType.init(rawValue:)) ?? header
                ?? (look.hasManifests ? .index : look.hasLayers ? .manifest : nil)
        else { throw TransferError(.badAnswer, "the manifest of '\(name)' does not say what it is", request: request) }
        try refuseSchema1(said.rawValue, name, request)
        guard accepted.contains(said) else {
            throw TransferError(
                .unsupported, "the manifest of '\(name)' is of the media type \(said), which is not supported", request: request)
        }
        let isIndex = said == accepted[0] || said == accepted[2]
        guard isIndex ? look.hasManifests : look.hasLayers else {
            throw TransferError(
                .badAnswer, "the manifest of '\(name)' says that it is of the media type \(said), and is not", request: request)
        }
        return said
    }

    /// A `Content-Type` without its parameters; `nil` for those that say nothing.
    static func mediaType(header: String?) -> MediaType? {
        guard let text = header?.split(separator: ";").first else { return nil }
        let type = text.filter { $0 != " " }.lowercased()
        return ["text/plain", "application/json", "application/octet-stream"].contains(type) || type.isEmpty
            ? nil : MediaType(rawValue: type)
    }

    static func refuseSchema1(_ mediaType: String, _ name: String, _ request: String) throws(TransferError) {
        if mediaType.hasPrefix("application/vnd.docker.distribution.manifest.v1") { throw schema1(name, request) }
    }

    private static func schema1(_ name: String, _ request: String) -> TransferError {
        TransferError(
            .unsupported,
            "'\(name)' is an image of Docker's schema 1, which is not supported: it names no configuration, and its digest cannot be relied on",
            advice: "push it again with a Docker of version 1.10 or later", request: request)
    }
}
