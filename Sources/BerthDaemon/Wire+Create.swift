internal import Berth
internal import DockerAPI

extension ContainerConfiguration {
    /// What a client's request to make a container means here.
    ///
    /// - Throws: for what makes no sense, and for what does not exist here.
    init(_ request: ContainerCreateRequest, version: APIVersion) throws(APIFailure) {
        let (config, host) = (request.config, request.host)
        guard !config.image.isEmpty else {
            throw .invalid(
                request.saysNothingOfConfig ? "config cannot be empty in order to create a container" : "no image specified")
        }
        self.init(image: config.image)
        (command, entrypoint, environment) = (config.command, config.entrypoint, config.environment ?? [])
        workingDirectory = Self.said(config.workingDirectory)
        (user, hostname, domainName) = (Self.said(config.user), Self.said(config.hostname), Self.said(config.domainName))
        labels = config.labels
        (terminal, openStandardInput) = (config.terminal, config.openStandardInput)
        standardInputOnce = config.standardInputOnce
        attachesStandardInput = config.attachesStandardInput
        (attachesStandardOutput, attachesStandardError) = (config.attachesStandardOutput, config.attachesStandardError)
        stopSignal = config.stopSignal.flatMap(Self.said)
        stopTimeoutSeconds = config.stopTimeoutSeconds.map { Int(clamping: $0) }
        network = NetworkMode(parsing: host.networkMode)
        // An object has no order: by name, so that interfaces have the same order each time.
        endpoints = try request.endpoints.sorted { $0.key < $1.key }.map { name, settings throws(APIFailure) in
            try EndpointConfiguration(settings, network: name == "default" ? "bridge" : name)
        }
        networking = try NetworkingConfiguration(request)
        try takeMounts(config, host, version: version)
        (addedCapabilities, droppedCapabilities) = (host.addedCapabilities ?? [], host.droppedCapabilities ?? [])
        (privileged, readOnlyRoot, removesItself) = (host.privileged, host.readOnlyRoot, host.autoRemove)
        restart = try RestartPolicy(host.restartPolicy)
        try take(config.healthcheck)
        for option in host.securityOptions ?? [] { try apply(securityOption: option) }
        (logDriver, logOptions) = (try Self.logDriver(host), host.logOptions)
        guard host.sharedMemoryByteCount >= 0 else { throw .invalid("SHM size can not be less than 0") }
        if host.sharedMemoryByteCount > 0 { sharedMemoryByteCount = UInt64(host.sharedMemoryByteCount) }
        resourceLimits = host.ulimits.map { ResourceLimit(name: $0.name, soft: $0.soft, hard: $0.hard) }
        resources = try Resources(host)
        try apply(host.options)
        initialTerminalRows = UInt16(exactly: host.consoleSize.rows).flatMap { $0 > 0 ? $0 : nil }
        initialTerminalColumns = UInt16(exactly: host.consoleSize.columns).flatMap { $0 > 0 ? $0 : nil }
    }

    private static func said(_ text: String) -> String? { text.isEmpty ? nil : text }

    private static func logDriver(_ host: HostConfig) throws(APIFailure) -> LogDriver {
        guard let driver = LogDriver(rawValue: host.logDriver) else {
            throw .invalid("logger: no log driver named '\(host.logDriver)' is registered")
        }
        return driver
    }

    /// One `--security-opt`.
    private mutating func apply(securityOption text: String) throws(APIFailure) {
        // These alone say that it is so.
        if text == "no-new-privileges" { return noNewPrivileges = true }
        if text == "writable-cgroups" { return hasWritableControlGroups = true }
        // A colon is what very old clients write.
        guard let separator = text.firstIndex(where: { $0 == "=" || $0 == ":" }) else {
            throw .invalid("invalid --security-opt 1: \"\(text)\"")
        }
        let (name, value) = (text[..<separator], String(text[text.index(after: separator)...]))
        switch (name, value) {
        case ("no-new-privileges", "true"): noNewPrivileges = true
        case ("no-new-privileges", "false"): noNewPrivileges = false
        case ("no-new-privileges", _): throw .invalid("invalid --security-opt: \"\(text)\": it must be true or false")
        case ("seccomp", "unconfined"): seccomp = .unconfined
        case ("seccomp", "builtin"): seccomp = .builtin
        case ("seccomp", _): seccomp = .profile(value)
        case ("apparmor", _), ("label", _): try apply(securityModule: String(name), value)
        case ("writable-cgroups", "true"): hasWritableControlGroups = true
        case ("writable-cgroups", "false"): hasWritableControlGroups = false
        default: throw .invalid("invalid --security-opt 2: \"\(text)\"")
        }
    }
}

extension NetworkingConfiguration {
    fileprivate init(_ request: ContainerCreateRequest) throws(APIFailure) {
        self.init()
        let (config, host) = (request.config, request.host)
        exposedPorts = Set(config.exposedPorts.map { Port($0) })
        for (port, bindings) in (host.portBindings ?? [:]).sorted(by: { $0.key < $1.key }) {
            // A port without a place is published anywhere.
            for binding in bindings.isEmpty ? [PortBinding()] : bindings {
                let address = try Self.hostAddress(binding.hostAddress)
                publishedPorts.append(PortRequest(Port(port), hostAddress: address, hostPorts: binding.hostPorts))
            }
        }
        publishesAllPorts = host.publishesAllPorts
        nameServers = try (host.nameServers ?? []).map { text throws(APIFailure) in
            guard let address = IPAddress(text) else { throw .invalid("bad format for dns: \(text): it must be an address") }
            return address
        }
        (nameSearch, nameOptions) = (host.nameSearch ?? [], host.nameOptions ?? [])
        extraHosts = host.extraHosts ?? []
        links = host.links ?? []
    }

    private static func hostAddress(_ text: String) throws(APIFailure) -> IPAddress? {
        // An address that says "all of version 4" means just that.
        if text.isEmpty { return nil }
        guard let address = IPAddress(text) else { throw .invalid("invalid IP address: \(text)") }
        return address
    }
}

extension Port {
    init(_ port: ContainerPort) { self.init(port.number, port.transport.spoken) }
}

extension ContainerPort.Transport {
    fileprivate var spoken: PublishedPort.Transport {
        switch self {
        case .tcp: .tcp
        case .udp: .udp
        case .sctp: .sctp
        }
    }
}

extension Resources {
    /// What of limits a client says.
    init(_ host: HostConfig) throws(APIFailure) {
        self.init()
        func positive(_ value: Int64, _ name: String) throws(APIFailure) -> Int64? {
            guard value >= 0 else { throw .invalid("\(name) can not be less than 0: \(value)") }
            return value == 0 ? nil : value
        }
        memoryByteCount = try positive(host.memory, "Memory")
        memorySwapByteCount = host.memorySwap == 0 ? nil : host.memorySwap
        memoryReservationByteCount = try positive(host.memoryReservation, "MemoryReservation")
        guard host.cpuShares >= 0 else { throw .invalid("invalid CPU shares (\(host.cpuShares)): value must be a positive integer") }
        cpuShares = host.cpuShares == 0 ? nil : UInt64(host.cpuShares)
        cpuQuota = host.cpuQuota == 0 ? nil : host.cpuQuota
        cpuPeriod = try positive(host.cpuPeriod, "CpuPeriod").map { UInt64($0) }
        nanoCPUs = try positive(host.nanoCPUs, "NanoCpus")
        (cpusetCPUs, cpusetMems) = (host.cpusetCPUs.isEmpty ? nil : host.cpusetCPUs, host.cpusetMems.isEmpty ? nil : host.cpusetMems)
        pidsLimit = host.pidsLimit.flatMap { $0 <= 0 ? nil : $0 }
        oomKillDisabled = host.oomKillDisabled ?? false
        try take(host.options)
    }
}
