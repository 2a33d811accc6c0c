internal import Berth
internal import DockerAPI

extension ContainerSummary {
    /// A container in a list.
    init(_ container: ContainerOverview, now: Timestamp, usage: ContainerUsage? = nil, for version: APIVersion = .newest) {
        self.init()
        linkNames = container.linkNames
        if version >= APIVersion(1, 46) { annotations = container.annotations }
        (changedByteCount, rootByteCount) = (usage?.changedByteCount, usage?.rootByteCount)
        (id, name, labels) = (container.id, container.name, container.labels)
        (image, imageID) = (container.image, container.imageID.description)
        command = container.arguments.map { $0.contains(" ") ? "'\($0)'" : $0 }.joined(separator: " ")
        createdAt = container.createdAt.seconds
        state = container.status.rawValue
        status = container.statusText(now: now)
        networkMode = container.network.description
        for place in container.places { networks[place.network] = container.settings(of: place) }
        ports = container.portSummaries
        mounts = container.mounts.compactMap { MountPoint($0) }
    }
}

extension ContainerOverview {
    /// What it is in, in a few words: `Up 3 minutes`, `Exited (0) 2 hours ago`.
    fileprivate func statusText(now: Timestamp) -> String {
        func since(_ time: Timestamp) -> String { HumanText.duration(seconds: max(0, now.nanoseconds - time.nanoseconds) / 1_000_000_000) }
        switch status {
        case .running: return "Up \(startedAt.map(since) ?? "Less than a second")\(healthText)"
        case .paused: return "Up \(startedAt.map(since) ?? "Less than a second") (Paused)"
        case .restarting:
            return "Restarting (\(lastExit?.code ?? 0)) \(lastExit?.finishedAt.map(since) ?? "Less than a second") ago"
        case .exited:
            guard let exit = lastExit else { return "Exited" }
            return "Exited (\(exit.code))" + (exit.finishedAt.map { " \(since($0)) ago" } ?? "")
        case .created: return "Created"
        case .removing: return "Removal In Progress"
        case .unreadable: return "Dead"
        }
    }

    fileprivate var portSummaries: [PortSummary] {
        guard processID != nil, !endpoints.isEmpty else { return [] }
        let published = endpoints.flatMap(\.ports)
        let bare = openPorts.filter { port in !published.contains { Port($0.containerPort, $0.transport) == port } }
        return bare.sorted().map { PortSummary(ContainerPort($0)) }
            + published.map { port in
                PortSummary(
                    ContainerPort(Port(port.containerPort, port.transport)), hostAddress: port.writtenHostAddress,
                    hostPort: port.hostPort == 0 ? nil : port.hostPort)
            }
    }

    /// One of its places, without the names that only inspections tell.
    fileprivate func settings(of place: EndpointConfiguration) -> EndpointSettings {
        let endpoint = endpoints.first { $0.networkName == place.network }
        return EndpointSettings(place, endpoint, networkID: networkIDs[place.network] ?? "", names: nil).summary
    }
}

extension ContainerDetails {
    /// Its places in networks, by the networks' names.
    fileprivate var networks: [String: EndpointSettings] {
        var found: [String: EndpointSettings] = [:]
        for wanted in configuration.endpoints {
            let endpoint = endpoints.first { $0.networkName == wanted.network }
            found[wanted.network] = EndpointSettings(
                wanted, endpoint, networkID: networkIDs[wanted.network] ?? "",
                names: NetworkName.isUserDefined(wanted.network) ? names(of: wanted) : nil)
        }
        return found
    }

    /// Its ports while it runs and is in a network, and where each is published.
    fileprivate var portMap: PortMap {
        guard processID != nil, !endpoints.isEmpty else { return [:] }
        var map: PortMap = [:]
        for port in openPorts { map[ContainerPort(port)] = [] }
        for port in endpoints.flatMap(\.ports) {
            map[ContainerPort(Port(port.containerPort, port.transport)), default: []].append(
                PortBinding(hostAddress: port.writtenHostAddress, hostPort: port.hostPort == 0 ? "" : String(port.hostPort)))
        }
        return map
    }

    /// The names by which the others of a network know it.
    private func names(of endpoint: EndpointConfiguration) -> [String] {
        var names = [name]
        for further in endpoint.aliases + [String(id.prefix(12)), hostname] where !names.contains(further) { names.append(further) }
        return names
    }
}

extension ContainerInspect {
    /// All that is known of a container.
    init(_ container: ContainerDetails, usage: ContainerUsage? = nil) {
        self.init()
        (changedByteCount, rootByteCount) = (usage?.changedByteCount, usage?.rootByteCount)
        (id, name, created) = (container.id, container.name, container.createdAt.rfc3339)
        restartCount = container.restartCount
        (path, arguments) = (container.arguments.first ?? "", Array(container.arguments.dropFirst()))
        state = ContainerState(container)
        image = container.imageID.description
        (directory, logPath, driver) = (container.directory, container.logPath ?? "", container.snapshotter)
        appArmorProfile = container.appArmorProfile ?? ""
        (processLabel, mountLabel) = (container.securityLabels?.process ?? "", container.securityLabels?.mount ?? "")
        executionIDs = container.executionIDs.isEmpty ? nil : container.executionIDs
        host = HostConfig(container.configuration)
        // As Docker tells them.
        host.ulimits = container.resourceLimits.map { HostConfig.Ulimit(name: $0.name, soft: $0.soft, hard: $0.hard) }
        host.links = container.links.isEmpty ? nil : container.links
        config = ContainerConfig(container)
        mounts = container.mounts.compactMap { MountPoint($0) }
        // One that shares another's has none of its own.
        network.sandboxKey = container.configuration.sharesNetwork ? "" : container.processID.map { "/proc/\($0)/ns/net" } ?? ""
        network.sandboxID = network.sandboxKey.isEmpty ? "" : container.id
        network.networks = container.networks
        network.ports = container.portMap
    }
}

extension ContainerState {
    fileprivate init(_ container: ContainerDetails) {
        self.init()
        (status, isRunning) = (container.status.rawValue, container.status.isActive)
        (isPaused, isRestarting) = (container.status == .paused, container.status == .restarting)
        isDead = container.status == .unreadable
        processID = container.processID ?? 0
        startedAt = container.startedAt?.rfc3339 ?? Self.zeroTime
        health = container.health.map { HealthState($0) }
        guard let exit = container.lastExit else { return }
        // Of the run before, only its end is told while another runs.
        finishedAt = exit.startedAt == nil ? Self.zeroTime : exit.finishedAt?.rfc3339 ?? Self.zeroTime
        guard container.processID == nil else { return }
        (exitCode, outOfMemory, error) = (exit.code, exit.outOfMemory, exit.reason ?? "")
    }
}

extension ContainerConfig {
    fileprivate init(_ container: ContainerDetails) {
        self.init()
        let (configuration, execution) = (container.configuration, container.image)
        (hostname, domainName) = (container.hostname, container.domainName ?? "")
        let first = configuration.endpoints.first { !configuration.sharesNetwork && $0.network == configuration.network.networkName }
        macAddress = first?.hardwareAddress?.description ?? ""
        user = configuration.user.flatMap { $0.isEmpty ? nil : $0 } ?? execution.user ?? ""
        attachesStandardInput = configuration.attachesStandardInput
        (attachesStandardOutput, attachesStandardError) = (configuration.attachesStandardOutput, configuration.attachesStandardError)
        (terminal, openStandardInput) = (configuration.terminal, configuration.openStandardInput)
        standardInputOnce = configuration.standardInputOnce
        environment = container.environment
        if let own = configuration.entrypoint {
            (entrypoint, command) = (own == [""] ? nil : own, configuration.command)
        } else {
            entrypoint = execution.entrypoint
            command = configuration.command.flatMap { $0.isEmpty ? nil : $0 } ?? execution.command
        }
        image = configuration.image
        volumes = configuration.volumes.union(execution.volumes)
        workingDirectory = configuration.workingDirectory.flatMap { $0.isEmpty ? nil : $0 } ?? execution.workingDirectory ?? ""
        labels = container.labels
        exposedPorts = Set(
            (configuration.networking.exposedPorts + execution.exposedPorts.compactMap { Port($0) }).map { ContainerPort($0) })
        healthcheck = HealthConfig(container)
        stopSignal = configuration.stopSignal ?? execution.stopSignal
        stopTimeoutSeconds = configuration.stopTimeoutSeconds.map { Int64($0) }
    }
}

extension ContainerConfiguration {
    fileprivate var sharesNetwork: Bool { if case .container = network { true } else { false } }
}

extension PublishedPort {
    fileprivate var writtenHostAddress: String { (hostAddress ?? IPAddress(version, 0)).description }
}

extension ContainerPort {
    init(_ port: Port) {
        let transport: Transport =
            switch port.transport {
            case .tcp: .tcp
            case .udp: .udp
            case .sctp: .sctp
            }
        self.init(port.number, transport)
    }
}

extension HostConfig {
    fileprivate init(_ configuration: ContainerConfiguration) {
        self.init()
        showMounts(configuration)
        (logDriver, networkMode) = (configuration.logDriver.rawValue, configuration.network.description)
        logOptions = configuration.logOptions
        let networking = configuration.networking
        var bindings: PortMap = [:]
        for request in networking.publishedPorts {
            let range = request.hostPorts.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
            bindings[ContainerPort(request.port), default: []].append(
                PortBinding(hostAddress: request.hostAddress?.description ?? "", hostPort: range ?? ""))
        }
        (portBindings, publishesAllPorts) = (bindings, networking.publishesAllPorts)
        nameServers = networking.nameServers.map(\.description)
        (nameOptions, nameSearch) = (networking.nameOptions, networking.nameSearch)
        extraHosts = networking.extraHosts.isEmpty ? nil : networking.extraHosts
        restartPolicy = RestartPolicy(configuration.restart)
        (autoRemove, privileged, readOnlyRoot) = (configuration.removesItself, configuration.privileged, configuration.readOnlyRoot)
        consoleSize = (Int64(configuration.initialTerminalRows ?? 0), Int64(configuration.initialTerminalColumns ?? 0))
        addedCapabilities = configuration.addedCapabilities.isEmpty ? nil : configuration.addedCapabilities
        droppedCapabilities = configuration.droppedCapabilities.isEmpty ? nil : configuration.droppedCapabilities
        securityOptions = configuration.securityOptions
        sharedMemoryByteCount = Int64(clamping: configuration.sharedMemoryByteCount ?? 0)
        let limits = configuration.resources
        (memory, memorySwap) = (limits.memoryByteCount ?? 0, limits.memorySwapByteCount ?? 0)
        memoryReservation = limits.memoryReservationByteCount ?? 0
        (cpuShares, cpuQuota) = (Int64(clamping: limits.cpuShares ?? 0), limits.cpuQuota ?? 0)
        (cpuPeriod, nanoCPUs) = (Int64(clamping: limits.cpuPeriod ?? 0), limits.nanoCPUs ?? 0)
        (cpusetCPUs, cpusetMems) = (limits.cpusetCPUs ?? "", limits.cpusetMems ?? "")
        (pidsLimit, oomKillDisabled) = (limits.pidsLimit.map { max(0, $0) }, limits.oomKillDisabled)
        options = HostOptions(configuration)
    }
}

extension ContainerConfiguration {
    fileprivate var securityOptions: [String]? {
        var options: [String] = []
        if let noNewPrivileges { options.append(noNewPrivileges ? "no-new-privileges" : "no-new-privileges=false") }
        switch seccomp {
        case .default: break
        case .builtin: options.append("seccomp=builtin")
        case .unconfined: options.append("seccomp=unconfined")
        case .profile(let text): options.append("seccomp=\(text)")
        }
        if hasWritableControlGroups { options.append("writable-cgroups=true") }
        options += securityModuleOptions
        // As Docker has it: labels are nothing to who is everywhere.
        if privileged || namespaces.pid == .host || namespaces.ipc == .host, !options.contains("label=disable") {
            options.append("label=disable")
        }
        return options.isEmpty ? nil : options
    }
}
