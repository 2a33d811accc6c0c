internal import BerthOCI

extension ContainerStore {
    /// The filter that a container's processes get.
    func seccomp(of configuration: ContainerConfiguration) throws(ContainerError) -> RuntimeSpec.Seccomp? { nil }
    func checkSeccomp(_ setting: SeccompSetting) throws(ContainerError) {}
}
