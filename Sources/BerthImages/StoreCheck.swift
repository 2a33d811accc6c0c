internal import BerthContent
internal import BerthLayers
internal import BerthOCI
internal import BerthReactor
internal import BerthSnapshots
internal import BerthState
internal import Synchronization

/// One check of a store: what it looks at, what it has found, and then what it repairs.
final class StoreCheck: Sendable {
    /// An image with what it is made of. Of one that is not shown, for a layer of it is missing, its document was read anew.
    struct Subject: Sendable {
        var document: ImageDocument
        /// Its layers from the lowest, each with its blob; empty where the configuration cannot be read.
        var layers: [(name: LayerName, diffID: Digest, blob: Digest)]
        var isShown: Bool
    }
    struct State {
        var report = StoreReport()
        var subjects: [Subject] = []
        /// What images and the indexes that names name have, held.
        var namedBlobs: Set<Digest> = []
        /// Digests whose bytes are others.
        var damagedBlobs: Set<Digest> = []
        var missingBlobs: Set<Digest> = []
        /// Layers that are to be unpacked anew.
        var damagedLayers: [LayerName: StoreFinding] = [:]
        /// Documents that are to be written anew, by their paths below the root.
        var damagedDocuments: Set<String> = []
        var comparedLayers: Set<LayerName> = []
        var readBlobs: Set<Digest> = []
        var readByteCount: UInt64 = 0
    }

    let store: ImageStore
    let lease: Lease
    private let further: @Sendable (Bool) async throws(ImageError) -> [StoreFinding]
    let uses: @Sendable () -> StoreUse
    private let context: JobContext
    let state = Mutex(State())
    /// Two blobs are read at a time: each is a processor's work.
    private let lane = Lane(named: "the check of the store")

    init(
        _ store: ImageStore, _ lease: Lease, _ context: JobContext,
        further: @escaping @Sendable (Bool) async throws(ImageError) -> [StoreFinding], uses: @escaping @Sendable () -> StoreUse
    ) {
        (self.store, self.lease, self.context, self.further, self.uses) = (store, lease, context, further, uses)
    }

    /// What nobody needed before this check held it.
    private let unneeded = Mutex<Set<LeasedResource>>([])
    var leftovers: Set<LeasedResource> { unneeded.withLock { $0 } }

    func run(repairing repairs: Bool) async throws(ImageError) -> StoreReport {
        let unneeded = try await lane.run { () throws(ImageError) in try self.store.unneeded() }
        self.unneeded.withLock { $0 = unneeded }
        let subjects = try await lane.run { () throws(ImageError) in try self.subjects() }
        state.withLock { $0.subjects = subjects }
        let work = try await lane.run { () throws(ImageError) in try self.work(for: subjects) }
        try await perform(work)
        try await lane.run { () throws(ImageError) in
            try self.checkImages(subjects)
            try self.checkDocuments()
            try self.checkStructure()
            try self.checkContainers()
            if repairs { try self.repair(subjects) }
        }
        for finding in try await further(repairs) { tell(finding) }
        return finished(subjects)
    }

    private func finished(_ subjects: [Subject]) -> StoreReport {
        var report = state.withLock { $0.report }
        report.imageCount = subjects.count
        report.referenceCount = store.index.withLock { $0.references.count }
        report.containerCount = uses().containers.count
        let order = Dictionary(uniqueKeysWithValues: StoreFinding.Kind.allCases.enumerated().map { ($1, $0) })
        report.findings.sort { (order[$0.kind] ?? 0, $0.subject, $0.problem) < (order[$1.kind] ?? 0, $1.subject, $1.problem) }
        return report
    }

    func tell(_ finding: StoreFinding) {
        state.withLock { state in
            if state.report.findings.count < StoreReport.maximumFindingCount {
                state.report.findings.append(finding)
            } else {
                state.report.furtherFindingCount += 1
            }
        }
    }

    func requireWanted() throws(ImageError) {
        if context.isCancelled { throw ImageError(.cancelled, "the check was cancelled") }
    }

    /// Says what it is at, between blobs.
    func report(_ status: String) { context.report(Progress(status: status)) }

    // MARK: What there is

    /// The images, held: nothing of them goes while they are checked.
    private func subjects() throws(ImageError) -> [Subject] {
        var subjects: [Subject] = []
        for image in store.index.withLock({ Array($0.images.values) }) {
            for blob in image.document.blobs { lease.hold(.blob(blob)) }
            if let layer = image.topLayer { lease.hold(layer) }
            // Removed meanwhile, it is no matter of this check.
            guard store.index.withLock({ $0.images[image.document.id] != nil }) else { continue }
            subjects.append(Subject(document: image.document, layers: Self.layers(image.configuration, image.document), isShown: true))
        }
        for blob in store.index.withLock({ $0.blobs }) { lease.hold(.blob(blob)) }
        let named = store.index.withLock { $0.blobs }
        state.withLock { $0.namedBlobs = named }
        for id in store.index.withLock({ $0.unreadable.keys.sorted() }) {
            // What is wrong with its document is told with the documents.
            guard let document = try? store.images.read(id: id) else { continue }
            for blob in document.blobs { lease.hold(.blob(blob)) }
            let configuration = try? store.configuration(of: document)  // a damaged one is told as a blob
            subjects.append(
                Subject(document: document, layers: configuration.map { Self.layers($0, document) } ?? [], isShown: false))
        }
        return subjects
    }

    private static func layers(_ configuration: ImageConfiguration, _ document: ImageDocument) -> [(
        name: LayerName, diffID: Digest, blob: Digest
    )] {
        var top: LayerName?
        return zip(configuration.diffIDs, document.layers).map { diffID, blob in
            let name = LayerName(chainID: LayerStore.chainID(of: diffID, on: top))
            top = name
            return (name, diffID, blob.digest)
        }
    }

    /// A piece of work for one thread.
    private enum Work: Sendable {
        case blob(Digest)
        case layers([(name: LayerName, blob: Digest)])
    }

    /// What is to be read, the largest first.
    private func work(for subjects: [Subject]) throws(ImageError) -> [(Work, UInt64)] {
        var named = state.withLock { $0.namedBlobs }
        for subject in subjects { named.formUnion(subject.document.blobs) }
        state.withLock { $0.namedBlobs = named }
        let there: Set<Digest>
        do throws(ContentError) { there = try store.services.content.all() } catch { throw ImageError(error) }
        for blob in named.subtracting(there).sorted(by: { $0.description < $1.description }) { tellMissing(blob) }
        state.withLock { $0.missingBlobs = named.subtracting(there) }

        let snapshots = store.services.snapshots
        let known = snapshots.layers()
        var (work, coming, ofLayers): ([(Work, UInt64)], Set<LayerName>, Set<Digest>) = ([], [], [])
        for subject in subjects {
            let isReadable: ((name: LayerName, diffID: Digest, blob: Digest)) -> Bool = { known[$0.name] != nil && there.contains($0.blob) }
            // Where layers are not kept apart, all that lie below one are needed.
            let readable = snapshots.keepsLayersApart ? subject.layers.filter(isReadable) : Array(subject.layers.prefix(while: isReadable))
            let layers = readable.map { (name: $0.name, blob: $0.blob) }
            let fresh = layers.filter { coming.insert($0.name).inserted }
            if fresh.isEmpty { continue }
            ofLayers.formUnion(fresh.map(\.blob))
            if snapshots.keepsLayersApart {
                for layer in fresh { work.append((.layers([layer]), size(of: layer.blob))) }
            } else {
                work.append((.layers(layers), layers.reduce(0) { $0 + size(of: $1.blob) }))
            }
        }
        for blob in there.union(named).subtracting(ofLayers).intersection(there) {
            lease.hold(.blob(blob))
            if leftovers.contains(.blob(blob)) { tellLeftover(blob) }
            work.append((.blob(blob), size(of: blob)))
        }
        state.withLock { state in
            state.report.byteCount = work.reduce(0) { $0 + $1.1 }
        }
        return work.sorted { $0.1 > $1.1 }
    }

    /// One that has gone has none.
    private func size(of blob: Digest) -> UInt64 { (try? store.services.content.byteCount(of: blob)) ?? 0 }

    // MARK: Reading

    private func perform(_ work: [(Work, UInt64)]) async throws(ImageError) {
        let failure = await withTaskGroup(of: ImageError?.self) { group -> ImageError? in
            var (waiting, failure): (ArraySlice<(Work, UInt64)>, ImageError?) = (work[...], nil)
            func add(_ next: Work) {
                group.addTask {
                    do throws(ImageError) {
                        try await self.lane.run { () throws(ImageError) in try self.perform(next) }
                        return nil
                    } catch { return error }
                }
            }
            for _ in 0..<Lane.threadLimit { if let next = waiting.popFirst() { add(next.0) } }
            for await result in group {
                failure = failure ?? result
                if failure == nil, let next = waiting.popFirst() { add(next.0) }
            }
            return failure
        }
        if let failure { throw failure }
    }

    private func perform(_ work: Work) throws(ImageError) {
        let layers = store.services.layers
        do throws(LayerError) {
            switch work {
            case .blob(let blob):
                guard isThere(blob) else { return }
                let fault = try layers.verify(blob, progress: { (count) throws(LayerError) in try self.advance(count) })
                noteRead(blob, fault)
            case .layers(let chain):
                try layers.verify(chain) { name in
                    self.state.withLock { $0.comparedLayers.insert(name).inserted }
                } progress: { (count) throws(LayerError) in
                    try self.advance(count)
                } done: {
                    note($0)
                }
            }
        } catch { throw ImageError(error) }
    }

    private func isThere(_ blob: Digest) -> Bool {
        // What cannot be asked is read, and then told.
        (try? store.services.content.contains(blob)) ?? true
    }

    private func advance(_ byteCount: UInt64) throws(LayerError) {
        if context.isCancelled { throw LayerError(.cancelled, "the check was cancelled") }
        guard byteCount > 0 else { return }
        let (done, total) = state.withLock { state in
            state.readByteCount += byteCount
            return (state.readByteCount, state.report.byteCount)
        }
        context.report(Progress(status: "Checking", completedByteCount: done, totalByteCount: max(done, total)))
    }

    private func noteRead(_ blob: Digest, _ fault: String?) {
        let isNew = state.withLock { state in
            if fault != nil { state.damagedBlobs.insert(blob) }
            guard state.readBlobs.insert(blob).inserted else { return false }
            state.report.blobCount += 1
            return true
        }
        if isNew, let fault { tellDamaged(blob, fault) }
    }

    private func note(_ verification: LayerVerification) {
        let isBelow = verification.blobFault == LayerVerification.unreadBelow
        if !isBelow { noteRead(verification.blob, verification.blobFault) }
        guard verification.blobFault == nil else { return tellUnverified(verification) }
        state.withLock { $0.report.layerCount += 1 }
        if verification.faultCount > 0 { tellDamaged(verification) }
    }
}
