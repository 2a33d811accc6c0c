internal import Berth
internal import DockerAPI

extension SystemInfo {
    /// What an engine and its machine are.
    init(_ facts: EngineInformation, isDebugging: Bool) {
        self.init()
        (id, root, driver) = (facts.id, facts.root, facts.snapshotter)
        (containerCount, runningContainerCount, imageCount) = (facts.containerCount, facts.runningContainerCount, facts.imageCount)
        pausedContainerCount = facts.pausedContainerCount
        if let obstacle = facts.snapshotterObstacle { driverStatus = [("Instead of overlay2", obstacle)] }
        (networkDrivers, logDrivers) = (facts.networkDrivers, LogDriver.names)
        logDriver = facts.logDriver.rawValue
        addressPools = facts.addressPools.map { AddressPool(base: $0.block.description, size: $0.prefixLength) }
        let has = { (name: String) in facts.cgroupControllers.contains(name) }
        (limitsMemory, limitsSwap, limitsProcesses, choosesProcessors) = (has("memory"), facts.limitsSwap, has("pids"), has("cpuset"))
        (limitsProcessorTime, weighsProcessors) = (has("cpu"), has("cpu"))
        disablesOutOfMemoryKiller = facts.cgroupVersion == 1 && has("memory")
        forwardsIPv4 = facts.forwardsIPv4
        self.isDebugging = isDebugging
        descriptorCount = facts.descriptorCount
        systemTime = Timestamp.now.rfc3339
        eventListenerCount = facts.eventListenerCount
        cgroupVersion = String(facts.cgroupVersion)
        (kernelVersion, operatingSystem) = (facts.kernelVersion, facts.operatingSystem)
        (operatingSystemVersion, architecture) = (facts.operatingSystemVersion, facts.architecture)
        (processorCount, memoryByteCount, hostName) = (facts.processorCount, facts.memoryByteCount, facts.hostname)
        serverVersion = Engine.version
        func used(_ module: String) -> [String] { facts.securityModules.contains(module) ? ["name=\(module)"] : [] }
        let filter =
            switch facts.seccomp {
            case .default, .builtin: "builtin"
            case .unconfined: "unconfined"
            case .profile: "custom"
            }
        labels = facts.labels
        securityOptions = used("apparmor") + ["name=seccomp,profile=\(filter)"] + used("selinux") + ["name=cgroupns"]
        (deviceDirectories, deviceNames, firewall) = (facts.devices.directories, facts.devices.names, "nftables")
        warnings = [
            ("container", facts.unreadableContainers), ("image", facts.unreadableImages), ("name", facts.unreadableReferences),
            ("layer", facts.unreadableLayers), ("network", facts.unreadableNetworks), ("volume", facts.unreadableVolumes),
            ("the record of the networks of container", facts.unreadableSandboxes),
        ].flatMap { kind, all in
            all.sorted { $0.key < $1.key }.map { "WARNING: \(kind) \($0.key) is unreadable: \($0.value)" }
        }
        warnings += facts.devices.mistakes.map { "WARNING: CDI: \($0)" }
    }
}

extension EventMessage {
    /// An event of the engine's.
    init(_ event: Event) {
        self.init(type: event.type, action: event.action, actorID: event.actorID, attributes: event.attributes, time: event.time)
    }
}
