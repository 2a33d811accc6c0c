internal import BerthLinux
internal import BerthOCI

extension SpecificationInput {
    func process(runningAs user: ResolvedUser) throws(ContainerError) -> RuntimeSpec.Process {
        let arguments = configuration.arguments(image: image)
        guard !arguments.isEmpty else { throw ContainerError(.invalid, "No command specified") }
        var process = RuntimeSpec.Process(args: arguments, cwd: configuration.directory(image: image))
        process.terminal = configuration.terminal ? true : nil
        if configuration.terminal, let rows = configuration.initialTerminalRows, let columns = configuration.initialTerminalColumns {
            process.consoleSize = RuntimeSpec.ConsoleSize(height: rows, width: columns)
        }
        process.user = user.specification
        process.env = environment(home: user.home)
        process.capabilities = try configuration.capabilities().specification(forRoot: user.userID == 0)
        process.noNewPrivileges = configuration.noNewPrivileges == true ? true : nil
        process.oomScoreAdj = configuration.outOfMemoryScore
        process.apparmorProfile = appArmorProfile
        process.selinuxLabel = securityLabels.flatMap { $0.process.isEmpty ? nil : $0.process }
        process.rlimits = try configuration.resourceLimits.map { limit throws(ContainerError) in
            let name = "RLIMIT_" + limit.name.uppercased()
            guard ResourceLimitName.number(of: name) != nil else { throw ContainerError(.invalid, "invalid ulimit type: \(limit.name)") }
            // -1 is no limit.
            return RuntimeSpec.ResourceLimit(type: name, soft: UInt64(bitPattern: limit.soft), hard: UInt64(bitPattern: limit.hard))
        }
        return process
    }

    private func environment(home: String) -> [String] {
        var base = ["PATH=\(Self.defaultPath)", "HOSTNAME=\(hostname)"]
        if configuration.terminal { base.append("TERM=xterm") }
        base += linkVariables
        return Self.withHome(
            Environment.overlay(configuration.mergedEnvironment(image: image) + devices.environment, on: base), home)
    }

    static let defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    static func withHome(_ environment: [String], _ home: String) -> [String] {
        environment.contains { $0.hasPrefix("HOME=") } ? environment : environment + ["HOME=\(home)"]
    }
}

extension ContainerConfiguration {
    /// The image's words and the maker's: Docker's rules for what stands before what.
    func arguments(image: ImageConfiguration.Execution) -> [String] {
        guard let entrypoint, !entrypoint.isEmpty else {
            // An empty list removes the image's entry point alone; the command stays the image's unless there is another.
            let command = command.flatMap { $0.isEmpty ? nil : $0 } ?? image.command ?? []
            return entrypoint == nil ? (image.entrypoint ?? []) + command : command
        }
        // With any other entry point of the maker's the image's command goes, also with one empty word, which is none.
        return (entrypoint == [""] ? [] : entrypoint) + (command ?? [])
    }

    /// Where the process starts.
    func directory(image: ImageConfiguration.Execution) -> String {
        [workingDirectory, image.workingDirectory].compactMap(\.self).first { !$0.isEmpty } ?? "/"
    }

    /// What Docker shows as the container's environment: the maker's, then what the image has beside it.
    func mergedEnvironment(image: ImageConfiguration.Execution) -> [String] {
        // Of two of one name in an image the first counts, as with Docker.
        var said = Set(environment.map(Environment.name))
        return environment + image.environment.filter { said.insert(Environment.name($0)).inserted }
    }

    func mergedLabels(image: ImageConfiguration.Execution) -> [String: String] { image.labels.merging(labels) { $1 } }

    /// Docker's rule for `--cap-add` and `--cap-drop`.
    func capabilities() throws(ContainerError) -> CapabilityNames {
        let added = try CapabilityNames.normalised(addedCapabilities, "CapAdd")
        let dropped = try CapabilityNames.normalised(droppedCapabilities, "CapDrop")
        if privileged { return CapabilityNames(names: CapabilityNames.all) }
        let names: [String]
        if added.contains("ALL") {
            names = CapabilityNames.all.filter { !dropped.contains($0) }
        } else if dropped.contains("ALL") {
            names = added
        } else {
            names = CapabilityNames.standard.filter { !dropped.contains($0) && !added.contains($0) } + added
        }
        return CapabilityNames(names: names)
    }
}

/// Environment variables as text.
enum Environment {
    static func name(_ variable: String) -> Substring { variable.prefix { $0 != "=" } }

    /// Lays variables over others: one of the same name is replaced where it stands, a name alone removes it.
    static func overlay(_ variables: [String], on base: [String]) -> [String] {
        var result = base
        for variable in variables {
            let name = name(variable)
            let index = result.firstIndex { Self.name($0) == name }
            if !variable.contains("=") {
                if let index { result.remove(at: index) }
            } else if let index {
                result[index] = variable
            } else {
                result.append(variable)
            }
        }
        return result
    }
}

/// Names of capabilities.
struct CapabilityNames {
    var names: [String]

    /// Docker's set for everybody.
    static let standard = [
        "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID", "CAP_SETUID", "CAP_SETFCAP",
        "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
    ]

    /// All that this kernel knows and this process may give.
    static var all: [String] {
        let permitted = (try? Capability.permitted()) ?? UInt64.max  // unknown: the kernel refuses what it does not have
        return Capability.names.enumerated().filter { permitted >> UInt64($0.offset) & 1 == 1 }.map(\.element)
    }

    static func normalised(_ names: [String], _ field: String) throws(ContainerError) -> [String] {
        try names.map { text throws(ContainerError) in
            let name = text.uppercased()
            if name == "ALL" { return name }
            let whole = name.hasPrefix("CAP_") ? name : "CAP_" + name
            guard Capability.number(of: whole) != nil else {
                throw ContainerError(.invalid, "invalid \(field): unknown capability: \"\(whole)\"")
            }
            return whole
        }
    }

    /// A process that is not root has none until it executes a file that grants some: as execve(2) would leave it.
    func specification(forRoot isRoot: Bool) -> RuntimeSpec.Capabilities {
        var sets = RuntimeSpec.Capabilities()
        sets.bounding = names
        (sets.effective, sets.permitted) = isRoot ? (names, names) : ([], [])
        (sets.inheritable, sets.ambient) = ([], [])
        return sets
    }
}
