internal import BerthLinux
internal import BerthOCI

extension Resources {
    /// What the runtime is to write into the container's control groups. Docker's checks and Docker's words.
    ///
    /// - Parameter hostProcessorCount: to check the number of processors against; `nil` when that was done at create.
    func specification(hostProcessorCount: Int?) throws(ContainerError) -> RuntimeSpec.Resources {
        var result = RuntimeSpec.Resources()
        result.memory = try memory()
        result.cpu = try processors(hostProcessorCount)
        if let pidsLimit, pidsLimit != 0 { result.pids = RuntimeSpec.PIDs(limit: pidsLimit) }
        return result
    }

    private func memory() throws(ContainerError) -> RuntimeSpec.Memory? {
        let limit = memoryByteCount ?? 0
        let swap = memorySwapByteCount ?? 0
        let reservation = memoryReservationByteCount ?? 0
        guard limit >= 0, reservation >= 0, swap >= -1 else { throw ContainerError(.invalid, "memory limits cannot be negative") }
        guard limit == 0 || limit >= 6 << 20 else { throw ContainerError(.invalid, "Minimum memory limit allowed is 6MB") }
        guard reservation == 0 || reservation >= 6 << 20 else {
            throw ContainerError(.invalid, "Minimum memory reservation allowed is 6MB")
        }
        guard limit == 0 || swap <= 0 || swap >= limit else {
            throw ContainerError(.invalid, "Minimum memoryswap limit should be larger than memory limit, see usage")
        }
        guard limit > 0 || swap <= 0 else {
            throw ContainerError(.invalid, "You should always set the Memory limit when using Memoryswap limit, see usage")
        }
        guard limit == 0 || reservation <= limit else {
            throw ContainerError(.invalid, "Minimum memory limit can not be less than memory reservation limit, see usage")
        }
        if let swappiness {
            guard (0...100).contains(swappiness) else {
                throw ContainerError(.invalid, "Invalid value: \(swappiness), valid memory swappiness range is 0-100")
            }
        }
        guard limit > 0 || reservation > 0 || swap < 0 || oomKillDisabled || swappiness != nil else { return nil }
        var memory = RuntimeSpec.Memory()
        if limit > 0 {
            memory.limit = limit
            memory.swap = swap != 0 ? swap : limit.multipliedReportingOverflow(by: 2).overflow ? -1 : limit * 2
        } else if swap < 0 {
            memory.swap = -1
        }
        if reservation > 0 { memory.reservation = reservation }
        memory.swappiness = swappiness.map { UInt64($0) }
        if oomKillDisabled { memory.disableOOMKiller = true }
        return memory
    }

    private func processors(_ hostCount: Int?) throws(ContainerError) -> RuntimeSpec.CPU? {
        var cpu = RuntimeSpec.CPU()
        if let cpuShares, cpuShares > 0 { cpu.shares = cpuShares }
        let (quota, period, nano) = (cpuQuota ?? 0, cpuPeriod ?? 0, nanoCPUs ?? 0)
        if nano != 0 {
            guard period == 0 else {
                throw ContainerError(.invalid, "Conflicting options: Nano CPUs and CPU Period cannot both be set.")
            }
            guard quota == 0 else { throw ContainerError(.invalid, "Conflicting options: Nano CPUs and CPU Quota cannot both be set.") }
            if let hostCount {
                guard nano >= 10_000_000, nano <= Int64(hostCount) * 1_000_000_000 else {
                    throw ContainerError(
                        .invalid, "range of CPUs is from 0.01 to \(hostCount).00, as there are only \(hostCount) CPUs available")
                }
            }
            (cpu.period, cpu.quota) = (100_000, nano / 10_000)
        } else {
            guard period == 0 || (1_000...1_000_000).contains(period) else {
                throw ContainerError(.invalid, "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)")
            }
            guard quota <= 0 || quota >= 1_000 else { throw ContainerError(.invalid, "CPU cfs quota can not be less than 1ms (i.e. 1000)") }
            if period != 0 { cpu.period = period }
            if quota != 0 { cpu.quota = quota }
        }
        if let realTimePeriod, realTimePeriod != 0 { cpu.realtimePeriod = UInt64(clamping: realTimePeriod) }
        if let realTimeRuntime, realTimeRuntime != 0 { cpu.realtimeRuntime = realTimeRuntime }
        cpu.cpus = try Self.checkedSet(cpusetCPUs, "cpuset.cpus")
        cpu.mems = try Self.checkedSet(cpusetMems, "cpuset.mems")
        return cpu == RuntimeSpec.CPU() ? nil : cpu
    }

    private static func checkedSet(_ text: String?, _ name: String) throws(ContainerError) -> String? {
        guard let text, !text.isEmpty else { return nil }
        let isValid = text.split(separator: ",", omittingEmptySubsequences: false).allSatisfy { part in
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { UInt16($0) }
            return (1...2).contains(ends.count) && ends.allSatisfy { $0 != nil } && (ends.count == 1 || ends[0]! <= ends[1]!)
        }
        guard isValid else { throw ContainerError(.invalid, "Invalid value \(text) for \(name)") }
        return text
    }
}
