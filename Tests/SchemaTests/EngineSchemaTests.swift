import DockerAPI
import Testing

private let id = String(repeating: "0123456789abcdef", count: 4)
private let digest = "sha256:" + id

@Suite("Every answer is what the Engine API's document allows, and has no member that it does not know")
struct EngineSchemaTests {
    private static func host() -> HostConfig {
        var host = HostConfig()
        (host.logDriver, host.networkMode) = ("json-file", "none")
        return host
    }
    private static func fullHost() -> HostConfig {
        var host = host()
        host.binds = ["/a:/b:ro"]
        host.mounts = [.init(type: "bind", source: "/a", target: "/b", readOnly: true, propagation: "rslave", createsSource: true)]
        host.logOptions = ["max-size": "1m"]
        (host.restartPolicy, host.autoRemove, host.consoleSize) = (
            HostConfig.RestartPolicy(name: "on-failure", maximumRetryCount: 3), true, (24, 80)
        )
        (host.addedCapabilities, host.droppedCapabilities, host.securityOptions) = (["CAP_NET_ADMIN"], ["ALL"], ["no-new-privileges"])
        (host.privileged, host.readOnlyRoot, host.sharedMemoryByteCount) = (true, true, 1 << 26)
        host.ulimits = [.init(name: "nofile", soft: 1024, hard: -1)]
        (host.memory, host.memorySwap, host.memoryReservation) = (1 << 30, -1, 1 << 20)
        (host.cpuShares, host.cpuQuota, host.cpuPeriod, host.nanoCPUs) = (2, 50_000, 100_000, 500_000_000)
        (host.cpusetCPUs, host.cpusetMems, host.pidsLimit, host.oomKillDisabled) = ("0-1", "0", 100, true)
        host.portBindings = [
            ContainerPort(80, .tcp): [PortBinding(hostAddress: "::1", hostPort: "8080-8090")], ContainerPort(53, .udp): [],
        ]
        (host.publishesAllPorts, host.links, host.extraHosts) = (true, ["a:b"], ["up:host-gateway"])
        (host.nameServers, host.nameOptions, host.nameSearch) = (["9.9.9.9"], ["ndots:2"], ["example.org"])
        host.options = fullOptions()
        return host
    }
    private static func fullOptions() -> HostOptions {
        var options = HostOptions()
        (options.ipcMode, options.pidMode, options.utsMode) = ("shareable", "host", "host")
        (options.userMode, options.cgroupMode, options.runsInit) = ("host", "private", true)
        (options.addedGroups, options.kernelParameters, options.outOfMemoryScore) = (["video", "5"], ["net.core.somaxconn": "9"], -5)
        options.devices = [.init(pathOnHost: "/dev/a", pathInContainer: "/dev/b", permissions: "r")]
        options.deviceRules = ["c 1:3 r"]
        var request = HostOptions.DeviceRequest()
        (request.driver, request.count, request.deviceIDs, request.capabilities) = ("nvidia", -1, ["0"], [["gpu", "utility"]])
        request.options = ["a": "b"]
        options.deviceRequests = [request]
        (options.maskedPaths, options.readOnlyPaths, options.cgroupParent) = (["/proc/keys"], ["/proc/sys"], "/a")
        (options.annotations, options.swappiness) = (["n": "v"], 60)
        (options.realTimePeriod, options.realTimeRuntime, options.blockWeight) = (1000, 500, 100)
        let device = HostOptions.BlockDevice(path: "/dev/a", value: 200)
        options.blockWeightDevices = [device]
        (options.readBytes, options.writeBytes, options.readOperations, options.writeOperations) = ([device], [device], [device], [device])
        options.storageOptions = ["size": "1G"]
        return options
    }
    private static func config() -> ContainerConfig {
        var config = ContainerConfig()
        (config.hostname, config.domainName, config.user) = ("h", "d", "u:g")
        (config.attachesStandardInput, config.terminal, config.openStandardInput, config.standardInputOnce) = (true, true, true, true)
        (config.environment, config.command, config.entrypoint) = (["A=1"], ["x"], ["/e"])
        (config.image, config.workingDirectory, config.labels) = ("busybox", "/w", ["a": "b"])
        (config.stopSignal, config.stopTimeoutSeconds) = ("SIGINT", 5)
        var check = HealthConfig()
        (check.test, check.retries) = (["CMD-SHELL", "true"], 3)
        (check.interval, check.timeout, check.startPeriod, check.startInterval) = (1_000_000, 2_000_000, 3_000_000, 4_000_000)
        config.healthcheck = check
        (config.exposedPorts, config.macAddress) = ([ContainerPort(80, .tcp), ContainerPort(9, .sctp)], "02:42:ac:11:00:02")
        return config
    }

    static func endpoint() -> EndpointSettings {
        var endpoint = EndpointSettings(networkID: id, endpointID: id)
        endpoint.asked = .init(ipv4: "172.20.0.9", ipv6: "2001:db8::9", linkLocal: ["169.254.1.1"])
        (endpoint.links, endpoint.aliases, endpoint.names) = (["a:b"], ["web"], ["web", "c"])
        (endpoint.macAddress, endpoint.driverOptions, endpoint.gatewayPriority) = ("02:42:ac:14:00:09", ["k": "v"], -5)
        (endpoint.gateway, endpoint.address, endpoint.prefixLength) = ("172.20.0.1", "172.20.0.9", 16)
        (endpoint.ipv6Gateway, endpoint.ipv6Address, endpoint.ipv6PrefixLength) = ("2001:db8::1", "2001:db8::9", 64)
        return endpoint
    }

    @Test("How a container meets its host", arguments: [host(), fullHost()])
    func hosts(host: HostConfig) throws {
        try expectAllowed(host.json, by: .engine("HostConfig"))
    }

    @Test("What runs in it", arguments: [ContainerConfig(), config()])
    func configs(config: ContainerConfig) throws {
        try expectAllowed(config.json, by: .engine("ContainerConfig"))
    }

    @Test("What it is in", arguments: ["created", "running", "paused", "restarting", "exited", "removing", "dead"])
    func states(status: String) throws {
        var state = ContainerState()
        (state.status, state.isRunning, state.isDead, state.outOfMemory) = (status, status == "running", status == "dead", true)
        (state.processID, state.exitCode, state.error) = (1, 137, "monitor lost")
        (state.startedAt, state.finishedAt) = ("2026-11-24T10:00:00.123456789Z", ContainerState.zeroTime)
        (state.isPaused, state.isRestarting) = (status == "paused", status == "restarting")
        let probe = HealthState.Probe(start: state.startedAt, end: state.startedAt, exitCode: -1, output: "x")
        state.health = HealthState(status: "unhealthy", failingStreak: 3, log: [probe])
        try expectAllowed(state.json, by: .engine("ContainerState"))
        let health = try #require(state.health)
        try expectAllowed(health.json, by: .engine("Health"))
    }

    @Test("All that is known of one", arguments: [false, true])
    func inspections(full: Bool) throws {
        var container = ContainerInspect()
        (container.id, container.created, container.path, container.arguments) = (id, "2026-11-24T10:00:00Z", "/bin/sh", [])
        (container.image, container.directory, container.name, container.driver) = (
            digest, "/var/lib/berth/containers/\(id)", "c", "overlay2"
        )
        container.state.status = "created"
        (container.host, container.config) = (Self.host(), ContainerConfig())
        if full {
            (container.host, container.config) = (Self.fullHost(), Self.config())
            (container.arguments, container.logPath, container.executionIDs) = (["-c", "x"], "/x.log", [id])
            (container.state.status, container.state.isRunning, container.state.processID) = ("running", true, 1)
            container.driverData = ["LowerDir": "/l", "UpperDir": "/u"]
            container.mounts = [
                MountPoint(type: "bind", source: "/a", destination: "/b", mode: "ro", isWritable: false, propagation: "rprivate")
            ]
            (container.network.sandboxID, container.network.sandboxKey) = (id, "/proc/1/ns/net")
            container.network.ports = [
                ContainerPort(80, .tcp): [PortBinding(hostAddress: "::", hostPort: "80")], ContainerPort(9, .udp): [],
            ]
            container.network.networks = ["none": EndpointSettings(networkID: id, endpointID: id), "n": Self.endpoint()]
        }
        try expectAllowed(container.json, by: .engine("ContainerInspectResponse"))
        try expectAllowed(container.json(for: .oldest), by: .engine("ContainerInspectResponse"))
    }

    @Test("One in a list")
    func summaries() throws {
        var container = ContainerSummary()
        #expect(try problems(of: container.json, by: .engine("ContainerSummary")) != [], "a state that is none is found")
        (container.id, container.name, container.image, container.imageID) = (id, "c", "busybox", digest)
        (container.command, container.createdAt, container.labels) = ("sh -c x", 1, ["a": "b"])
        (container.state, container.status, container.networkMode) = ("running", "Up 2 seconds", "none")
        container.networks = ["none": EndpointSettings(networkID: id, endpointID: id), "n": Self.endpoint().summary]
        container.ports = [
            PortSummary(ContainerPort(80, .tcp), hostAddress: "0.0.0.0", hostPort: 8080), PortSummary(ContainerPort(9, .sctp)),
        ]
        container.mounts = [MountPoint(type: "bind", source: "/a", destination: "/b", mode: "", isWritable: true, propagation: "rslave")]
        #expect(try problems(of: [container].json, by: .engine("ContainerSummary")) != [], "a list is no container")
        try expectAllowed(container.json, by: .engine("ContainerSummary"))
    }

    @Test("Images", arguments: [APIVersion.oldest, APIVersion(1, 43), APIVersion(1, 49), APIVersion.newest])
    func images(version: APIVersion) throws {
        var image = ImageInspect()
        (image.id, image.architecture, image.os, image.driver) = (digest, "amd64", "linux", "overlay2")
        // What older versions have beside the newest one's members.
        let older: Set<String> =
            version < APIVersion(1, 50)
            ? [
                "VirtualSize", "Hostname", "Domainname", "AttachStdin", "AttachStdout", "AttachStderr", "Tty", "OpenStdin", "StdinOnce",
                "Image",
            ] : []
        try expectAllowed(image.json(for: version), by: .engine("ImageInspect", beside: older))
        (image.tags, image.digests, image.comment, image.created) = (["a:1"], ["a@\(digest)"], "c", "2026-11-24T10:00:00Z")
        (image.author, image.variant, image.byteCount, image.driverData, image.diffIDs) = ("me", "v8", 1, ["UpperDir": "/u"], [digest])
        image.lastTagTime = "2026-11-24T10:00:00Z"
        (image.config.user, image.config.exposedPorts, image.config.environment) = ("u", ["80/tcp"], ["A=1"])
        (image.config.command, image.config.entrypoint, image.config.volumes) = (["x"], ["/e"], ["/data"])
        (image.config.workingDirectory, image.config.onBuild, image.config.labels) = ("/w", ["RUN x"], ["a": "b"])
        (image.config.stopSignal, image.config.shell) = ("SIGINT", ["/bin/sh"])
        try expectAllowed(image.json(for: version), by: .engine("ImageInspect", beside: older))
    }

    @Test("Images in a list")
    func imageSummaries() throws {
        var image = ImageSummary()
        (image.id, image.createdAt) = (digest, 1)
        try expectAllowed(image.json, by: .engine("ImageSummary"))
        (image.tags, image.digests, image.byteCount, image.labels, image.containerCount) = (
            ["a:1"], ["a@\(digest)"], 1 << 40, ["a": "b"], 2
        )
        try expectAllowed(image.json, by: .engine("ImageSummary"))
    }

    @Test("The system")
    func system() throws {
        var system = SystemInfo()
        (system.id, system.driver, system.root, system.cgroupVersion) = (id, "overlay2", "/var/lib/berth", "1")
        try expectAllowed(system.json, by: .engine("SystemInfo"))
        system.driverStatus = [("Backing Filesystem", "extfs"), ("Supports d_type", "true")]
        (system.containerCount, system.runningContainerCount, system.imageCount) = (3, 2, 1)
        (system.networkDrivers, system.logDrivers) = (["container", "host", "none"], ["json-file", "none"])
        (system.limitsMemory, system.limitsSwap, system.limitsProcessorTime, system.limitsProcesses) = (true, true, true, true)
        (system.systemTime, system.cgroupVersion, system.processorCount, system.memoryByteCount) = ("2026-11-24T10:00:00Z", "2", 2, 1 << 33)
        (system.deviceDirectories, system.deviceNames, system.firewall) = (["/etc/cdi"], ["vendor.com/gpu=0"], "nftables")
        (system.securityOptions, system.warnings) = (["name=seccomp,profile=builtin"], ["WARNING: x"])
        (system.kernelVersion, system.operatingSystem, system.architecture, system.hostName) = ("6.1", "Debian", "x86_64", "h")
        try expectAllowed(system.json, by: .engine("SystemInfo"))

        let version = SystemVersion(version: "0.1.0", commit: "abc", architecture: "amd64", kernelVersion: "6.1")
        try expectAllowed(version.json, by: .engine("SystemVersion"))
    }

    @Test("Events", arguments: [("container", "start"), ("image", "tag"), ("network", "connect")])
    func events(type: String, action: String) throws {
        let event = EventMessage(
            type: type, action: action, actorID: id, attributes: ["image": "x", "name": "c"], time: 1_700_000_000_123_456_789)
        // What clients of before 1.22 read; Docker sends it still.
        try expectAllowed(event.json, by: .engine("EventMessage", beside: ["status", "id", "from"]))
    }

    @Test("Answers to requests")
    func answers() throws {
        try expectAllowed(ContainerCreateResponse(id: id).json, by: .engine("ContainerCreateResponse"))
        try expectAllowed(ContainerCreateResponse(id: id, warnings: ["w"]).json, by: .engine("ContainerCreateResponse"))
        try expectAllowed(ContainerWaitResponse(statusCode: 0).json, by: .engine("ContainerWaitResponse"))
        try expectAllowed(ContainerWaitResponse(statusCode: 137, error: "x").json, by: .engine("ContainerWaitResponse"))
        try expectAllowed(IDResponse(id: id).json, by: .engine("IDResponse"))
        try expectAllowed(ErrorResponse(message: "no <such> container").json, by: .engine("ErrorResponse"))
        for item in [ImageDeleteItem.untagged("a:1"), .deleted(digest)] {
            try expectAllowed(item.json, by: .engine("ImageDeleteResponseItem"))
        }
        for message in [ProgressMessage.status("x"), .status("x", id: "i", current: 1, total: 2), .failure("x")] {
            try expectAllowed(message.json, by: .engine("CreateImageInfo"))
        }
    }

    @Test("Further processes")
    func executions() throws {
        var execution = ExecInspect()
        (execution.id, execution.containerID, execution.program, execution.isRunning) = (id, id, "sh", true)
        // While it runs Docker says null, which clients wait for, and which the document has forgotten.
        #expect(try problems(of: execution.json, by: .engine("ExecInspectResponse")) == ["ExitCode: None is not of type 'integer'"])
        (execution.isRunning, execution.exitCode, execution.processID) = (false, 3, 17)
        (execution.arguments, execution.user, execution.terminal, execution.privileged) = (["-c"], "u", true, true)
        (execution.opensStandardInput, execution.opensStandardOutput, execution.opensStandardError) = (true, true, true)
        try expectAllowed(execution.json, by: .engine("ExecInspectResponse"))
    }
}
