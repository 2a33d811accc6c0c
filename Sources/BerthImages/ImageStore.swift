public import BerthContent
public import BerthLayers
internal import BerthLinux
public import BerthOCI
internal import BerthReactor
public import BerthSnapshots
public import BerthState
internal import FoundationEssentials
internal import Synchronization

/// The images of an engine.
///
/// An image exists by its document, named or not; a name is a document of its own. Everything else, which blobs and layers are wanted, is found
/// out from these. A document that cannot be read keeps its claim: while one is set aside, nothing is collected.
public final class ImageStore: Sendable {
    struct Entry {
        var document: ImageDocument
        var configuration: ImageConfiguration
        var topLayer: LayerName?
        var byteCount: UInt64
    }

    /// What a store works with.
    public struct Services: Sendable {
        /// The engine's root directory.
        public var root: String
        /// Keeps blobs.
        public var content: ContentStore
        /// Takes layers in.
        public var layers: LayerStore
        /// Knows which layers there are.
        public var snapshots: any Snapshotter
        /// Told of everything that happens.
        public var events: EventHub
        /// Does the long work.
        public var jobs: JobRegistry
        /// Where images come from and go to by their names; `nil` for nowhere.
        public var places: (any ImagePlaces)?

        /// All of them.
        public init(
            root: String, content: ContentStore, layers: LayerStore, snapshots: any Snapshotter, events: EventHub, jobs: JobRegistry,
            places: (any ImagePlaces)? = nil
        ) {
            (self.root, self.content, self.layers, self.snapshots) = (root, content, layers, snapshots)
            (self.events, self.jobs, self.places) = (events, jobs, places)
        }
    }

    /// The platform of this machine, with what its processor has besides: what runs best on it is what a name means.
    public static let machine: Platform = {
        var platform = Platform.host
        if let level = HostFile.x86Level(), level > 1 { platform.variant = "v\(level)" }
        return platform
    }()

    let services: Services
    /// Where the blobs of images are: for who hands them out as they are.
    public var content: ContentStore { services.content }
    let images: DocumentStore<ImageDocument>
    let references: DocumentStore<ReferenceDocument>
    /// Of indexes that no name names.
    let unnamedIndexes: DocumentStore<IndexDocument>
    let index = Mutex(StoreIndex())
    /// Held, on a thread of the lane, while documents change: what is decided then still holds when it is written.
    let writing = Mutex(())
    let lane = Lane(named: "the images", waitingLimit: Lane.sharedWaitingLimit)
    /// Where what nobody wants is removed: names are given and taken meanwhile.
    let collecting = Lane(named: "the images' collection")
    /// Where layers' blobs are read to know all files in them: much of memory, so for few at a time.
    let reading = Lane(named: "the reading of layers")
    /// What pulls have brought, and is no blob yet.
    let arrived = ArrivedBlobs()
    /// How many leases are ending: what only they held is about to be collected.
    let endingCount = Mutex(0)
    /// The layers whose files are being replaced.
    let replacing = Mutex<Set<LayerName>>([])
    /// Holds everything while a document is set aside: what that one names is not known.
    private let claim: Lease
    /// The longest configuration or manifest that is read.
    static let maximumDocumentByteCount = 4 << 20

    /// Opens the store and reads every document. Blocks.
    ///
    /// - Throws: `storage` if a directory cannot be had. What is wrong with one image is that image's.
    public init(_ services: Services) throws(ImageError) {
        self.services = services
        claim = services.content.leases.begin()
        do throws(StateError) {
            images = try DocumentStore(directory: services.root + "/images")
            references = try DocumentStore(directory: services.root + "/references", version: ReferenceDocument.version)
            unnamedIndexes = try DocumentStore(directory: services.root + "/indexes")
            let (found, imagesAside) = try images.load()
            let (names, namesAside) = try references.load()
            let (unnamed, indexesAside) = try unnamedIndexes.load()
            var loaded = StoreIndex()
            var isComplete = imagesAside.isEmpty && namesAside.isEmpty && indexesAside.isEmpty
            for aside in imagesAside { loaded.unreadable[aside.id] = aside.reason }
            for aside in indexesAside { loaded.unreadable[aside.id] = aside.reason }
            for aside in namesAside { loaded.unreadableReferences[aside.fileName] = aside.reason }
            for (id, document) in found {
                // An image whose configuration is damaged is not shown, and keeps what it names.
                do throws(ImageError) { loaded.images[document.id] = try entry(document) } catch {
                    isComplete = false
                    loaded.unreadable[id] = error.description
                }
            }
            for (id, document) in names {
                let found: NameFound
                do throws(ImageError) { found = try resolve(document, in: loaded) } catch {
                    // Of an index that is damaged nothing is known, and nothing is removed.
                    isComplete = false
                    loaded.unreadable[id] = error.description
                    continue
                }
                switch found {
                case .ofAnother: loaded.unresolved.insert(id)
                case .nothing: try references.remove(id: id)
                case .something(let target, let index):
                    if target != document.target {
                        try references.write(ReferenceDocument(name: document.name, target: target), id: id)
                    }
                    loaded.name(document.name, target, index)
                }
            }
            for (id, document) in unnamed {
                do throws(ImageError) { try keep(document, id, in: &loaded) } catch {
                    isComplete = false
                    loaded.unreadable[id] = error.description
                }
            }
            // What a layer that cannot be read lies on is not known either.
            if !services.snapshots.unreadable.isEmpty { claim.hold(.everyLayer) }
            if !isComplete { for resource in [LeasedResource.everyBlob, .everyLayer] { claim.hold(resource) } }
            let complete = loaded
            index.withLock { $0 = complete }
        } catch { throw ImageError(error) }
    }

    /// - Throws: `storage` if the index cannot be read.
    private func keep(_ document: IndexDocument, _ id: String, in loaded: inout StoreIndex) throws(ImageError) {
        let found = try ImageIndex(document.index, in: services.content)
        let images = found.members.map(\.image)
        // A kill between its document and a name's, or between the document and the images.
        let isNeeded = !loaded.isNamed(document.index.digest) && images.contains { loaded.images[$0] != nil }
        if isNeeded { return loaded.keep(unnamed: found) }
        if images.contains(where: { loaded.unreadable[$0.hex] != nil }) { return }
        do throws(StateError) { try unnamedIndexes.remove(id: id) } catch { throw ImageError(error) }
    }

    /// What the document of a name leads to.
    enum NameFound {
        case something(ReferenceTarget, ImageIndex?)
        /// What cannot be read.
        case ofAnother
        case nothing
    }

    /// - Throws: `storage` if the index that it names cannot be read.
    func resolve(_ document: ReferenceDocument, in loaded: StoreIndex) throws(ImageError) -> NameFound {
        // A kill between the name and the images: the name was the other's, and still is.
        for target in [document.target] + (document.previous.map { [$0] } ?? []) {
            let (index, images): (ImageIndex?, [Digest])
            switch target {
            case .image(let image): (index, images) = (nil, [image])
            case .index(let descriptor):
                let found = try ImageIndex(descriptor, in: services.content)
                (index, images) = (found, found.members.map(\.image))
            }
            if images.contains(where: { loaded.images[$0] != nil }) { return .something(target, index) }
            if images.contains(where: { loaded.unreadable[$0.hex] != nil }) { return .ofAnother }
        }
        return .nothing
    }

    /// Reads what an image says of itself.
    func entry(_ document: ImageDocument) throws(ImageError) -> Entry {
        do {
            let configuration = try configuration(of: document)
            var (top, byteCount): (LayerName?, UInt64) = (nil, 0)
            let known = services.snapshots.layers()
            for diffID in configuration.diffIDs {
                let name = LayerName(chainID: LayerStore.chainID(of: diffID, on: top))
                guard let layer = known[name] else {
                    throw ImageError(.storage, "layer \(name.chainID) of image \(document.id) is missing")
                }
                (top, byteCount) = (name, byteCount + layer.byteCount)
            }
            return Entry(document: document, configuration: configuration, topLayer: top, byteCount: byteCount)
        } catch let error as ImageError {
            throw error
        } catch {
            throw ImageError(.storage, "the configuration of image \(document.id) cannot be read: \(error)")
        }
    }

    /// Reads what an image's document names as its configuration.
    func configuration(of document: ImageDocument) throws -> ImageConfiguration {
        let bytes = try services.content.read(document.configuration.digest, limit: Self.maximumDocumentByteCount)
        return try JSONDecoder().decode(ImageConfiguration.self, from: Data(bytes))
    }

    /// The images whose documents, configurations or layers cannot be read, by the hexadecimal part of their id, with the reason. Nothing of them
    /// is removed.
    public var unreadable: [String: String] { index.withLock { $0.unreadable } }

    /// The names whose documents cannot be read, by the file in `references`, with the reason. While there is one, nothing is collected.
    public var unreadableReferences: [String: String] { index.withLock { $0.unreadableReferences } }

    /// The layers whose documents cannot be read, by their directory, with the reason. While there is one, no layer is removed.
    public var unreadableLayers: [String: String] { services.snapshots.unreadable }

    // MARK: Finding

    /// Finds an image by a name, by its id or a unique prefix of it, or by its manifest's or index's digest after a name.
    ///
    /// - Parameter platform: for which platform it must be: of an index, the best for that one. `nil`: of an index the best for this machine, or the
    ///   first if none runs here; else any.
    /// - Throws: `notFound`, also for a platform that is not here; `invalid` for what can be neither, and for a prefix that several have.
    public func find(_ text: String, platform: Platform? = nil) throws(ImageError) -> ImageRecord {
        let state = index.withLock { $0 }
        var found = record(try Self.entry(named: text, for: platform, in: state))
        found.index = nil
        if platform == nil, case .index(let descriptor) = try Self.target(named: text, in: state) { found.index = descriptor }
        return found
    }

    func entry(named text: String, for platform: Platform? = nil) throws(ImageError) -> Entry {
        try Self.entry(named: text, for: platform, in: index.withLock { $0 })
    }

    private static func entry(named text: String, for platform: Platform?, in state: StoreIndex) throws(ImageError) -> Entry {
        let target = try target(named: text, in: state)
        if let entry = state.image(of: target, for: platform) { return entry }
        guard let platform else { throw .noSuchImage(text) }
        throw .noSuchPlatform(platform, of: text, state.platforms(of: target))
    }

    /// The same; not what also runs on the platform.
    func entry(named text: String, exactlyFor platform: Platform) throws(ImageError) -> Entry {
        let state = index.withLock { $0 }
        let there = state.platforms(of: try Self.target(named: text, in: state))
        guard there.contains(where: { $0.preference(for: platform) == 0 }) else { throw .noSuchPlatform(platform, of: text, there) }
        return try entry(named: text, for: platform)
    }

    /// What is meant by a text.
    static func target(named text: String, in state: StoreIndex) throws(ImageError) -> ReferenceTarget {
        if let digest = try? Digest(parsing: text) {
            if state.images[digest] != nil { return .image(digest) }
            if let index = state.indexes[digest] { return .index(index.descriptor) }
        }
        if let reference = try? ImageReference(parsing: text) {
            if let target = state.references[reference] { return target }
            if let digest = reference.digest, let found = target(of: digest, in: reference, state) { return found }
        }
        let prefix = text.hasPrefix("sha256:") ? String(text.dropFirst(7)) : text
        if !prefix.isEmpty, prefix.utf8.count <= 64, prefix.allSatisfy({ $0.isHexDigit && !$0.isUppercase }) {
            let matches = state.images.keys.filter { $0.hex.hasPrefix(prefix) }
            let indexes = state.unnamed.filter { $0.hex.hasPrefix(prefix) }
            guard matches.count + indexes.count < 2 else {
                throw ImageError(.invalid, "the id prefix \(prefix) is of more than one image: give more of it")
            }
            if let found = matches.first { return .image(found) }
            if let found = indexes.first.flatMap({ state.indexes[$0] }) { return .index(found.descriptor) }
        } else {
            do throws(ImageReference.ParseError) { _ = try ImageReference(parsing: text) } catch {
                throw ImageError(.invalid, error.description)
            }
        }
        throw .noSuchImage(text.contains(":") || text.contains("@") ? text : "\(text):latest")
    }

    /// What a digest means in a repository: the index or the image of one of its names, or an image of such an index.
    private static func target(of digest: Digest, in repository: ImageReference, _ state: StoreIndex) -> ReferenceTarget? {
        for (name, target) in state.references where name.familiarName == repository.familiarName {
            switch target {
            case .image(let id):
                if let image = state.images[id], image.document.manifest.digest == digest || id == digest { return target }
            case .index(let descriptor):
                if descriptor.digest == digest { return target }
                let member = state.indexes[descriptor.digest]?.members.first { $0.descriptor.digest == digest || $0.image == digest }
                if let member, state.images[member.image] != nil { return .image(member.image) }
            }
        }
        return nil
    }

    func record(_ entry: Entry) -> ImageRecord {
        record(entry, index.withLock { $0.names() }[entry.document.id] ?? ImageNames())
    }

    private func record(_ entry: Entry, _ names: ImageNames) -> ImageRecord {
        ImageRecord(
            id: entry.document.id, references: names.own, indexReferences: names.ofIndexes, digests: names.digests,
            arrivedAt: entry.document.arrivedAt, comment: entry.document.comment,
            parent: entry.document.parent, manifest: entry.document.manifest,
            configuration: entry.configuration, layers: entry.document.layers, topLayer: entry.topLayer, byteCount: entry.byteCount,
            index: names.own.first.flatMap { names.indexes[$0] } ?? (names.own.isEmpty ? names.unnamedIndex : nil))
    }

    /// How many images there are.
    public var count: Int { index.withLock { $0.images.count } }

    /// Lists images, the newest first: each that is meant by a name, or by an index without a name, and each that is of neither. Waits for nothing.
    ///
    /// - Throws: `invalid` for a filter that does not exist, `notFound` for an image that a filter names.
    public func list(_ query: ImageQuery = ImageQuery()) throws(ImageError) -> [ImageRecord] {
        let (all, names) = index.withLock { (Array($0.images.values), $0.names()) }
        func isShown(_ image: ImageRecord) -> Bool {
            if query.includesAll || !image.references.isEmpty { return true }
            return image.isDangling && (image.index != nil || names[image.id]?.isOfUnnamedIndex != true)
        }
        let images = all.map { record($0, names[$0.document.id] ?? ImageNames()) }.filter(isShown)
        return try ImageFilter(query, in: self).apply(to: images.sorted { $0.createdAt > $1.createdAt })
    }
}
