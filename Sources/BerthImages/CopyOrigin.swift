internal import BerthArchive
internal import BerthContent
internal import BerthLayers
internal import BerthLinux
internal import BerthOCI
internal import BerthReactor
internal import BerthState
internal import BerthTar
internal import Synchronization

/// What is copied, once it is known that it is there.
struct FoundOrigin {
    var source: any ContentSource
    var top: FetchedManifest
    /// Whether the source has only some of what the top names, so that less has to go.
    var isPartial: Bool
}

/// Where a copy comes from, for the job that makes it.
enum CopyOrigin: Sendable {
    case content(any ContentSource, FetchedManifest, title: String)
    case store(String)
    case archive(SourceBox, name: String?)

    /// - Throws: what can be said at once.
    init(_ source: consuming CopySource, _ store: ImageStore, _ options: CopyOptions) async throws {
        switch consume source {
        case .content(let source, let reference):
            let title = "\(source.repository.map(\.description) ?? "")\(reference.description.contains(":") ? "@" : ":")\(reference)"
            self = .content(source, try await source.manifest(reference), title: title)
        case .store(let name):
            _ = try store.entry(named: name, for: options.platform)
            self = .store(name)
        case .archive(let descriptor, let name): self = .archive(SourceBox(descriptor), name: name)
        }
    }

    var title: String {
        switch self {
        case .content(_, _, let title): title
        case .store(let name): name
        case .archive(_, let name): name ?? "archive"
        }
    }

    /// What there is of it. The lease holds what of it is here.
    func open(_ store: ImageStore, _ options: CopyOptions, _ context: JobContext, _ lease: Lease) async throws -> FoundOrigin {
        let lane = Lane(named: "what is copied")
        let (content, stored) = (store.services.content, StoredSource(store.services.content))
        switch self {
        case .content(let source, let top, _): return FoundOrigin(source: source, top: top, isPartial: false)
        case .store(let name):
            let plan = try await lane.run { () throws(ImageError) in
                let entry = try store.entry(named: name, for: options.platform)
                let target = try ImageStore.target(named: name, in: store.index.withLock { $0 })
                return try store.plan(of: target, entry.document, named: name, options.platform, lease)
            }
            return FoundOrigin(
                source: stored, top: try await stored.manifest(.digest(plan.top.digest)), isPartial: plan.insteadOf != nil)
        case .archive(let box, let name):
            let (top, isPartial) = try await lane.run { () throws(ImageError) in
                let members = ArchiveMembers(store.services.layers)
                defer { members.drop() }
                try Self.receive(box, into: members, store, context, lease)
                var archive = ArchivedImage(members, in: content, for: lease)
                let top = try archive.keep(name)
                return (top, try Self.isPartial(top, in: content, lease))
            }
            let manifest = try await stored.manifest(.digest(top.digest))
            return FoundOrigin(source: stored, top: FetchedManifest(descriptor: top, bytes: manifest.bytes), isPartial: isPartial)
        }
    }

    private static func receive(
        _ box: SourceBox, into members: ArchiveMembers, _ store: ImageStore, _ context: JobContext, _ lease: Lease
    ) throws(ImageError) {
        guard let descriptor = box.take() else { throw ImageError(.invalid, "the archive has been read already") }
        let receiver = ArchiveReceiver(store.services, context, lease, into: members) { _ in }
        let archive: any ByteSource
        let source = DescriptorSource(descriptor, until: try context.interruption())
        do throws(LayerError) { archive = try store.services.layers.tar(from: source) } catch { throw ImageError(error) }
        try receiver.receive(from: Decompressor(archive, limits: store.services.layers.limits))
    }

    /// Whether something that an index names is not here.
    private static func isPartial(_ top: Descriptor, in content: ContentStore, _ lease: Lease) throws(ImageError) -> Bool {
        guard top.isIndex else { return false }
        do throws(ContentError) {
            var next = [top]
            var seen: Set<Digest> = []
            while let descriptor = next.popLast() {
                guard seen.insert(descriptor.digest).inserted else { continue }
                guard try content.contains(descriptor.digest, for: lease) else { return true }
                let bytes = try content.read(descriptor.digest, limit: ImageStore.maximumDocumentByteCount)
                do throws(ImageError) {
                    if descriptor.isIndex {
                        next += try FoundImage.decode(Index.self, bytes, "the index \(descriptor.digest)").manifests
                    } else {
                        let manifest = try ImageIndex.manifest(descriptor, bytes)
                        for blob in [manifest.configuration] + manifest.layers where !blob.isForeignLayer {
                            if try !Self.contains(blob, in: content, lease) { return true }
                        }
                    }
                } catch { throw ContentError(.storage, error.description) }
            }
            return false
        } catch { throw ImageError(error) }
    }

    private static func contains(_ blob: Descriptor, in content: ContentStore, _ lease: Lease) throws(ImageError) -> Bool {
        do throws(ContentError) { return try content.contains(blob.digest, for: lease) } catch { throw ImageError(error) }
    }
}

extension FoundOrigin {
    /// What of it goes: the image for a platform, where one is asked for or less than the index has to go.
    ///
    /// - Parameter takesIndexes: whether the destination can have one.
    func chosen(_ options: CopyOptions, takesIndexes: Bool) async throws -> FetchedManifest {
        guard top.descriptor.isIndex else {
            if isPartial, options.requiresAll { throw Self.notAll("not all that its index names is here") }
            return top
        }
        if options.platform == nil, takesIndexes, !isPartial { return top }
        if options.requiresAll {
            throw Self.notAll(isPartial ? "not all that its index names is here" : "what it is copied to can have one image, and no index")
        }
        let platform = options.platform ?? ImageStore.machine
        var (found, depth) = (top, 0)
        while found.descriptor.isIndex {
            depth += 1
            guard depth <= ImageIndex.maximumDepth else {
                throw ImageError(.tooLarge, "the indexes are nested deeper than \(ImageIndex.maximumDepth): they may lead in a circle")
            }
            let index = try FoundImage.decode(Index.self, found.bytes, "the index \(found.descriptor.digest)")
            guard let next = FetchPlan.choice(of: index, for: platform) else {
                throw ImageError(.notFound, "no matching manifest for \(options.platform ?? Platform.host) in the manifest list entries")
            }
            found = try await source.manifest(.digest(next.digest))
        }
        return found
    }

    private static func notAll(_ why: String) -> ImageError {
        ImageError(.invalid, "the image cannot be copied with all its platforms: \(why); ask for one platform")
    }
}
