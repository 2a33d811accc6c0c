internal import BerthContent
internal import BerthLayers
internal import BerthOCI
internal import Synchronization

/// What has been fetched of an image, or was here already, found as in an OCI layout.
///
/// All of it goes with this value, but for what was made part of an image, and the bytes of layers, which stay partial blobs.
final class FetchedParts: ImageParts {
    private enum Member {
        case document([UInt8])
        /// It is to come.
        case expected
        case started(StartedLayer)
        case arrived(PendingBlob)
        case kept
    }
    private let members = Mutex<[Digest: Member]>([:])
    private let layers: LayerStore
    private let lease: Lease

    /// - Parameter lease: holds what was here already.
    init(_ layers: LayerStore, for lease: Lease) { (self.layers, self.lease) = (layers, lease) }

    func add(document bytes: [UInt8], _ digest: Digest) { members.withLock { $0[digest] = .document(bytes) } }
    func expect(_ digest: Digest) {
        members.withLock { if $0[digest] == nil { $0[digest] = .expected } }
    }
    func add(_ layer: StartedLayer, _ digest: Digest) { members.withLock { $0[digest] = .started(layer) } }
    func add(_ blob: PendingBlob) { members.withLock { $0[blob.digest] = .arrived(blob) } }
    func add(kept digest: Digest) { members.withLock { $0[digest] = .kept } }

    private func member(at path: String) -> Member? {
        ArchiveReceiver.claimedDigest(path).flatMap { digest in members.withLock { $0[digest] } }
    }

    func document(at path: String) -> [UInt8]? {
        if case .document(let bytes) = member(at: path) { bytes } else { nil }
    }

    func layer(at path: String) throws(ImageError) -> UnpackedLayer? {
        guard let digest = ArchiveReceiver.claimedDigest(path) else { return nil }
        do throws(LayerError) {
            switch member(at: path) {
            case nil, .expected, .document: return nil
            case .arrived(let blob): return layers.hold(blob)
            case .kept: return try layers.hold(digest, for: lease)
            case .started(let layer): return try layer.layer()
            }
        } catch { throw ImageError(ImageError(error).code, "the layer \(digest): \(error)", underlying: error.underlying) }
    }

    /// None is asked: the configuration says it.
    func diffID(ofLayerAt path: String) -> Digest? { nil }

    func keep(_ blob: Descriptor, in content: ContentStore, for lease: Lease) throws(ImageError) {
        guard let bytes = document(at: SavedImages.path(of: blob.digest)) else {
            throw ImageError(.invalid, "the blob \(blob.digest) (\(blob.mediaType)) was not fetched")
        }
        do throws(ContentError) { _ = try content.add(bytes, blob.digest.algorithm, for: lease) } catch { throw ImageError(error) }
    }

    /// It was asked before anything was fetched.
    func requireSpace(for images: [FoundImage], in content: ContentStore) {}

    func contains(_ path: String) -> Bool { member(at: path) != nil }

    var paths: Set<String> { members.withLock { Set($0.keys.map(SavedImages.path(of:))) } }

    func drop() {
        let all = members.withLock { members in
            defer { members = [:] }
            return members
        }
        // Not with the last reference, which a thread may have for longer: when this returns, it is gone.
        for case .started(let layer) in all.values { layer.discardFiles() }
    }
}
