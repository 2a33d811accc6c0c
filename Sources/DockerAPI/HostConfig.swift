/// How a container meets its host, as requests to make one and answers about one have it (`HostConfig`).
public struct HostConfig: Sendable, Hashable {
    /// One of the limits of setrlimit(2).
    public struct Ulimit: Sendable, Hashable {
        /// As `nofile`.
        public var name: String
        /// What applies.
        public var soft: Int64
        /// Up to where it may be raised.
        public var hard: Int64

        /// A limit of these.
        public init(name: String, soft: Int64, hard: Int64) { (self.name, self.soft, self.hard) = (name, soft, hard) }
    }

    /// `/source:/target[:options]`, one for each `-v`.
    public var binds: [String]?
    /// One for each `--mount`.
    public var mounts: [Mount] = []
    /// Options of memory, by its place: one for each `--tmpfs`.
    public var tmpfs: [String: String] = [:]
    /// Containers whose volumes it has too, each perhaps with `:ro`.
    public var volumesFrom: [String]?
    /// The driver of volumes that are made for it; empty is the default.
    public var volumeDriver = ""
    /// Where output is kept; empty is the default.
    public var logDriver = ""
    /// How.
    public var logOptions: [String: String] = [:]
    /// The network.
    public var networkMode = ""
    /// Where its ports are published; `nil` is nothing said.
    public var portBindings: PortMap?
    /// Whether every port that is exposed is published at some port of the host's.
    public var publishesAllPorts = false
    /// The name servers; `nil` is nothing said.
    public var nameServers: [String]?
    /// Options of the look-up of names.
    public var nameOptions: [String]?
    /// Domains in which names are looked up.
    public var nameSearch: [String]?
    /// `name:address`, of which the address may be `host-gateway`.
    public var extraHosts: [String]?
    /// Other containers by the names they have in the default network, as `name:alias`.
    public var links: [String]?
    /// When it is started again.
    public var restartPolicy = RestartPolicy()
    /// Whether it is removed when it ends.
    public var autoRemove = false
    /// The terminal's rows and columns at the start; 0 is unknown.
    public var consoleSize: (rows: Int64, columns: Int64) = (0, 0)
    /// Capabilities on top of the default ones.
    public var addedCapabilities: [String]?
    /// Capabilities less than those.
    public var droppedCapabilities: [String]?
    /// Whether it has all power.
    public var privileged = false
    /// Whether its root can only be read.
    public var readOnlyRoot = false
    /// `no-new-privileges`, `seccomp=…` and the like.
    public var securityOptions: [String]?
    /// The size of `/dev/shm` in bytes; 0 is the default.
    public var sharedMemoryByteCount: Int64 = 0
    /// Limits of setrlimit(2).
    public var ulimits: [Ulimit] = []
    /// Memory in bytes; 0 is no limit.
    public var memory: Int64 = 0
    /// Memory and swap in bytes; 0 is the default, -1 no limit.
    public var memorySwap: Int64 = 0
    /// Memory in bytes that it is pressed down to; 0 is none.
    public var memoryReservation: Int64 = 0
    /// The weight among processes; 0 is the default.
    public var cpuShares: Int64 = 0
    /// Microseconds in each period; 0 is no limit.
    public var cpuQuota: Int64 = 0
    /// The period in microseconds; 0 is the default.
    public var cpuPeriod: Int64 = 0
    /// Billionths of a processor; 0 is no limit.
    public var nanoCPUs: Int64 = 0
    /// Which processors.
    public var cpusetCPUs = ""
    /// Which memory nodes.
    public var cpusetMems = ""
    /// Processes; 0 and -1 are no limit.
    public var pidsLimit: Int64?
    /// Whether want of memory kills nothing.
    public var oomKillDisabled: Bool?
    /// Namespaces, devices, groups, and the kernel's parameters.
    public var options = HostOptions()

    /// Nothing said.
    public init() {}

    /// Two are equal if all that they say is.
    public static func == (a: Self, b: Self) -> Bool { a.json == b.json }
    /// By what it says.
    public func hash(into hasher: inout Hasher) { hasher.combine(json) }
}

extension HostConfig {
    /// Takes what it knows from a request, and refuses what would be lost.
    public init(reading fields: inout RequestFields) throws(RequestError) {
        binds = try fields.strings("Binds")
        try readMounts(&fields)
        var log = try fields.fields("LogConfig")
        logDriver = try log.string("Type")
        logOptions = try log.stringMap("Config")
        try log.refuseUnread()
        try readNetworking(&fields)
        restartPolicy = try RestartPolicy(reading: &fields)
        autoRemove = try fields.bool("AutoRemove")
        let console = try fields.integers("ConsoleSize") ?? []
        guard console.isEmpty || console.count == 2 else {
            throw RequestError(.invalid, "HostConfig.ConsoleSize must have two numbers: height and width")
        }
        if console.count == 2 { consoleSize = (console[0], console[1]) }
        addedCapabilities = try fields.commandWords("CapAdd")
        droppedCapabilities = try fields.commandWords("CapDrop")
        privileged = try fields.bool("Privileged")
        readOnlyRoot = try fields.bool("ReadonlyRootfs")
        securityOptions = try fields.strings("SecurityOpt")
        sharedMemoryByteCount = try fields.integer("ShmSize")
        for var limit in try fields.fieldsList("Ulimits") {
            ulimits.append(Ulimit(name: try limit.string("Name"), soft: try limit.integer("Soft"), hard: try limit.integer("Hard")))
            try limit.refuseUnread()
        }
        try readResources(&fields)
        // Where the client wrote the id on its own side: nothing is asked for.
        _ = fields.value("ContainerIDFile")
    }

    private mutating func readNetworking(_ fields: inout RequestFields) throws(RequestError) {
        networkMode = try fields.string("NetworkMode")
        portBindings = try fields.ports("PortBindings")
        publishesAllPorts = try fields.bool("PublishAllPorts")
        nameServers = try fields.strings("Dns")
        nameOptions = try fields.strings("DnsOptions")
        nameSearch = try fields.strings("DnsSearch")
        extraHosts = try fields.strings("ExtraHosts")
        links = try fields.strings("Links")
    }

    mutating func readResources(_ fields: inout RequestFields) throws(RequestError) {
        memory = try fields.integer("Memory")
        memorySwap = try fields.integer("MemorySwap")
        memoryReservation = try fields.integer("MemoryReservation")
        cpuShares = try fields.integer("CpuShares")
        cpuQuota = try fields.integer("CpuQuota")
        cpuPeriod = try fields.integer("CpuPeriod")
        nanoCPUs = try fields.integer("NanoCpus")
        cpusetCPUs = try fields.string("CpusetCpus")
        cpusetMems = try fields.string("CpusetMems")
        pidsLimit = try fields.optionalInteger("PidsLimit")
        oomKillDisabled = try fields.optionalBool("OomKillDisable")
        options = try HostOptions(reading: &fields)
    }
}

extension HostConfig: JSONWritable {
    /// Writes it as an inspection shows it: also what can only be what it is, as Docker does.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("Binds", binds)
            writer.member("ContainerIDFile", "")
            writer.member("LogConfig") { writer in
                writer.member("Type", logDriver)
                writer.member("Config", logOptions)
            }
            writer.member("NetworkMode", networkMode)
            writer.member("PortBindings", ports: portBindings ?? [:], unpublished: .emptyList)
            writer.member("RestartPolicy", restartPolicy)
            writer.member("AutoRemove", autoRemove)
            writer.member("VolumeDriver", volumeDriver)
            writer.member("VolumesFrom", volumesFrom)
            writer.name("ConsoleSize")
            writer.array { writer in
                writer.value(consoleSize.rows)
                writer.value(consoleSize.columns)
            }
            writer.member("CapAdd", addedCapabilities)
            writer.member("CapDrop", droppedCapabilities)
            writer.member("CgroupnsMode", options.cgroupMode.isEmpty ? "private" : options.cgroupMode)
            writer.member("Dns", nameServers ?? [])
            writer.member("DnsOptions", nameOptions ?? [])
            writer.member("DnsSearch", nameSearch ?? [])
            writer.member("ExtraHosts", extraHosts)
            writer.member("GroupAdd", options.addedGroups)
            writer.member("IpcMode", options.ipcMode.isEmpty ? "private" : options.ipcMode)
            writer.member("Cgroup", "")
            writer.member("Links", links)
            writeMounts(to: &writer)
            writer.member("OomScoreAdj", options.outOfMemoryScore)
            writer.member("PidMode", options.pidMode)
            writer.member("Privileged", privileged)
            writer.member("PublishAllPorts", publishesAllPorts)
            writer.member("ReadonlyRootfs", readOnlyRoot)
            writer.member("SecurityOpt", securityOptions)
            writer.member("UTSMode", options.utsMode)
            writer.member("UsernsMode", options.userMode)
            writer.member("ShmSize", sharedMemoryByteCount)
            writer.member("Runtime", options.runtime.isEmpty ? "berth" : options.runtime)
            writer.member("Isolation", options.isolation)
            writeResources(to: &writer)
        }
    }

    private func writeResources(to writer: inout JSONWriter) {
        writer.member("CpuShares", cpuShares)
        writer.member("Memory", memory)
        writer.member("NanoCpus", nanoCPUs)
        writer.member("CgroupParent", options.cgroupParent)
        options.writeBlockLimits(to: &writer)
        writer.member("CpuPeriod", cpuPeriod)
        writer.member("CpuQuota", cpuQuota)
        writer.member("CpuRealtimePeriod", options.realTimePeriod)
        writer.member("CpuRealtimeRuntime", options.realTimeRuntime)
        writer.member("CpusetCpus", cpusetCPUs)
        writer.member("CpusetMems", cpusetMems)
        options.writeDevices(to: &writer)
        writer.member("MemoryReservation", memoryReservation)
        writer.member("MemorySwap", memorySwap)
        writer.member("OomKillDisable", oomKillDisabled ?? false)
        if let pidsLimit { writer.member("PidsLimit", pidsLimit) } else { writer.nullMember("PidsLimit") }
        writer.name("Ulimits")
        writer.array { writer in
            for limit in ulimits {
                writer.object { writer in
                    writer.member("Name", limit.name)
                    writer.member("Hard", limit.hard)
                    writer.member("Soft", limit.soft)
                }
            }
        }
        for name in ["CpuCount", "CpuPercent", "IOMaximumIOps", "IOMaximumBandwidth"] { writer.member(name, 0) }
        writer.member("MaskedPaths", options.maskedPaths)
        writer.member("ReadonlyPaths", options.readOnlyPaths)
        options.writeOptional(to: &writer)
    }
}
