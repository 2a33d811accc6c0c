import Berth
import BerthLinux
import Foundation
import Testing

#if arch(x86_64)

    /// Docker's table of system calls, as its maintainers publish it, against what the kernel does at each call inside a container.
    ///
    /// `probe filter` makes every call up to the kernel's filters and no further. The expectation is read from the table here, without
    /// the engine's own profile, compiler or numbers: those come from the kernel's headers.
    @Suite(.kernelTier, .serialized, .timeLimit(.minutes(3)))
    struct SeccompFilterTests {
        struct Rule {
            var names: [String]
            var allows: Bool
            var errno: Int
            var conditions: [(index: Int, value: UInt64, valueTwo: UInt64, op: String)]
            var includedCapabilities: [String]
            var excludedCapabilities: [String]
            var architectures: [String]

            init(_ json: [String: Any]) throws {
                names = try #require(json["names"] as? [String])
                allows = try #require(json["action"] as? String) == "SCMP_ACT_ALLOW"
                errno = json["errnoRet"] as? Int ?? 1
                let includes = json["includes"] as? [String: Any] ?? [:]
                let excludes = json["excludes"] as? [String: Any] ?? [:]
                includedCapabilities = includes["caps"] as? [String] ?? []
                excludedCapabilities = excludes["caps"] as? [String] ?? []
                architectures = includes["arches"] as? [String] ?? []
                conditions = try (json["args"] as? [[String: Any]] ?? []).map { argument in
                    (
                        try #require(argument["index"] as? Int), try #require(argument["value"] as? NSNumber).uint64Value,
                        (argument["valueTwo"] as? NSNumber)?.uint64Value ?? 0, try #require(argument["op"] as? String)
                    )
                }
            }

            func holds(for capabilities: Set<String>) -> Bool {
                (architectures.isEmpty || architectures.contains("amd64")) && includedCapabilities.allSatisfy(capabilities.contains)
                    && !excludedCapabilities.contains(where: capabilities.contains)
            }

            func matches(_ arguments: [UInt64]) -> Bool {
                conditions.allSatisfy { condition in
                    let value = arguments[condition.index]
                    return switch condition.op {
                    case "SCMP_CMP_EQ": value == condition.value
                    case "SCMP_CMP_NE": value != condition.value
                    case "SCMP_CMP_LT": value < condition.value
                    case "SCMP_CMP_GT": value > condition.value
                    case "SCMP_CMP_MASKED_EQ": value & condition.value == condition.valueTwo
                    default: false
                    }
                }
            }
        }

        static func table() throws -> [Rule] {
            let data = try Data(contentsOf: URL(fileURLWithPath: ConfinementReport.folder + "/seccomp.json"))
            let json = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
            return try #require(json["syscalls"] as? [[String: Any]]).map { try Rule($0) }
        }

        /// What the kernel's headers call each number; for calls that are newer than the headers, what the engine does.
        static func numbers(_ header: String, _ architecture: SystemCallArchitecture, _ names: [String]) throws -> [String: UInt32] {
            let compiler = Process()
            let (input, output) = (Foundation.Pipe(), Foundation.Pipe())
            (compiler.executableURL, compiler.arguments) = (URL(fileURLWithPath: "/usr/bin/gcc"), ["-E", "-dM", "-"])
            (compiler.standardInput, compiler.standardOutput) = (input, output)
            try compiler.run()
            input.fileHandleForWriting.write(Data("#define __X32_SYSCALL_BIT 0x40000000\n#include <asm/\(header)>\n".utf8))
            input.fileHandleForWriting.closeFile()
            let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            compiler.waitUntilExit()
            try #require(compiler.terminationStatus == 0)
            var numbers: [String: UInt32] = [:]
            for line in text.split(separator: "\n") where line.hasPrefix("#define __NR_") {
                let words = line.dropFirst("#define __NR_".count).split(separator: " ", maxSplits: 1)
                // "42", or "(__X32_SYSCALL_BIT + 42)".
                guard words.count == 2,
                    let number = UInt32(words[1].filter { $0.isNumber && $0.isASCII }.dropFirst(words[1].hasPrefix("(") ? 2 : 0))
                else { continue }
                numbers[String(words[0])] = words[1].hasPrefix("(") ? number | 0x4000_0000 : number
            }
            try #require(numbers.count > 300)
            for name in names where numbers[name] == nil { numbers[name] = architecture.number(of: name) }
            return numbers
        }

        struct Request {
            var architecture: String
            var number: UInt32
            var arguments: [UInt64]
            var expected: String
        }

        static func requests(for capabilities: Set<String>, withOldCalls: Bool) throws -> [Request] {
            let rules = try table()
            let names = Array(Set(rules.flatMap(\.names)))
            var requests: [Request] = []
            let architectures: [(String, String, SystemCallArchitecture, UInt32)] = [
                ("x86_64", "unistd_64.h", .x86_64, 0), ("x86_64", "unistd_x32.h", .x32, 0x4000_0000), ("i386", "unistd_32.h", .i386, 0),
            ]
            for (name, header, architecture, bit) in architectures where withOldCalls || architecture != .i386 {
                let numbers = try Self.numbers(header, architecture, names)
                var byNumber: [UInt32: [Rule]] = [:]
                for rule in rules where rule.holds(for: capabilities) {
                    for call in rule.names { if let number = numbers[call] { byNumber[number, default: []].append(rule) } }
                }
                let newest = try #require(byNumber.keys.max())
                // The kernel lets the two calls by which uprobes work past every filter (x86-64, since Linux 6.14).
                for number in (0..<UInt32(640)).map({ $0 | bit }) where number != 335 && number != 336 || architecture == .i386 {
                    let found = byNumber[number] ?? []
                    var values: Set<UInt64> = [0]
                    for condition in found.flatMap(\.conditions) {
                        for value in [condition.value, condition.value &+ 1, condition.value &- 1, 1 << 33 | condition.value] {
                            values.insert(value)
                        }
                        if condition.op == "SCMP_CMP_MASKED_EQ" {
                            for shift in UInt64(0)..<64 { values.insert(1 << shift) }
                        }
                    }
                    for value in values.sorted() where architecture != .i386 || value <= UInt64(UInt32.max) {
                        let arguments = [value, value, value, 0, 0, 0]
                        let rule = found.first { $0.conditions.isEmpty } ?? found.first { $0.matches(arguments) }
                        // A call that is newer than all that the table names does not exist, so that programs do without.
                        let refusal = number > newest ? 38 : 1
                        requests.append(
                            Request(
                                architecture: name, number: number, arguments: arguments,
                                expected: rule.map { $0.allows ? "allowed" : String($0.errno) } ?? String(refusal)))
                    }
                }
            }
            return requests
        }

        /// A guest in user mode hands 32-bit calls to its host's kernel as if they were others.
        static var hasOldCalls: Bool {
            let processors = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""  // unreadable: try them
            return !processors.contains("User Mode Linux")
        }

        static let standard: Set<String> = [
            "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID", "CAP_SETUID",
            "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
        ]

        @Test func everyRuleIsObeyedForEveryCapabilityThatItNames() async throws {
            let named = Set(try Self.table().flatMap { $0.includedCapabilities + $0.excludedCapabilities }).subtracting(Self.standard)
            #expect(named.count >= 12)
            let test = try await TestEngine(adding: ["/bin/probe": Probe.program])
            let cases = [([], []), ([], ["CAP_SYS_CHROOT"])] + named.sorted().map { ([$0], []) } as [([String], [String])]
            // A guest is slow, and filters do not depend on what it is there for.
            for (added, dropped) in Self.hasOldCalls ? cases : Array(cases.prefix(3)) {
                let requests = try Self.requests(
                    for: Self.standard.union(added).subtracting(dropped), withOldCalls: Self.hasOldCalls)
                let folder = test.folder + "/requests"
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
                let lines = requests.map { "\($0.architecture) \($0.number) \($0.arguments.map(String.init).joined(separator: " "))\n" }
                try lines.joined().write(toFile: folder + "/lines", atomically: false, encoding: .utf8)
                let result = try await test.run(["sh", "-c", "exec probe filter </requests/lines"]) {
                    $0.addedCapabilities = added
                    $0.droppedCapabilities = dropped
                    $0.bindMounts = [BindMount(source: folder, target: "/requests", readOnly: true)]
                }
                #expect(result.errors == "" && result.code == 0)
                let answers = result.output.split(separator: "\n")
                try #require(answers.count == requests.count, "with \(added)")
                var allowed = 0
                for (request, answer) in zip(requests, answers) {
                    #expect(
                        answer == request.expected,
                        "\(request.architecture) \(request.number) \(request.arguments[0]), with \(added) without \(dropped)")
                    if answer == "allowed" { allowed += 1 }
                }
                #expect(allowed > 300 && requests.count - allowed > 300)
            }
            try await test.remove()
        }

        @Test func unconfinedAndPrivilegedContainersHaveNoFilter() async throws {
            let test = try await TestEngine(adding: ["/bin/probe": Probe.program])
            let script =
                "printf 'x86_64 165\\nx86_64 246\\nx86_64 1073741824\\nx86_64 900\\n' | probe filter; grep ^Seccomp: /proc/1/status"
            for privileged in [false, true] {
                let result = try await test.run(["sh", "-c", script]) {
                    $0.seccomp = privileged ? .default : .unconfined
                    $0.privileged = privileged
                }
                #expect(result.output == "allowed\nallowed\nallowed\nallowed\nSeccomp:\t0\n", "\(result)")
            }
            try await test.remove()
        }

        /// Found as the rules of another profile say, so that it is not the default that answers.
        @Test func aProfileOfOnesOwnIsObeyed() async throws {
            let test = try await TestEngine(adding: ["/bin/probe": Probe.program])
            let profile = #"""
                {"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64"],"syscalls":[
                {"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":13},
                {"names":["kill"],"action":"SCMP_ACT_ERRNO","args":[{"index":1,"value":9,"op":"SCMP_CMP_EQ"}]},
                {"name":"uname","action":"SCMP_ACT_KILL_PROCESS"}]}
                """#
            let script =
                "printf 'x86_64 83\\nx86_64 62 1 9\\nx86_64 62 1 8\\nx86_64 63\\nx86_64 0\\nx86_64 1073741824\\n' | probe filter; mkdir /x; echo $?"
            let result = try await test.run(["sh", "-c", script]) { $0.seccomp = .profile(profile) }
            #expect(result.output == "13\n1\nallowed\nkilled 31\nallowed\nkilled 31\n1\n", "\(result)")
            #expect(result.errors.contains("mkdir: can't create directory '/x': Permission denied"))
            try await test.remove()
        }
    }

#endif
