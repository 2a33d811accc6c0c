internal import BerthOCI
internal import FoundationEssentials

/// An image that an archive, or a directory, says it has. Its layers have not been looked at yet.
struct FoundImage {
    struct Layer {
        /// Where its bytes are.
        var path: String
        /// What its manifest says of it; `nil` where there is none.
        var descriptor: Descriptor?
    }

    var id: Digest
    var configuration: ImageConfiguration
    /// The configuration's bytes, which are what the id is of.
    var configurationBytes: [UInt8]
    /// What names the configuration.
    var configurationDescriptor: Descriptor
    /// The manifest as it came, with what names it; `nil` where the archive has none, and one is made.
    var manifest: (descriptor: Descriptor, bytes: [UInt8])?
    var layers: [Layer]
    var names: [ImageReference] = []

    /// The most images of one archive.
    static let maximumCount = 1024
    /// The most layers of one: what a chain of layers may have.
    static let maximumLayerCount = 500
    /// The most names of one.
    static let maximumNameCount = 1024

    /// What holds whatever form it came in.
    func requireSense(_ platform: Platform?) throws(ImageError) {
        guard configuration.platform.os == Platform.host.os else {
            throw ImageError(.unsupported, "cannot load \(configuration.platform.os) image on \(Platform.host.os)")
        }
        if let platform, configuration.platform.preference(for: platform) == nil {
            throw ImageError(
                .notFound,
                "image \(id) was found but does not provide the specified platform (\(platform)): it is for \(configuration.platform)")
        }
        if let layer = layers.lazy.compactMap(\.descriptor).first(where: { $0.mediaType.rawValue.hasSuffix("+encrypted") }) {
            throw ImageError(.unsupported, "the layer \(layer.digest) is encrypted (\(layer.mediaType)), which is not supported")
        }
        if let layer = layers.lazy.compactMap(\.descriptor).first(where: { !$0.isLayer }) {
            throw ImageError(
                .unsupported,
                "image \(id) has \(layer.digest) as a layer, and that is of the kind '\(layer.mediaType.rawValue.prefix(128))'")
        }
        guard layers.count <= Self.maximumLayerCount else {
            throw ImageError(.tooLarge, "image \(id) has \(layers.count) layers: at most \(Self.maximumLayerCount) can lie on each other")
        }
        guard layers.count == configuration.diffIDs.count else {
            throw ImageError(
                .invalid,
                "image \(id) cannot be: its manifest has \(layers.count) layers, and its configuration \(configuration.diffIDs.count)")
        }
        guard names.count <= Self.maximumNameCount else { throw .tooManyNames(names.count, of: "image \(id)") }
    }

    /// Reads a JSON document of an image, which everybody reads in the same way.
    static func decode<Value: Decodable>(_ type: Value.Type, _ bytes: [UInt8], _ what: String) throws(ImageError) -> Value {
        try DocumentText.requireSense(bytes, what)
        do { return try JSONDecoder().decode(type, from: Data(bytes)) } catch let error as DecodingError {
            throw ImageError(.invalid, "\(what) cannot be read: \(Self.reason(error))")
        } catch {
            throw ImageError(.invalid, "\(what) cannot be read: it is no JSON")
        }
    }

    /// The sentence of a decoding error, without what only its maker can use.
    private static func reason(_ error: DecodingError) -> String {
        let (context, what): (DecodingError.Context, String) =
            switch error {
            case .keyNotFound(let key, let context): (context, "'\(key.stringValue)' is missing")
            case .valueNotFound(_, let context): (context, "there is nothing where there must be something")
            case .typeMismatch(_, let context): (context, "there is a value of another kind than there must be")
            case .dataCorrupted(let context): (context, context.debugDescription)
            @unknown default: (DecodingError.Context(codingPath: [], debugDescription: ""), "it is malformed")
            }
        let path = context.codingPath.map { $0.intValue.map(String.init) ?? String($0.stringValue.prefix(64)) }.joined(separator: ".")
        return path.isEmpty ? String(what.prefix(512)) : "\(what.prefix(512)) (at \(path.prefix(512)))"
    }
}
