internal import Berth
internal import DockerAPI

/// What a request to edit a container says: as much of a request to make one as is to be otherwise.
struct ContainerEditRequest: Sendable {
    /// The image, if it is named: then it is looked for.
    let image: String?
    private let said: ContainerConfiguration
    /// The members that it has, in small letters and in order.
    private let names: [String]
    /// The networks that it is to be in no more.
    private let leaving: Set<String>

    /// - Parameter former: what the container is.
    init(parsing body: [UInt8], of former: ContainerConfiguration) throws {
        let value: JSONValue
        do throws(JSONText.ParseError) { value = try JSONText.parse(body) } catch { throw APIFailure.invalid("invalid JSON: \(error)") }
        func members(_ value: JSONValue?) -> [String: JSONValue] { if case .object(let members)? = value { members } else { [:] } }
        func member(_ name: String, of value: JSONValue?) -> JSONValue? {
            members(value).first { $0.key.lowercased() == name.lowercased() }?.value
        }
        let endpoints = members(member("EndpointsConfig", of: member("NetworkingConfig", of: value)))
        leaving = Set(endpoints.filter { $0.value == .null }.keys)
        names = (Array(members(value).keys) + members(member("HostConfig", of: value)).keys).map { $0.lowercased() }
            .filter { !["hostconfig", "networkingconfig", "image"].contains($0) }.sorted()
        var request = try ContainerCreateRequest(parsing: body)
        image = request.config.image.isEmpty ? nil : request.config.image
        request.config.image = former.image
        for name in leaving { request.endpoints[name] = nil }
        said = try ContainerConfiguration(request, version: .newest)
        for name in names where Self.parts[name] == nil {
            throw APIFailure.invalid("'\(name)' of a container that is there cannot be edited")
        }
    }

    /// Makes a configuration what is said; what is not named stays as it is.
    func apply(to configuration: inout ContainerConfiguration) {
        let parts = Self.parts
        for name in names { for part in parts[name] ?? [] { part(&configuration, said) } }
        let kinds = Set(names).intersection(["binds", "mounts", "tmpfs"])
        if !kinds.isEmpty {
            let all = configuration.bindMounts.map { Mount($0) } + configuration.mounts
            configuration.bindMounts = []
            configuration.mounts = all.filter { !kinds.contains($0.member) } + said.mounts.filter { kinds.contains($0.member) }
        }
        configuration.endpoints.removeAll { place in
            leaving.contains(place.network) || said.endpoints.contains { $0.network == place.network }
        }
        configuration.endpoints += said.endpoints
    }

    private typealias Part = (inout ContainerConfiguration, ContainerConfiguration) -> Void

    /// What each member of a request means, by its name in small letters.
    private static var parts: [String: [Part]] {
        var parts: [String: [Part]] = [:]
        func add(_ name: String, _ path: WritableKeyPath<ContainerConfiguration, some Any>) {
            parts[name, default: []].append { $0[keyPath: path] = $1[keyPath: path] }
        }
        add("attachstdin", \.attachesStandardInput)
        add("attachstdout", \.attachesStandardOutput)
        add("attachstderr", \.attachesStandardError)
        add("openstdin", \.openStandardInput)
        add("stdinonce", \.standardInputOnce)
        add("tty", \.terminal)
        add("cmd", \.command)
        add("entrypoint", \.entrypoint)
        add("env", \.environment)
        add("workingdir", \.workingDirectory)
        add("user", \.user)
        add("hostname", \.hostname)
        add("domainname", \.domainName)
        add("labels", \.labels)
        add("stopsignal", \.stopSignal)
        add("stoptimeout", \.stopTimeoutSeconds)
        add("healthcheck", \.healthcheck)
        add("healthcheck", \.unhealthyAction)
        add("volumes", \.volumes)
        add("exposedports", \.networking.exposedPorts)
        add("portbindings", \.networking.publishedPorts)
        add("publishallports", \.networking.publishesAllPorts)
        add("dns", \.networking.nameServers)
        add("dnssearch", \.networking.nameSearch)
        add("dnsoptions", \.networking.nameOptions)
        add("extrahosts", \.networking.extraHosts)
        add("links", \.networking.links)
        add("volumesfrom", \.volumesFrom)
        add("volumedriver", \.volumeDriver)
        add("shmsize", \.sharedMemoryByteCount)
        add("logconfig", \.logDriver)
        add("logconfig", \.logOptions)
        add("restartpolicy", \.restart)
        add("autoremove", \.removesItself)
        add("consolesize", \.initialTerminalRows)
        add("consolesize", \.initialTerminalColumns)
        add("init", \.runsInit)
        add("privileged", \.privileged)
        add("readonlyrootfs", \.readOnlyRoot)
        add("capadd", \.addedCapabilities)
        add("capdrop", \.droppedCapabilities)
        add("groupadd", \.addedGroups)
        add("annotations", \.annotations)
        add("securityopt", \.noNewPrivileges)
        add("securityopt", \.seccomp)
        add("securityopt", \.hasWritableControlGroups)
        add("securityopt", \.securityModuleOptions)
        add("maskedpaths", \.maskedPaths)
        add("readonlypaths", \.readOnlyPaths)
        add("sysctls", \.kernelParameters)
        add("oomscoreadj", \.outOfMemoryScore)
        add("cgroupparent", \.controlGroupParent)
        add("devices", \.devices)
        add("devicecgrouprules", \.deviceRules)
        add("devicerequests", \.deviceRequests)
        add("ulimits", \.resourceLimits)
        add("ipcmode", \.namespaces.ipc)
        add("pidmode", \.namespaces.pid)
        add("utsmode", \.namespaces.uts)
        add("usernsmode", \.namespaces.user)
        add("cgroupnsmode", \.namespaces.cgroup)
        add("memoryswap", \.resources.memorySwapByteCount)
        add("memoryreservation", \.resources.memoryReservationByteCount)
        add("memoryswappiness", \.resources.swappiness)
        add("oomkilldisable", \.resources.oomKillDisabled)
        add("cpushares", \.resources.cpuShares)
        add("cpuperiod", \.resources.cpuPeriod)
        add("cpuquota", \.resources.cpuQuota)
        add("nanocpus", \.resources.nanoCPUs)
        add("cpusetcpus", \.resources.cpusetCPUs)
        add("cpusetmems", \.resources.cpusetMems)
        add("cpurealtimeperiod", \.resources.realTimePeriod)
        add("cpurealtimeruntime", \.resources.realTimeRuntime)
        add("pidslimit", \.resources.pidsLimit)
        add("blkioweight", \.resources.block.weight)
        add("blkioweightdevice", \.resources.block.weightDevices)
        add("blkiodevicereadbps", \.resources.block.readBytes)
        add("blkiodevicewritebps", \.resources.block.writeBytes)
        add("blkiodevicereadiops", \.resources.block.readOperations)
        add("blkiodevicewriteiops", \.resources.block.writeOperations)
        parts["networkmode"] = [moveNetwork]
        parts["memory"] = [changeMemory]
        // A place alone is a volume; the rest of the three is taken together, behind all others.
        parts["binds"] = [{ $0.volumes.formUnion($1.volumes) }]
        (parts["mounts"], parts["tmpfs"]) = ([], [])
        return parts
    }

    /// The place in the network that a mode names goes with it.
    private static func moveNetwork(_ configuration: inout ContainerConfiguration, to said: ContainerConfiguration) {
        guard configuration.network != said.network else { return }
        let former = configuration.network.networkName
        configuration.endpoints.removeAll { $0.network == former }
        configuration.network = said.network
    }

    /// Swap that followed from the memory follows it.
    private static func changeMemory(_ configuration: inout ContainerConfiguration, to said: ContainerConfiguration) {
        let former = configuration.resources
        configuration.resources.memoryByteCount = said.resources.memoryByteCount
        if let swap = former.memorySwapByteCount, let memory = former.memoryByteCount, swap / 2 == memory {
            configuration.resources.memorySwapByteCount = nil
        }
    }
}

extension Mount {
    /// The member of a request that says it, in small letters.
    fileprivate var member: String {
        switch notation {
        case .volume: "binds"
        case .tmpfs: "tmpfs"
        case .mount: "mounts"
        }
    }
}
