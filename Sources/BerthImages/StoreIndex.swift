internal import BerthContent
internal import BerthLayers
internal import BerthOCI
internal import BerthSnapshots

/// What a name names: an image, or an index, of which the image that fits best is meant.
enum ReferenceTarget: Hashable, Sendable {
    case image(Digest)
    case index(Descriptor)
}

extension ReferenceTarget: Codable {
    /// An image is its id, an index its descriptor.
    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        do { self = .index(try container.decode(Descriptor.self)) } catch { self = .image(try container.decode(Digest.self)) }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .image(let id): try container.encode(id)
        case .index(let descriptor): try container.encode(descriptor)
        }
    }
}

/// How an image is named.
struct ImageNames {
    /// By what it is found.
    var own: [ImageReference] = []
    /// Whose index has it for another platform than the one that is meant by the name alone.
    var ofIndexes: [ImageReference] = []
    /// The same, each with a digest that it is found by.
    var digests: [ImageReference] = []
    /// The indexes that mean it, by their names.
    var indexes: [ImageReference: Descriptor] = [:]
    /// An index without a name that means it.
    var unnamedIndex: Descriptor?
    /// Whether an index without a name has it for another platform.
    var isOfUnnamedIndex = false

    mutating func sort() {
        own.sort { $0.description < $1.description }
        ofIndexes.sort { $0.description < $1.description }
        digests = Set(digests).sorted { $0.description < $1.description }
    }
}

/// What the documents of a store say, and what follows from them.
struct StoreIndex {
    var images: [Digest: ImageStore.Entry] = [:]
    private(set) var references: [ImageReference: ReferenceTarget] = [:]
    /// Those that names name, and those without a name, as the content store has them.
    private(set) var indexes: [Digest: ImageIndex] = [:]
    /// Those that exist by a document of their own.
    private(set) var unnamed: Set<Digest> = []
    var unreadable: [String: String] = [:]
    /// The documents of names that name what cannot be read: these are not given.
    var unresolved: Set<String> = []
    /// Names whose documents were set aside, by the file, with the reason.
    var unreadableReferences: [String: String] = [:]

    /// Gives a name to something, or to nothing.
    ///
    /// - Parameter index: where an index gets it: that.
    mutating func name(_ name: ImageReference, _ target: ReferenceTarget?, _ index: ImageIndex? = nil) {
        let before = references[name]
        references[name] = target
        if let index { indexes[index.descriptor.digest] = index }
        guard case .index(let old)? = before, before != target else { return }
        if !isNamed(old.digest), !unnamed.contains(old.digest) { indexes[old.digest] = nil }
    }

    /// Whether a name names an index.
    func isNamed(_ index: Digest) -> Bool {
        references.values.contains { if case .index(let other) = $0 { other.digest == index } else { false } }
    }

    /// Adds an index that needs no name, or what of it is here by now.
    mutating func keep(unnamed index: ImageIndex) {
        indexes[index.descriptor.digest] = index
        if !isNamed(index.descriptor.digest) { unnamed.insert(index.descriptor.digest) }
    }

    /// Has an index exist by its names alone: without any it is gone.
    mutating func forget(unnamed index: Digest) {
        unnamed.remove(index)
        if !isNamed(index) { indexes[index] = nil }
    }

    // MARK: Images of indexes

    /// The images of an index that are here, in its order, with what says what they are for.
    private func images(of index: ImageIndex) -> [(entry: ImageStore.Entry, member: ImageIndex.Member, platform: Platform)] {
        index.members.compactMap { member in
            images[member.image].map { ($0, member, member.descriptor.platform ?? $0.configuration.platform) }
        }
    }

    /// The ids of the images that something has.
    func images(of target: ReferenceTarget) -> [Digest] {
        switch target {
        case .image(let id): images[id] == nil ? [] : [id]
        case .index(let descriptor): indexes[descriptor.digest].map { images(of: $0).map(\.entry.document.id) } ?? []
        }
    }

    /// The image that is meant by a target: the best for a platform (OCI image specification, *Image Index*: the first among equals). Where none is asked
    /// for, the best for this machine, or, if none runs here, the first.
    func image(of target: ReferenceTarget, for platform: Platform?) -> ImageStore.Entry? {
        switch target {
        case .image(let id):
            guard let entry = images[id] else { return nil }
            return platform.map { entry.configuration.platform.preference(for: $0) != nil } ?? true ? entry : nil
        case .index(let descriptor):
            guard let index = indexes[descriptor.digest] else { return nil }
            return choice(of: index, for: platform)?.entry
        }
    }

    private func choice(
        of index: ImageIndex, for platform: Platform?
    ) -> (entry: ImageStore.Entry, member: ImageIndex.Member, platform: Platform)? {
        let here = images(of: index)
        return (platform ?? ImageStore.machine).best(of: here) { $0.platform } ?? (platform == nil ? here.first : nil)
    }

    /// The manifest of an index by which an image is in it, or is the best for a platform.
    func member(of index: ImageIndex, for platform: Platform?) -> ImageIndex.Member? { choice(of: index, for: platform)?.member }

    /// For which platforms something has images here.
    func platforms(of target: ReferenceTarget) -> [Platform] {
        switch target {
        case .image(let id): images[id].map { [$0.configuration.platform] } ?? []
        case .index(let descriptor): indexes[descriptor.digest].map { images(of: $0).map(\.platform) } ?? []
        }
    }

    // MARK: Names of images

    /// The names of all images that have any.
    func names() -> [Digest: ImageNames] {
        var result: [Digest: ImageNames] = [:]
        for (name, target) in references {
            switch target {
            case .image(let id):
                guard let image = images[id] else { continue }
                result[id, default: ImageNames()].own.append(name)
                result[id, default: ImageNames()].digests.append(name.withDigest(image.document.manifest.digest))
            case .index(let descriptor):
                guard let index = indexes[descriptor.digest] else { continue }
                let own = choice(of: index, for: nil)?.entry.document.id
                for (entry, member, _) in images(of: index) {
                    let (id, isOwn) = (entry.document.id, entry.document.id == own)
                    var names = result[id] ?? ImageNames()
                    if isOwn {
                        names.indexes[name] = descriptor
                        if !names.own.contains(name) { names.own.append(name) }
                    } else if !names.ofIndexes.contains(name) {
                        names.ofIndexes.append(name)
                    }
                    names.digests.append(name.withDigest(isOwn ? descriptor.digest : member.descriptor.digest))
                    result[id] = names
                }
            }
        }
        for digest in unnamed {
            guard let index = indexes[digest] else { continue }
            let own = choice(of: index, for: nil)?.entry.document.id
            for (entry, _, _) in images(of: index) {
                let id = entry.document.id
                if id == own {
                    result[id, default: ImageNames()].unnamedIndex = index.descriptor
                } else {
                    result[id, default: ImageNames()].isOfUnnamedIndex = true
                }
            }
        }
        for id in result.keys { result[id]?.sort() }
        return result
    }

    /// The images that have no name, and are of no index, any more once these names and these indexes without a name are gone.
    func orphans(without names: [ImageReference], _ indexes: Set<Digest> = []) -> [Digest] {
        var candidates: [Digest] = []
        let ofIndexes = self.indexes.values.map(\.descriptor).filter { indexes.contains($0.digest) }
        let targets = names.compactMap { references[$0] } + ofIndexes.map { .index($0) }
        for target in targets {
            for id in images(of: target) where !candidates.contains(id) { candidates.append(id) }
        }
        let others = unnamed.subtracting(indexes).compactMap { self.indexes[$0] }.flatMap { images(of: $0).map(\.entry.document.id) }
        let kept = Set(references.filter { !names.contains($0.key) }.values.flatMap { images(of: $0) } + others)
        return candidates.filter { !kept.contains($0) }
    }

    /// Whether an index has an image.
    func has(_ image: Digest, of index: Digest) -> Bool {
        indexes[index].map { images(of: $0).contains { $0.entry.document.id == image } } ?? false
    }

    /// The indexes without a name that go with an image: those of which it is the last that is here, and those that mean it.
    ///
    /// - Parameter ofMeaning: whether also the latter.
    func unnamedThatGo(with image: Digest, ofMeaning: Bool) -> Set<Digest> {
        unnamed.filter { digest in
            guard let index = indexes[digest] else { return false }
            return images(of: index).map(\.entry.document.id) == [image]
                || ofMeaning && choice(of: index, for: nil)?.entry.document.id == image
        }
    }

    // MARK: What is kept

    /// The blobs of an index that its names keep: its own, and those of its images that are here.
    func blobs(of index: ImageIndex) -> [Descriptor] {
        index.blobs + images(of: index).flatMap { $0.member.blobs.map(\.withoutContext) }
    }

    /// Whether an image, or an index, has it: what an uppermost layer lies on is kept by that.
    func keeps(_ resource: LeasedResource) -> Bool {
        switch resource {
        case .blob(let digest):
            images.values.contains { $0.document.blobs.contains(digest) }
                || indexes.values.contains { blobs(of: $0).contains { $0.digest == digest } }
        case .layer(let chainID): images.values.contains { $0.topLayer?.chainID == chainID }
        case .everyBlob, .everyLayer: false
        }
    }

    /// All blobs that images and indexes have.
    var blobs: Set<Digest> {
        Set(images.values.flatMap(\.document.blobs)).union(indexes.values.flatMap { blobs(of: $0).map(\.digest) })
    }
}
