internal import BerthContent
public import BerthOCI
internal import BerthReactor
internal import Synchronization

/// A manifest that an image, or an index of images, has, as it is at one moment.
public struct ImageManifest: Hashable, Sendable {
    /// What it is of.
    public enum Kind: Hashable, Sendable {
        /// An image, for a platform. `image` is its id, and `nil` as long as it is not here; its files have so many bytes.
        case image(Digest?, Platform, unpackedByteCount: UInt64)
        /// Where the image of this manifest was built, and how.
        case attestation(of: Digest)
        /// Something else.
        case unknown
    }
    /// What names it.
    public var descriptor: Descriptor
    /// What it is of.
    public var kind: Kind
    /// Whether everything that it names is here.
    public var isWhole: Bool
    /// How many bytes of it and of what it names are here, as they came.
    public var byteCount: UInt64
}

extension ImageStore {
    /// The manifests of images, by their ids: of one that is meant by an index all that the index names, in its order, be they here or not; else its own.
    ///
    /// - Parameter images: as ``find(_:platform:)`` and ``list(_:)`` give them. What is gone meanwhile counts as not here.
    /// - Throws: `storage`, `busy`.
    public func manifests(of images: [ImageRecord]) async throws(ImageError) -> [Digest: [ImageManifest]] {
        try await lane.run { () throws(ImageError) in
            let state = self.index.withLock { $0 }
            var known: [Digest: UInt64?] = [:]
            func byteCount(_ blob: Digest) throws(ContentError) -> UInt64? {
                if let count = known[blob] { return count }
                let count: UInt64?
                do throws(ContentError) { count = try self.services.content.byteCount(of: blob) } catch {
                    guard error.code == .notFound else { throw error }
                    count = nil
                }
                known[blob] = .some(count)
                return count
            }
            var result: [Digest: [ImageManifest]] = [:]
            do throws(ContentError) {
                for image in images {
                    var manifests: [ImageManifest] = []
                    for named in Self.named(by: image, in: state) {
                        manifests.append(try Self.manifest(named, state, byteCount))
                    }
                    result[image.id] = manifests
                }
            } catch { throw ImageError(error) }
            return result
        }
    }

    private static func named(by image: ImageRecord, in state: StoreIndex) -> [ImageIndex.Named] {
        if let index = image.index.flatMap({ state.indexes[$0.digest] }) { return index.manifests }
        let configuration = Descriptor(mediaType: .configuration, digest: image.id, byteCount: 0)
        return [ImageIndex.Named(descriptor: image.manifest, manifest: Manifest(configuration: configuration, layers: image.layers))]
    }

    private static func manifest(
        _ named: ImageIndex.Named, _ state: StoreIndex, _ byteCount: (Digest) throws(ContentError) -> UInt64?
    ) throws(ContentError) -> ImageManifest {
        var named = named
        // What an image had is not known of it once it is removed, though others may have some of it.
        let ownByteCount = try byteCount(named.descriptor.digest)
        if ownByteCount == nil { named.manifest = nil }
        var result = ImageManifest(
            descriptor: named.descriptor, kind: kind(of: named, state), isWhole: named.manifest != nil, byteCount: ownByteCount ?? 0)
        let parts = named.manifest.map { [$0.configuration] + $0.layers } ?? []
        for blob in Set(parts.map(\.digest)) {
            if let count = try byteCount(blob) { result.byteCount += count } else { result.isWhole = false }
        }
        return result
    }

    private static func kind(of named: ImageIndex.Named, _ state: StoreIndex) -> ImageManifest.Kind {
        let descriptor = named.descriptor
        guard !descriptor.isAttachment else {
            // Whoever attached it may have said nothing of use.
            let about = descriptor.annotations?["vnd.docker.reference.digest"].flatMap { try? Digest(parsing: $0) }
            let isAttestation = descriptor.annotations?["vnd.docker.reference.type"] != nil
            return isAttestation ? about.map { .attestation(of: $0) } ?? .unknown : .unknown
        }
        if let manifest = named.manifest {
            guard manifest.configuration.isImageConfiguration, manifest.layers.isEmpty || manifest.layers.contains(where: \.isLayer) else {
                return .unknown
            }
        }
        let image = named.manifest.flatMap { state.images[$0.configuration.digest] }
        let platform = descriptor.platform ?? image?.configuration.platform ?? Platform(os: "", architecture: "")
        return .image(image?.document.id, platform, unpackedByteCount: image?.byteCount ?? 0)
    }
}
