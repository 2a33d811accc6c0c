internal import BerthLinux
internal import BerthOCI

extension ContainerStore {
    /// The filter that a container's processes get. A privileged container has none unless it names one.
    func seccomp(of configuration: ContainerConfiguration) throws(ContainerError) -> RuntimeSpec.Seccomp? {
        if configuration.privileged, configuration.seccomp == .default { return nil }
        let profile: SeccompProfile
        switch services.defaults.inForce(configuration).seccomp {
        case .unconfined: return nil
        case .default, .builtin: profile = .standard
        case .profile(let text): profile = try SeccompProfile(parsing: text)
        }
        return profile.resolved(capabilities: try configuration.capabilities().names, kernel: Self.kernelRelease)
    }

    func checkSeccomp(_ setting: SeccompSetting) throws(ContainerError) {
        if case .profile(let text) = setting { _ = try SeccompProfile(parsing: text) }
    }

    private static let kernelRelease: String =
        // Unknown is old: fewer rules apply.
        (try? HostFile.read("/proc/sys/kernel/osrelease", limit: 256)).map { String(decoding: $0, as: UTF8.self) } ?? "0.0"
}
