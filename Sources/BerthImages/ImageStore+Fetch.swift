public import BerthContent
internal import BerthLayers
public import BerthOCI
internal import BerthReactor
public import BerthState
internal import Synchronization

/// How an image is fetched.
public struct FetchOptions: Sendable, Hashable {
    /// For which platform: of an index only the image that is the best for it is fetched. Default `nil`: the best for this machine.
    public var platform: Platform?
    /// How many layers come at once. Default 3.
    public var downloadWidth = 3
    /// The most bytes of one layer, as it comes. Default 1 TiB.
    public var maximumLayerByteCount: UInt64 = 1 << 40

    /// The best for this machine.
    public init(platform: Platform? = nil) { self.platform = platform }
}

/// An image that was fetched.
public struct FetchedImage: Hashable, Sendable {
    /// The image.
    public let image: ImageRecord
    /// The name by which it is found now: with a tag, or with a digest alone.
    public let name: ImageReference
    /// What the source calls it: the digest of the index, or of the manifest where there is none.
    public let digest: Digest
    /// Whether anything has changed: the name names something else than before, or a part was missing.
    public let isNew: Bool
}

extension ImageStore {
    /// Fetches an image from wherever it is, and gives it its name.
    ///
    /// What the name names is asked at once, of this source: whoever has the source may see it. Then the work is a job, which is one with the fetch of the same
    /// thing under the same name, if one runs. The index is kept whole, byte for byte; of its images the one for the platform is taken. Layers that are here are not
    /// fetched, and those that two jobs want are fetched once.
    ///
    /// Each image is whole or absent, killed at any moment; the name goes to it last. When the job fails or is cancelled, the layers that have come, also in part, stay for the next
    /// fetch, which goes on with them (``ContentStore/makeIngest(continuing:for:)``). Fetching again is fine.
    /// - Parameters:
    ///   - reference: the name. With a digest, that is what is fetched, and the image is found by the name with it.
    ///   - lifetime: whether the job ends when nobody waits for it any more.
    /// - Throws: at once what the source throws of the name. By the job ``TransferError``, and ``ImageError``: `notFound` for a platform that it has not; `invalid`, `unsupported`, `tooLarge`,
    ///   `noSpace`, `storage`, `cancelled`.
    public func fetch(
        _ reference: ImageReference, from source: any ContentSource, _ options: FetchOptions = FetchOptions(),
        _ lifetime: JobRegistry.Lifetime = .detached
    ) async throws(TransferError) -> JobStake<FetchedImage> {
        let name = reference.digest.map { reference.withDigest($0) } ?? Self.tagged(reference)
        let resolved = try await resolve(ManifestReference(of: name), at: source)
        // All that the result depends on: what a tag names may be another for the next caller.
        let key = "\(name) \(resolved.digest) \(options.platform.map(\.description) ?? "")"
        return services.jobs.share(key, kind: "pull", title: name.familiar, lifetime) { [self] context in
            try await fetching(name, resolved, from: source, options, context)
        }
    }

    private func resolve(_ reference: ManifestReference, at source: any ContentSource) async throws(TransferError) -> Descriptor {
        do throws(TransferError) { return try await source.descriptor(of: reference) } catch {
            // The answer to a question without a body has no words: whoever asks for the whole is told why not.
            guard let answer = error.answer, answer.code == nil, (400..<500).contains(answer.status) else { throw error }
            return try await source.manifest(reference).descriptor
        }
    }

    /// Does the work of a fetch, in a job.
    func fetching(
        _ name: ImageReference, _ resolved: Descriptor, from source: any ContentSource, _ options: FetchOptions, _ context: JobContext
    ) async throws -> FetchedImage {
        let before = index.withLock { $0.references[name] }
        let (loaded, hasBrought) = try await withLease { (lease) throws(any Error) in
            let fetch = ImageFetch(self, source, options, context, lease)
            let (found, hasBrought) = try await fetch.bring(resolved, as: name)
            let images = try await fetch.lane.run { () throws(ImageError) in
                defer { fetch.parts.drop() }
                if context.isCancelled { throw ImageError(.cancelled, "the pull was cancelled") }
                return try self.make(found, of: fetch.parts, lease)
            }
            return (images, hasBrought)
        }
        guard let image = loaded.first?.image else { preconditionFailure("of what was found an image was made") }
        services.events.publish(
            Event(type: "image", action: "pull", actorID: name.familiar, attributes: ["name": name.familiarName]))
        let isNew = hasBrought || before == nil || before != index.withLock { $0.references[name] }
        return FetchedImage(image: image, name: name, digest: resolved.digest, isNew: isNew)
    }
}
