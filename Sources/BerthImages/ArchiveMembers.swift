internal import BerthContent
internal import BerthLayers
internal import BerthLinux
internal import BerthOCI
internal import Synchronization

/// Where the parts of images are found by path: an archive that has come, or a directory.
protocol ImageParts: Sendable {
    /// A document, whole; `nil` if there is nothing of that path.
    ///
    /// - Throws: `tooLarge` beyond ``ImageStore/maximumDocumentByteCount``.
    func document(at path: String) throws(ImageError) -> [UInt8]?
    /// A layer; `nil` if there is nothing of that path.
    func layer(at path: String) throws(ImageError) -> UnpackedLayer?
    /// The digest of a layer's tar; `nil` if there is nothing of that path.
    func diffID(ofLayerAt path: String) throws(ImageError) -> Digest?
    /// Keeps a blob of an OCI layout as it is, whatever it is.
    ///
    /// - Throws: `invalid` if it is not there, or is another.
    func keep(_ blob: Descriptor, in content: ContentStore, for lease: Lease) throws(ImageError)
    /// Makes sure, before images are made of what there is, that the content store has a place for what has not been brought there yet.
    ///
    /// - Throws: `noSpace`.
    func requireSpace(for images: [FoundImage], in content: ContentStore) throws(ImageError)
    /// Whether there is something of that path.
    func contains(_ path: String) -> Bool
    /// What there is, or begins with.
    var paths: Set<String> { get }
    /// Lets go of what was brought and is no part of an image.
    func drop()
}

/// A layer that comes in an archive, and what became of it.
final class StartedLayer: Sendable {
    let path: String
    let arrival: LayerArrival
    private let outcome = Mutex<Result<UnpackedLayer, LayerError>?>(nil)

    init(path: String, _ arrival: LayerArrival) { (self.path, self.arrival) = (path, arrival) }

    func finish(_ result: Result<UnpackedLayer, LayerError>) { outcome.withLock { $0 = result } }

    func discard() {
        arrival.abandon()
        arrival.whole?.discard()
        outcome.withLock { outcome in
            if case .success(let layer) = outcome { layer.discard() }
            outcome = nil
        }
    }

    /// Removes now what was unpacked of it. Its bytes stay for the next who wants them.
    func discardFiles() {
        arrival.abandon()
        outcome.withLock { outcome in
            if case .success(let layer) = outcome { layer.discardFiles() }
            outcome = nil
        }
    }

    /// Why it could not be unpacked, if it could not.
    var failure: LayerError? {
        outcome.withLock { if case .failure(let error) = $0 { error } else { nil } }
    }

    private let unpackedCounts = Mutex<(count: UInt64, told: UInt64)>((0, 0))

    /// How many of its bytes, as it came, have been unpacked.
    var unpackedByteCount: UInt64 { unpackedCounts.withLock { $0.count } }

    /// Notes how many they are now.
    ///
    /// - Returns: whether so many are new that it is to be told.
    func unpacked(_ count: UInt64, every step: UInt64) -> Bool {
        unpackedCounts.withLock { counts in
            counts.count = count
            guard count - counts.told >= step else { return false }
            counts.told = count
            return true
        }
    }

    /// Whether it is unpacked, or will not be.
    var hasEnded: Bool { outcome.withLock { $0 != nil } }

    /// The disk has no place for it, or it was cancelled: nothing else of the archive helps.
    var isHopeless: LayerError? {
        outcome.withLock {
            guard case .failure(let error) = $0, error.code == .storage else { return nil }
            return error
        }
    }

    func layer() throws(LayerError) -> UnpackedLayer {
        guard let outcome = outcome.withLock({ $0 }) else { throw LayerError(.cancelled, "the layer was not unpacked") }
        return try outcome.get()
    }
}

/// What an archive of images has in it, by path. What is small is in memory, the rest on its way into the stores, where nobody sees it.
///
/// All of it goes with this value, but for what was made part of an image.
final class ArchiveMembers: ImageParts {
    /// One of them.
    enum Member {
        case bytes([UInt8])
        case blob(PendingBlob)
        case layer(StartedLayer)
        /// Another path of the archive.
        case link(to: String)
    }

    /// How many links may lead to each other.
    private static let maximumLinkCount = 16

    private let members = Mutex<[String: Member]>([:])
    private let layers: LayerStore

    init(_ layers: LayerStore) { self.layers = layers }

    /// Adds one. A later one of the same path is what counts, as it is when an archive is unpacked.
    func add(_ member: Member, at path: String) { members.withLock { $0[path] = member } }

    func drop() {
        let all = members.withLock { members in
            defer { members = [:] }
            return members.values
        }
        // Not with the last reference, which a thread may have for longer: when this returns, it is gone.
        for member in all {
            switch member {
            case .bytes, .link: continue
            case .blob(let blob): blob.discard()
            case .layer(let layer): layer.discard()
            }
        }
    }

    /// Whether what is there is a layer that comes by this.
    func isLayer(at path: String, _ arrival: LayerArrival) -> Bool {
        members.withLock {
            guard case .layer(let layer) = $0[path] else { return false }
            return layer.arrival === arrival
        }
    }

    var paths: Set<String> { members.withLock { Set($0.keys) } }

    /// A layer that could not be kept for want of the disk.
    var hopeless: LayerError? {
        members.withLock { members in
            for case .layer(let layer) in members.values {
                if let error = layer.isHopeless { return error }
            }
            return nil
        }
    }

    /// All of it has come.
    func requireSpace(for images: [FoundImage], in content: ContentStore) {}

    func contains(_ path: String) -> Bool { members.withLock { $0[path] != nil } }

    func member(at path: String) throws(ImageError) -> Member? {
        var path = path
        for _ in 0...Self.maximumLinkCount {
            guard let member = members.withLock({ $0[path] }) else { return nil }
            guard case .link(let target) = member else { return member }
            path = target
        }
        throw ImageError(.invalid, "'\(path)' of the archive is a link that leads to more than \(Self.maximumLinkCount) others")
    }

    func document(at path: String) throws(ImageError) -> [UInt8]? {
        let limit = ImageStore.maximumDocumentByteCount
        switch try member(at: path) {
        case nil: return nil
        case .bytes(let bytes): return bytes
        case .link: return nil
        case .layer(let layer):
            guard let blob = layer.arrival.whole else { return nil }
            return try Self.read(blob, path, limit)
        case .blob(let blob): return try Self.read(blob, path, limit)
        }
    }

    private static func read(_ blob: PendingBlob, _ path: String, _ limit: Int) throws(ImageError) -> [UInt8] {
        guard blob.byteCount <= UInt64(limit) else {
            throw ImageError(.tooLarge, "'\(path)' has \(blob.byteCount) bytes: a document of an image has at most \(limit)")
        }
        do throws(ContentError) {
            let file = try blob.open()
            do throws(Errno) { return try file.readToEnd(limit: limit) } catch {
                throw ContentError(.storage, "cannot read '\(path)': \(error)", underlying: error)
            }
        } catch { throw ImageError(error) }
    }

    func layer(at path: String) throws(ImageError) -> UnpackedLayer? {
        switch try member(at: path) {
        case nil, .link: return nil
        case .bytes: throw ImageError(.invalid, "'\(path)' of the archive is to be a layer, and is no tar")
        case .blob(let blob): return layers.hold(blob)
        case .layer(let started):
            do throws(LayerError) { return try started.layer() } catch {
                throw ImageError(ImageError(error).code, "the layer '\(path)': \(error)", underlying: error.underlying)
            }
        }
    }

    func keep(_ blob: Descriptor, in content: ContentStore, for lease: Lease) throws(ImageError) {
        let found: Digest?
        let member = try member(at: SavedImages.path(of: blob.digest))
        do throws(ContentError) {
            switch member {
            case nil, .link: found = nil
            case .bytes(let bytes):
                found = Digest(of: bytes, blob.digest.algorithm)
                if found == blob.digest { _ = try content.add(bytes, blob.digest.algorithm, for: lease) }
            case .blob(let pending): found = try Self.commit(pending, blob)
            case .layer(let layer): found = try layer.arrival.whole.map { pending throws(ContentError) in try Self.commit(pending, blob) }
            }
        } catch { throw ImageError(error) }
        guard let found else {
            throw ImageError(.invalid, "the archive does not have the blob \(blob.digest) (\(blob.mediaType)), which it names")
        }
        guard found == blob.digest else {
            throw ImageError(.invalid, "the blob \(blob.digest) is damaged: its bytes have the digest \(found)")
        }
    }

    private static func commit(_ pending: PendingBlob, _ blob: Descriptor) throws(ContentError) -> Digest {
        if pending.digest == blob.digest { try pending.commit() }
        return pending.digest
    }

    func diffID(ofLayerAt path: String) throws(ImageError) -> Digest? {
        guard let layer = try layer(at: path) else { return nil }
        do throws(LayerError) { return try layers.diffID(of: layer) } catch { throw ImageError(error) }
    }

    /// A path of an archive as it is looked up: without `.`, empty parts and a slash in front.
    ///
    /// - Parameter directory: where it begins, for the target of a symbolic link, which may go up.
    /// - Returns: `nil` if it leads out of the archive.
    static func path(_ text: some StringProtocol, in directory: String? = nil) -> String? {
        var parts = text.hasPrefix("/") ? [] : (directory ?? "").split(separator: "/").map(String.init)
        for part in text.split(separator: "/") where part != "." {
            if part == ".." {
                guard directory != nil, parts.popLast() != nil else { return nil }
            } else {
                parts.append(String(part))
            }
        }
        return parts.joined(separator: "/")
    }
}
