internal import BerthLinux
internal import BerthNetworking
internal import BerthOCI

/// Everything that a container's specification depends on.
struct SpecificationInput: Sendable {
    var id: String
    var configuration: ContainerConfiguration
    var image: ImageConfiguration.Execution
    /// The name in its UTS namespace.
    var hostname: String
    var network: NetworkNamespace
    /// Files of the host's that appear in the container: `/etc/hosts`, and the path here.
    var files: [(target: String, source: String)]
    /// The host's device files, for a privileged container.
    var hostDevices: [RuntimeSpec.Device]
    /// The filter of system calls; `nil` for none.
    var seccomp: RuntimeSpec.Seccomp?
    /// The profile of AppArmor's; `nil` where this kernel has none.
    var appArmorProfile: String?
    /// The contexts of SELinux's.
    var securityLabels: SecurityLabels?
    /// Namespaces of others.
    var joined = JoinedNamespaces()
    /// What leads to those that it is linked to.
    var linkVariables: [String] = []
    /// What devices of the host's mean on this machine.
    var devices = ResolvedDevices()
    /// What it has at places of its file system.
    var mounts: [ContainerMount] = []
    /// Where that is found.
    var mountSources = MountSources()

    /// The specification of a container of Docker's kind. Pure.
    ///
    /// - Parameter user: whom the image's files say that its process is.
    func specification(runningAs user: ResolvedUser) throws(ContainerError) -> RuntimeSpec {
        var spec = RuntimeSpec()
        // Another's names are not for this one to set.
        if configuration.namespaces.uts.isOwn { (spec.hostname, spec.domainname) = (hostname, configuration.domainName) }
        spec.annotations = configuration.annotations.isEmpty ? nil : configuration.annotations
        spec.root = RuntimeSpec.Root(path: "rootfs", readonly: configuration.readOnlyRoot ? true : nil)
        spec.process = try process(runningAs: user)
        spec.mounts = try allMounts()
        spec.hooks = devices.hooks

        var linux = RuntimeSpec.Linux()
        linux.namespaces = namespaces()
        // What is chosen stands for what would be there.
        let present = configuration.privileged ? hostDevices : Self.devices
        linux.devices = present.filter { device in !devices.devices.contains { $0.path == device.path } } + devices.devices
        linux.resources = try configuration.resources.specification(hostProcessorCount: nil)
        linux.resources?.blockIO = devices.blockIO
        linux.resources?.devices =
            configuration.privileged
            ? [RuntimeSpec.DeviceRule(allow: true, type: "a", access: "rwm")] : Self.deviceRules + devices.rules
        linux.seccomp = seccomp
        linux.mountLabel = securityLabels?.mount
        if !configuration.privileged {
            linux.maskedPaths = configuration.maskedPaths ?? Self.maskedPaths
            linux.readonlyPaths = configuration.readOnlyPaths ?? Self.readOnlyPaths
        }
        if network == .new {
            // As Docker has it: nobody in a namespace of its own needs rights to open low ports or to ping.
            linux.sysctl = ["net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647"]
        }
        if !configuration.kernelParameters.isEmpty {
            linux.sysctl = (linux.sysctl ?? [:]).merging(configuration.kernelParameters) { $1 }
        }
        let travelling = Set(mounts.compactMap(\.propagation))
        if !travelling.isDisjoint(with: [.rshared, .shared]) {
            linux.rootfsPropagation = "shared"
        } else if !travelling.isDisjoint(with: [.rslave, .slave]) {
            linux.rootfsPropagation = "slave"
        }
        spec.linux = linux
        return spec
    }

    private func namespaces() -> [RuntimeSpec.Namespace] {
        var all = [RuntimeSpec.Namespace(type: "mount")] + joined.namespaces(of: configuration.namespaces)
        switch network {
        case .new: all.append(RuntimeSpec.Namespace(type: "network"))
        case .process(let id): all.append(RuntimeSpec.Namespace(type: "network", path: "/proc/\(id)/ns/net"))
        case .path(let path): all.append(RuntimeSpec.Namespace(type: "network", path: path))
        case .host: break
        }
        return all
    }

    private func allMounts() throws(ContainerError) -> [RuntimeSpec.Mount] {
        let kernelAccess = configuration.privileged ? "rw" : "ro"
        let groupAccess = configuration.hasWritableControlGroups ? "rw" : kernelAccess
        let kernel: [RuntimeSpec.Mount] = [
            .init(destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"]),
            .init(
                destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "strictatime", "mode=755", "size=65536k"]),
            .init(
                destination: "/dev/pts", type: "devpts", source: "devpts",
                options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
            .init(destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", kernelAccess]),
            .init(destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["nosuid", "noexec", "nodev", groupAccess]),
            .init(destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"]),
        ]
        let base =
            kernel
            + joined.sharedMemory(
                configuration.namespaces.ipc, byteCount: configuration.sharedMemoryByteCount ?? ContainerDefaults().sharedMemoryByteCount)
        let chosen = try mounts.map { (mount) throws(ContainerError) in try mount.specification(mountSources) } + devices.mounts
        // As the root is, so are they.
        let access = configuration.readOnlyRoot ? ["ro"] : []
        let own = files.filter { file in !chosen.contains { $0.destination == file.target } }.map {
            RuntimeSpec.Mount(destination: $0.target, type: "bind", source: $0.source, options: ["rbind", "rprivate"] + access)
        }
        // What lies deeper comes later, whatever order it was said in.
        let depth = { (path: String) in path.split(separator: "/").count }
        let binds = (chosen + own).enumerated().sorted {
            (depth($0.element.destination), $0.offset) < (depth($1.element.destination), $1.offset)
        }
        // Docker's rule: what is chosen stands for what would be there, and a chosen /dev for all below it.
        let hasDevices = chosen.contains { $0.destination == "/dev" }
        let kept = base.filter { mount in
            !chosen.contains { $0.destination == mount.destination } && !(hasDevices && mount.destination.hasPrefix("/dev/"))
        }
        return kept + binds.map(\.element)
    }
}

// What Docker gives every container that does not say otherwise.
extension SpecificationInput {
    /// Files of `/proc` and `/sys` that say or do too much.
    static let maskedPaths =
        [
            "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug",
            "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware",
        ] + thermalPaths
    /// What tells of the load of others, where this machine's processors have it.
    private static let thermalPaths = (0..<HostFile.processorCount()).map { "/sys/devices/system/cpu/cpu\($0)/thermal_throttle" }
        .filter(HostFile.exists)
    static let readOnlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]

    static let devices: [RuntimeSpec.Device] = [
        device("/dev/null", 1, 3), device("/dev/zero", 1, 5), device("/dev/full", 1, 7), device("/dev/random", 1, 8),
        device("/dev/urandom", 1, 9), device("/dev/tty", 5, 0),
    ]
    private static func device(_ path: String, _ major: Int64, _ minor: Int64) -> RuntimeSpec.Device {
        RuntimeSpec.Device(path: path, type: "c", major: major, minor: minor, fileMode: 0o666)
    }

    /// Everything may be made, and only what lies in a container's `/dev` may be opened.
    static let deviceRules: [RuntimeSpec.DeviceRule] =
        [RuntimeSpec.DeviceRule(allow: false, type: "a", access: "rwm")]
        + [
            RuntimeSpec.DeviceRule(allow: true, type: "c", major: -1, minor: -1, access: "m"),
            RuntimeSpec.DeviceRule(allow: true, type: "b", major: -1, minor: -1, access: "m"),
        ]
        + ([(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2), (136, -1)] as [(Int64, Int64)]).map {
            RuntimeSpec.DeviceRule(allow: true, type: "c", major: $0.0, minor: $0.1, access: "rwm")
        }
}
