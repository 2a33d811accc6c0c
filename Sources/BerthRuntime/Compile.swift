public import BerthLaunch
public import BerthLinux
public import BerthOCI

/// Everything that a plan depends on beside the specification: facts of this machine, found out before.
public struct LaunchInput: Sendable {
    /// How the container is to be run. Users are numbers already.
    public var specification: RuntimeSpec
    /// The container's id.
    public var id: String
    /// The machine's control groups.
    public var cgroups: CgroupLayout
    /// The container's group, `parent/id`.
    public var cgroupPath: String
    /// The parent, whose cpusets a new group copies.
    public var cgroupParent: String
    /// Whether standard input is there at all.
    public var hasInput: Bool
    /// Whether this kernel has `/proc/kcore`.
    public var hasKernelCore: Bool
    /// Hard limits that this process may not raise, by resource; empty where it may.
    public var hardLimits: [UInt32: UInt64]
    /// What the filter of system calls is compiled to; `nil` for none.
    public var filter: [UInt8]?
    /// What the machine's control groups can limit.
    public var abilities = CgroupAbilities()
    /// Where hooks find the specification as `config.json`, and the container's root, mounted at `rootfs`: a directory of the host's, which has both names if
    /// the specification has hooks.
    public var bundle = ""
    /// Whether process 1 is a program of ours that has the command as its child, hands signals on to it, and reaps what is left to it.
    public var hasInit = false

    /// All of them.
    public init(
        specification: RuntimeSpec, id: String, cgroups: CgroupLayout, cgroupPath: String, cgroupParent: String, hasInput: Bool,
        hasKernelCore: Bool, hardLimits: [UInt32: UInt64], filter: [UInt8]?
    ) {
        self.specification = specification
        self.id = id
        self.cgroups = cgroups
        self.cgroupPath = cgroupPath
        self.cgroupParent = cgroupParent
        self.hasInput = hasInput
        self.hasKernelCore = hasKernelCore
        self.hardLimits = hardLimits
        self.filter = filter
    }
}

extension LaunchPlan {
    /// Compiles a specification. Pure: the same input gives the same plan.
    ///
    /// - Throws: ``RuntimeError`` with `invalid` for what cannot be, `unsupported` for what does not exist here: user namespaces, time
    ///   namespaces.
    public static func compile(_ input: LaunchInput) throws(RuntimeError) -> LaunchPlan {
        try PlanCompiler(input: input).plan()
    }

    /// Compiles a further process of a running container: it enters the namespaces of the first one.
    ///
    /// - Parameter input: as the container was started with, but for the process.
    public static func compileExecution(_ input: LaunchInput) throws(RuntimeError) -> LaunchPlan {
        try PlanCompiler(input: input).executionPlan()
    }

    /// The files of a container's control groups that say its limits, and what they are to say, in the order in which a start writes them.
    static func limits(_ input: LaunchInput) -> [(path: String, value: String)] {
        let resources = input.specification.linux?.resources ?? RuntimeSpec.Resources()
        let compiler = PlanCompiler(input: input)
        return input.cgroups.version == 1 ? compiler.version1Limits(resources) : compiler.version2Limits(resources)
    }
}

private struct PlanCompiler {
    let input: LaunchInput
    var spec: RuntimeSpec { input.specification }
    var linux: RuntimeSpec.Linux { spec.linux ?? RuntimeSpec.Linux() }

    func plan() throws(RuntimeError) -> LaunchPlan {
        let process = try process()
        let hooks = try HookSteps(of: input)
        if linux.uidMappings != nil || linux.gidMappings != nil { throw RuntimeError(.unsupported, "user namespaces are not supported") }
        var made: NamespaceKinds = []
        var (joined, processes): ([LaunchStep], [LaunchStep]) = ([], [])
        for namespace in linux.namespaces ?? [] {
            let kind = try kind(of: namespace)
            guard let path = namespace.path else {
                made.insert(kind)
                continue
            }
            // Joining another process id namespace takes effect for children only: whoever clones joins it.
            if kind == .pid { processes = [.enterNamespace(path: path, kind)] } else { joined.append(.enterNamespace(path: path, kind)) }
        }
        guard made.contains(.mount) else { throw RuntimeError(.invalid, "a container needs a mount namespace of its own") }

        var steps = joinCgroups()
        steps += joined
        // The cgroup namespace shows as its root what the process is in when it is made: it comes after the joining.
        if made.contains(.cgroup) { steps.append(.unshare(.cgroup)) }
        if made.contains(.network) { steps.append(.loopbackUp) }
        // Both while /proc is the host's: in the container's, links of the image's or a mount could lead the writing elsewhere.
        for (name, value) in (linux.sysctl ?? [:]).sorted(by: { $0.key < $1.key }) {
            steps.append(.writeFile(path: "/proc/sys/" + name.split(separator: ".").joined(separator: "/"), contents: value))
        }
        if let score = process.oomScoreAdj { steps.append(.oomScore(score)) }
        steps += [.propagation(flags: try rootPropagation()), hooks.isEmpty ? .attachRoot : .attachRootAt("\(input.bundle)/rootfs")]
        for mount in spec.mounts ?? [] { steps += try self.mount(mount) }
        // A /dev of the host's stays as it is.
        if !(spec.mounts ?? []).contains(where: { $0.destination == "/dev" && $0.type == "bind" }) { steps += try devices() + deviceLinks }
        // Docker makes a missing working directory.
        steps.append(.directory(path: process.cwd, permissions: 0o755, userID: 0, groupID: 0))
        if process.terminal == true { steps.append(terminal(process, bindsConsole: true)) }
        // Hooks that run before are the host's programs, and do what the container's may not.
        steps += hooks.beforeRoot + confinement(of: process) + [.pivotRoot]
        if let name = spec.hostname { steps.append(.hostname(name)) }
        if let name = spec.domainname { steps.append(.domainname(name)) }
        for path in linux.readonlyPaths ?? [] { steps.append(.readOnly(path)) }
        for path in linux.maskedPaths ?? [] { steps.append(.mask(path)) }
        if spec.root?.readonly == true { steps.append(.rootReadOnly) }
        steps += try become(process, after: hooks.beforeProgram)
        return LaunchPlan(
            preparation: try preparation() + processes, namespaces: made.subtracting(.cgroup),
            cgroup: input.cgroups.unified.map { "\($0)/\(input.cgroupPath)" },
            steps: steps, streams: process.terminal == true ? .terminal : input.hasInput ? .pipes : .pipesWithoutInput)
    }

    func executionPlan() throws(RuntimeError) -> LaunchPlan {
        let process = try process()
        var steps = joinCgroups()
        if let score = process.oomScoreAdj { steps.append(.oomScore(score)) }
        steps += confinement(of: process)
        steps.append(.enterProcess([.mount, .uts, .ipc, .network, .cgroup]))
        if process.terminal == true { steps.append(terminal(process, bindsConsole: false)) }
        steps += try become(process)
        return LaunchPlan(
            namespaces: [], cgroup: input.cgroups.unified.map { "\($0)/\(input.cgroupPath)" }, steps: steps,
            streams: process.terminal == true ? .terminal : input.hasInput ? .pipes : .pipesWithoutInput, entersProcesses: true)
    }

    /// Said while `/proc` is the host's, and taken on when the program is executed (aa_change_onexec(2), setexeccon(3)): all that is done before needs more
    /// than a profile would let it. The keyring that is made before is the program's already.
    private func confinement(of process: RuntimeSpec.Process) -> [LaunchStep] {
        var steps: [LaunchStep] = []
        if let profile = process.apparmorProfile, !profile.isEmpty {
            steps.append(.confinement(named: profile, file: "/proc/self/attr/apparmor/exec", contents: "exec \(profile)"))
        }
        if let label = process.selinuxLabel, !label.isEmpty {
            for file in ["keycreate", "exec"] { steps.append(.confinement(named: label, file: "/proc/self/attr/\(file)", contents: label)) }
        }
        return steps
    }

    /// The options of a file system that is made for the container, with the label of all that is in it.
    private func labelled(_ data: [String], of type: String) -> [String] {
        guard let label = linux.mountLabel, !label.isEmpty, ["tmpfs", "devpts", "overlay"].contains(type) else { return data }
        return data + ["context=\"\(label)\""]
    }

    private func process() throws(RuntimeError) -> RuntimeSpec.Process {
        guard let process = spec.process, let args = process.args, !args.isEmpty else {
            throw RuntimeError(.invalid, "no command specified")
        }
        guard !args[0].isEmpty else { throw RuntimeError(.commandNotFound, "there is no program of an empty name") }
        guard process.cwd.hasPrefix("/") else {
            throw RuntimeError(.invalid, "the working directory '\(process.cwd)' is invalid, it needs to be an absolute path")
        }
        for text in args + (process.env ?? []) + [process.cwd] where text.utf8.contains(0) {
            throw RuntimeError(.invalid, "an argument, the environment or the working directory contains a NUL character")
        }
        return process
    }

    private func kind(of namespace: RuntimeSpec.Namespace) throws(RuntimeError) -> NamespaceKinds {
        switch namespace.type {
        case "mount": return .mount
        case "pid": return .pid
        case "network": return .network
        case "uts": return .uts
        case "ipc": return .ipc
        case "cgroup": return .cgroup
        default: throw RuntimeError(.unsupported, "namespaces of the type '\(namespace.type)' are not supported")
        }
    }

    // MARK: Control groups

    /// The child joins v1 hierarchies by the literal 0 in `tasks`: any other way waits for a grace period of the kernel's.
    private func joinCgroups() -> [LaunchStep] {
        input.cgroups.version1.map { .writeFile(path: "\($0.mountPoint)/\(input.cgroupPath)/tasks", contents: "0") }
    }

    private func preparation() throws(RuntimeError) -> [LaunchStep] {
        var steps: [LaunchStep] = input.cgroups.directories(of: input.cgroupPath).map { .hostDirectory($0) }
        if let cpuset = input.cgroups.directory(of: "cpuset", input.cgroupPath),
            let parent = input.cgroups.directory(of: "cpuset", input.cgroupParent)
        {
            for file in ["cpuset.cpus", "cpuset.mems"] { steps.append(.copyWhereEmpty(from: "\(parent)/\(file)", to: "\(cpuset)/\(file)")) }
        }
        let resources = linux.resources ?? RuntimeSpec.Resources()
        let limits = input.cgroups.version == 1 ? version1Limits(resources) : version2Limits(resources)
        for (path, value) in limits { steps.append(.writeFile(path: path, contents: value)) }
        if input.cgroups.version == 2, let unified = input.cgroups.unified, let rules = resources.devices {
            steps.append(
                .deviceProgram(cgroup: "\(unified)/\(input.cgroupPath)", program: DeviceProgram.compile(try rules.map(deviceRule))))
        }
        return steps
    }

    func version1Limits(_ resources: RuntimeSpec.Resources) -> [(path: String, value: String)] {
        var limits: [(String, String)] = []
        func set(_ controller: String, _ file: String, _ value: (some CustomStringConvertible)?) {
            guard let value, let directory = input.cgroups.directory(of: controller, input.cgroupPath) else { return }
            limits.append(("\(directory)/\(file)", value.description))
        }
        if let memory = resources.memory {
            set("memory", "memory.limit_in_bytes", memory.limit)
            set("memory", "memory.memsw.limit_in_bytes", memory.swap)
            set("memory", "memory.soft_limit_in_bytes", memory.reservation)
            set("memory", "memory.swappiness", memory.swappiness)
            if memory.disableOOMKiller == true { set("memory", "memory.oom_control", "1") }
        }
        if let cpu = resources.cpu {
            set("cpu", "cpu.shares", cpu.shares)
            set("cpu", "cpu.cfs_period_us", cpu.period)
            set("cpu", "cpu.cfs_quota_us", cpu.quota)
            set("cpu", "cpu.rt_period_us", cpu.realtimePeriod)
            set("cpu", "cpu.rt_runtime_us", cpu.realtimeRuntime)
            set("cpuset", "cpuset.cpus", cpu.cpus)
            set("cpuset", "cpuset.mems", cpu.mems)
        }
        for limit in resources.blockIO?.version1Limits(input.abilities) ?? [] { set("blkio", limit.file, limit.value) }
        if let limit = resources.pids?.limit, limit != 0 { set("pids", "pids.max", limit < 0 ? "max" : String(limit)) }
        for rule in resources.devices ?? [] {
            let number = { (value: Int64?) -> String in
                guard let value, value >= 0 else { return "*" }
                return String(value)
            }
            let type = rule.type ?? "a"
            let text = type == "a" ? "a" : "\(type) \(number(rule.major)):\(number(rule.minor)) \(rule.access ?? "rwm")"
            set("devices", rule.allow ? "devices.allow" : "devices.deny", text)
        }
        return limits
    }

    func version2Limits(_ resources: RuntimeSpec.Resources) -> [(path: String, value: String)] {
        var limits: [(String, String)] = []
        func set(_ file: String, _ value: String?) {
            guard let value, let unified = input.cgroups.unified else { return }
            limits.append(("\(unified)/\(input.cgroupPath)/\(file)", value))
        }
        let bytes = { (value: Int64?) -> String? in
            guard let value else { return nil }
            return value < 0 ? "max" : String(value)
        }
        if let memory = resources.memory {
            set("memory.max", bytes(memory.limit))
            // v1 counts memory and swap together, v2 apart.
            if let swap = memory.swap {
                let alone: Int64 = max(0, swap - max(0, memory.limit ?? 0))
                set("memory.swap.max", swap < 0 ? "max" : String(alone))
            }
            set("memory.low", bytes(memory.reservation))
        }
        if let cpu = resources.cpu {
            if let shares = cpu.shares, shares > 0 {
                let bounded: UInt64 = min(max(shares, 2), 262144)
                let weight: UInt64 = 1 + (bounded - 2) * 9999 / 262142
                set("cpu.weight", String(weight))
            }
            if cpu.quota != nil || cpu.period != nil {
                let quota = cpu.quota.map { $0 < 0 ? "max" : String($0) } ?? "max"
                set("cpu.max", "\(quota) \(cpu.period ?? 100_000)")
            }
            set("cpuset.cpus", cpu.cpus)
            set("cpuset.mems", cpu.mems)
        }
        for limit in resources.blockIO?.version2Limits(input.abilities) ?? [] { set(limit.file, limit.value) }
        if let limit = resources.pids?.limit, limit != 0 { set("pids.max", limit < 0 ? "max" : String(limit)) }
        return limits
    }

    private func deviceRule(_ rule: RuntimeSpec.DeviceRule) throws(RuntimeError) -> DeviceProgram.Rule {
        guard let type = (rule.type ?? "a").first, "abc".contains(type) else {
            throw RuntimeError(.invalid, "the device rule's type '\(rule.type ?? "")' is none of a, b and c")
        }
        let number = { (value: Int64?) in value.flatMap { $0 < 0 ? nil : UInt32(truncatingIfNeeded: $0) } }
        return DeviceProgram.Rule(
            allows: rule.allow, type: type, major: number(rule.major), minor: number(rule.minor), access: rule.access ?? "rwm")
    }

    // MARK: Mounts

    private func rootPropagation() throws(RuntimeError) -> UInt64 {
        let recursive: UInt64 = 16384
        switch linux.rootfsPropagation ?? "" {
        case "", "private", "rprivate": return recursive | 1 << 18
        case "slave", "rslave", "shared", "rshared": return recursive | 1 << 19
        case let other: throw RuntimeError(.invalid, "'\(other)' is no propagation of mounts: expected private, slave or shared")
        }
    }

    private func mount(_ mount: RuntimeSpec.Mount) throws(RuntimeError) -> [LaunchStep] {
        guard mount.destination.hasPrefix("/") else {
            throw RuntimeError(.invalid, "invalid mount path: '\(mount.destination)' mount path must be absolute")
        }
        let options = MountOptions(mount.options ?? [])
        if options.isBind || mount.type == "bind" {
            guard let source = mount.source, source.hasPrefix("/") else {
                throw RuntimeError(.invalid, "the bind mount at '\(mount.destination)' needs an absolute source")
            }
            if let space = options.data.first(where: { $0.hasPrefix(MountOptions.namespacePrefix) }) {
                let path = String(space.dropFirst(MountOptions.namespacePrefix.count))
                let whole = LaunchStep.bindFrom(namespace: path, source: source, target: mount.destination, attributes: options.attributes)
                return [whole] + (options.beneath.isEmpty ? [] : [beneath(options, of: "", at: mount.destination)])
            }
            guard options.beneath.isEmpty else { return [beneath(options, of: source, at: mount.destination)] }
            return [
                .bind(
                    source: source, target: mount.destination, recursive: options.isRecursive, attributes: options.attributes,
                    propagation: options.propagation, attributesBelow: options.isReadOnlyBelow, isPeer: options.propagation == 1 << 20)
            ]
        }
        guard let type = mount.type else { throw RuntimeError(.invalid, "the mount at '\(mount.destination)' has no type") }
        if type == "cgroup" || type == "cgroup2" { return cgroupMounts(at: mount.destination, options) }
        var made: [LaunchStep] = [
            .mount(
                type: type, source: mount.source ?? type, target: mount.destination, flags: options.flags,
                data: labelled(options.data, of: type).joined(separator: ","))
        ]
        // The kernel has made that one with the namespace already.
        if type == "mqueue", let label = linux.mountLabel, !label.isEmpty { made.append(.label(path: mount.destination, label)) }
        // A part of what has just been mounted, on top of it.
        if !options.beneath.isEmpty { made.append(beneath(options, of: "", at: mount.destination)) }
        if options.isReadOnlyView { made.append(.readOnly(mount.destination)) }
        return made
    }

    private func beneath(_ options: MountOptions, of source: String, at target: String) -> LaunchStep {
        .bindBeneath(
            source: source, path: options.beneath, target: target, recursive: options.isRecursive, attributes: options.attributes,
            propagation: options.propagation, attributesBelow: options.isReadOnlyBelow)
    }

    /// What a container sees of the control groups: its own, as the roots of their hierarchies.
    private func cgroupMounts(at destination: String, _ options: MountOptions) -> [LaunchStep] {
        // Without a namespace of its own, v1's roots would be the host's: what it sees then are its own groups, bound.
        let isOwn = (linux.namespaces ?? []).contains { $0.type == "cgroup" }
        if input.cgroups.version == 2 {
            return [.mount(type: "cgroup2", source: "cgroup", target: destination, flags: options.flags, data: "nsdelegate")]
        }
        let folder = options.flags & ~1
        let data = labelled(["mode=755"], of: "tmpfs").joined(separator: ",")
        var steps: [LaunchStep] = [.mount(type: "tmpfs", source: "cgroup", target: destination, flags: folder, data: data)]
        for hierarchy in input.cgroups.version1 {
            let name = hierarchy.controllers.map { $0.hasPrefix("name=") ? String($0.dropFirst(5)) : $0 }.joined(separator: ",")
            let data = hierarchy.controllers.map { $0.hasPrefix("name=") ? "none,\($0)" : $0 }.joined(separator: ",")
            steps.append(
                isOwn
                    ? .mount(type: "cgroup", source: "cgroup", target: "\(destination)/\(name)", flags: options.flags, data: data)
                    : .bind(
                        source: "\(hierarchy.mountPoint)/\(input.cgroupPath)", target: "\(destination)/\(name)", recursive: false,
                        attributes: options.attributes, propagation: 1 << 18))
            if hierarchy.controllers.count > 1 {
                for controller in hierarchy.controllers { steps.append(.symbolicLink(target: name, path: "\(destination)/\(controller)")) }
            }
        }
        if options.isReadOnly {
            steps.append(.mount(type: "tmpfs", source: "cgroup", target: destination, flags: options.flags | 32, data: "mode=755"))
        }
        return steps
    }

    private var deviceLinks: [LaunchStep] {
        let links: [LaunchStep] = [
            .symbolicLink(target: "/proc/self/fd", path: "/dev/fd"), .symbolicLink(target: "/proc/self/fd/0", path: "/dev/stdin"),
            .symbolicLink(target: "/proc/self/fd/1", path: "/dev/stdout"), .symbolicLink(target: "/proc/self/fd/2", path: "/dev/stderr"),
            .symbolicLink(target: "pts/ptmx", path: "/dev/ptmx"),
        ]
        return input.hasKernelCore ? links + [.symbolicLink(target: "/proc/kcore", path: "/dev/core")] : links
    }

    private func devices() throws(RuntimeError) -> [LaunchStep] {
        var steps: [LaunchStep] = []
        for device in linux.devices ?? [] {
            let type: UInt32
            switch device.type {
            case "c", "u": type = 0o020000
            case "b": type = 0o060000
            case "p": type = 0o010000
            default: throw RuntimeError(.invalid, "the device '\(device.path)' has the unknown type '\(device.type)'")
            }
            steps.append(
                .device(
                    path: device.path, mode: type | (device.fileMode ?? 0o666) & 0o7777,
                    major: UInt32(truncatingIfNeeded: device.major ?? 0),
                    minor: UInt32(truncatingIfNeeded: device.minor ?? 0), userID: device.uid ?? 0, groupID: device.gid ?? 0))
        }
        return steps
    }

    // MARK: The process

    private func terminal(_ process: RuntimeSpec.Process, bindsConsole: Bool) -> LaunchStep {
        .makeTerminal(rows: process.consoleSize?.height ?? 0, columns: process.consoleSize?.width ?? 0, bindsConsole: bindsConsole)
    }

    /// - Parameter hooks: what comes right before the program.
    private func become(_ process: RuntimeSpec.Process, after hooks: [LaunchStep] = []) throws(RuntimeError) -> [LaunchStep] {
        var steps: [LaunchStep] = [.keyring("_ses.\(input.id)")]
        for limit in process.rlimits ?? [] {
            guard let resource = ResourceLimitName.number(of: limit.type) else {
                throw RuntimeError(.invalid, "unknown resource limit '\(limit.type)'")
            }
            guard limit.soft <= limit.hard else {
                throw RuntimeError(.invalid, "ulimit soft limit must be less than or equal to hard limit: \(limit.soft) > \(limit.hard)")
            }
            // Where this process itself may not raise a limit, the container gets what there is.
            let hard = min(limit.hard, input.hardLimits[resource] ?? limit.hard)
            steps.append(.resourceLimit(resource: resource, soft: min(limit.soft, hard), hard: hard))
        }
        steps.append(.standardStreams(ownerUserID: process.user.uid))
        if input.hasInit { steps.append(.initFile) }
        let sets = process.capabilities ?? RuntimeSpec.Capabilities()
        let permitted = try set(sets.permitted)
        steps.append(.bounding(try set(sets.bounding)))
        // Without no-new-privileges loading a filter needs a right that is about to go; with it, as late as possible is best.
        let filter = input.filter.map { LaunchStep.seccomp(program: $0, flags: 0) }
        if process.noNewPrivileges != true, let filter { steps.append(filter) }
        steps += [
            .groups(process.user.additionalGids ?? []), .user(userID: process.user.uid, groupID: process.user.gid),
            .capabilities(
                effective: try set(sets.effective), permitted: permitted, inheritable: try set(sets.inheritable),
                ambient: try set(sets.ambient)),
            .workingDirectory(process.cwd), .umask(process.user.umask ?? 0o022),
        ]
        if process.noNewPrivileges == true {
            steps.append(.noNewPrivileges)
            if let filter { steps.append(filter) }
        }
        steps += hooks
        let environment = process.env ?? []
        // As Docker's is called: whoever looks for it finds it.
        if input.hasInit {
            steps.append(.becomeInit(arguments: ["/sbin/docker-init", "--"] + (process.args ?? []), environment: environment))
        }
        let path = environment.last { $0.hasPrefix("PATH=") }.map { String($0.dropFirst(5)) }
        steps.append(
            .execute(
                arguments: process.args ?? [], environment: environment,
                searchPath: path ?? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"))
        return steps
    }

    private func set(_ names: [String]?) throws(RuntimeError) -> CapabilitySet {
        var result = CapabilitySet()
        for name in names ?? [] {
            guard let number = Capability.number(of: name) else { throw RuntimeError(.invalid, "unknown capability '\(name)'") }
            result.rawValue |= 1 << UInt64(number)
        }
        return result
    }
}
