internal import BerthLinux
internal import BerthReactor
internal import BerthRuntime

// How a container meets its host: namespaces, devices, kernel parameters, limits.
extension ContainerStore {
    /// Takes out what this machine cannot limit, which ``warnings(about:)`` tells of, and says what is wrong with the rest. Docker's words.
    func checkHost(_ configuration: inout ContainerConfiguration) throws(ContainerError) {
        configuration.resources = try configuration.resources.adapted(to: services.runtime.abilities, .current).resources
        if let memory = configuration.resources.memoryByteCount, memory > 0, (configuration.resources.memorySwapByteCount ?? 0) == 0 {
            // As much swap as memory, unless said otherwise.
            configuration.resources.memorySwapByteCount = memory.multipliedReportingOverflow(by: 2).overflow ? -1 : memory * 2
        }
        try configuration.namespaces.check()
        try settleOwners(of: &configuration.namespaces)
        guard configuration.annotations[""] == nil else {
            throw ContainerError(.invalid, "invalid Annotations: the empty string is not permitted as an annotation key")
        }
        if configuration.namespaces.uts != .default, !(configuration.hostname ?? "").isEmpty {
            throw ContainerError(.invalid, "conflicting options: hostname and the UTS mode")
        }
        guard (-1000...1000).contains(configuration.outOfMemoryScore) else {
            throw ContainerError(
                .invalid, "Invalid value \(configuration.outOfMemoryScore), range for oom score adj is [-1000, 1000]")
        }
        for rule in configuration.deviceRules { _ = try ResolvedDevices.rule(rule) }
        for device in configuration.devices {
            guard !device.permissions.isEmpty, device.permissions.allSatisfy({ "rwm".contains($0) }) else {
                throw ContainerError(.invalid, "invalid device permissions: '\(device.permissions)': expected some of r, w and m")
            }
            guard device.source.hasPrefix("/"), device.target.hasPrefix("/") else {
                throw ContainerError(.invalid, "'\(device.source)' is not an absolute path")
            }
        }
        if let parent = configuration.controlGroupParent { try ContainerConfiguration.check(controlGroupParent: parent) }
        try KernelParameters.check(configuration)
    }

    /// What of a container's limits this machine cannot honour, and what else is worth knowing of them: Docker's words.
    public func warnings(about configuration: ContainerConfiguration) -> [String] {
        // What is wrong with it is an error of its making.
        (try? configuration.resources.adapted(to: services.runtime.abilities, .current).warnings) ?? []
    }

    /// Where a container shares others' processes, the end of its first one ends none of the rest.
    func endRemainingProcesses(of object: ContainerObject) async throws(RuntimeError) {
        guard !object.document.configuration.namespaces.pid.isOwn else { return }
        let (id, runtime) = (object.id, services.runtime)
        try await object.lane.run { () throws(RuntimeError) in runtime.killProcesses(of: id) }
    }
}

extension ContainerConfiguration {
    /// Whether there can be such a group.
    static func check(controlGroupParent parent: String) throws(ContainerError) {
        let names = parent.split(separator: "/")
        guard !names.isEmpty, names.count <= 16,
            names.allSatisfy({ $0 != "." && $0 != ".." && !$0.utf8.contains(0) && $0.utf8.count < 256 })
        else {
            throw ContainerError(.invalid, "invalid cgroup parent: '\(parent)': it must be a path of at most 16 names, without . and ..")
        }
    }
}
