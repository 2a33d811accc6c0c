internal import BerthContent
internal import BerthImages
internal import BerthOCI
internal import BerthReactor

/// An engine's images as repositories, as they are and with no copy: `debian` is `library/debian`, `quay.io/a/b` is `quay.io/a/b`, and what is called by a
/// port or an address is not shown, since no repository can be called that.
///
/// A repository shows the manifests that its names name, what they name in turn, and nothing else. It is read anew with each question: what the engine
/// changes is seen at once.
struct EngineImages: RegistryReading {
    let images: ImageStore
    let content: ContentStore
    private let lane = Lane(named: "the engine's images", waitingLimit: Lane.sharedWaitingLimit)

    init(images: ImageStore, content: ContentStore) { (self.images, self.content) = (images, content) }

    private static func path(of reference: ImageReference) -> RepositoryPath? {
        RepositoryPath(reference.registry == "docker.io" ? reference.repository : "\(reference.registry)/\(reference.repository)")
    }

    private func references() throws(RegistryFailure) -> [ImageReference] {
        do throws(ImageError) { return try images.list().flatMap(\.references) } catch {
            throw RegistryFailure(500, .unknown, "the engine's images cannot be listed: \(error)")
        }
    }

    func repositoryPaths() async throws(RegistryFailure) -> [RepositoryPath] { Set(try references().compactMap(Self.path)).sorted() }

    func contents(of path: RepositoryPath) async throws(RegistryFailure) -> RepositoryRecord? {
        let names = try references().filter { Self.path(of: $0) == path }
        guard !names.isEmpty else { return nil }
        return try await lane.run { () throws(RegistryFailure) in
            var record = RepositoryRecord(name: path.description)
            for name in names {
                // One that has gone since it was listed is not there.
                guard let image = try? images.find(name.description) else { continue }
                let manifest = image.index ?? image.manifest
                try add(manifest, tags: name.tag.map { [$0] } ?? [], to: &record)
            }
            return record.isEmpty ? nil : record
        }
    }

    /// Adds a manifest, and what of it is here.
    private func add(_ descriptor: Descriptor, tags: [String], to record: inout RepositoryRecord) throws(RegistryFailure) {
        var next = [(descriptor: descriptor, tags: tags)]
        while let (descriptor, tags) = next.popLast() {
            let manifest: ReceivedManifest
            do throws(ContentError) {
                let bytes = try content.read(descriptor.digest, limit: ReceivedManifest.maximumByteCount)
                manifest = try parse(bytes, descriptor)
                for blob in manifest.blobs + manifest.foreignBlobs where record.blobs[blob] == nil {
                    do throws(ContentError) { record.add(blob: blob, byteCount: try content.byteCount(of: blob)) } catch {
                        guard error.code == .notFound else { throw error }
                    }
                }
            } catch {
                // Of an index's manifests those of other platforms need not be here.
                if error.code == .notFound { continue }
                throw RegistryFailure(error)
            }
            record.add(manifest.record(named: descriptor.digest), tags: tags)
            for child in manifest.manifests where record.manifests[child] == nil {
                next.append((Descriptor(mediaType: .manifest, digest: child, byteCount: 0), []))
            }
        }
    }

    private func parse(_ bytes: [UInt8], _ descriptor: Descriptor) throws(ContentError) -> ReceivedManifest {
        // Its own word for what it is goes before what an index, which may be older, says.
        do throws(RegistryFailure) { return try ReceivedManifest(bytes, contentType: nil, otherwise: descriptor.mediaType) } catch {
            throw ContentError(.storage, "manifest \(descriptor.digest) cannot be read: \(error.message)", digest: descriptor.digest)
        }
    }

    func findManifest(_ reference: ManifestReference, in path: RepositoryPath) async throws(RegistryFailure) -> ManifestRecord? {
        let record = try await contents(of: path)
        switch reference {
        case .digest(let digest): return record?.manifests[digest]
        case .tag(let tag): return record?.tags[tag].flatMap { record?.manifests[$0] }
        }
    }

    func findBlob(_ digest: Digest, in path: RepositoryPath) async throws(RegistryFailure) -> UInt64? {
        try await contents(of: path)?.blobs[digest]
    }

    func open(_ digest: Digest, in path: RepositoryPath) async throws(RegistryFailure) -> OpenedBlob {
        try await lane.run { () throws(RegistryFailure) in try orRefusal { () throws(ContentError) in OpenedBlob(try content.open(digest)) }
        }
    }

    func read(_ manifest: ManifestRecord) async throws(RegistryFailure) -> [UInt8] {
        try await lane.run { () throws(RegistryFailure) in
            try orRefusal { () throws(ContentError) in try content.read(manifest.digest, limit: ReceivedManifest.maximumByteCount) }
        }
    }
}
