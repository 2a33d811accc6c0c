internal import BerthLinux

/// The processors and memory nodes that this machine has, as `0-3`.
struct MachineSets: Sendable {
    var processors: String
    var memoryNodes: String

    /// What the kernel says; empty where it does not.
    static var current: MachineSets {
        func read(_ path: String) -> String {
            let text = (try? HostFile.read(path, limit: 4096)).map { String(decoding: $0, as: UTF8.self) } ?? ""  // unknown: not checked
            return String(text.split(separator: "\n").first ?? "")
        }
        return MachineSets(
            processors: read("/sys/devices/system/cpu/online"), memoryNodes: read("/sys/devices/system/node/online"))
    }
}

extension Resources {
    /// These limits without what a machine does not have, in Docker's order and words.
    ///
    /// - Throws: `invalid` for what no machine could honour, and for what Docker refuses where a machine cannot.
    func adapted(
        to abilities: CgroupAbilities, _ machine: @autoclosure () -> MachineSets
    ) throws(ContainerError) -> (resources: Resources, warnings: [String]) {
        var (result, warnings) = (self, [String]())
        func discard(_ isAsked: Bool, _ isThere: Bool, _ warning: String, _ change: () -> Void) {
            guard isAsked, !isThere else { return }
            warnings.append(warning)
            change()
        }
        let kernel = "Your kernel does not support"
        let mounted = "or the cgroup is not mounted."
        if let memory = memoryByteCount, memory != 0, memory < 6 << 20 {
            throw ContainerError(.invalid, "Minimum memory limit allowed is 6MB")
        }
        discard((memoryByteCount ?? 0) > 0, abilities.limitsMemory, "\(kernel) memory limit capabilities \(mounted) Limitation discarded.")
        {
            (result.memoryByteCount, result.memorySwapByteCount) = (nil, -1)
        }
        discard(
            (result.memoryByteCount ?? 0) > 0 && result.memorySwapByteCount != -1, abilities.limitsSwap,
            "\(kernel) swap limit capabilities \(mounted) Memory limited without swap."
        ) { result.memorySwapByteCount = -1 }
        discard(
            swappiness != nil, abilities.hasSwappiness, "\(kernel) memory swappiness capabilities \(mounted) Memory swappiness discarded."
        ) { result.swappiness = nil }
        discard(
            (memoryReservationByteCount ?? 0) > 0, abilities.reservesMemory,
            "\(kernel) memory soft limit capabilities \(mounted) Limitation discarded."
        ) { result.memoryReservationByteCount = nil }
        discard(oomKillDisabled, abilities.disablesOOMKiller, "\(kernel) OomKillDisable. OomKillDisable discarded.") {
            result.oomKillDisabled = false
        }
        if result.oomKillDisabled, (result.memoryByteCount ?? 0) == 0 {
            warnings.append(
                "OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources."
            )
        }
        discard((pidsLimit ?? 0) > 0, abilities.limitsProcesses, "\(kernel) PIDs limit capabilities \(mounted) PIDs limit discarded.") {
            result.pidsLimit = nil
        }
        if (nanoCPUs ?? 0) > 0, !abilities.limitsProcessorTime {
            throw ContainerError(
                .invalid, "NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the cgroup is not mounted")
        }
        discard((cpuShares ?? 0) > 0, abilities.weighsProcessors, "\(kernel) CPU shares \(mounted) Shares discarded.") {
            result.cpuShares = nil
        }
        discard(
            (cpuPeriod ?? 0) != 0 || (cpuQuota ?? 0) != 0, abilities.limitsProcessorTime,
            "\(kernel) CPU CFS scheduler. CPU period/quota discarded."
        ) { (result.cpuPeriod, result.cpuQuota) = (nil, nil) }
        discard(
            !(cpusetCPUs ?? "").isEmpty || !(cpusetMems ?? "").isEmpty, abilities.choosesProcessors,
            "\(kernel) cpuset \(mounted) Cpuset discarded."
        ) { (result.cpusetCPUs, result.cpusetMems) = (nil, nil) }
        // Only then is it worth to be asked for.
        if result.cpusetCPUs != nil || result.cpusetMems != nil {
            let machine = machine()
            try Self.require(result.cpusetCPUs, within: machine.processors, "CPUs", "cpuset cpus")
            try Self.require(result.cpusetMems, within: machine.memoryNodes, "memory nodes", "cpuset mems")
        }
        try adaptRealTime(abilities)
        adaptBlock(abilities, &result, discard)
        if let weight = result.block.weight, !(10...1000).contains(weight) {
            throw ContainerError(.invalid, "Range of blkio weight is from 10 to 1000")
        }
        return (result, warnings)
    }

    private func adaptRealTime(_ abilities: CgroupAbilities) throws(ContainerError) {
        let (period, runtime) = (realTimePeriod ?? 0, realTimeRuntime ?? 0)
        guard period <= 0 || abilities.limitsRealTime else {
            throw ContainerError(.invalid, "Your kernel does not support cgroup cpu real-time period")
        }
        guard runtime <= 0 || abilities.limitsRealTime else {
            throw ContainerError(.invalid, "Your kernel does not support cgroup cpu real-time runtime")
        }
        guard period == 0 || runtime == 0 || runtime <= period else {
            throw ContainerError(.invalid, "cpu real-time runtime cannot be higher than cpu real-time period")
        }
    }

    private func adaptBlock(
        _ abilities: CgroupAbilities, _ result: inout Resources, _ discard: (Bool, Bool, String, () -> Void) -> Void
    ) {
        var limits = block
        let kernel = "Your kernel does not support"
        let mounted = "or the cgroup is not mounted."
        discard(block.weight != nil, abilities.blockWeightFile != nil, "\(kernel) Block I/O weight \(mounted) Weight discarded.") {
            limits.weight = nil
        }
        discard(
            !block.weightDevices.isEmpty, abilities.blockWeightDeviceFile != nil,
            "\(kernel) Block I/O weight_device \(mounted) Weight-device discarded."
        ) { limits.weightDevices = [] }
        let throttles: [(way: String, unit: String, path: WritableKeyPath<BlockLimits, [BlockLimits.Device]>)] = [
            ("BPS Block I/O read", "BPS read", \.readBytes), ("BPS Block I/O write", "BPS write", \.writeBytes),
            ("IOPS Block read", "IOPS read", \.readOperations), ("IOPS Block write", "IOPS write", \.writeOperations),
        ]
        for (way, unit, path) in throttles {
            discard(
                !block[keyPath: path].isEmpty, abilities.throttlesDevices,
                "\(kernel) \(way) limit \(mounted) Block I/O \(unit) limit discarded."
            ) { limits[keyPath: path] = [] }
        }
        result.block = limits
    }

    /// Whether everything that a list like `0-3,7` names is in another one.
    private static func require(_ text: String?, within available: String, _ what: String, _ field: String) throws(ContainerError) {
        guard let text, !text.isEmpty else { return }
        guard let asked = numbers(text) else { throw ContainerError(.invalid, "Invalid value \(text) for \(field)") }
        guard let present = numbers(available), !present.isEmpty else { return }
        guard asked.isSubset(of: present) else {
            throw ContainerError(.invalid, "Requested \(what) are not available - requested \(text), available: \(available)")
        }
    }

    private static func numbers(_ text: String) -> Set<Int>? {
        var found: Set<Int> = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { UInt16($0) }
            guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1], first <= last else { return nil }
            found.formUnion(Int(first)...Int(last))
        }
        return found
    }
}
