internal import BerthOCI
internal import BerthReactor
internal import BerthRuntime
internal import Synchronization

/// What of a container is to be otherwise. What is `nil` stays as it is.
public struct ContainerUpdate: Sendable, Hashable {
    /// Its limits; a limit that is not named stays.
    public var resources = Resources()
    /// Whether it is started again.
    public var restart: RestartPolicy?

    /// Nothing.
    public init() {}
}

extension Container {
    /// Gives it other limits, at once if it runs, and another policy. What it is told is kept, for its next start and the next engine.
    ///
    /// - Returns: what of it this machine cannot honour, and is left out: Docker's words.
    /// - Throws: `invalid` for what makes no sense, and for memory below what is in use; `conflict` for what does not go with what it has; `unsupported` for limits
    ///   of single block devices. It is then as it was.
    @discardableResult
    public func update(_ update: ContainerUpdate) async throws(ContainerError) -> [String] {
        try await store.update(store.object(id), update)
    }
}

extension Resources {
    /// These, with what another names in their place: Docker's rules, in its words.
    func updated(by update: Resources) throws(ContainerError) -> Resources {
        func conflict(_ what: String) -> ContainerError { ContainerError(.conflict, what) }
        func isSet(_ value: (some BinaryInteger)?) -> Bool { value.map { $0 > 0 } ?? false }
        if isSet(update.nanoCPUs), isSet(cpuPeriod) {
            throw conflict("Conflicting options: Nano CPUs cannot be updated as CPU Period has already been set")
        }
        if isSet(update.nanoCPUs), isSet(cpuQuota) {
            throw conflict("Conflicting options: Nano CPUs cannot be updated as CPU Quota has already been set")
        }
        if isSet(update.cpuPeriod), isSet(nanoCPUs) {
            throw conflict("Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set")
        }
        if isSet(update.cpuQuota), isSet(nanoCPUs) {
            throw conflict("Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set")
        }
        var result = self
        // What was twice the memory stays what it was.
        if let memoryByteCount, memoryByteCount > 0, memorySwapByteCount ?? 0 == 0 {
            result.memorySwapByteCount = memoryByteCount.multipliedReportingOverflow(by: 2).overflow ? -1 : memoryByteCount * 2
        }
        if let memory = update.memoryByteCount {
            let swap = result.memorySwapByteCount ?? 0
            guard update.memorySwapByteCount != nil || swap < 0 || memory <= swap else {
                throw conflict(
                    "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time")
            }
            result.memoryByteCount = memory
        }
        result.memorySwapByteCount = update.memorySwapByteCount ?? result.memorySwapByteCount
        result.memoryReservationByteCount = update.memoryReservationByteCount ?? memoryReservationByteCount
        result.cpuShares = update.cpuShares ?? cpuShares
        result.cpuQuota = update.cpuQuota ?? cpuQuota
        result.cpuPeriod = update.cpuPeriod ?? cpuPeriod
        result.nanoCPUs = update.nanoCPUs ?? nanoCPUs
        result.cpusetCPUs = update.cpusetCPUs ?? cpusetCPUs
        result.cpusetMems = update.cpusetMems ?? cpusetMems
        result.pidsLimit = update.pidsLimit ?? pidsLimit
        result.realTimePeriod = update.realTimePeriod ?? realTimePeriod
        result.realTimeRuntime = update.realTimeRuntime ?? realTimeRuntime
        result.block.weight = update.block.weight ?? block.weight
        return result
    }
}

extension ContainerStore {
    func update(_ object: ContainerObject, _ asked: ContainerUpdate) async throws(ContainerError) -> [String] {
        var update = asked
        let warnings: [String]
        (update.resources, warnings) = try asked.resources.adapted(to: services.runtime.abilities, .current)
        guard asked.resources.block.isWithoutDevices else {
            throw ContainerError(
                .unsupported,
                "not supported here: limits of single block devices of a container that is there: 'berth edit' gives it others")
        }
        var said = update.resources
        // Alone it is of the memory that it has already.
        if said.memoryByteCount == nil { said.memorySwapByteCount = nil }
        _ = try said.specification(hostProcessorCount: Self.processorCount)
        try update.restart?.check()
        let wanted = update
        let outcome = await Task.detached { () async -> Result<Void, ContainerError> in
            do throws(ContainerError) {
                try await self.change(object, wanted)
                return .success(())
            } catch {
                return .failure(
                    ContainerError(
                        error.code, "Cannot update container \(object.id): \(error.description)", underlying: error.underlying))
            }
        }.value
        try outcome.get()
        publish("update", object)
        return warnings
    }

    /// What can be changed while it runs: of block devices, only their weight.
    private static func changeable(
        _ resources: Resources, hostProcessorCount: Int?
    ) throws(ContainerError) -> RuntimeSpec.Resources {
        var result = try resources.specification(hostProcessorCount: hostProcessorCount)
        if let weight = resources.block.weight {
            var block = RuntimeSpec.BlockIO()
            block.weight = weight
            result.blockIO = block
        }
        return result
    }

    private func change(_ object: ContainerObject, _ update: ContainerUpdate) async throws(ContainerError) {
        try object.requireKnown()
        let document = object.document
        let former = document.configuration.resources
        let resources = try former.updated(by: update.resources)
        let wanted = try Self.changeable(resources, hostProcessorCount: Self.processorCount)
        if let policy = update.restart {
            guard policy.kind == .no || !document.configuration.removesItself else {
                throw ContainerError(
                    .conflict, "Restart policy cannot be updated because AutoRemove is enabled for the container")
            }
        }
        switch object.state.withLock({ $0.lifecycle.phase }) {
        case .removing, .removed:
            throw ContainerError(.conflict, "container is marked for removal and cannot be \"update\"")
        case .starting: throw ContainerError(.conflict, "the container is being started: try again when it runs")
        default: break
        }
        let before = try Self.changeable(former, hostProcessorCount: nil)
        let isActive = object.state.withLock { $0.lifecycle.isActive }
        let runtime = services.runtime
        let runs = object.state.withLock { $0.process != nil }
        if runs {
            try await object.lane.run { () throws(ContainerError) in
                do throws(RuntimeError) { try runtime.update(id: object.id, from: before, to: wanted) } catch {
                    // It has just ended: there is nothing to change but what is kept.
                    guard error.code == .notRunning else { throw ContainerError(error) }
                }
            }
        }
        do throws(ContainerError) {
            try await save(object) { document in
                document.configuration.resources = resources
                guard let policy = update.restart else { return }
                document.configuration.restart = policy
                if policy.kind == .no {
                    document.restartMemory = nil
                } else if document.restartMemory == nil {
                    document.restartMemory = RestartMemory(isWanted: isActive, hasBeenStarted: isActive, count: 0)
                }
            }
        } catch let failure {
            // As it was: otherwise what is in force and what is known would differ.
            if runs {
                do throws(RuntimeError) {
                    try await object.lane.run { () throws(RuntimeError) in try runtime.update(id: object.id, from: wanted, to: before) }
                } catch {
                    throw ContainerError(
                        failure.code, "\(failure.description); and its limits could not be set back: \(error.description)",
                        underlying: error.underlying)
                }
            }
            throw failure
        }
    }
}

extension BlockLimits {
    fileprivate var isWithoutDevices: Bool {
        [weightDevices, readBytes, writeBytes, readOperations, writeOperations].allSatisfy(\.isEmpty)
    }
}
