public import BerthContent
internal import BerthLinux
public import BerthOCI
internal import BerthReactor
public import BerthState
internal import Synchronization

/// How an image is pushed.
public struct PushOptions: Sendable, Hashable {
    /// Of an index only the image that is the best for this goes. Default `nil`: the index, if all of it is here; else its image for this machine.
    public var platform: Platform?
    /// How many blobs go at once. Default 5.
    public var uploadWidth = 5

    /// The index, or the best for this machine.
    public init(platform: Platform? = nil) { self.platform = platform }
}

/// An image that was pushed.
public struct PushedImage: Hashable, Sendable {
    /// Under what name.
    public let name: ImageReference
    /// What the name names there now.
    public let manifest: Descriptor
    /// The index that the name names here, where not all of it is here and one image of it went instead.
    public let insteadOf: Descriptor?
}

extension ImageStore {
    /// Pushes what a name names to wherever images go, byte for byte as it was kept: blobs that are not there, then manifests, then the name.
    ///
    /// When the job fails or is cancelled, blobs that have gone are there, and nothing names them. Pushing again is fine.
    /// - Parameters:
    ///   - reference: a name with a tag, which it gets there too.
    ///   - lifetime: whether the job ends when nobody waits for it any more.
    /// - Throws: at once `notFound` if nothing has the name, or its image is not for the platform; `invalid` for a name with a digest. By the job ``TransferError``, and ``ImageError``: `storage`,
    ///   `cancelled`.
    public func push(
        _ reference: ImageReference, to destination: any ContentDestination, _ options: PushOptions = PushOptions(),
        _ lifetime: JobRegistry.Lifetime = .detached
    ) throws(ImageError) -> JobStake<PushedImage> {
        guard reference.digest == nil else { throw ImageError(.invalid, "cannot push a digest reference") }
        let name = Self.tagged(reference)
        guard index.withLock({ $0.references[name] }) != nil else {
            throw ImageError(.notFound, "tag does not exist: \(name.familiar)")
        }
        let (_, document) = try chosen(name, options.platform)
        // Whoever may push is for the destination to say, for each push: nobody joins another's.
        var random = SystemRandomNumberGenerator()
        let key = "\(document.id) \(random.next())"
        return services.jobs.share(key, kind: "push", title: name.familiar, lifetime) { [self] context in
            try await pushing(name, to: destination, options, context)
        }
    }

    /// All names with a tag that a repository has here, in order.
    public func names(in repository: RepositoryName) -> [ImageReference] {
        index.withLock { $0.references.keys.filter { $0.digest == nil && RepositoryName(of: $0) == repository } }
            .sorted { $0.description < $1.description }
    }

    private func chosen(_ name: ImageReference, _ platform: Platform?) throws(ImageError) -> (ReferenceTarget, ImageDocument) {
        let entry = try entry(named: name.description, for: platform)
        guard let target = index.withLock({ $0.references[name] }) else { throw .noSuchImage(name.familiar) }
        return (target, entry.document)
    }

    /// What is to go. The lease holds all of it.
    private func pushPlan(_ name: ImageReference, _ platform: Platform?, _ lease: Lease) throws(ImageError) -> PushPlan {
        let (target, document) = try chosen(name, platform)
        return try plan(of: target, document, named: name.familiar, platform, lease)
    }

    /// The same, of what a name or an id names.
    func plan(
        of target: ReferenceTarget, _ document: ImageDocument, named name: String, _ platform: Platform?, _ lease: Lease
    ) throws(ImageError) -> PushPlan {
        let state = index.withLock { $0 }
        func diffIDs(_ id: Digest) -> [Digest] { state.images[id]?.configuration.diffIDs ?? [] }
        let isHere: (Digest) throws(ImageError) -> Bool = { (digest) throws(ImageError) in
            do throws(ContentError) { return try self.services.content.contains(digest, for: lease) } catch { throw ImageError(error) }
        }
        var plan = PushPlan(image: document, diffIDs: diffIDs(document.id))
        if case .index(let descriptor) = target, let index = state.indexes[descriptor.digest] {
            if platform == nil, let whole = try PushPlan(index: index, diffIDs: diffIDs, isHere: isHere) {
                plan = whole
            } else if let member = state.member(of: index, for: platform) {
                plan = PushPlan(member: member, of: descriptor, diffIDs: diffIDs(member.image))
                if platform != nil { plan.insteadOf = nil }
            }
        }
        for digest in plan.blobs.map(\.descriptor.digest) + plan.manifests.map(\.digest) {
            guard try isHere(digest) else {
                throw ImageError(.storage, "blob \(digest) of image \(name) is missing: pull or load the image again")
            }
        }
        return plan
    }

    private func pushing(
        _ name: ImageReference, to destination: any ContentDestination, _ options: PushOptions, _ context: JobContext
    ) async throws -> PushedImage {
        let lane = Lane(named: "the push")
        let plan = try await withLease { (lease) throws(any Error) in
            let plan = try await lane.run { () throws(ImageError) in try self.pushPlan(name, options.platform, lease) }
            let push = ImagePush(self, destination, plan, name, context, lane)
            do { try await push.perform(width: options.uploadWidth) } catch {
                throw context.isCancelled ? ImageError(.cancelled, "the push was cancelled") : error
            }
            return plan
        }
        services.events.publish(
            Event(type: "image", action: "push", actorID: name.familiar, attributes: ["name": name.familiarName]))
        return PushedImage(name: name, manifest: plan.top, insteadOf: plan.insteadOf)
    }
}

/// Brings the parts of one image to where it is to be.
private final class ImagePush: Sendable {
    private let store: ImageStore
    private let destination: any ContentDestination
    private let plan: PushPlan
    private let name: ImageReference
    private let context: JobContext
    private let lane: Lane

    init(
        _ store: ImageStore, _ destination: any ContentDestination, _ plan: PushPlan, _ name: ImageReference, _ context: JobContext,
        _ lane: Lane
    ) {
        (self.store, self.destination, self.plan, self.name, self.context, self.lane) = (store, destination, plan, name, context, lane)
    }

    func perform(width: Int) async throws {
        for blob in plan.blobs { tell(blob, "Preparing") }
        try await performConcurrently(plan.blobs, width: width) { try await self.bring($0) }
        for manifest in plan.manifests {
            let bytes = try await lane.run { [store] () throws(ImageError) in
                do throws(ContentError) {
                    return try store.services.content.read(manifest.digest, limit: ImageStore.maximumDocumentByteCount)
                } catch { throw ImageError(error) }
            }
            let isTop = manifest.digest == plan.top.digest
            try await destination.put(FetchedManifest(descriptor: manifest, bytes: bytes), tags: isTop ? [name.tag ?? "latest"] : [])
        }
    }

    private func tell(_ blob: PushPlan.Blob, _ status: String, _ count: UInt64? = nil) {
        guard let id = blob.shown else { return }
        context.report(
            Progress.Part(
                id: id, status: status, completedByteCount: count, totalByteCount: count == nil ? nil : blob.descriptor.byteCount))
    }

    private func bring(_ blob: PushPlan.Blob) async throws {
        let descriptor = blob.descriptor
        if try await destination.contains(descriptor) { return tell(blob, "Layer already exists") }
        for other in store.repositories(having: descriptor.digest, beside: destination.repository) {
            if try await destination.mount(descriptor, from: other) { return tell(blob, "Mounted from \(other.familiarPath)") }
        }
        let told = Mutex<UInt64>(0)
        tell(blob, "Pushing", 0)
        let opened = try await lane.run { [store] () throws(ImageError) in
            do throws(ContentError) { return OpenedBlob(try store.services.content.open(descriptor.digest)) } catch {
                throw ImageError(error)
            }
        }
        guard let file = opened.take() else { preconditionFailure("it was opened for this") }
        try await destination.upload(descriptor, from: file) { [self] count in
            let isNews = told.withLock { told in
                // It may be fewer than before, where something has to go again.
                guard count < told || count - told >= Self.toldByteCount else { return false }
                told = count
                return true
            }
            if isNews { tell(blob, "Pushing", count) }
        }
        tell(blob, "Pushed")
    }

    /// After so many bytes the followers are told.
    private static let toldByteCount: UInt64 = 512 << 10
}

/// A descriptor on its way from one task to another.
final class OpenedBlob: Sendable {
    private let file: Mutex<OwnedDescriptor?>
    init(_ file: consuming OwnedDescriptor) { self.file = Mutex(consume file) }
    func take() -> OwnedDescriptor? { file.withLock { $0.take() } }
}

extension RepositoryName {
    /// The path as Docker says it: of the hub's own images without `library/`.
    fileprivate var familiarPath: String {
        registry == "docker.io" && path.hasPrefix("library/") ? String(path.dropFirst(8)) : path
    }
}

extension ImageStore {
    /// How many other repositories are asked for a blob before it is sent.
    private static let mountCount = 3

    /// Other repositories of the same registry that an image here with this blob is named by: they may have it.
    fileprivate func repositories(having blob: Digest, beside own: RepositoryName?) -> [RepositoryName] {
        guard let own else { return [] }
        let state = index.withLock { $0 }
        let found = state.references.filter { name, target in
            guard name.registry == own.registry, name.repository != own.path else { return false }
            return state.images(of: target).contains { state.images[$0]?.document.blobs.contains(blob) ?? false }
        }
        return Array(Set(found.keys.map { RepositoryName(of: $0) }).sorted { $0.path < $1.path }.prefix(Self.mountCount))
    }
}
