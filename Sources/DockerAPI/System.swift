/// What the daemon is, and what it runs on (`GET /info`).
public struct SystemInfo: JSONWritable, Hashable {
    /// A block, and the length of the prefixes of the subnets that it is cut into (`DefaultAddressPools`).
    public struct AddressPool: Hashable, Sendable {
        /// The block.
        public var base: String
        /// The length.
        public var size: Int

        /// A block of these.
        public init(base: String, size: Int) { (self.base, self.size) = (base, size) }
    }

    /// The engine's id.
    public var id = ""
    /// How many containers there are.
    public var containerCount = 0
    /// How many of them run.
    public var runningContainerCount = 0
    /// Those that stand still.
    public var pausedContainerCount = 0
    /// How many images there are.
    public var imageCount = 0
    /// The snapshotter.
    public var driver = ""
    /// What it says of itself: names and values.
    public var driverStatus: [(name: String, value: String)] = []
    /// The root directory.
    public var root = ""
    /// Names of network drivers.
    public var networkDrivers: [String] = []
    /// The log driver of containers that name none.
    public var logDriver = "json-file"
    /// Names of log drivers.
    public var logDrivers: [String] = []
    /// Whether memory can be limited.
    public var limitsMemory = false
    /// Whether swap can be.
    public var limitsSwap = false
    /// Whether processor time can be.
    public var limitsProcessorTime = false
    /// Whether processors have weights.
    public var weighsProcessors = false
    /// Whether processors can be chosen.
    public var choosesProcessors = false
    /// Whether processes can be counted.
    public var limitsProcesses = false
    /// Whether the killing for want of memory can be switched off.
    public var disablesOutOfMemoryKiller = false
    /// Whether the host forwards IPv4.
    public var forwardsIPv4 = false
    /// Whether the daemon says more than usual.
    public var isDebugging = false
    /// How many descriptors it has open.
    public var descriptorCount = 0
    /// Its time, as RFC 3339 text.
    public var systemTime = ""
    /// How many read events.
    public var eventListenerCount = 0
    /// `1` or `2`.
    public var cgroupVersion = ""
    /// The kernel's version.
    public var kernelVersion = ""
    /// The distribution.
    public var operatingSystem = ""
    /// Its version.
    public var operatingSystemVersion = ""
    /// The processor, in the kernel's words.
    public var architecture = ""
    /// How many processors there are.
    public var processorCount = 0
    /// How much memory, in bytes.
    public var memoryByteCount: UInt64 = 0
    /// The host's name.
    public var hostName = ""
    /// The engine's version.
    public var serverVersion = ""
    /// What subnets are cut from: blocks, and the length of the prefixes; empty: not told.
    public var addressPools: [AddressPool] = []
    /// What the daemon's owner says of it.
    public var labels: [String] = []
    /// `name=seccomp,profile=builtin` and the like.
    public var securityOptions: [String] = []
    /// Where devices are described that a container can be given by name.
    public var deviceDirectories: [String] = []
    /// Those; `nil`: not told.
    public var deviceNames: [String]?
    /// What filters packets; `nil`: not told.
    public var firewall: String?
    /// Whether it says that packets of bridges go through no iptables, which clients before 1.50 look for.
    public var saysThatBridgesAreNotFiltered = false
    /// What does not work as one might think.
    public var warnings: [String] = []

    /// Nothing known.
    public init() {}

    /// Two are equal if all that they say is.
    public static func == (a: Self, b: Self) -> Bool { a.json == b.json }
    /// By what it says.
    public func hash(into hasher: inout Hasher) { hasher.combine(json) }

    /// Writes it.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("ID", id)
            writer.member("Containers", containerCount)
            writer.member("ContainersRunning", runningContainerCount)
            writer.member("ContainersPaused", pausedContainerCount)
            writer.member("ContainersStopped", containerCount - runningContainerCount - pausedContainerCount)
            writer.member("Images", imageCount)
            writer.member("Driver", driver)
            writer.name("DriverStatus")
            writer.array { writer in
                for (name, value) in driverStatus {
                    writer.array { writer in
                        writer.value(name)
                        writer.value(value)
                    }
                }
            }
            writer.member("Plugins") { writer in
                writer.member("Volume", ["local"])
                writer.member("Network", networkDrivers)
                writer.nullMember("Authorization")
                writer.member("Log", logDrivers)
            }
            writer.member("MemoryLimit", limitsMemory)
            writer.member("SwapLimit", limitsSwap)
            writer.member("CpuCfsPeriod", limitsProcessorTime)
            writer.member("CpuCfsQuota", limitsProcessorTime)
            writer.member("CPUShares", weighsProcessors)
            writer.member("CPUSet", choosesProcessors)
            writer.member("PidsLimit", limitsProcesses)
            writer.member("IPv4Forwarding", forwardsIPv4)
            writer.member("Debug", isDebugging)
            writer.member("NFd", descriptorCount)
            writer.member("OomKillDisable", disablesOutOfMemoryKiller)
            writer.member("NGoroutines", 0)
            writer.member("SystemTime", systemTime)
            writer.member("LoggingDriver", logDriver)
            writer.member("CgroupDriver", "cgroupfs")
            writer.member("CgroupVersion", cgroupVersion)
            writer.member("NEventsListener", eventListenerCount)
            writer.member("KernelVersion", kernelVersion)
            writer.member("OperatingSystem", operatingSystem)
            writer.member("OSVersion", operatingSystemVersion)
            writer.member("OSType", "linux")
            writer.member("Architecture", architecture)
            writer.member("IndexServerAddress", "")
            writer.nullMember("RegistryConfig")
            writer.member("NCPU", processorCount)
            writer.member("MemTotal", memoryByteCount)
            writer.nullMember("GenericResources")
            writer.member("DockerRootDir", root)
            for name in ["HttpProxy", "HttpsProxy", "NoProxy"] { writer.member(name, "") }
            writer.member("Name", hostName)
            writer.member("Labels", labels)
            writer.member("ExperimentalBuild", false)
            writer.member("ServerVersion", serverVersion)
            writer.member("Runtimes") { $0.member("berth") { $0.member("path", "berth-monitor") } }
            writer.member("DefaultRuntime", "berth")
            writer.member("Swarm") { writer in
                writer.member("NodeID", "")
                writer.member("NodeAddr", "")
                writer.member("LocalNodeState", "inactive")
                writer.member("ControlAvailable", false)
                writer.member("Error", "")
                writer.nullMember("RemoteManagers")
            }
            writer.member("LiveRestoreEnabled", true)
            writer.member("Isolation", "")
            writer.member("InitBinary", "")
            for name in ["ContainerdCommit", "RuncCommit", "InitCommit"] { writer.member(name) { $0.member("ID", "") } }
            writer.member("SecurityOptions", securityOptions)
            writer.member("CDISpecDirs", deviceDirectories)
            if let deviceNames {
                writer.name("DiscoveredDevices")
                writer.array { writer in
                    for name in deviceNames {
                        writer.object { writer in
                            writer.member("Source", "cdi")
                            writer.member("ID", name)
                        }
                    }
                }
            }
            if !addressPools.isEmpty {
                writer.name("DefaultAddressPools")
                writer.array { writer in
                    for pool in addressPools {
                        writer.object { writer in
                            writer.member("Base", pool.base)
                            writer.member("Size", pool.size)
                        }
                    }
                }
            }
            if saysThatBridgesAreNotFiltered { for name in ["BridgeNfIptables", "BridgeNfIp6tables"] { writer.member(name, false) } }
            if let firewall { writer.member("FirewallBackend") { $0.member("Driver", firewall) } }
            writer.member("Warnings", warnings.isEmpty ? nil : warnings)
        }
    }
}

/// Which version the daemon is (`GET /version`).
public struct SystemVersion: JSONWritable, Hashable {
    /// The engine's version.
    public var version: String
    /// The source's commit, where the build said it.
    public var commit: String
    /// The processor, in Go's words.
    public var architecture: String
    /// The kernel's version.
    public var kernelVersion: String

    /// A version of these.
    public init(version: String, commit: String, architecture: String, kernelVersion: String) {
        (self.version, self.commit) = (version, commit)
        (self.architecture, self.kernelVersion) = (architecture, kernelVersion)
    }

    /// Writes it.
    public func write(to writer: inout JSONWriter) {
        let facts: [(String, String)] = [
            ("ApiVersion", APIVersion.newest.description), ("Arch", architecture), ("BuildTime", ""), ("Experimental", "false"),
            ("GitCommit", commit), ("KernelVersion", kernelVersion), ("MinAPIVersion", APIVersion.oldest.description), ("Os", "linux"),
        ]
        writer.object { writer in
            writer.member("Platform") { $0.member("Name", "Berth") }
            writer.name("Components")
            writer.array { writer in
                writer.object { writer in
                    writer.member("Name", "Engine")
                    writer.member("Version", version)
                    writer.member("Details") { writer in for (name, value) in facts { writer.member(name, value) } }
                }
            }
            writer.member("Version", version)
            writer.member("ApiVersion", APIVersion.newest.description)
            writer.member("MinAPIVersion", APIVersion.oldest.description)
            writer.member("GitCommit", commit)
            writer.member("GoVersion", "")
            writer.member("Os", "linux")
            writer.member("Arch", architecture)
            writer.member("KernelVersion", kernelVersion)
            writer.member("BuildTime", "")
        }
    }
}

/// Something that has happened (`GET /events`).
public struct EventMessage: JSONWritable, Hashable {
    /// The kind of object.
    public var type: String
    /// What happened.
    public var action: String
    /// The object.
    public var actorID: String
    /// Facts about it.
    public var attributes: [String: String]
    /// Nanoseconds since 1970.
    public var time: Int64

    /// An event of these.
    public init(type: String, action: String, actorID: String, attributes: [String: String], time: Int64) {
        (self.type, self.action, self.actorID, self.attributes, self.time) = (type, action, actorID, attributes, time)
    }

    /// Writes it, with the members that only older clients read.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            if type == "container" || type == "image" {
                writer.member("status", action)
                writer.member("id", actorID)
                if type == "container", let image = attributes["image"] { writer.member("from", image) }
            }
            writer.member("Type", type)
            writer.member("Action", action)
            writer.member("Actor") { writer in
                writer.member("ID", actorID)
                writer.member("Attributes", attributes)
            }
            writer.member("scope", "local")
            writer.member("time", time / 1_000_000_000)
            writer.member("timeNano", time)
        }
    }
}
