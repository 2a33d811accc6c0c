internal import ArgumentParser
internal import BerthCommandLine

/// What `run` and `create` say of namespaces, devices, groups and the kernel's parameters.
struct HostFlags: ParsableArguments {
    @Option(help: help("Add an annotation to the container (passed through to the OCI runtime)", "map")) var annotation: [String] = []
    @Option(help: help("Block IO (relative weight), between 10 and 1000, or 0 to disable", "uint")) var blkioWeight: String?
    @Option(help: help("Block IO weight (relative device weight)", "list")) var blkioWeightDevice: [String] = []
    @Option(help: help("Optional parent cgroup for the container")) var cgroupParent: String?
    @Option(help: help("Cgroup namespace to use (host|private)")) var cgroupns: String?
    @Option(help: help("Limit CPU real-time period in microseconds", "int")) var cpuRtPeriod: Int64?
    @Option(help: help("Limit CPU real-time runtime in microseconds", "int")) var cpuRtRuntime: Int64?
    @Option(help: help("Add a host device to the container: PATH[:PATH[:rwm]], or vendor.com/class=name", "list")) var device: [String] = []
    @Option(help: help("Add a rule to the cgroup allowed devices list", "list")) var deviceCgroupRule: [String] = []
    @Option(help: help("Limit read rate (bytes per second) from a device", "list")) var deviceReadBps: [String] = []
    @Option(help: help("Limit read rate (IO per second) from a device", "list")) var deviceReadIops: [String] = []
    @Option(help: help("Limit write rate (bytes per second) to a device", "list")) var deviceWriteBps: [String] = []
    @Option(help: help("Limit write rate (IO per second) to a device", "list")) var deviceWriteIops: [String] = []
    @Option(help: help("GPU devices to add to the container ('all' to pass all GPUs)", "gpu-request")) var gpus: [String] = []
    @Option(help: help("Add additional groups to join", "list")) var groupAdd: [String] = []
    @Flag(
        name: .customLong("init"), inversion: .prefixedNo,
        help: "Run an init inside the container that forwards signals and reaps processes")
    var runsInit: Bool?
    @Option(help: help("IPC mode to use: none, private, shareable, host, container:NAME")) var ipc: String?
    @Option(help: help("Container isolation technology")) var isolation: String?
    @Option(help: help("Kernel memory limit, which kernels since 5.16 do not have", "bytes")) var kernelMemory: String?
    @Option(help: help("Tune container memory swappiness (0 to 100)", "int")) var memorySwappiness: Int64 = -1
    @Option(help: help("Tune host's OOM preferences (-1000 to 1000)", "int")) var oomScoreAdj: Int64 = 0
    @Option(help: help("PID namespace to use: host, container:NAME")) var pid: String?
    @Option(help: help("Runtime to use for this container")) var runtime: String?
    @Option(help: help("Storage driver options for the container", "list")) var storageOpt: [String] = []
    @Option(help: help("Sysctl options", "map")) var sysctl: [String] = []
    @Option(help: help("User namespace to use: host")) var userns: String?
    @Option(help: help("UTS namespace to use: host, container:NAME")) var uts: String?
}

extension HostFlags {
    /// What `berth __flags` says that they declare.
    static var written: String {
        """
        annotation=map blkio-weight=uint blkio-weight-device=list cgroup-parent=string cgroupns=string cpu-rt-period=int \
        cpu-rt-runtime=int device=list device-cgroup-rule=list device-read-bps=list device-read-iops=list device-write-bps=list \
        device-write-iops=list gpus=gpu-request group-add=list init!no-init ipc=string isolation=string kernel-memory=bytes memory-swappiness=int:-1 \
        oom-score-adj=int:0 pid=string runtime=string storage-opt=list sysctl=map userns=string uts=string
        """
    }
}
