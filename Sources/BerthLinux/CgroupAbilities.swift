/// What the control groups of this machine can limit: by the files that a group has, never by the kernel's version.
public struct CgroupAbilities: Hashable, Sendable {
    /// Memory has a limit.
    public var limitsMemory = true
    /// So have memory and swap together.
    public var limitsSwap = true
    /// Memory has a soft limit.
    public var reservesMemory = true
    /// How willingly memory goes to swap can be set for a group.
    public var hasSwappiness = true
    /// Want of memory can be made to kill nothing.
    public var disablesOOMKiller = true
    /// Processors have weights.
    public var weighsProcessors = true
    /// Their time has a quota in each period.
    public var limitsProcessorTime = true
    /// So has real-time scheduling.
    public var limitsRealTime = true
    /// Processors and memory nodes can be chosen.
    public var choosesProcessors = true
    /// Processes can be counted.
    public var limitsProcesses = true
    /// The file for the weight among those who use block devices; `nil`: there is none.
    public var blockWeightFile: String? = "blkio.weight"
    /// The file for weights for single devices.
    public var blockWeightDeviceFile: String? = "blkio.weight_device"
    /// What may be read and written of a device, by bytes and by operations, has limits.
    public var throttlesDevices = true

    /// All that there can be.
    public init() {}

    /// Looks at a group that holds others.
    ///
    /// - Parameter group: a group of this layout; the root lacks files that others have.
    public init(of layout: CgroupLayout, group: String) {
        func has(_ controller: String, _ file: String) -> Bool {
            (layout.version == 1 ? layout.directory(of: controller, group) : layout.unified.map { "\($0)/\(group)" })
                .map { HostFile.exists("\($0)/\(file)") } ?? false
        }
        func first(_ files: [String]) -> String? { files.first { has(layout.version == 1 ? "blkio" : "io", $0) } }
        if layout.version == 1 {
            (limitsMemory, limitsSwap) = (has("memory", "memory.limit_in_bytes"), has("memory", "memory.memsw.limit_in_bytes"))
            (reservesMemory, hasSwappiness) = (has("memory", "memory.soft_limit_in_bytes"), has("memory", "memory.swappiness"))
            disablesOOMKiller = has("memory", "memory.oom_control")
            (weighsProcessors, limitsProcessorTime) = (has("cpu", "cpu.shares"), has("cpu", "cpu.cfs_quota_us"))
            (limitsRealTime, choosesProcessors) = (has("cpu", "cpu.rt_period_us"), has("cpuset", "cpuset.cpus"))
            limitsProcesses = layout.directory(of: "pids", group) != nil
            blockWeightFile = first(["blkio.weight", "blkio.bfq.weight"])
            blockWeightDeviceFile = first(["blkio.weight_device", "blkio.bfq.weight_device"])
            throttlesDevices = has("blkio", "blkio.throttle.read_bps_device")
        } else {
            (limitsMemory, limitsSwap, reservesMemory) = (
                has("memory", "memory.max"), has("memory", "memory.swap.max"), has("memory", "memory.low")
            )
            (hasSwappiness, disablesOOMKiller, limitsRealTime) = (false, false, false)
            (weighsProcessors, limitsProcessorTime) = (has("cpu", "cpu.weight"), has("cpu", "cpu.max"))
            (choosesProcessors, limitsProcesses) = (has("cpuset", "cpuset.cpus"), has("pids", "pids.max"))
            blockWeightFile = first(["io.weight", "io.bfq.weight"])
            blockWeightDeviceFile = blockWeightFile
            throttlesDevices = has("io", "io.max")
        }
    }
}
