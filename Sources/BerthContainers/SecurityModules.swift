internal import BerthLinux

/// The security modules that this kernel runs.
public enum SecurityModules {
    /// Whether it runs one of this name: `apparmor`, `selinux`.
    public static func has(_ name: String) -> Bool {
        // Without the list, by what each of them shows.
        guard let list = try? HostFile.read("/sys/kernel/security/lsm", limit: 4096) else {
            return HostFile.exists(name == "selinux" ? "/sys/fs/selinux/enforce" : "/sys/kernel/security/\(name)")
        }
        return String(decoding: list, as: UTF8.self).split { $0 == "," || $0 == "\n" }.contains(Substring(name))
    }
}

extension ContainerConfiguration {
    /// What of `/proc` and `/sys` is hidden from a container that is not privileged, as Docker has it.
    public static var defaultMaskedPaths: [String] { SpecificationInput.maskedPaths }
    /// What of them is read-only to it.
    public static var defaultReadOnlyPaths: [String] { SpecificationInput.readOnlyPaths }
}
