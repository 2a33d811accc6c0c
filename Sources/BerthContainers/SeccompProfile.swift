internal import BerthOCI
internal import FoundationEssentials

/// A seccomp profile of Docker's kind: rules that may depend on the container's capabilities, the architecture and the kernel.
struct SeccompProfile: Codable, Hashable, Sendable {
    struct Architecture: Codable, Hashable, Sendable {
        var architecture: String
        var subArchitectures: [String]?
    }
    struct Filter: Codable, Hashable, Sendable {
        var caps: [String]?
        var arches: [String]?
        var minKernel: String?

        init(caps: [String]? = nil, arches: [String]? = nil, minKernel: String? = nil) {
            (self.caps, self.arches, self.minKernel) = (caps, arches, minKernel)
        }
    }
    struct Rule: Codable, Hashable, Sendable {
        var name: String?
        var names: [String]?
        var action: String
        var errnoRet: UInt32?
        var args: [RuntimeSpec.Seccomp.Argument]?
        var includes: Filter?
        var excludes: Filter?

        init(
            names: [String], action: String = "SCMP_ACT_ALLOW", errnoRet: UInt32? = nil, args: [RuntimeSpec.Seccomp.Argument]? = nil,
            includes: Filter? = nil, excludes: Filter? = nil
        ) {
            (self.names, self.action, self.errnoRet, self.args) = (names, action, errnoRet, args)
            (self.includes, self.excludes) = (includes, excludes)
        }
    }

    var defaultAction: String
    var defaultErrnoRet: UInt32?
    var architectures: [String]?
    var archMap: [Architecture]?
    var flags: [String]?
    var syscalls: [Rule]?

    init(defaultAction: String, defaultErrnoRet: UInt32?, archMap: [Architecture], syscalls: [Rule]) {
        (self.defaultAction, self.defaultErrnoRet, self.archMap, self.syscalls) = (defaultAction, defaultErrnoRet, archMap, syscalls)
    }

    /// The largest profile that is read: 1 MiB.
    static let maximumByteCount = 1 << 20

    /// Parses the JSON that Docker's `--security-opt seccomp=` takes.
    init(parsing text: String) throws(ContainerError) {
        guard text.utf8.count <= Self.maximumByteCount else {
            throw ContainerError(.invalid, "the seccomp profile has \(text.utf8.count) bytes: at most \(Self.maximumByteCount) are read")
        }
        do { self = try JSONDecoder().decode(SeccompProfile.self, from: Data(text.utf8)) } catch {
            throw ContainerError(.invalid, "Decoding seccomp profile failed: \(error)")
        }
        if architectures != nil && archMap != nil {
            throw ContainerError(
                .invalid, "both 'architectures' and 'archMap' are specified in the seccomp profile, use either 'architectures' or 'archMap'"
            )
        }
    }

    /// What holds for a container on this machine.
    ///
    /// - Parameter kernel: the release: `6.1.0-13-amd64`.
    func resolved(capabilities: [String], kernel: String) -> RuntimeSpec.Seccomp {
        #if arch(arm64)
            let (arch, native) = ("arm64", "SCMP_ARCH_AARCH64")
        #else
            let (arch, native) = ("amd64", "SCMP_ARCH_X86_64")
        #endif
        var result = RuntimeSpec.Seccomp(defaultAction: defaultAction, defaultErrnoRet: defaultErrnoRet)
        result.flags = flags
        result.architectures = architectures ?? archMap?.first { $0.architecture == native }.map { [native] + ($0.subArchitectures ?? []) }
        let held = Set(capabilities)
        let applies = { (rule: Rule) -> Bool in
            let (includes, excludes) = (rule.includes, rule.excludes)
            if excludes?.arches?.contains(arch) == true { return false }
            if excludes?.caps?.contains(where: held.contains) == true { return false }
            if let version = excludes?.minKernel, Self.isKernel(kernel, atLeast: version) { return false }
            if let arches = includes?.arches, !arches.isEmpty, !arches.contains(arch) { return false }
            if let caps = includes?.caps, !caps.allSatisfy(held.contains) { return false }
            if let version = includes?.minKernel, !Self.isKernel(kernel, atLeast: version) { return false }
            return true
        }
        result.syscalls = (syscalls ?? []).filter(applies).map { rule in
            RuntimeSpec.Seccomp.Rule(
                names: (rule.names ?? []) + (rule.name.map { [$0] } ?? []), action: rule.action, errnoRet: rule.errnoRet, args: rule.args)
        }
        return result
    }

    private static func isKernel(_ release: String, atLeast version: String) -> Bool {
        let numbers = { (text: String) in text.split { !$0.isNumber }.prefix(2).map { Int($0) ?? 0 } }
        return !numbers(release).lexicographicallyPrecedes(numbers(version))
    }
}
