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
    struct Index {
        var images: [Digest: Entry] = [:]
        var references: [ImageReference: Digest] = [:]
        var unreadable: [String: String] = [:]
    }
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

        /// All of them.
        public init(
            root: String, content: ContentStore, layers: LayerStore, snapshots: any Snapshotter, events: EventHub, jobs: JobRegistry
        ) {
            (self.root, self.content, self.layers, self.snapshots) = (root, content, layers, snapshots)
            (self.events, self.jobs) = (events, jobs)
        }
    }

    let services: Services
    let images: DocumentStore<ImageDocument>
    let references: DocumentStore<ReferenceDocument>
    let index = Mutex(Index())
    /// Held, on a thread of the lane, while documents change: what is decided then still holds when it is written.
    let writing = Mutex(())
    let lane = Lane(named: "the images")
    /// Where what nobody wants is removed: names are given and taken meanwhile.
    let collecting = Lane(named: "the images' collection")
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
            references = try DocumentStore(directory: services.root + "/references")
            let (found, imagesAside) = try images.load()
            let (names, namesAside) = try references.load()
            var loaded = Index()
            var isComplete = imagesAside.isEmpty && namesAside.isEmpty
            for aside in imagesAside { loaded.unreadable[aside.id] = aside.reason }
            for (id, document) in found {
                // An image whose configuration is damaged is not shown, and keeps what it names.
                do throws(ImageError) { loaded.images[document.id] = try entry(document) } catch {
                    isComplete = false
                    loaded.unreadable[id] = error.description
                }
            }
            for (id, document) in names where loaded.unreadable[document.image.hex] == nil {
                if loaded.images[document.image] != nil {
                    loaded.references[document.name] = document.image
                } else if let previous = document.previous, loaded.images[previous] != nil {
                    // A kill between the name and the image: the name was the other's, and still is.
                    try references.write(ReferenceDocument(name: document.name, image: previous), id: id)
                    loaded.references[document.name] = previous
                } else {
                    try references.remove(id: id)
                }
            }
            // What a layer that cannot be read lies on is not known either.
            if !services.snapshots.unreadable.isEmpty { claim.hold(.everyLayer) }
            if !isComplete { for resource in [LeasedResource.everyBlob, .everyLayer] { claim.hold(resource) } }
            let complete = loaded
            index.withLock { $0 = complete }
        } catch { throw ImageError(error) }
    }

    /// Reads what an image says of itself.
    func entry(_ document: ImageDocument) throws(ImageError) -> Entry {
        do {
            let bytes = try services.content.read(document.configuration.digest, limit: Self.maximumDocumentByteCount)
            let configuration = try JSONDecoder().decode(ImageConfiguration.self, from: Data(bytes))
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

    /// The images whose documents, configurations or layers cannot be read, by the hexadecimal part of their id, with the reason. Nothing of them
    /// is removed.
    public var unreadable: [String: String] { index.withLock { $0.unreadable } }

    /// The layers whose documents cannot be read, by their directory, with the reason. While there is one, no layer is removed.
    public var unreadableLayers: [String: String] { services.snapshots.unreadable }

    // MARK: Finding

    /// Finds an image by a name, by its id or a unique prefix of it, or by its manifest's digest after a name.
    ///
    /// - Throws: `notFound`; `invalid` for what can be neither, and for a prefix that several have.
    public func find(_ text: String) throws(ImageError) -> ImageRecord { record(try entry(named: text)) }

    func entry(named text: String) throws(ImageError) -> Entry {
        let state = index.withLock { $0 }
        if let digest = try? Digest(parsing: text), let entry = state.images[digest] { return entry }
        if let reference = try? ImageReference(parsing: text) {
            if let id = state.references[reference], let entry = state.images[id] { return entry }
            if let digest = reference.digest {
                let found = state.images.values.first { entry in
                    (entry.document.manifest.digest == digest || entry.document.id == digest)
                        && state.references.contains { $0.value == entry.document.id && $0.key.familiarName == reference.familiarName }
                }
                if let found { return found }
            }
        }
        let prefix = text.hasPrefix("sha256:") ? String(text.dropFirst(7)) : text
        if !prefix.isEmpty, prefix.utf8.count <= 64, prefix.allSatisfy({ $0.isHexDigit && !$0.isUppercase }) {
            let matches = state.images.filter { $0.key.hex.hasPrefix(prefix) }
            guard matches.count < 2 else {
                throw ImageError(.invalid, "the id prefix \(prefix) is of more than one image: give more of it")
            }
            if let found = matches.first { return found.value }
        } else {
            do throws(ImageReference.ParseError) { _ = try ImageReference(parsing: text) } catch {
                throw ImageError(.invalid, error.description)
            }
        }
        throw .noSuchImage(text.contains(":") || text.contains("@") ? text : "\(text):latest")
    }

    func record(_ entry: Entry) -> ImageRecord {
        let id = entry.document.id
        let names = index.withLock { $0.references.filter { $0.value == id }.keys.sorted { $0.description < $1.description } }
        return ImageRecord(
            id: id, references: names, arrivedAt: entry.document.arrivedAt, comment: entry.document.comment,
            parent: entry.document.parent, manifest: entry.document.manifest,
            configuration: entry.configuration, layers: entry.document.layers, topLayer: entry.topLayer, byteCount: entry.byteCount)
    }

    /// How many images there are.
    public var count: Int { index.withLock { $0.images.count } }

    /// Lists images, the newest first. Waits for nothing.
    ///
    /// - Throws: `invalid` for a filter that does not exist, `notFound` for an image that a filter names.
    public func list(_ query: ImageQuery = ImageQuery()) throws(ImageError) -> [ImageRecord] {
        let all = index.withLock { Array($0.images.values) }.map { record($0) }.sorted { $0.createdAt > $1.createdAt }
        return try ImageFilter(query, in: self).apply(to: all)
    }

    // MARK: Names

    /// Gives an image a name. Another image of that name loses it; giving it again does nothing.
    ///
    /// - Throws: `notFound`, `invalid` for a name with a digest.
    public func tag(_ text: String, as reference: ImageReference) async throws(ImageError) {
        guard reference.digest == nil else { throw ImageError(.invalid, "refusing to create a tag with a digest reference") }
        let name = Self.tagged(reference)
        let id = try entry(named: text).document.id
        try await lane.run { () throws(ImageError) in
            try self.writing.withLock { _ throws(ImageError) in
                guard self.index.withLock({ $0.images[id] != nil }) else { throw ImageError.noSuchImage(text) }
                try self.writeReference(name, to: id)
                try self.writeIndex()
            }
        }
        services.events.publish(Event(type: "image", action: "tag", actorID: id.description, attributes: ["name": name.familiar]))
    }

    static func tagged(_ reference: ImageReference) -> ImageReference {
        guard reference.tag == nil, reference.digest == nil else { return reference }
        return (try? ImageReference(parsing: reference.description + ":latest")) ?? reference
    }

    func writeReference(_ name: ImageReference, to id: Digest) throws(ImageError) {
        do throws(StateError) {
            try references.write(ReferenceDocument(name: name, image: id), id: Self.documentID(of: name))
        } catch { throw ImageError(error) }
        index.withLock { $0.references[name] = id }
    }

    static func documentID(of name: ImageReference) -> String { Digest(of: Array(name.description.utf8)).hex }

    /// Writes the content's index anew: the named images, under their names, as other tools expect them.
    func writeIndex() throws(ImageError) {
        let state = index.withLock { $0 }
        var manifests: [Descriptor] = []
        for (name, id) in state.references.sorted(by: { $0.key.description < $1.key.description }) {
            guard var manifest = state.images[id]?.document.manifest else { continue }
            manifest.annotations = ["org.opencontainers.image.ref.name": name.description]
            manifests.append(manifest)
        }
        do throws(ContentError) { try services.content.writeIndex(Index_(manifests: manifests)) } catch { throw ImageError(error) }
    }
    typealias Index_ = BerthOCI.Index
}
