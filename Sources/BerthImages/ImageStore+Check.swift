internal import BerthContent
internal import BerthLayers
internal import BerthOCI
internal import BerthReactor
public import BerthSnapshots
public import BerthState
internal import Synchronization

extension ImageStore {
    /// Checks everything that the store keeps, and repairs what can be repaired from the blobs.
    ///
    /// Every blob is compared with its digest; every layer, file by file, with its blob; every document with what is known; `index.json` with what it is derived from;
    /// and what nobody needs is found. All else goes on meanwhile: what is checked is held by a lease, and one check is made at a time, the next waits for it.
    ///
    /// Repairing, a layer that is damaged or missing is unpacked anew, beside, and put in its place in one step, unless a container that lies on it runs; what is
    /// derived is written anew; leftovers are removed; a damaged blob is set aside, never deleted. Killed at any moment, it leaves nothing worse than it was, and
    /// the same can be done again.
    ///
    /// The job's progress counts the bytes of blobs that have been read.
    /// - Parameters:
    ///   - repairs: whether anything is changed. Default: nothing is.
    ///   - further: what else is kept beside the store, looked at and repaired in the same way. Default: nothing.
    ///   - uses: what containers have of the store; asked several times.
    public func check(
        repairing repairs: Bool = false,
        further: @escaping @Sendable (_ repairs: Bool) async throws(ImageError) -> [StoreFinding] = { _ throws(ImageError) in [] },
        uses: @escaping @Sendable () -> StoreUse
    ) -> Job<StoreReport> {
        services.jobs.start(kind: "check", title: repairs ? "the store, to repair it" : "the store") { [self] context in
            // Nobody else is at all layers.
            let turn: Turn
            do throws(ContentError) { turn = try await services.content.turns.take(for: .everyLayer) } catch {
                throw ImageError(.cancelled, error.description)
            }
            defer { turn.end() }
            let check = StoreCheck(self, leases.begin(), context, further: further, uses: uses)
            do throws(ImageError) {
                let report = try await check.run(repairing: repairs)
                await end(check.lease, leaving: repairs ? [] : check.leftovers)
                return report
            } catch {
                await end(check.lease, leaving: check.leftovers)
                throw error
            }
        }
    }

    /// Throws `busy` while the files of a layer that a chain has are being replaced: nothing may be mounted on them then.
    public func requireStill(_ top: LayerName?) throws(ImageError) {
        let replaced = replacing.withLock { $0 }
        guard !replaced.isEmpty else { return }
        for name in chain(from: top) where replaced.contains(name) {
            throw ImageError(.busy, "layer \(name.chainID) is being repaired: try again when that is done")
        }
    }

    /// The layers of a chain, the uppermost first.
    func chain(from top: LayerName?) -> [LayerName] {
        let known = services.snapshots.layers()
        var chain: [LayerName] = []
        var next = top
        while let name = next, chain.count < FoundImage.maximumLayerCount {
            chain.append(name)
            next = known[name]?.parent
        }
        return chain
    }
}
