public import BerthOCI
internal import BerthState
internal import Synchronization

/// Which containers that do not run are to go.
public struct ContainerPruning: Sendable, Hashable {
    /// Only those that were made before then. Default `nil`: all.
    public var until: Timestamp?
    /// Only those that have all of these labels: `name`, or `name=value`. Default: none.
    public var labels: [String] = []
    /// Not those that have all of these. Default: none.
    public var excludedLabels: [String] = []

    /// All.
    public init() {}

    func matches(_ container: ContainerDetails) -> Bool {
        if let until, container.createdAt >= until { return false }
        return Self.match(container.labels, labels) && (excludedLabels.isEmpty || !Self.match(container.labels, excludedLabels))
    }

    private static func match(_ labels: [String: String], _ wanted: [String]) -> Bool {
        wanted.allSatisfy { text in
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let value = labels[String(parts[0])] else { return false }
            return parts.count == 1 || value == parts[1]
        }
    }
}

/// What a pruning has removed.
public struct ContainersPruned: Sendable, Hashable {
    /// The containers' ids.
    public var ids: [String] = []
    /// What their own files had.
    public var reclaimedByteCount: UInt64 = 0
}

extension ContainerStore {
    /// Removes containers that do not run, and are not about to. What cannot be removed stays, and is told as a warning event; one that somebody else starts or
    /// removes meanwhile is theirs. Repeating is fine.
    ///
    /// - Throws: `conflict` while another pruning is under way, `cancelled`: what is gone then is gone.
    public func prune(_ pruning: ContainerPruning = ContainerPruning()) async throws(ContainerError) -> ContainersPruned {
        let isFirst = isPruning.compareExchange(expected: false, desired: true, ordering: .acquiringAndReleasing).exchanged
        guard isFirst else { throw ContainerError(.conflict, "a prune operation is already running") }
        defer { isPruning.store(false, ordering: .releasing) }
        var pruned = ContainersPruned()
        for object in objects() {
            let details = details(of: object)
            guard details.status == .created || details.status == .exited, pruning.matches(details) else { continue }
            if Task.isCancelled { throw .cancelled }
            do throws(ContainerError) {
                let byteCount = try await usage(of: object).changedByteCount
                try await remove(object, force: false)
                pruned.reclaimedByteCount += byteCount
                pruned.ids.append(object.id)
            } catch {
                guard error.code != .conflict, error.code != .notFound else { continue }
                warn(object, "container \(object.shortID) could not be pruned: \(error.description)")
            }
        }
        services.events.publish(
            Event(type: "container", action: "prune", actorID: "", attributes: ["reclaimed": String(pruned.reclaimedByteCount)]))
        return pruned
    }
}
