internal import BerthLinux
internal import BerthOCI
internal import Synchronization

/// Filters of system calls as the kernel takes them, each compiled once: most containers have the same.
final class FilterCache: Sendable {
    /// The most filters that are remembered.
    private static let limit = 32
    private let programs = Mutex([RuntimeSpec.Seccomp: [UInt8]]())

    /// The program for a filter; `nil` for none.
    ///
    /// - Throws: `invalid` for what cannot be compiled, `unsupported` for what does not exist here.
    func filter(for seccomp: RuntimeSpec.Seccomp?) throws(RuntimeError) -> [UInt8]? {
        guard let seccomp else { return nil }
        if let known = programs.withLock({ $0[seccomp] }) { return known }
        let policy = try Self.policy(seccomp)
        let program: [UInt8]
        do throws(Errno) { program = try policy.compile() } catch {
            throw RuntimeError(.invalid, "the seccomp profile cannot be compiled: \(error)", underlying: error)
        }
        programs.withLock { programs in
            if programs.count >= Self.limit { programs.removeAll() }
            programs[seccomp] = program
        }
        return program
    }

    private static func policy(_ seccomp: RuntimeSpec.Seccomp) throws(RuntimeError) -> SeccompPolicy {
        for flag in seccomp.flags ?? [] where flag != "SECCOMP_FILTER_FLAG_SPEC_ALLOW" {
            throw RuntimeError(.unsupported, "the seccomp flag '\(flag)' is not supported")
        }
        let native = SystemCallArchitecture.native
        var architectures = [native]
        for name in seccomp.architectures ?? [] {
            // Those of other processors never occur here.
            guard let architecture = Self.architectures[name], native == .x86_64 ? architecture != .arm64 : architecture == .arm64 else {
                continue
            }
            if !architectures.contains(architecture) { architectures.append(architecture) }
        }
        var rules: [SeccompPolicy.Rule] = []
        for rule in seccomp.syscalls ?? [] {
            let action = try action(rule.action, rule.errnoRet ?? seccomp.defaultErrnoRet)
            var conditions: [SeccompPolicy.Condition] = []
            for argument in rule.args ?? [] { conditions.append(try condition(argument)) }
            // Several comparisons of one argument are alternatives, as runc reads them.
            if Set(conditions.map(\.argument)).count < conditions.count {
                rules += conditions.map { SeccompPolicy.Rule(names: rule.names, action: action, conditions: [$0]) }
            } else {
                rules.append(SeccompPolicy.Rule(names: rule.names, action: action, conditions: conditions))
            }
        }
        return SeccompPolicy(
            defaultAction: try action(seccomp.defaultAction, seccomp.defaultErrnoRet), architectures: architectures, rules: rules,
            failsNewerCallsAsMissing: true)
    }

    private static let architectures: [String: SystemCallArchitecture] = [
        "SCMP_ARCH_X86_64": .x86_64, "SCMP_ARCH_X86": .i386, "SCMP_ARCH_X32": .x32, "SCMP_ARCH_AARCH64": .arm64,
    ]

    private static func action(_ name: String, _ errnoRet: UInt32?) throws(RuntimeError) -> SeccompPolicy.Action {
        let number = UInt16(truncatingIfNeeded: errnoRet ?? 1)
        switch name {
        case "SCMP_ACT_ALLOW": return .allow
        case "SCMP_ACT_LOG": return .log
        case "SCMP_ACT_ERRNO": return .fail(number)
        case "SCMP_ACT_TRACE": return .trace(number)
        case "SCMP_ACT_TRAP": return .trap
        case "SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD": return .killThread
        case "SCMP_ACT_KILL_PROCESS": return .killProcess
        case "SCMP_ACT_NOTIFY": throw RuntimeError(.unsupported, "the seccomp action SCMP_ACT_NOTIFY is not supported")
        default: throw RuntimeError(.invalid, "unknown seccomp action '\(name)'")
        }
    }

    private static func condition(_ argument: RuntimeSpec.Seccomp.Argument) throws(RuntimeError) -> SeccompPolicy.Condition {
        let comparison: SeccompPolicy.Comparison
        switch argument.op {
        case "SCMP_CMP_EQ": comparison = .equal
        case "SCMP_CMP_NE": comparison = .notEqual
        case "SCMP_CMP_LT": comparison = .less
        case "SCMP_CMP_LE": comparison = .lessOrEqual
        case "SCMP_CMP_GT": comparison = .greater
        case "SCMP_CMP_GE": comparison = .greaterOrEqual
        case "SCMP_CMP_MASKED_EQ":
            return SeccompPolicy.Condition(
                argument: Int(argument.index), .equalUnder(mask: argument.value), argument.valueTwo ?? 0)
        default: throw RuntimeError(.invalid, "unknown seccomp comparison '\(argument.op)'")
        }
        return SeccompPolicy.Condition(argument: Int(argument.index), comparison, argument.value)
    }
}
