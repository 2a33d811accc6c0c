public import BerthContent
public import BerthOCI
internal import Synchronization

/// What a source says of an image, without the image.
public struct DescribedImage: Hashable, Sendable {
    /// The manifest or the index as it is there.
    public let manifest: FetchedManifest
    /// What it is for, in its order; what is attached to images is none of these.
    public let platforms: [Platform]
}

extension ContentSource {
    /// Asks for an image's manifest or index, and for what it is for.
    ///
    /// - Throws: what the source throws; `invalid` for a document that cannot be read.
    public func describe(_ reference: ManifestReference) async throws(TransferError) -> DescribedImage {
        let manifest = try await manifest(reference)
        do throws(ImageError) {
            if manifest.descriptor.isIndex {
                let index = try FoundImage.decode(Index.self, manifest.bytes, "the index \(manifest.descriptor.digest)")
                return DescribedImage(
                    manifest: manifest, platforms: index.manifests.filter { !$0.isAttachment }.compactMap(\.platform))
            }
            let configuration = try ImageIndex.manifest(manifest.descriptor, manifest.bytes).configuration
            guard configuration.isImageConfiguration else { return DescribedImage(manifest: manifest, platforms: []) }
            let bytes: [UInt8]
            do throws(TransferError) { bytes = try await small(configuration) } catch { throw ImageError(.storage, error.description) }
            let read = try FoundImage.decode(ImageConfiguration.self, bytes, "the configuration \(configuration.digest)")
            return DescribedImage(manifest: manifest, platforms: [read.platform])
        } catch { throw TransferError(.invalid, error.description, digest: manifest.descriptor.digest) }
    }

    /// A small blob, whole, compared with its digest.
    ///
    /// - Throws: `tooLarge` beyond 4 MiB, `digestMismatch`, and what the source throws.
    func small(_ descriptor: Descriptor) async throws(TransferError) -> [UInt8] {
        let limit = ImageStore.maximumDocumentByteCount
        let tooLarge = TransferError(
            .tooLarge, "the document \(descriptor.digest) has more than \(limit) bytes, the most of one of an image",
            digest: descriptor.digest)
        guard descriptor.byteCount <= UInt64(limit) else { throw tooLarge }
        let come = Gathered()
        try await fetch(descriptor, from: 0) { (bytes) throws(TransferError) in
            guard unsafe bytes.withUnsafeBytes({ unsafe come.append($0, limit: limit) }) else { throw tooLarge }
        }
        let found = Digest(of: come.bytes, descriptor.digest.algorithm)
        guard found == descriptor.digest else {
            throw TransferError(
                .digestMismatch, "the document \(descriptor.digest) has come with the digest \(found)", digest: descriptor.digest)
        }
        return come.bytes
    }
}

/// Bytes that come piece by piece.
private final class Gathered: Sendable {
    private let gathered = Mutex<[UInt8]>([])
    var bytes: [UInt8] { gathered.withLock { $0 } }

    /// - Returns: whether they are still no more than the limit.
    func append(_ bytes: UnsafeRawBufferPointer, limit: Int) -> Bool {
        let count = bytes.count
        let copy = unsafe Array(bytes)
        return gathered.withLock { gathered in
            guard gathered.count + count <= limit else { return false }
            gathered += copy
            return true
        }
    }
}
