import BerthLinux
import BerthOCI
import Testing

@testable import BerthContainers

private func configuration(_ change: (inout ContainerConfiguration) -> Void) -> ContainerConfiguration {
    var configuration = ContainerConfiguration(image: "x")
    change(&configuration)
    return configuration
}

@Suite("How a container meets its host")
struct HostOptionTests {
    @Test(
        "Namespaces, as text",
        arguments: [
            ("", .default), ("private", .private), ("shareable", .shareable), ("none", .none), ("host", .host),
            ("container:x", .container("x")),
        ] as [(String, NamespaceMode)])
    func modes(text: String, mode: NamespaceMode) {
        #expect(NamespaceMode(parsing: text) == mode && mode.description == text)
    }

    @Test("What is no mode, and modes of other kinds")
    func wrongModes() throws {
        for text in ["odd", "container:", "Host", "container"] { #expect(NamespaceMode(parsing: text) == nil) }
        var namespaces = NamespaceConfiguration()
        try namespaces.check()
        for (change, words) in [
            ({ $0.pid = .private }, "invalid PID mode: private"), ({ $0.uts = .none }, "invalid UTS mode: none"),
            ({ $0.user = .container("x") }, "invalid user namespace mode: container:x"),
            ({ $0.cgroup = .shareable }, "invalid cgroup namespace mode: shareable"),
        ] as [((inout NamespaceConfiguration) -> Void, String)] {
            namespaces = NamespaceConfiguration()
            change(&namespaces)
            #expect { try namespaces.check() } throws: { "\($0)".contains(words) }
        }
    }

    @Test("Kernel parameters belong to a namespace of the container's own, or are refused")
    func parameters() throws {
        try KernelParameters.check(
            configuration {
                $0.kernelParameters = ["net.core.somaxconn": "1", "kernel.msgmax": "2", "fs.mqueue.msg_max": "3", "kernel.domainname": "d"]
            })
        for (name, words, change) in [
            ("kernel.core_pattern", "is not in a separate kernel namespace", { _ in }),
            ("vm.swappiness", "is not in a separate kernel namespace", { _ in }), ("kernel.hostname", "conflicts", { _ in }),
            ("net.core.somaxconn", "not allowed in host network namespace", { $0.network = .host }),
            ("kernel.shmmax", "is not allowed in the hosts ipc namespace", { $0.namespaces.ipc = .host }),
            ("kernel.domainname", "is not allowed in the hosts uts namespace", { $0.namespaces.uts = .host }),
            ("net.a b", "invalid sysctl", { _ in }),
        ] as [(String, String, (inout ContainerConfiguration) -> Void)] {
            let asked = configuration {
                $0.kernelParameters = [name: "1"]
                change(&$0)
            }
            #expect { try KernelParameters.check(asked) } throws: { "\($0)".contains(words) }
        }
    }

    @Test("Rules of devices")
    func rules() throws {
        #expect(
            try ResolvedDevices.rule("c 1:3 rw") == RuntimeSpec.DeviceRule(allow: true, type: "c", major: 1, minor: 3, access: "rw"))
        #expect(try ResolvedDevices.rule("a *:* m") == RuntimeSpec.DeviceRule(allow: true, type: "a", major: -1, minor: -1, access: "m"))
        for text in ["", "c", "c 1:3", "d 1:3 r", "c 1:3 x", "c 1:3 rwmr", "c 1 r", "c -1:3 r", "c 1:x r", "c  1:3 r", "c 1:3:4 r"] {
            #expect { _ = try ResolvedDevices.rule(text) } throws: { "\($0)".contains("invalid device cgroup rule format: '\(text)'") }
        }
    }

    @Test("A device's file, where it is called something else, and what is no device")
    func devices() throws {
        let found = try ResolvedDevices(
            of: configuration { $0.devices = [DeviceMapping(source: "/dev/null", target: "/dev/nothing", permissions: "r")] },
            describedIn: [])
        #expect(found.devices.map(\.path) == ["/dev/nothing"] && found.devices.map(\.minor) == [3])
        #expect(found.rules == [RuntimeSpec.DeviceRule(allow: true, type: "c", major: 1, minor: 3, access: "r")])
        for (path, reason) in [("/dev/not-there", "no such file or directory"), ("/proc/version", "not a device node")] {
            #expect { _ = try ResolvedDevices(of: configuration { $0.devices = [DeviceMapping(source: path)] }, describedIn: []) } throws: {
                "\($0)" == "error gathering device information while adding custom device \"\(path)\": \(reason)"
            }
        }
    }

    @Test("Groups by name and by number, and those that are not there")
    func groups() throws {
        let file = Array("root:x:0:\nvideo:x:44:a\n7:x:8:\n".utf8)
        #expect(try UserResolver.groups(["video", "55", "44"], group: file) == [44, 55, 44])
        // A name that is a number stands for what has it as its name.
        #expect(try UserResolver.groups(["7"], group: file) == [8])
        #expect { _ = try UserResolver.groups(["nobody-here"], group: file) } throws: {
            "\($0)".contains("Unable to find group nobody-here")
        }
        #expect(throws: ContainerError.self) { try UserResolver.groups(["-1"], group: file) }
    }
}

@Suite("What a machine cannot limit is left out and told")
struct LimitWarningTests {
    private static let machine = MachineSets(processors: "0-1,4", memoryNodes: "0")
    private static var nothing: CgroupAbilities {
        var abilities = CgroupAbilities()
        (abilities.limitsMemory, abilities.limitsSwap, abilities.reservesMemory, abilities.hasSwappiness) = (false, false, false, false)
        (abilities.disablesOOMKiller, abilities.weighsProcessors, abilities.limitsProcessorTime) = (false, false, false)
        (abilities.limitsRealTime, abilities.choosesProcessors, abilities.limitsProcesses) = (false, false, false)
        (abilities.blockWeightFile, abilities.blockWeightDeviceFile, abilities.throttlesDevices) = (nil, nil, false)
        return abilities
    }
    private static var everything: Resources {
        var resources = Resources()
        (resources.memoryByteCount, resources.memoryReservationByteCount, resources.swappiness) = (64 << 20, 32 << 20, 10)
        (resources.cpuShares, resources.cpuQuota, resources.cpusetCPUs, resources.pidsLimit) = (3, 5000, "0", 7)
        resources.oomKillDisabled = true
        resources.block.weight = 100
        let device = [BlockLimits.Device(path: "/dev/a", value: 11)]
        (resources.block.weightDevices, resources.block.readBytes, resources.block.writeBytes) = (device, device, device)
        (resources.block.readOperations, resources.block.writeOperations) = (device, device)
        return resources
    }

    @Test("A machine that can do all of it: nothing is left out, nothing said")
    func able() throws {
        let found = try Self.everything.adapted(to: CgroupAbilities(), Self.machine)
        #expect(found.resources == Self.everything && found.warnings.isEmpty)
    }

    @Test("A machine that can do none of it: one sentence each, and no limit is left")
    func unable() throws {
        let found = try Self.everything.adapted(to: Self.nothing, Self.machine)
        #expect(found.warnings.count == 14)
        #expect(found.warnings.allSatisfy { $0.hasPrefix("Your kernel does not support ") && $0.hasSuffix("discarded.") })
        #expect(found.warnings.contains("Your kernel does not support OomKillDisable. OomKillDisable discarded."))
        #expect(
            found.warnings.contains(
                "Your kernel does not support IOPS Block write limit or the cgroup is not mounted. Block I/O IOPS write limit discarded."))
        var expected = Resources()
        expected.memorySwapByteCount = -1
        #expect(found.resources == expected)
    }

    @Test("Without limits of swap, memory is limited all the same")
    func swap() throws {
        var abilities = CgroupAbilities()
        abilities.limitsSwap = false
        var asked = Resources()
        asked.memoryByteCount = 64 << 20
        let found = try asked.adapted(to: abilities, Self.machine)
        #expect(
            found.warnings == [
                "Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap."
            ])
        #expect(found.resources.memoryByteCount == 64 << 20 && found.resources.memorySwapByteCount == -1)
    }

    @Test("Who asks that nothing be killed, without a limit, is warned")
    func outOfMemory() throws {
        var asked = Resources()
        asked.oomKillDisabled = true
        #expect(try asked.adapted(to: CgroupAbilities(), Self.machine).warnings.map { $0.prefix(17) } == ["OOM killer is dis"])
    }

    @Test("What no machine, or not this one, could do is an error")
    func errors() {
        for (change, abilities, words) in [
            ({ $0.memoryByteCount = 1 }, CgroupAbilities(), "Minimum memory limit allowed is 6MB"),
            ({ $0.nanoCPUs = 1_000_000_000 }, Self.nothing, "NanoCPUs can not be set"),
            ({ $0.cpusetCPUs = "0-2" }, CgroupAbilities(), "Requested CPUs are not available - requested 0-2, available: 0-1,4"),
            ({ $0.cpusetCPUs = "x" }, CgroupAbilities(), "Invalid value x for cpuset cpus"),
            ({ $0.cpusetMems = "1" }, CgroupAbilities(), "Requested memory nodes are not available - requested 1, available: 0"),
            ({ $0.realTimePeriod = 1 }, Self.nothing, "Your kernel does not support cgroup cpu real-time period"),
            ({ $0.realTimeRuntime = 1 }, Self.nothing, "Your kernel does not support cgroup cpu real-time runtime"),
            ({ ($0.realTimePeriod, $0.realTimeRuntime) = (1, 2) }, CgroupAbilities(), "cannot be higher"),
            ({ $0.block.weight = 9 }, CgroupAbilities(), "Range of blkio weight is from 10 to 1000"),
        ] as [((inout Resources) -> Void, CgroupAbilities, String)] {
            var asked = Resources()
            change(&asked)
            #expect { _ = try asked.adapted(to: abilities, Self.machine) } throws: { "\($0)".contains(words) }
        }
    }
}

@Suite("Devices that their vendors describe")
struct DeviceDescriptionTests {
    private static let text = """
        ---
        cdiVersion: 0.6.0   # of the format
        kind: "vendor.com/thing"
        containerEdits:
          env:
          - EVERY=thing
        devices:
        - name: "0"
          containerEdits:
            deviceNodes:
              - path: /dev/thing0
                hostPath: /dev/null
                permissions: r
            mounts:
            - hostPath: /etc/hostname
              containerPath: /etc/thing
              options: [] 
            additionalGids:
            - 44
        - name: hooked
          containerEdits:
            hooks:
            - hookName: createContainer
              path: /bin/hook
              args: [hook, "--all"]
              env: [A=b]
              timeout: 3
        """

    private func described(_ files: [String: String]) throws -> DeviceDescriptions {
        let folder = "/tmp/berth-cdi-\(UInt32.random(in: 0 ... .max))"
        _ = try Directory.open("/").makeDirectories(try PathBytes(folder), permissions: 0o755)
        // What is left lies in the temporary directory.
        defer { try? Directory.open("/tmp").removeTree(try PathBytes(String(folder.dropFirst(5)))) }
        let directory = try Directory.open(folder)
        for (name, text) in files {
            try unsafe directory.createFile(try PathBytes(name), permissions: 0o644).writeAll(Array(text.utf8).span.bytes)
        }
        return DeviceDescriptions(directories: ["/nowhere", folder])
    }

    @Test("Written as YAML or as JSON, they say the same")
    func formats() throws {
        let json =
            #"{"cdiVersion":"0.6.0","kind":"vendor.com/thing","containerEdits":{"env":["EVERY=thing"]},"devices":[{"name":"0","containerEdits":{"deviceNodes":[{"path":"/dev/thing0","hostPath":"/dev/null","permissions":"r"}],"mounts":[{"hostPath":"/etc/hostname","containerPath":"/etc/thing","options":[]}],"additionalGids":[44]}}]}"#
        let one = try described(["a.yaml": Self.text]).edits(for: ["vendor.com/thing=0"])
        #expect(one.count == 2 && one[0].env == ["EVERY=thing"] && one[1].deviceNodes?.first?.hostPath == "/dev/null")
        #expect(one[1].additionalGids == [44] && one[1].mounts?.first?.containerPath == "/etc/thing")
        #expect(try described(["a.json": json]).edits(for: ["vendor.com/thing=0"]) == one)
    }

    @Test("What nobody describes and what cannot be read are refused with the reason; hooks come as they are described")
    func refused() throws {
        let described = try described(["a.yaml": Self.text, "b.json": "{", "c.yaml": "a: ]"])
        #expect { _ = try described.edits(for: ["vendor.com/thing=1"]) } throws: { error in
            ["unresolvable CDI devices vendor.com/thing=1", "b.json", "c.yaml: line 1: "].allSatisfy { "\(error)".contains($0) }
        }
        let hook = try #require(try described.edits(for: ["vendor.com/thing=hooked"]).last?.hooks?.first)
        #expect(hook.hookName == "createContainer" && hook.path == "/bin/hook" && hook.args == ["hook", "--all"])
        #expect(hook.env == ["A=b"] && hook.timeout == 3)
        #expect(described.names(ofKind: "vendor.com/thing") == ["vendor.com/thing=0", "vendor.com/thing=hooked"])
    }

    @Test(
        "YAML that cannot be read is an error with its line",
        arguments: [
            "a: [1, 2", "a:\n\tb: c", "a: b\na: c", "- a\nb: c", "a: \"b\" c", "a: 'b", "a:\n  b: c\n d: e", "a: *b", "? [a]\n: b",
            "a: 1\n---\nb: 2",
            "a: &b [c]\nd: [*b, *b]\ne: \u{1}",
        ])
    func mistakes(text: String) {
        #expect { _ = try YAML.parse(text) } throws: { "\($0)".hasPrefix("line ") }
    }

    @Test("Scalars, flows, blocks and aliases")
    func scalars() throws {
        #expect(
            try YAML.parse(
                "a: 1\nb: 'x: y'\nc: true\nd: ~\ne: p:q # r\nf:\n- {}\n-\n  g: &z [h, 0x1F, 1.5]\n\"i\": -2\nj: |\n  k\nl: *z\nm: \"7\"")
                == .object([
                    "a": .integer(1), "b": .string("x: y"), "c": .bool(true), "d": .null, "e": .string("p:q"),
                    "f": .array([.object([:]), .object(["g": .array([.string("h"), .integer(31), .number(1.5)])])]), "i": .integer(-2),
                    "j": .string("k\n"), "l": .array([.string("h"), .integer(31), .number(1.5)]), "m": .string("7"),
                ]))
        #expect(try YAML.parse("") == .null && YAML.parse("a") == .string("a"))
    }

    @Test("Aliases of aliases are counted as often as they are met")
    func aliases() {
        var text = "a0: &a0 [x]"
        for level in 1...20 {
            let names = [String](repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            text += "\na\(level): &a\(level) [\(names)]"
        }
        #expect { _ = try YAML.parse(text) } throws: { "\($0)".contains("more than \(YAML.maximumCount) values") }
    }

    @Test("Lists in lists cannot lie too deep")
    func depth() {
        let text = (0..<100).map { String(repeating: " ", count: $0) + "a:" }.joined(separator: "\n")
        #expect { _ = try YAML.parse(text) } throws: { "\($0)".contains("lie in each other") }
    }
}
