internal import BerthContent
internal import BerthOCI
internal import BerthReactor

// The documents of an image: indexes, the manifest, the configuration. They are small, and each says which the next one is.
extension ImageFetch {
    /// Brings the documents that lead to the image that is wanted.
    func bringDocuments(of resolved: Descriptor) async throws {
        var descriptor = resolved
        var depth = 0
        while descriptor.isIndex {
            depth += 1
            guard depth <= ImageIndex.maximumDepth else {
                throw ImageError(
                    .tooLarge,
                    "the indexes of \(resolved.digest) are nested deeper than \(ImageIndex.maximumDepth): they may lead in a circle")
            }
            let index = try FoundImage.decode(Index.self, try await manifest(descriptor), "the index \(descriptor.digest)")
            let platform = options.platform ?? ImageStore.machine
            guard let next = FetchPlan.choice(of: index, for: platform) else {
                throw ImageError(
                    .notFound, "no matching manifest for \(options.platform ?? Platform.host) in the manifest list entries")
            }
            descriptor = next
        }
        guard descriptor.isManifest else {
            throw ImageError(
                .unsupported, "\(descriptor.digest) is of the kind '\(descriptor.mediaType.rawValue.prefix(128))', and no image")
        }
        let manifest = try ImageIndex.manifest(descriptor, try await manifest(descriptor))
        guard manifest.configuration.isImageConfiguration else {
            throw ImageError(
                .unsupported,
                "\(descriptor.digest) is no image: its configuration is of the kind '\(manifest.configuration.mediaType.rawValue.prefix(128))'"
            )
        }
        parts.add(document: try await configuration(manifest.configuration), manifest.configuration.digest)
        for layer in manifest.layers { parts.expect(layer.digest) }
    }

    /// A manifest or an index, from here if it is here.
    private func manifest(_ descriptor: Descriptor) async throws -> [UInt8] {
        guard descriptor.byteCount <= UInt64(ImageStore.maximumDocumentByteCount) else { throw tooLarge(descriptor) }
        let bytes: [UInt8]
        if let kept = try await kept(descriptor) {
            bytes = kept
        } else {
            bytes = try await source.manifest(.digest(descriptor.digest)).bytes
        }
        try require(bytes, toBe: descriptor)
        parts.add(document: bytes, descriptor.digest)
        return bytes
    }

    private func configuration(_ descriptor: Descriptor) async throws -> [UInt8] {
        if let bytes = try await kept(descriptor) { return bytes }
        let bytes = try await source.small(descriptor)
        try require(bytes, toBe: descriptor)
        return bytes
    }

    /// A document that is here: a pull that was whole has left it, and whoever may read what names it may read it.
    private func kept(_ descriptor: Descriptor) async throws -> [UInt8]? {
        try await lane.run { [content, lease] () throws(TransferError) in
            do throws(ContentError) {
                guard try content.contains(descriptor.digest, for: lease) else { return nil }
                return try content.read(descriptor.digest, limit: ImageStore.maximumDocumentByteCount)
            } catch {
                // One that is damaged comes again.
                if error.code == .digestMismatch { return nil }
                throw TransferError(error)
            }
        }
    }

    private func require(_ bytes: [UInt8], toBe descriptor: Descriptor) throws {
        let found = Digest(of: bytes, descriptor.digest.algorithm)
        guard found == descriptor.digest else {
            throw TransferError(
                .digestMismatch, "the document \(descriptor.digest) has come with the digest \(found)", digest: descriptor.digest)
        }
        guard UInt64(bytes.count) == descriptor.byteCount else {
            throw TransferError(
                .sizeMismatch, "the document \(descriptor.digest) has \(bytes.count) bytes, and what names it says \(descriptor.byteCount)",
                digest: descriptor.digest)
        }
    }

    private func tooLarge(_ descriptor: Descriptor) -> ImageError {
        ImageError(
            .tooLarge,
            "the document \(descriptor.digest) has \(descriptor.byteCount) bytes: one of an image has at most \(ImageStore.maximumDocumentByteCount)"
        )
    }
}
