internal import BerthLinux
public import BerthNetlink

/// What containers get that say nothing of it.
///
/// Where it says so, a container keeps what it was made with. All else is decided anew at each of its starts, as Docker's daemon decides it.
public struct ContainerDefaults: Hashable, Sendable {
    /// How logs are kept. Kept. Default ``LogDefaults/init()``.
    public var logs = LogDefaults()
    /// Whose the IPC namespace is: `private`, or `shareable`. Kept. Default `private`.
    public var ipc = NamespaceMode.private
    /// Whose the control group namespace is: `private`, or `host`. Kept. Default `private`.
    public var cgroup = NamespaceMode.private
    /// The size of `/dev/shm`, in bytes. Kept. Default 64 MiB, as Docker has it.
    public var sharedMemoryByteCount: UInt64 = 64 << 20
    /// Below which control group a container's is (``ContainerConfiguration/controlGroupParent``). Kept. Default `nil`: the engine's.
    public var controlGroupParent: String?
    /// Limits of setrlimit(2), beside those of other names that a container has. Default: none.
    public var resourceLimits: [ResourceLimit] = []
    /// Whether process 1 is a program of the engine's. Default `false`.
    public var runsInit = false
    /// Whether set-id programs lose their power. Default `false`.
    public var noNewPrivileges = false
    /// The filter of system calls of containers that are not privileged. Default ``SeccompSetting/default``, which is the built-in profile.
    public var seccomp = SeccompSetting.default
    /// Whom containers ask for names that are in no network of theirs. Default: whom the host asks.
    public var nameServers: [IPAddress] = []
    /// The domains in which they look names up. Default: the host's.
    public var nameSearch: [String] = []
    /// How they look them up. Default: the host's way.
    public var nameOptions: [String] = []
    /// Where devices are described that are given by name; what lies in a later directory counts before what lies in an earlier one. Default `/etc/cdi` and
    /// `/var/run/cdi`.
    public var deviceDirectories = DeviceDescriptions.standardDirectories

    /// Docker's.
    public init() {}

    /// Whether they can be what they are. Docker's words, where it has some.
    ///
    /// - Throws: `invalid`.
    public func check() throws(ContainerError) {
        let words = #"use "shareable" or "private""#
        switch ipc {
        case .private, .shareable: break
        default: throw ContainerError(.invalid, "IPC mode \"\(ipc)\" is not supported as default value; \(words)")
        }
        guard cgroup == .private || cgroup == .host else {
            throw ContainerError(.invalid, "default cgroup namespace mode (\(cgroup)) is invalid; use \"host\" or \"private\"")
        }
        guard sharedMemoryByteCount > 0 else { throw ContainerError(.invalid, "default-shm-size: containers need some shared memory") }
        if let controlGroupParent { try ContainerConfiguration.check(controlGroupParent: controlGroupParent) }
        for limit in resourceLimits { try limit.check() }
        if case .profile(let text) = seccomp { _ = try SeccompProfile(parsing: text) }
    }

    /// What a container keeps from here on.
    func complete(_ configuration: inout ContainerConfiguration) {
        logs.complete(&configuration)
        if configuration.namespaces.ipc == .default, ipc != .private { configuration.namespaces.ipc = ipc }
        if configuration.namespaces.cgroup == .default, cgroup != .private { configuration.namespaces.cgroup = cgroup }
        if configuration.sharedMemoryByteCount == nil { configuration.sharedMemoryByteCount = sharedMemoryByteCount }
        if configuration.controlGroupParent == nil { configuration.controlGroupParent = controlGroupParent }
    }

    /// What a container has in force when it starts now.
    func inForce(_ configuration: ContainerConfiguration) -> ContainerConfiguration {
        var result = configuration
        let named = Set(configuration.resourceLimits.map(\.name))
        result.resourceLimits += resourceLimits.filter { !named.contains($0.name) }
        if result.runsInit == nil { result.runsInit = runsInit }
        if result.noNewPrivileges == nil { result.noNewPrivileges = noNewPrivileges }
        if result.seccomp == .default { result.seccomp = seccomp }
        if result.networking.nameServers.isEmpty { result.networking.nameServers = nameServers }
        if result.networking.nameSearch.isEmpty { result.networking.nameSearch = nameSearch }
        if result.networking.nameOptions.isEmpty { result.networking.nameOptions = nameOptions }
        return result
    }
}

extension ContainerStore {
    /// What containers get that say nothing of it.
    public var defaults: ContainerDefaults { services.defaults }
}

extension ResourceLimit {
    /// Whether there is such a limit, and it can be so. Docker's words.
    func check() throws(ContainerError) {
        guard ResourceLimitName.number(of: "RLIMIT_" + name.uppercased()) != nil else {
            throw ContainerError(.invalid, "invalid ulimit type: \(name)")
        }
        guard UInt64(bitPattern: soft) <= UInt64(bitPattern: hard) else {
            throw ContainerError(.invalid, "ulimit soft limit must be less than or equal to hard limit: \(soft) > \(hard)")
        }
    }
}
