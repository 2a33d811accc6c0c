internal import BerthOCI

/// What of a `HostConfig` is about namespaces, devices, groups and the kernel's parameters.
public struct HostOptions: Sendable, Hashable {
    /// A device of the host's in the container.
    public struct Device: Sendable, Hashable {
        /// On the host.
        public var pathOnHost: String
        /// In the container.
        public var pathInContainer: String
        /// Of `rwm`.
        public var permissions: String

        /// A device of these.
        public init(pathOnHost: String, pathInContainer: String, permissions: String) {
            (self.pathOnHost, self.pathInContainer, self.permissions) = (pathOnHost, pathInContainer, permissions)
        }
    }

    /// Devices that a driver describes.
    public struct DeviceRequest: Sendable, Hashable {
        /// As `cdi`; empty is any.
        public var driver = ""
        /// -1 is all.
        public var count: Int64 = 0
        /// Which.
        public var deviceIDs: [String]?
        /// What they must be able to do.
        public var capabilities: [[String]]?
        /// More for the driver.
        public var options: [String: String] = [:]

        /// Nothing said.
        public init() {}
    }

    /// A weight or a limit of a block device.
    public struct BlockDevice: Sendable, Hashable {
        /// On the host.
        public var path: String
        /// The weight, or bytes or operations a second.
        public var value: Int64

        /// A device of these.
        public init(path: String, value: Int64) { (self.path, self.value) = (path, value) }
    }

    /// Whose the IPC namespace is.
    public var ipcMode = ""
    /// Whose the processes are.
    public var pidMode = ""
    /// Whose the host name is.
    public var utsMode = ""
    /// Whose the users are.
    public var userMode = ""
    /// Whose the control groups are.
    public var cgroupMode = ""
    /// Whether process 1 is an init; `nil` is nothing said.
    public var runsInit: Bool?
    /// Groups by name or number.
    public var addedGroups: [String]?
    /// Kernel parameters.
    public var kernelParameters: [String: String] = [:]
    /// -1000 ... 1000.
    public var outOfMemoryScore: Int64 = 0
    /// Devices of the host's.
    public var devices: [Device] = []
    /// As `c 1:3 rwm`.
    public var deviceRules: [String]?
    /// Devices that drivers describe; `nil` is nothing said.
    public var deviceRequests: [DeviceRequest]?
    /// What is hidden; `nil` is the default.
    public var maskedPaths: [String]?
    /// What is read-only; `nil` is the default.
    public var readOnlyPaths: [String]?
    /// The parent of its control group; empty is the default.
    public var cgroupParent = ""
    /// Notes for other programs.
    public var annotations: [String: String] = [:]
    /// The runtime, by one of its names; empty is the default.
    public var runtime = ""
    /// `default`, or empty, which is the same.
    public var isolation = ""
    /// 0 ... 100; `nil` and -1 are nothing said.
    public var swappiness: Int64?
    /// Microseconds; 0 is no limit.
    public var realTimePeriod: Int64 = 0
    /// Microseconds; 0 is no limit.
    public var realTimeRuntime: Int64 = 0
    /// 10 ... 1000; 0 is the default.
    public var blockWeight: Int64 = 0
    /// Weights for single devices.
    public var blockWeightDevices: [BlockDevice] = []
    /// Bytes read a second.
    public var readBytes: [BlockDevice] = []
    /// Bytes written a second.
    public var writeBytes: [BlockDevice] = []
    /// Reads a second.
    public var readOperations: [BlockDevice] = []
    /// Writes a second.
    public var writeOperations: [BlockDevice] = []
    /// Options of the storage driver.
    public var storageOptions: [String: String] = [:]
    /// Whether memory of the kernel's was to be limited, which kernels since 5.16 cannot: what a client is told of.
    public var limitsKernelMemory = false

    /// Nothing said.
    public init() {}
}

extension HostOptions {
    /// Takes what it knows from a request.
    init(reading fields: inout RequestFields) throws(RequestError) {
        (ipcMode, pidMode, utsMode) = (try fields.string("IpcMode"), try fields.string("PidMode"), try fields.string("UTSMode"))
        (userMode, cgroupMode) = (try fields.string("UsernsMode"), try fields.string("CgroupnsMode"))
        runsInit = try fields.optionalBool("Init")
        addedGroups = try fields.strings("GroupAdd")
        kernelParameters = try fields.stringMap("Sysctls")
        outOfMemoryScore = try fields.integer("OomScoreAdj")
        for var device in try fields.fieldsList("Devices") {
            let source = try device.string("PathOnHost")
            let target = try device.string("PathInContainer")
            let permissions = try device.string("CgroupPermissions")
            devices.append(
                Device(
                    pathOnHost: source, pathInContainer: target.isEmpty ? source : target,
                    permissions: permissions.isEmpty ? "rwm" : permissions))
            try device.refuseUnread()
        }
        deviceRules = try fields.strings("DeviceCgroupRules")
        try readRequests(&fields)
        (maskedPaths, readOnlyPaths) = (try fields.strings("MaskedPaths"), try fields.strings("ReadonlyPaths"))
        cgroupParent = try fields.string("CgroupParent")
        annotations = try fields.stringMap("Annotations")
        swappiness = try fields.optionalInteger("MemorySwappiness").flatMap { $0 == -1 ? nil : $0 }
        (realTimePeriod, realTimeRuntime) = (try fields.integer("CpuRealtimePeriod"), try fields.integer("CpuRealtimeRuntime"))
        blockWeight = try fields.integer("BlkioWeight")
        blockWeightDevices = try Self.blockDevices(&fields, "BlkioWeightDevice", "Weight")
        readBytes = try Self.blockDevices(&fields, "BlkioDeviceReadBps", "Rate")
        writeBytes = try Self.blockDevices(&fields, "BlkioDeviceWriteBps", "Rate")
        readOperations = try Self.blockDevices(&fields, "BlkioDeviceReadIOps", "Rate")
        writeOperations = try Self.blockDevices(&fields, "BlkioDeviceWriteIOps", "Rate")
        storageOptions = try fields.stringMap("StorageOpt")
        limitsKernelMemory = try fields.integer("KernelMemory") > 0
        _ = try fields.integer("KernelMemoryTCP")
        isolation = try fields.string("Isolation")
        guard isolation.isEmpty || isolation.lowercased() == "default" else {
            throw RequestError(.invalid, "Invalid isolation: \"\(isolation)\" - linux only supports 'default'")
        }
        runtime = try fields.string("Runtime")
        try Self.checkRuntime(runtime)
        guard try fields.integer("IOMaximumBandwidth") == 0, try fields.integer("IOMaximumIOps") == 0 else {
            throw RequestError(.invalid, "Invalid QoS settings: linux does not support Maximum IO Bandwidth or Maximum IO IOps")
        }
    }

    /// There is one, by its own name and by those of Docker's.
    static func checkRuntime(_ name: String) throws(RequestError) {
        guard ["", "berth", "runc", "io.containerd.runc.v2"].contains(name) else {
            throw RequestError(.invalid, "unknown or invalid runtime name: \(name)")
        }
    }

    private mutating func readRequests(_ fields: inout RequestFields) throws(RequestError) {
        let requests = try fields.fieldsList("DeviceRequests")
        if !requests.isEmpty { deviceRequests = [] }
        for var fields in requests {
            var request = DeviceRequest()
            (request.driver, request.count) = (try fields.string("Driver"), try fields.integer("Count"))
            request.deviceIDs = try fields.strings("DeviceIDs")
            request.options = try fields.stringMap("Options")
            request.capabilities = try fields.stringLists("Capabilities")
            try fields.refuseUnread()
            deviceRequests?.append(request)
        }
    }

    private static func blockDevices(_ fields: inout RequestFields, _ name: String, _ value: String) throws(RequestError) -> [BlockDevice] {
        var found: [BlockDevice] = []
        for var device in try fields.fieldsList(name) {
            found.append(BlockDevice(path: try device.string("Path"), value: try device.integer(value)))
            try device.refuseUnread()
        }
        return found
    }
}

extension RequestFields {
    /// Lists of texts, or nothing.
    mutating func stringLists(_ name: String) throws(RequestError) -> [[String]]? {
        guard let value = value(name) else { return nil }
        let wrong = RequestError(.invalid, "invalid JSON: \(name) must be a list of lists of texts")
        guard case .array(let lists) = value else { throw wrong }
        return try lists.map { list throws(RequestError) in
            guard case .array(let texts) = list else { throw wrong }
            return try texts.map { text throws(RequestError) in
                guard case .string(let text) = text else { throw wrong }
                return text
            }
        }
    }
}

extension HostOptions {
    /// The weights and limits of block devices, as an inspection shows them.
    func writeBlockLimits(to writer: inout JSONWriter) {
        writer.member("BlkioWeight", blockWeight)
        for (name, key, devices) in [
            ("BlkioWeightDevice", "Weight", blockWeightDevices), ("BlkioDeviceReadBps", "Rate", readBytes),
            ("BlkioDeviceWriteBps", "Rate", writeBytes), ("BlkioDeviceReadIOps", "Rate", readOperations),
            ("BlkioDeviceWriteIOps", "Rate", writeOperations),
        ] {
            writer.name(name)
            writer.array { writer in
                for device in devices {
                    writer.object { writer in
                        writer.member("Path", device.path)
                        writer.member(key, device.value)
                    }
                }
            }
        }
    }

    /// Devices, likewise.
    func writeDevices(to writer: inout JSONWriter) {
        writer.name("Devices")
        writer.array { writer in
            for device in devices {
                writer.object { writer in
                    writer.member("PathOnHost", device.pathOnHost)
                    writer.member("PathInContainer", device.pathInContainer)
                    writer.member("CgroupPermissions", device.permissions)
                }
            }
        }
        writer.member("DeviceCgroupRules", deviceRules)
        guard let deviceRequests else { return writer.nullMember("DeviceRequests") }
        writer.name("DeviceRequests")
        writer.array { writer in
            for request in deviceRequests {
                writer.object { writer in
                    writer.member("Driver", request.driver)
                    writer.member("Count", request.count)
                    writer.member("DeviceIDs", request.deviceIDs)
                    writer.name("Capabilities")
                    if let lists = request.capabilities {
                        writer.array { writer in
                            for list in lists { writer.array { writer in for text in list { writer.value(text) } } }
                        }
                    } else {
                        writer.null()
                    }
                    writer.member("Options", request.options)
                }
            }
        }
    }

    /// What is only shown where something was said.
    func writeOptional(to writer: inout JSONWriter) {
        if let runsInit { writer.member("Init", runsInit) }
        if !kernelParameters.isEmpty { writer.member("Sysctls", kernelParameters) }
        if !annotations.isEmpty { writer.member("Annotations", annotations) }
        if !storageOptions.isEmpty { writer.member("StorageOpt", storageOptions) }
        if let swappiness { writer.member("MemorySwappiness", swappiness) }
    }
}
