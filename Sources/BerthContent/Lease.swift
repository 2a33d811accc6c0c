public import BerthOCI
internal import Synchronization

/// What a lease can hold.
public enum LeasedResource: Hashable, Sendable {
    /// A blob.
    case blob(Digest)
    /// An unpacked layer, by its chain's id. What it lies on stays with it.
    case layer(chainID: Digest)
    /// All blobs, those too that are yet to come: what is wanted is not known.
    case everyBlob
    /// All layers, likewise.
    case everyLayer

    /// The lease of all of its kind.
    fileprivate var every: LeasedResource {
        switch self {
        case .blob, .everyBlob: .everyBlob
        case .layer, .everyLayer: .everyLayer
        }
    }
}

/// Which leases there are, in memory: whoever is killed holds nothing any more.
///
/// Collection runs while everything else does. It removes what no document names and no lease holds, and looks for both in the same moment in
/// which the thing ceases to exist. So whoever holds a thing first, and asks whether it is there only then, can rely on the answer until the
/// lease ends; and whoever makes a thing holds it before it has its name.
public final class Leases: Sendable {
    private let counts = Mutex<[LeasedResource: Int]>([:])

    /// None.
    public init() {}

    /// A lease that holds nothing yet.
    public func begin() -> Lease { Lease(in: self) }

    /// Whether a lease holds it. Waits for nothing.
    public func areHolding(_ resource: LeasedResource) -> Bool {
        counts.withLock { $0[resource] != nil || $0[resource.every] != nil }
    }

    fileprivate func add(_ resource: LeasedResource) { counts.withLock { $0[resource, default: 0] += 1 } }

    /// - Returns: which of them nobody holds any more.
    fileprivate func remove(_ resources: Set<LeasedResource>) -> Set<LeasedResource> {
        counts.withLock { counts in
            resources.filter { resource in
                guard let count = counts[resource], count > 1 else {
                    counts[resource] = nil
                    return true
                }
                counts[resource] = count - 1
                return false
            }
        }
    }
}

/// Keeps blobs and layers from being collected, for as long as it lasts: those that a job has brought, and those that it relies on.
///
/// It ends when it is ended or nobody has it any more. Many may hold the same thing. All calls wait for nothing.
public final class Lease: Sendable {
    private let leases: Leases
    /// `nil` once it has ended.
    private let held = Mutex<Set<LeasedResource>?>([])

    fileprivate init(in leases: Leases) { self.leases = leases }
    deinit { _ = end() }

    /// Holds something, whether it is there already or is yet to be made. Holding it again does nothing, and so does a lease that has ended.
    public func hold(_ resource: LeasedResource) {
        held.withLock { held in
            if held?.insert(resource).inserted == true { leases.add(resource) }
        }
    }

    /// Lets go of everything. Ending it again does nothing.
    ///
    /// - Returns: what nobody holds now: if no document names it either, it is to be collected.
    public func end() -> Set<LeasedResource> {
        held.withLock { held in
            guard let resources = held.take() else { return [] }
            return leases.remove(resources)
        }
    }
}
