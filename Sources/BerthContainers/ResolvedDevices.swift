internal import BerthLinux
internal import BerthOCI

/// What the devices that a container asks for mean on this machine, at its start.
struct ResolvedDevices: Sendable {
    var devices: [RuntimeSpec.Device] = []
    var rules: [RuntimeSpec.DeviceRule] = []
    var blockIO: RuntimeSpec.BlockIO?
    /// What devices that somebody else describes bring along.
    var mounts: [RuntimeSpec.Mount] = []
    var environment: [String] = []
    var groups: [UInt32] = []
    /// Programs that such devices want run.
    var hooks: RuntimeSpec.Hooks?

    init() {}

    /// Looks at the host's device files. Blocks. Docker's words.
    ///
    /// - Parameter directories: where devices are described that are asked for by name.
    init(of configuration: ContainerConfiguration, describedIn directories: [String]) throws(ContainerError) {
        for mapping in configuration.devices { try add(mapping) }
        for rule in configuration.deviceRules { rules.append(try Self.rule(rule)) }
        for request in configuration.deviceRequests { try add(request, DeviceDescriptions(directories: directories)) }
        blockIO = try Self.limits(configuration.resources.block)
    }

    private mutating func add(_ mapping: DeviceMapping) throws(ContainerError) {
        func wrong(_ reason: String, _ error: Errno? = nil) -> ContainerError {
            ContainerError(
                .invalid, "error gathering device information while adding custom device \"\(mapping.source)\": \(reason)",
                underlying: error)
        }
        let status: FileStatus
        do throws(Errno) { status = try HostFile.namedStatus(mapping.source) } catch { throw wrong("\(error.lowercaseReason)", error) }
        if status.kind == .directory {
            let found = HostDevices.inDirectory(mapping.source)
            guard !found.isEmpty else { throw wrong("not a device node") }
            for var device in found {
                device.path = mapping.target + device.path.dropFirst(mapping.source.count)
                append(device, mapping.permissions)
            }
            return
        }
        guard let device = HostDevices.device(status, at: mapping.target) else { throw wrong("not a device node") }
        append(device, mapping.permissions)
    }

    private mutating func append(_ device: RuntimeSpec.Device, _ permissions: String) {
        devices.removeAll { $0.path == device.path }
        devices.append(device)
        rules.append(RuntimeSpec.DeviceRule(allow: true, type: device.type, major: device.major, minor: device.minor, access: permissions))
    }

    /// `c 1:3 rwm`: a kind, two numbers or `*`, and what is allowed.
    static func rule(_ text: String) throws(ContainerError) -> RuntimeSpec.DeviceRule {
        let wrong = ContainerError(.invalid, "invalid device cgroup rule format: '\(text)'")
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 3, ["a", "b", "c"].contains(words[0]), (1...3).contains(words[2].count),
            words[2].allSatisfy({ "rwm".contains($0) })
        else { throw wrong }
        let numbers = words[1].split(separator: ":", omittingEmptySubsequences: false)
        guard numbers.count == 2 else { throw wrong }
        func number(_ text: Substring) throws(ContainerError) -> Int64 {
            if text == "*" { return -1 }
            guard text.allSatisfy({ $0.isASCII && $0.isNumber }), let value = UInt32(text) else { throw wrong }
            return Int64(value)
        }
        return RuntimeSpec.DeviceRule(
            allow: true, type: String(words[0]), major: try number(numbers[0]), minor: try number(numbers[1]), access: String(words[2]))
    }

    private static func limits(_ block: BlockLimits) throws(ContainerError) -> RuntimeSpec.BlockIO? {
        guard block != BlockLimits() else { return nil }
        func numbers(_ path: String) throws(ContainerError) -> (Int64, Int64) {
            do throws(Errno) {
                // As Docker has it: of what is no device the numbers are 0, and the kernel refuses them.
                switch try HostFile.namedStatus(path).kind {
                case .blockDevice(let device), .characterDevice(let device): return (Int64(device.major), Int64(device.minor))
                default: return (0, 0)
                }
            } catch { throw ContainerError(.invalid, "stat \(path): \(error.lowercaseReason)", underlying: error) }
        }
        func rates(_ devices: [BlockLimits.Device]) throws(ContainerError) -> [RuntimeSpec.ThrottleDevice]? {
            if devices.isEmpty { return nil }
            return try devices.map { device throws(ContainerError) in
                let (major, minor) = try numbers(device.path)
                return RuntimeSpec.ThrottleDevice(major: major, minor: minor, rate: device.value)
            }
        }
        var result = RuntimeSpec.BlockIO()
        result.weight = block.weight
        result.weightDevice = try block.weightDevices.map { device throws(ContainerError) in
            let (major, minor) = try numbers(device.path)
            return RuntimeSpec.WeightDevice(major: major, minor: minor, weight: UInt16(clamping: device.value))
        }
        (result.throttleReadBpsDevice, result.throttleWriteBpsDevice) = (try rates(block.readBytes), try rates(block.writeBytes))
        (result.throttleReadIOPSDevice, result.throttleWriteIOPSDevice) = (
            try rates(block.readOperations), try rates(block.writeOperations)
        )
        return result
    }

    // MARK: Devices that somebody else describes

    private mutating func add(_ request: DeviceRequest, _ descriptions: DeviceDescriptions) throws(ContainerError) {
        let names: [String]
        if request.driver == "cdi" {
            names = request.deviceIDs
        } else {
            names = try Self.graphics(request, descriptions)
        }
        for edits in try descriptions.edits(for: names) { try add(edits) }
    }

    private mutating func add(_ described: DeviceDescriptions.Edits.Hook) throws(ContainerError) {
        let moments: [String: WritableKeyPath<RuntimeSpec.Hooks, [RuntimeSpec.Hook]?>] = [
            "prestart": \.prestart, "createRuntime": \.createRuntime, "createContainer": \.createContainer,
            "startContainer": \.startContainer, "poststart": \.poststart, "poststop": \.poststop,
        ]
        guard let moment = moments[described.hookName] else {
            throw ContainerError(.invalid, "CDI device injection failed: '\(described.hookName)' is no moment at which there are hooks")
        }
        var hook = RuntimeSpec.Hook(path: described.path)
        (hook.args, hook.env, hook.timeout) = (described.args, described.env, described.timeout)
        var all = hooks ?? RuntimeSpec.Hooks()
        all[keyPath: moment] = (all[keyPath: moment] ?? []) + [hook]
        hooks = all
    }

    /// Graphics processors, which their maker describes by this name.
    private static func graphics(_ request: DeviceRequest, _ descriptions: DeviceDescriptions) throws(ContainerError) -> [String] {
        let kind = "nvidia.com/gpu"
        let present = descriptions.names(ofKind: kind)
        guard ["", "nvidia"].contains(request.driver), request.capabilities.contains(where: { $0.contains("gpu") }), !present.isEmpty else {
            let wanted = request.capabilities.map { "[\($0.joined(separator: " "))]" }.joined(separator: " ")
            throw ContainerError(.invalid, "could not select device driver \"\(request.driver)\" with capabilities: [\(wanted)]")
        }
        if !request.deviceIDs.isEmpty { return request.deviceIDs.map { "\(kind)=\($0)" } }
        return request.count < 0 ? ["\(kind)=all"] : (0..<min(request.count, 1024)).map { "\(kind)=\($0)" }
    }

    private mutating func add(_ edits: DeviceDescriptions.Edits) throws(ContainerError) {
        environment += edits.env ?? []
        groups += edits.additionalGids ?? []
        for node in edits.deviceNodes ?? [] {
            let source = node.hostPath ?? node.path
            var device: RuntimeSpec.Device
            if let type = node.type, let major = node.major, let minor = node.minor {
                device = RuntimeSpec.Device(path: node.path, type: type, major: major, minor: minor, fileMode: node.fileMode ?? 0o666)
            } else {
                var mapping = ResolvedDevices()
                try mapping.add(DeviceMapping(source: source, target: node.path))
                guard let found = mapping.devices.first else { continue }
                device = found
                if let mode = node.fileMode { device.fileMode = mode }
            }
            if let user = node.uid { device.uid = user }
            if let group = node.gid { device.gid = group }
            append(device, node.permissions ?? "rwm")
        }
        for hook in edits.hooks ?? [] { try add(hook) }
        for mount in edits.mounts ?? [] {
            guard mount.hostPath.hasPrefix("/"), mount.containerPath.hasPrefix("/") else {
                throw ContainerError(.invalid, "CDI device injection failed: the mount of '\(mount.hostPath)' needs absolute paths")
            }
            let options = mount.options ?? []
            mounts.append(
                RuntimeSpec.Mount(
                    destination: mount.containerPath, type: "bind", source: mount.hostPath,
                    options: (options.contains { $0 == "bind" || $0 == "rbind" } ? [] : ["rbind"]) + options))
        }
    }
}
