import BerthLinux
import BerthOCI
import Testing

@testable import BerthContainers
@testable import BerthRuntime

/// What the kernel does with a filter: classic BPF over `struct seccomp_data`.
struct FilterInterpreter {
    let program: [UInt8]

    func run(architecture: UInt32, number: UInt32, arguments: [UInt64] = [0, 0, 0, 0, 0, 0]) -> UInt32? {
        func word(_ offset: UInt32) -> UInt32 {
            switch offset {
            case 0: return number
            case 4: return architecture
            default:
                let index = Int(offset - 16) / 8
                return UInt32(truncatingIfNeeded: arguments[index] >> (offset % 8 == 0 ? 0 : 32))
            }
        }
        var (position, accumulator) = (0, UInt32(0))
        while position * 8 < program.count {
            let at = position * 8
            let code = UInt16(program[at]) | UInt16(program[at + 1]) << 8
            let (ifTrue, ifFalse) = (Int(program[at + 2]), Int(program[at + 3]))
            let value = (0..<4).reduce(UInt32(0)) { $0 | UInt32(program[at + 4 + $1]) << UInt32(8 * $1) }
            position += 1
            switch code {
            case 0x20: accumulator = word(value)
            case 0x05: position += Int(value)
            case 0x15: position += accumulator == value ? ifTrue : ifFalse
            case 0x25: position += accumulator > value ? ifTrue : ifFalse
            case 0x35: position += accumulator >= value ? ifTrue : ifFalse
            case 0x54: accumulator &= value
            case 0x06: return value
            default: return nil
            }
        }
        return nil
    }
}

@Suite struct SeccompTests {
    static let allow: UInt32 = 0x7fff_0000
    static let refuse: UInt32 = 0x0005_0001
    static let missing: UInt32 = 0x0005_0026

    static func filter(adding added: [String] = [], kernel: String = "6.1.0") throws -> (FilterInterpreter, RuntimeSpec.Seccomp) {
        var configuration = ContainerConfiguration(image: "x")
        configuration.addedCapabilities = added
        let resolved = SeccompProfile.standard.resolved(capabilities: CapabilityNames.standard + added, kernel: kernel)
        return (FilterInterpreter(program: try #require(try FilterCache().filter(for: resolved))), resolved)
    }

    /// Every number of every architecture, against a reading of the rules that does without a program.
    @Test(arguments: [[], ["CAP_SYS_ADMIN"], ["CAP_SYS_PTRACE", "CAP_BPF"]])
    func theProgramSaysWhatTheRulesSay(added: [String]) throws {
        let (filter, resolved) = try Self.filter(adding: added)
        let values: [UInt64] = [0, 1, 8, 37, 38, 39, 40, 41, 0x20000, 0x20008, 0xffff_ffff, 1 << 32, 0x7e02_0000, 0x1000_0000]
        for architecture in [SystemCallArchitecture.x86_64, .i386, .x32] {
            let bit: UInt32 = architecture == .x32 ? 0x4000_0000 : 0
            var rules: [UInt32: [RuntimeSpec.Seccomp.Rule]] = [:]
            for rule in resolved.syscalls ?? [] {
                for name in rule.names { if let number = architecture.number(of: name) { rules[number, default: []].append(rule) } }
            }
            let newest = try #require(rules.keys.max())
            for number in 0..<UInt32(700) {
                for value in values {
                    let found = filter.run(
                        architecture: architecture.auditNumber, number: number | bit, arguments: [value, value, 0, 0, 0, 0])
                    let expected = Self.expected(rules[number | bit] ?? [], value, isNewer: number | bit > newest)
                    #expect(found == expected, "\(architecture) \(number) with \(value)")
                }
            }
        }
    }

    static func expected(_ rules: [RuntimeSpec.Seccomp.Rule], _ value: UInt64, isNewer: Bool) -> UInt32 {
        func word(_ rule: RuntimeSpec.Seccomp.Rule) -> UInt32 {
            rule.action == "SCMP_ACT_ALLOW" ? allow : 0x0005_0000 | (rule.errnoRet ?? 1)
        }
        if let always = rules.first(where: { ($0.args ?? []).isEmpty }) { return word(always) }
        for rule in rules {
            let holds = (rule.args ?? []).allSatisfy { argument in
                switch argument.op {
                case "SCMP_CMP_EQ": value == argument.value
                case "SCMP_CMP_LT": value < argument.value
                case "SCMP_CMP_GT": value > argument.value
                case "SCMP_CMP_MASKED_EQ": value & argument.value == argument.valueTwo ?? 0
                default: false
                }
            }
            if holds { return word(rule) }
        }
        return isNewer ? missing : refuse
    }

    /// Facts of Docker's table, not taken from ours.
    @Test func whatEverybodyKnows() throws {
        let (filter, _) = try Self.filter()
        func outcome(_ name: String, _ first: UInt64 = 0) throws -> UInt32? {
            filter.run(
                architecture: SystemCallArchitecture.x86_64.auditNumber,
                number: try #require(SystemCallArchitecture.x86_64.number(of: name)), arguments: [first, 0, 0, 0, 0, 0])
        }
        for name in ["read", "write", "openat", "execve", "chroot", "ptrace", "exit_group", "futex"] {
            #expect(try outcome(name) == Self.allow)
        }
        for name in [
            "mount", "umount2", "setns", "unshare", "bpf", "keyctl", "kexec_load", "reboot", "swapon", "init_module", "open_by_handle_at",
        ] {
            #expect(try outcome(name) == Self.refuse)
        }
        #expect(try outcome("clone3") == Self.missing)
        #expect(try outcome("clone", 0x11) == Self.allow)
        #expect(try outcome("clone", 0x1000_0000) == Self.refuse)  // CLONE_NEWUSER
        #expect(try outcome("socket", 40) == Self.refuse)  // AF_VSOCK
        #expect(try outcome("socket", 38) == Self.refuse)  // AF_ALG
        #expect(try outcome("socket", 2) == Self.allow)
        let (administrator, _) = try Self.filter(adding: ["CAP_SYS_ADMIN"])
        #expect(administrator.run(architecture: SystemCallArchitecture.x86_64.auditNumber, number: 165) == Self.allow)  // mount
        // Another architecture's call kills.
        #expect(filter.run(architecture: SystemCallArchitecture.arm64.auditNumber, number: 0) == 0)
    }

    @Test func olderKernelsLosePtrace() throws {
        let (filter, _) = try Self.filter(kernel: "4.7.1")
        #expect(filter.run(architecture: SystemCallArchitecture.x86_64.auditNumber, number: 101) == Self.refuse)
    }

    @Test(arguments: [
        ("{", "Decoding seccomp profile failed"), (#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":[],"archMap":[]}"#, "use either"),
    ])
    func profilesThatAreNone(text: String, reason: String) {
        #expect { try SeccompProfile(parsing: text) } throws: { "\($0)".contains(reason) }
    }

    @Test func unknownActionsAndComparisonsAreErrors() {
        var seccomp = RuntimeSpec.Seccomp(defaultAction: "SCMP_ACT_WHAT")
        #expect(throws: RuntimeError.self) { try FilterCache().filter(for: seccomp) }
        seccomp = RuntimeSpec.Seccomp(defaultAction: "SCMP_ACT_ALLOW")
        seccomp.syscalls = [.init(names: ["read"], action: "SCMP_ACT_ERRNO", args: [.init(index: 0, value: 1, op: "SCMP_CMP_WHAT")])]
        #expect(throws: RuntimeError.self) { try FilterCache().filter(for: seccomp) }
        seccomp.syscalls = [.init(names: ["read"], action: "SCMP_ACT_ERRNO", args: [.init(index: 6, value: 1, op: "SCMP_CMP_EQ")])]
        #expect(throws: RuntimeError.self) { try FilterCache().filter(for: seccomp) }
    }
}
