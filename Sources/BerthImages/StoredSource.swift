internal import BerthContent
internal import BerthLinux
internal import BerthOCI
internal import BerthReactor

/// What lies in the content store, as a place that images come from. Whoever has this holds it by a lease.
struct StoredSource: ContentSource {
    let content: ContentStore
    private let lane = Lane(named: "the store that is copied from", waitingLimit: Lane.sharedWaitingLimit)

    init(_ content: ContentStore) { self.content = content }

    var repository: RepositoryName? { nil }

    func descriptor(of reference: ManifestReference) async throws(TransferError) -> Descriptor { try await manifest(reference).descriptor }

    func manifest(_ reference: ManifestReference) async throws(TransferError) -> FetchedManifest {
        guard case .digest(let digest) = reference else {
            throw TransferError(.notFound, "what lies in a store is found by its digest, and not by the tag '\(reference)'")
        }
        return try await lane.run { () throws(TransferError) in
            do throws(ContentError) {
                let bytes = try content.read(digest, limit: ImageStore.maximumDocumentByteCount)
                let descriptor = Descriptor(mediaType: try Self.kind(of: bytes, digest), digest: digest, byteCount: UInt64(bytes.count))
                return FetchedManifest(descriptor: descriptor, bytes: bytes)
            } catch { throw TransferError(error) }
        }
    }

    /// What a document says that it is; old ones do not, and only an index has `manifests`.
    private static func kind(of bytes: [UInt8], _ digest: Digest) throws(ContentError) -> MediaType {
        struct Kind: Decodable {
            struct Anything: Decodable {}
            var mediaType: MediaType?
            var manifests: [Anything]?
        }
        do throws(ImageError) {
            let kind = try FoundImage.decode(Kind.self, bytes, "the manifest \(digest)")
            return kind.mediaType ?? (kind.manifests == nil ? .manifest : .index)
        } catch { throw ContentError(.storage, error.description, digest: digest) }
    }

    func fetch(
        _ blob: Descriptor, from offset: UInt64, into sink: @escaping @Sendable (borrowing RawSpan) throws(TransferError) -> Void
    ) async throws(TransferError) {
        try await lane.run { () throws(TransferError) in
            let file: OwnedDescriptor
            do throws(ContentError) { file = try content.open(blob.digest) } catch { throw TransferError(error) }
            var (position, buffer) = (UInt64(0), [UInt8](repeating: 0, count: 256 << 10))
            while true {
                let count: Int
                do throws(Errno) { count = try file.read(intoArray: &buffer) } catch {
                    throw TransferError(.storage, "cannot read blob \(blob.digest): \(error)", digest: blob.digest, underlying: error)
                }
                guard count > 0 else { break }
                let skipped = Int(min(UInt64(count), offset > position ? offset - position : 0))
                position += UInt64(count)
                if skipped < count { try unsafe sink(buffer.span.extracting(skipped..<count).bytes) }
            }
            guard position == blob.byteCount else {
                throw TransferError(
                    .sizeMismatch, "blob \(blob.digest) has \(position) bytes, and what names it says \(blob.byteCount)",
                    digest: blob.digest)
            }
        }
    }
}
