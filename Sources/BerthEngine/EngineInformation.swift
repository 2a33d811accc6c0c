public import BerthContainers
internal import BerthImages
internal import BerthLinux
public import BerthNetworking
internal import BerthOCI
internal import BerthRuntime
internal import BerthSnapshots
internal import BerthState
internal import BerthVolumes

/// What an engine says of itself and of the machine: `berth info`.
public struct EngineInformation: Sendable, Hashable {
    /// The engine's id.
    public var id: String
    /// Where everything is kept.
    public var root: String
    /// Where sockets are kept.
    public var execRoot: String
    /// `overlay2` or `vfs`.
    public var snapshotter: String
    /// Why it is not overlay2.
    public var snapshotterObstacle: String?
    /// Which of the kernel's security modules confine containers: `apparmor`, `selinux`.
    public var securityModules: Set<String>
    /// The filter of system calls of containers that say nothing of it.
    public var seccomp: SeccompSetting
    /// Which devices a container can be given by name.
    public var devices: DescribedDevices
    /// What the engine's owner says of it.
    public var labels: [String]
    /// How many containers there are.
    public var containerCount: Int
    /// How many of them run.
    public var runningContainerCount: Int
    /// Those that stand still.
    public var pausedContainerCount: Int
    /// How many images there are.
    public var imageCount: Int
    /// The network drivers.
    public var networkDrivers: [String]
    /// What subnets are cut from of which nobody says where they are; empty where that is what Docker's are cut from.
    public var addressPools: [SubnetChoice.Source]
    /// How logs are kept unless a container says otherwise.
    public var logDriver: LogDriver
    /// 1 or 2.
    public var cgroupVersion: Int
    /// What control groups can limit: `memory`, `cpu`, `pids` ….
    public var cgroupControllers: Set<String>
    /// Whether swap can be limited.
    public var limitsSwap: Bool
    /// Whether the host forwards IPv4.
    public var forwardsIPv4: Bool
    /// How many descriptors this process has open.
    public var descriptorCount: Int
    /// How many subscribers there are to the engine's events.
    public var eventListenerCount: Int
    /// The kernel's release.
    public var kernelVersion: String
    /// The machine's name.
    public var hostname: String
    /// The distribution, in its own words.
    public var operatingSystem: String
    /// Its version, in its own words.
    public var operatingSystemVersion: String
    /// `x86_64`, `aarch64`.
    public var architecture: String
    /// How many processors it has.
    public var processorCount: Int
    /// How much memory, in bytes.
    public var memoryByteCount: UInt64
    /// Documents that could not be read, by container.
    public var unreadableContainers: [String: String]
    /// Documents, configurations or layers that could not be read, by image.
    public var unreadableImages: [String: String]
    /// Documents of names that could not be read, by the file.
    public var unreadableReferences: [String: String]
    /// Documents that could not be read, by the layer's directory.
    public var unreadableLayers: [String: String]
    /// Documents that could not be read, by network.
    public var unreadableNetworks: [String: String]
    /// Documents that could not be read, by volume.
    public var unreadableVolumes: [String: String]
    /// Records of what a container has in its networks that could not be read, by container.
    public var unreadableSandboxes: [String: String]
}

extension Engine {
    /// Looks at the engine and the machine. What the machine does not say is empty.
    public func information() -> EngineInformation {
        let all = containers.all()
        let text = { (path: String) -> String in
            (try? HostFile.read(path, limit: 64 << 10)).map { String(decoding: $0, as: UTF8.self) } ?? ""
        }
        let line = { (path: String) -> String in text(path).split(separator: "\n").first.map(String.init) ?? "" }
        let release = text("/etc/os-release").split(separator: "\n")
        let fact = { (name: String) -> String? in
            release.first { $0.hasPrefix(name + "=") }.map { $0.dropFirst(name.count + 1).filter { $0 != "\"" } }
        }
        let groups = runtime.cgroups
        let swapLimit = groups.version == 1 ? "memory.memsw.limit_in_bytes" : "memory.swap.max"
        let memoryGroup =
            groups.version == 1
            ? groups.directory(of: "memory", runtime.cgroupParent) : groups.unified.map { "\($0)/\(runtime.cgroupParent)" }
        let memory = text("/proc/meminfo").split(separator: "\n").first { $0.hasPrefix("MemTotal:") }
        let kibibytes = memory.flatMap { line in UInt64(line.drop { !$0.isNumber }.prefix { $0.isNumber }) } ?? 0
        return EngineInformation(
            id: id, root: root, execRoot: execRoot, snapshotter: snapshots.name, snapshotterObstacle: snapshotterObstacle,
            securityModules: Set((AppArmor.isEnabled ? ["apparmor"] : []) + (containers.usesSELinux ? ["selinux"] : [])),
            seccomp: containers.defaults.seccomp, devices: DescribedDevices(in: containers.defaults.deviceDirectories), labels: labels,
            containerCount: all.count, runningContainerCount: all.count { $0.status == .running },
            pausedContainerCount: all.count { $0.status == .paused }, imageCount: images.count,
            networkDrivers: networks.drivers.names,
            addressPools: networks.defaults.addressPools == SubnetChoice.standard ? [] : networks.defaults.addressPools,
            logDriver: containers.defaults.logs.driver, cgroupVersion: groups.version,
            cgroupControllers: Set(groups.version1.flatMap(\.controllers) + groups.unifiedControllers),
            limitsSwap: memoryGroup.map { HostFile.exists("\($0)/\(swapLimit)") } ?? false,
            forwardsIPv4: line("/proc/sys/net/ipv4/ip_forward") == "1", descriptorCount: Self.descriptorCount(),
            eventListenerCount: events.subscriberCount, kernelVersion: line("/proc/sys/kernel/osrelease"),
            hostname: line("/proc/sys/kernel/hostname"),
            operatingSystem: fact("PRETTY_NAME") ?? "Linux", operatingSystemVersion: fact("VERSION_ID") ?? "",
            architecture: Platform.host.architecture == "arm64" ? "aarch64" : "x86_64", processorCount: HostFile.processorCount(),
            memoryByteCount: kibibytes * 1024, unreadableContainers: containers.unreadable,
            unreadableImages: images.unreadable, unreadableReferences: images.unreadableReferences,
            unreadableLayers: images.unreadableLayers, unreadableNetworks: networks.unreadable, unreadableVolumes: volumes.unreadable,
            unreadableSandboxes: sandboxes.unreadable)
    }

    private static func descriptorCount() -> Int {
        // What cannot be counted is not told.
        (try? Directory.open("/proc/self/fd").entries().count) ?? 0
    }
}
