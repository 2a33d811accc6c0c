import BerthContent
import BerthOCI
import Foundation
import Synchronization

/// A source in memory, which does what it is told to do wrong, and knows what it was asked.
final class FakeSource: ContentSource {
    /// What goes wrong with a blob.
    enum Fault: Sendable {
        /// It ends after so many bytes, so many times.
        case cut(at: Int, times: Int)
        /// Its bytes are others, so many times.
        case wrong(times: Int)
        /// It never comes: the task waits until it is cancelled.
        case stuck(at: Int)
    }
    struct State {
        var tags: [String: Digest] = [:]
        var blobs: [Digest: [UInt8]] = [:]
        var types: [Digest: String] = [:]
        var faults: [Digest: Fault] = [:]
        var isDenied = false
        /// What was fetched: the blob, and from where.
        var fetched: [(Digest, UInt64)] = []
        var running = 0
        var mostRunning = 0
    }
    let state: Mutex<State>
    let repository: RepositoryName?
    /// Told of each blob as it begins to come.
    let (begun, beginning) = AsyncStream<Digest>.makeStream()

    init(_ blobs: [[UInt8]], _ documents: [(bytes: [UInt8], type: String)], tags: [String: Digest], name: String = "registry.test/sample") {
        var state = State(tags: tags)
        for bytes in blobs + documents.map(\.bytes) { state.blobs[Digest(of: bytes)] = bytes }
        for document in documents { state.types[Digest(of: document.bytes)] = document.type }
        self.state = Mutex(state)
        repository = (try? ImageReference(parsing: name)).map { RepositoryName(of: $0) }
    }

    /// One of a single image.
    convenience init(_ sample: Sample, tag: String = "1") {
        self.init(
            sample.layers + [sample.configuration], [(sample.manifest, Sample.manifestType)], tags: [tag: Digest(of: sample.manifest)])
    }

    convenience init(_ index: SampleIndex, tag: String = "1") {
        self.init(
            index.blobs, index.documents.map { ($0, Sample.indexType) } + index.samples.map { ($0.manifest, Sample.manifestType) },
            tags: [tag: index.digest])
    }

    func fail(_ bytes: [UInt8], _ fault: Fault?) { state.withLock { $0.faults[Digest(of: bytes)] = fault } }
    /// Gives other bytes wherever these are asked for.
    func replace(_ bytes: [UInt8], by other: [UInt8]) { state.withLock { $0.blobs[Digest(of: bytes)] = other } }
    func deny(_ isDenied: Bool = true) { state.withLock { $0.isDenied = isDenied } }
    var fetched: [(digest: Digest, offset: UInt64)] { state.withLock { $0.fetched } }
    func forgetFetched() { state.withLock { $0.fetched = [] } }

    func descriptor(of reference: ManifestReference) async throws(TransferError) -> Descriptor {
        try await manifest(reference).descriptor
    }

    func manifest(_ reference: ManifestReference) async throws(TransferError) -> FetchedManifest {
        let found: (Digest, [UInt8], String)? = try state.withLock { (state) throws(TransferError) in
            if state.isDenied { throw TransferError(.denied, "denied") }
            let digest: Digest? =
                switch reference {
                case .tag(let tag): state.tags[tag]
                case .digest(let digest): digest
                }
            return digest.flatMap { digest in state.blobs[digest].map { (digest, $0, state.types[digest] ?? Sample.manifestType) } }
        }
        guard let (digest, bytes, type) = found else { throw TransferError(.notFound, "manifest unknown") }
        return FetchedManifest(
            descriptor: Descriptor(mediaType: MediaType(rawValue: type), digest: digest, byteCount: UInt64(bytes.count)), bytes: bytes)
    }

    func fetch(
        _ blob: Descriptor, from offset: UInt64, into sink: @escaping @Sendable (_ bytes: borrowing RawSpan) throws(TransferError) -> Void
    ) async throws(TransferError) {
        let (bytes, fault) = try state.withLock { (state) throws(TransferError) in
            guard let bytes = state.blobs[blob.digest] else { throw TransferError(.notFound, "blob unknown") }
            state.fetched.append((blob.digest, offset))
            state.running += 1
            state.mostRunning = max(state.mostRunning, state.running)
            let fault = state.faults[blob.digest]
            switch fault {
            case .cut(let at, let times) where times > 0: state.faults[blob.digest] = .cut(at: at, times: times - 1)
            case .wrong(let times) where times > 0: state.faults[blob.digest] = .wrong(times: times - 1)
            default: break
            }
            return (bytes, fault)
        }
        defer { state.withLock { $0.running -= 1 } }
        beginning.yield(blob.digest)
        var rest = bytes[Int(offset)...]
        switch fault {
        case .cut(let at, let times) where times > 0:
            rest = rest.prefix(max(0, at - Int(offset)))
            try Self.give(Array(rest), to: sink)
            throw TransferError(.unreachable, "the connection broke")
        case .wrong(let times) where times > 0: rest = rest.map { $0 ^ 1 }[...]
        case .stuck(let at):
            try Self.give(Array(rest.prefix(at)), to: sink)
            while !Task.isCancelled { await Task.yield() }
            throw TransferError(.cancelled, "cancelled")
        default: break
        }
        while !rest.isEmpty {
            if Task.isCancelled { throw TransferError(.cancelled, "cancelled") }
            let piece = Array(rest.prefix(1000))
            rest = rest.dropFirst(1000)
            try Self.give(piece, to: sink)
        }
    }

    private static func give(
        _ bytes: [UInt8], to sink: (_ bytes: borrowing RawSpan) throws(TransferError) -> Void
    ) throws(TransferError) { try unsafe sink(bytes.span.bytes) }
}
