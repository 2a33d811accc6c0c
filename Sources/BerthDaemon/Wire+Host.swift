internal import Berth
internal import DockerAPI

extension ContainerConfiguration {
    /// What a request says of namespaces, devices, groups and the kernel's parameters.
    mutating func apply(_ options: HostOptions) throws(APIFailure) {
        func mode(_ text: String, _ kind: String) throws(APIFailure) -> NamespaceMode {
            guard let mode = NamespaceMode(parsing: text) else { throw .invalid("invalid \(kind) mode: \(text)") }
            return mode
        }
        namespaces.ipc = try mode(options.ipcMode, "IPC")
        namespaces.pid = try mode(options.pidMode, "PID")
        namespaces.uts = try mode(options.utsMode, "UTS")
        namespaces.user = try mode(options.userMode, "user namespace")
        namespaces.cgroup = try mode(options.cgroupMode, "cgroup namespace")
        guard (Int64(Int32.min)...Int64(Int32.max)).contains(options.outOfMemoryScore) else {
            throw .invalid("Invalid value \(options.outOfMemoryScore), range for oom score adj is [-1000, 1000]")
        }
        (runsInit, outOfMemoryScore) = (options.runsInit, Int(options.outOfMemoryScore))
        (addedGroups, kernelParameters, annotations) = (options.addedGroups ?? [], options.kernelParameters, options.annotations)
        runtimeName = options.runtime.isEmpty ? nil : options.runtime
        isolation = options.isolation.isEmpty ? nil : options.isolation
        devices = options.devices.map { DeviceMapping(source: $0.pathOnHost, target: $0.pathInContainer, permissions: $0.permissions) }
        deviceRules = options.deviceRules ?? []
        deviceRequests = (options.deviceRequests ?? []).map {
            DeviceRequest(
                driver: $0.driver, count: Int(clamping: $0.count), deviceIDs: $0.deviceIDs ?? [], capabilities: $0.capabilities ?? [],
                options: $0.options)
        }
        (maskedPaths, readOnlyPaths) = (options.maskedPaths, options.readOnlyPaths)
        controlGroupParent = options.cgroupParent.isEmpty ? nil : options.cgroupParent
        guard options.storageOptions.isEmpty else {
            throw .invalid("--storage-opt is supported only for overlay over xfs with 'pquota' mount option")
        }
    }

    /// What is said to a security module that this kernel lacks, or that is not used, is kept and does nothing, as with Docker.
    mutating func apply(securityModule name: String, _ value: String) throws(APIFailure) {
        guard value.utf8.allSatisfy({ $0 >= 32 && $0 != 127 }) else {
            throw .invalid("invalid --security-opt: a control character in what it says to \(name)")
        }
        securityModuleOptions.append("\(name)=\(value)")
    }
}

extension Resources {
    /// Takes what a request says of limits beside those of processors and memory.
    mutating func take(_ options: HostOptions) throws(APIFailure) {
        swappiness = options.swappiness
        realTimePeriod = options.realTimePeriod == 0 ? nil : options.realTimePeriod
        realTimeRuntime = options.realTimeRuntime == 0 ? nil : options.realTimeRuntime
        guard let weight = UInt16(exactly: options.blockWeight) else { throw .invalid("Range of blkio weight is from 10 to 1000") }
        block.weight = weight == 0 ? nil : weight
        func limits(_ devices: [HostOptions.BlockDevice]) throws(APIFailure) -> [BlockLimits.Device] {
            try devices.map { device throws(APIFailure) in
                guard device.value >= 0 else { throw .invalid("invalid rate or weight for device \(device.path): \(device.value)") }
                return BlockLimits.Device(path: device.path, value: UInt64(device.value))
            }
        }
        block.weightDevices = try limits(options.blockWeightDevices)
        (block.readBytes, block.writeBytes) = (try limits(options.readBytes), try limits(options.writeBytes))
        block.readOperations = try limits(options.readOperations)
        block.writeOperations = try limits(options.writeOperations)
    }
}

extension HostOptions {
    /// What an inspection says of a container.
    init(_ configuration: ContainerConfiguration) {
        self.init()
        func said(_ texts: [String]) -> [String]? { texts.isEmpty ? nil : texts }
        func shown(_ mode: NamespaceMode) -> String { mode == .default ? "private" : mode.description }
        let (namespaces, resources) = (configuration.namespaces, configuration.resources)
        (ipcMode, cgroupMode) = (shown(namespaces.ipc), shown(namespaces.cgroup))
        (pidMode, utsMode, userMode) = (namespaces.pid.description, namespaces.uts.description, namespaces.user.description)
        (runsInit, outOfMemoryScore) = (configuration.runsInit, Int64(configuration.outOfMemoryScore))
        (addedGroups, deviceRules) = (said(configuration.addedGroups), said(configuration.deviceRules))
        (kernelParameters, annotations) = (configuration.kernelParameters, configuration.annotations)
        (runtime, isolation) = (configuration.runtimeName ?? "", configuration.isolation ?? "")
        devices = configuration.devices.map { Device(pathOnHost: $0.source, pathInContainer: $0.target, permissions: $0.permissions) }
        deviceRequests =
            configuration.deviceRequests.isEmpty
            ? nil
            : configuration.deviceRequests.map { wanted in
                var request = DeviceRequest()
                (request.driver, request.count) = (wanted.driver, Int64(wanted.count))
                (request.deviceIDs, request.capabilities) = (
                    said(wanted.deviceIDs), wanted.capabilities.isEmpty ? nil : wanted.capabilities
                )
                request.options = wanted.options
                return request
            }
        // A privileged container has none of either.
        if !configuration.privileged {
            maskedPaths = configuration.maskedPaths ?? ContainerConfiguration.defaultMaskedPaths
            readOnlyPaths = configuration.readOnlyPaths ?? ContainerConfiguration.defaultReadOnlyPaths
        }
        cgroupParent = configuration.controlGroupParent ?? ""
        swappiness = resources.swappiness
        (realTimePeriod, realTimeRuntime) = (resources.realTimePeriod ?? 0, resources.realTimeRuntime ?? 0)
        blockWeight = Int64(resources.block.weight ?? 0)
        func limits(_ devices: [BlockLimits.Device]) -> [BlockDevice] {
            devices.map { BlockDevice(path: $0.path, value: Int64(clamping: $0.value)) }
        }
        blockWeightDevices = limits(resources.block.weightDevices)
        (readBytes, writeBytes) = (limits(resources.block.readBytes), limits(resources.block.writeBytes))
        (readOperations, writeOperations) = (limits(resources.block.readOperations), limits(resources.block.writeOperations))
    }
}
