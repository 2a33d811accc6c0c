import Berth
import BerthLinux
import Foundation
import Testing

/// What process 1 of a container sees and may do, started by the engine as any container is.
///
/// What is expected is what Debian's Docker gives its containers; Tests/Interop/test_confinement.py compares the two side by side.
@Suite(.kernelTier, .serialized, .timeLimit(.minutes(3)))
struct ConfinementTests {
    static let cgroups = try? CgroupLayout.detect()  // none: the tests that need it fail

    static func report(_ test: TestEngine, _ change: (inout ContainerConfiguration) -> Void = { _ in }) async throws -> ConfinementReport {
        let result = try await test.run(["sh", "-c", try ConfinementReport.script()], change)
        return ConfinementReport(result.output)
    }

    @Test func aDefaultContainerIsConfinedAsDockersAre() async throws {
        let test = try await TestEngine()
        let report = try await Self.report(test)
        #expect(report["descriptors"] == ["0", "1", "2"])
        #expect(
            report["streams"] == [
                "/proc/1/fd/0 character special file 1:3", "\t0100002", "\t01", "\t01", "0 is the container's own /dev/null",
            ])
        for line in [
            "Umask:\t0022", "Uid:\t0\t0\t0\t0", "Gid:\t0\t0\t0\t0", "Groups:\t0 ", "NStgid:\t1", "NSpid:\t1", "NSpgid:\t1", "NSsid:\t1",
            "CapInh:\t0000000000000000", "CapPrm:\t00000000a80425fb", "CapEff:\t00000000a80425fb", "CapBnd:\t00000000a80425fb",
            "CapAmb:\t0000000000000000", "NoNewPrivs:\t0", "Seccomp:\t2", "Seccomp_filters:\t1", "SigBlk:\t0000000000000000",
            "group 1, session 1, terminal 0, nice \(getpriority(__priority_which_t(PRIO_PROCESS.rawValue), UInt32(getpid()))), policy 0",
        ] {
            #expect(report["status"].contains(line), "\(line) in \(report["status"])")
        }
        let (mounts, expected) = (report["mounts"].filter { !$0.contains("/sys/fs/cgroup/") }, Self.mounts(on: try #require(Self.cgroups)))
        #expect(mounts == expected, "\(mounts.difference(from: expected))")
        #expect(
            report["dev"] == [
                ". directory 755 0:0 0:0", "./fd -> /proc/self/fd", "./full character special file 666 0:0 1:7",
                "./mqueue directory 1777 0:0 0:0", "./null character special file 666 0:0 1:3", "./ptmx -> pts/ptmx",
                "./pts directory 755 0:0 0:0", "./pts/ptmx character special file 666 0:0 5:2",
                "./random character special file 666 0:0 1:8", "./shm directory 1777 0:0 0:0", "./stderr -> /proc/self/fd/2",
                "./stdin -> /proc/self/fd/0", "./stdout -> /proc/self/fd/1", "./tty character special file 666 0:0 5:0",
                "./urandom character special file 666 0:0 1:9", "./zero character special file 666 0:0 1:5",
            ] || report["dev"].contains("./core -> /proc/kcore"))
        #expect(report["dev"].contains("./core -> /proc/kcore") == HostFile.exists("/proc/kcore"))
        #expect(report["cgroup"].allSatisfy { $0.hasSuffix(":/") } && !report["cgroup"].isEmpty)
        #expect(!report["cgroup files"].contains { $0.contains("process 1 is not in") || $0.contains("others are in") })
        #expect(report["keys"] == [])
        #expect(report["oom"] == ["0"])
        #expect(
            report["environment"] == [
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME=NAME", "HOME=/root",
            ])
        #expect(report["names"].prefix(2) == ["the host name is that of /etc/hostname", "(none)"])
        #expect(report["network"].prefix(2) == ["lo", "1"])
        #expect(
            report["kernel settings"].prefix(2) == ["net/ipv4/ip_unprivileged_port_start 0", "net/ipv4/ping_group_range 0\t2147483647"])
        for (line, succeeds) in Self.attempts(on: try #require(Self.cgroups)) {
            #expect((report["refused"] + report["devices"]).contains(line + (succeeds ? " succeeds" : " fails")), "\(line)")
        }
        #expect(report["namespaces"] == ["mnt", "uts", "ipc", "pid", "net", "cgroup"].map { "\($0): its own" })
        try await test.remove()
    }

    static func mounts(on cgroups: CgroupLayout) -> [String] {
        var lines = [
            "/ file rw,relatime", "/proc proc / rw,nosuid,nodev,noexec,relatime | rw", "/dev tmpfs / rw,nosuid | rw,size=65536k,mode=755",
            "/dev/pts devpts / rw,nosuid,noexec,relatime | rw,gid=5,mode=620,ptmxmode=666",
            "/sys sysfs / ro,nosuid,nodev,noexec,relatime | ro",
            cgroups.version == 1
                ? "/sys/fs/cgroup tmpfs / ro,nosuid,nodev,noexec,relatime | ro,mode=755"
                : "/sys/fs/cgroup cgroup2 / ro,nosuid,nodev,noexec,relatime | rw",
            "/dev/mqueue mqueue / rw,nosuid,nodev,noexec,relatime | rw",
            "/dev/shm tmpfs / rw,nosuid,nodev,noexec,relatime | rw,size=65536k",
            "/etc/resolv.conf file rw,relatime", "/etc/hostname file rw,relatime", "/etc/hosts file rw,relatime",
        ]
        for path in ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"] where HostFile.exists(path) {
            lines.append("\(path) proc \(path.dropFirst(5)) ro,nosuid,nodev,noexec,relatime | rw")
        }
        let masked =
            [
                "/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
                "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap",
            ] + (0..<HostFile.processorCount()).map { "/sys/devices/system/cpu/cpu\($0)/thermal_throttle" }
        for path in masked where HostFile.exists(path) {
            var isFolder: ObjCBool = false
            _ = unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
            lines.append(
                isFolder.boolValue ? "\(path) tmpfs / ro,relatime | ro" : "\(path) tmpfs /null rw,nosuid | rw,size=65536k,mode=755")
        }
        return lines
    }

    /// What is tried, and whether it succeeds.
    static func attempts(on cgroups: CgroupLayout) -> [(String, Bool)] {
        let refused = [
            "write /proc/sys/kernel/hostname 1", "write /proc/sys/vm/swappiness 1", "write /proc/sysrq-trigger 1", "write /proc/irq/x 1",
            "write /sys/x 1", "write /sys/fs/cgroup/x 1", "write /sys/firmware/x 1", "grep -q . /proc/kcore", "grep -q . /proc/timer_list",
            "grep -q . /proc/keys", "ls /sys/firmware/*", "ls /proc/acpi/*", "mount -t tmpfs x /tmp", "mount -o remount,rw /sys",
            "mount -o remount,bind,rw /proc/sys", "umount /proc/keys", "umount /etc/hosts", "umount -l /", "hostname other",
            "grep -q . /tmp/kmsg", "dd if=/tmp/disk of=/dev/null count=1", "unshare -m true", "unshare -U true", "nsenter -t 1 -m true",
            "renice -n -5 1", "ip link set lo down",
        ]
        let granted = [
            "mknod /tmp/kmsg c 1 11", "mknod /tmp/disk b 259 0", "mknod /tmp/null c 1 3", "write /tmp/null 1", "chroot / true",
            "chown 1 /tmp/own",
        ]
        return refused.map { ($0, false) } + granted.map { ($0, true) }
    }

    // MARK: Limits

    @Test func limitsAreInTheFilesOfTheirHierarchies() async throws {
        let cgroups = try #require(Self.cgroups)
        let hasProcessorSets = cgroups.version == 1 || cgroups.unifiedControllers.contains("cpuset")
        let test = try await TestEngine()
        let report = try await Self.report(test) {
            $0.resources.memoryByteCount = 64 << 20
            $0.resources.memorySwapByteCount = 96 << 20
            $0.resources.memoryReservationByteCount = 32 << 20
            $0.resources.pidsLimit = 77
            $0.resources.cpuShares = 512
            $0.resources.nanoCPUs = 500_000_000
            $0.resources.cpusetCPUs = hasProcessorSets ? "0" : nil
        }
        let expected =
            cgroups.version == 1
            ? [
                "memory/memory.limit_in_bytes: 67108864;", "memory/memory.memsw.limit_in_bytes: 100663296;", "pids/pids.max: 77;",
                "cpu/cpu.shares: 512;", "cpu/cpu.cfs_quota_us: 50000;", "cpu/cpu.cfs_period_us: 100000;", "cpuset/cpuset.cpus: 0;",
            ]
            : [
                "memory.max: 67108864;", "memory.swap.max: 33554432;", "memory.low: 33554432;", "pids.max: 77;", "cpu.max: 50000 100000;",
                "cpu.weight: 20;",
            ]
        for line in expected { #expect(report["cgroup files"].contains(line), "\(line) in \(report["cgroup files"])") }
        try await test.remove()
    }

    @Test func moreMemoryThanAllowedKillsAndIsSaid() async throws {
        let test = try await TestEngine(adding: ["/bin/probe": Probe.program])
        for (bytes, dies) in [(4 << 20, false), (64 << 20, true)] {
            var configuration = ContainerConfiguration(image: "busybox")
            configuration.command = ["probe", "memory", String(bytes)]
            configuration.network = .none
            configuration.resources.memoryByteCount = 24 << 20
            configuration.resources.memorySwapByteCount = 24 << 20
            let container = try await test.engine.containers.create(configuration)
            try await container.start()
            let exit = try await container.wait()
            #expect(exit.outOfMemory == dies && exit.code == (dies ? 137 : 0), "\(exit)")
            try await container.remove()
        }
        try await test.remove()
    }

    /// A child is killed for memory while process 1 lives on and ends well: Docker says `OOMKilled` of such a container too.
    @Test func aChildKilledForMemoryIsSaid() async throws {
        let test = try await TestEngine(adding: ["/bin/probe": Probe.program])
        var configuration = ContainerConfiguration(image: "busybox")
        configuration.command = ["sh", "-c", "probe memory 67108864; exit 5"]
        configuration.network = .none
        configuration.resources.memoryByteCount = 24 << 20
        configuration.resources.memorySwapByteCount = 24 << 20
        let container = try await test.engine.containers.create(configuration)
        try await container.start()
        let exit = try await container.wait()
        #expect(exit.code == 5 && exit.outOfMemory)
        try await test.remove()
    }

    @Test func noMoreProcessesThanAllowed() async throws {
        let test = try await TestEngine(adding: ["/bin/probe": Probe.program])
        let result = try await test.run(["probe", "processes", "40"]) { $0.resources.pidsLimit = 20 }
        #expect(result.output == "19 processes, then Resource temporarily unavailable\n")
        #expect(try await test.run(["probe", "processes", "40"]).output == "40 processes, then no more wanted\n")
        try await test.remove()
    }

    @Test func resourceLimitsArrive() async throws {
        let test = try await TestEngine()
        let result = try await test.run(["cat", "/proc/self/limits"]) {
            $0.resourceLimits = [
                ResourceLimit(name: "nofile", soft: 100, hard: 200), ResourceLimit(name: "core", soft: 0, hard: 0),
                ResourceLimit(name: "cpu", soft: -1, hard: -1),
            ]
        }
        let lines = result.output.split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") }
        for line in ["Max open files 100 200 files", "Max core file size 0 0 bytes", "Max cpu time unlimited unlimited seconds"] {
            #expect(lines.contains(line))
        }
        try await test.remove()
    }

    // MARK: Devices

    @Test func onlyTheContainersDevicesCanBeOpened() async throws {
        let test = try await TestEngine(adding: ["/bin/probe": Probe.program])
        let asked = "c 1 3 c 1 5 c 1 7 c 1 8 c 1 9 c 1 1 c 1 4 c 1 11 c 10 200 c 10 229 b 7 0 b 259 0 b 254 0".split(separator: " ")
            .map(String.init)
        let result = try await test.run(["probe", "devices"] + asked)
        let lines = Set(result.output.split(separator: "\n").map(String.init))
        for device in ["c 1:3", "c 1:5", "c 1:7", "c 1:8", "c 1:9"] { #expect(lines.contains("\(device) made yes read yes write yes")) }
        for device in ["c 1:1", "c 1:4", "c 1:11", "c 10:200", "c 10:229", "b 7:0", "b 259:0", "b 254:0"] {
            #expect(lines.contains("\(device) made yes read EPERM write EPERM"), "\(device) in \(lines)")
        }
        // Without the right to make devices there is nothing to open.
        let without = try await test.run(["probe", "devices", "c", "1", "3"]) { $0.droppedCapabilities = ["MKNOD"] }
        #expect(without.output.hasPrefix("c 1:3 made EPERM"))
        // A privileged container may open what there is.
        let privileged = try await test.run(["probe", "devices", "c", "1", "11"]) { $0.privileged = true }
        #expect(privileged.output.hasPrefix("c 1:11 made yes read yes"), "\(privileged)")
        try await test.remove()
    }

    /// Its mode can be changed inside without the host's device being touched.
    @Test func standardInputIsNotTheHostsDevice() async throws {
        let before = try #require(try FileManager.default.attributesOfItem(atPath: "/dev/null")[.posixPermissions] as? Int)
        // Should it be the host's after all, the test fails and the host goes on.
        defer { _ = unsafe chmod("/dev/null", mode_t(before)) }
        let test = try await TestEngine(adding: ["/bin/probe": Probe.program])
        let result = try await test.run(["sh", "-c", "probe escape; chmod 600 /proc/self/fd/0; stat -c %a /dev/null"])
        #expect(result.output.contains("mode of standard input: changed\n") && result.output.hasSuffix("\n600\n"), "\(result.output)")
        #expect(try FileManager.default.attributesOfItem(atPath: "/dev/null")[.posixPermissions] as? Int == before)
        // An execution's is not either, even where the container has put something else in its place.
        var configuration = ContainerConfiguration(image: "busybox")
        configuration.command = ["sh", "-c", "rm /dev/null; mknod /dev/null c 1 5; echo ready; while :; do sleep 0.1; done"]
        configuration.network = .none
        let container = try await test.engine.containers.create(configuration)
        let attachment = try await container.attach()
        try await container.start()
        _ = try await attachment.read()
        var execution = ExecutionConfiguration(command: [
            "sh", "-c", "stat -L -c '%F %t:%T' /proc/self/fd/0; chmod 600 /proc/self/fd/0; wc -c",
        ])
        execution.attachesOutput = true
        let running = try await container.makeExecution(execution)
        let streams = try await running.start()
        var output: [UInt8] = []
        while case .output(let bytes)? = try await streams.read() { output += bytes }
        #expect(String(decoding: output, as: UTF8.self) == "fifo 0:0\n0\n")
        #expect(try FileManager.default.attributesOfItem(atPath: "/dev/null")[.posixPermissions] as? Int == before)
        try await test.remove()
    }

    // MARK: Capabilities and users

    @Test func capabilitiesAreAddedAndDropped() async throws {
        let test = try await TestEngine()
        for (added, dropped, expected) in [
            (["NET_ADMIN"], [], "00000000a80435fb"), ([], ["ALL"], "0000000000000000"), (["chown"], ["ALL"], "0000000000000001"),
            ([], ["CAP_NET_RAW", "mknod"], "00000000a00405fb"), (["SYS_PTRACE", "CAP_SYS_ADMIN"], ["CHOWN"], "00000000a82c25fa"),
        ] as [([String], [String], String)] {
            let result = try await test.run(["grep", "^Cap", "/proc/self/status"]) {
                $0.addedCapabilities = added
                $0.droppedCapabilities = dropped
            }
            #expect(
                result.output == """
                    CapInh:\t0000000000000000
                    CapPrm:\t\(expected)
                    CapEff:\t\(expected)
                    CapBnd:\t\(expected)
                    CapAmb:\t0000000000000000

                    """, "\(added) \(dropped)")
        }
        try await test.remove()
    }

    @Test func allCapabilitiesAreThoseThatCanBeGiven() async throws {
        let test = try await TestEngine()
        let given = try Capability.permitted()
        let text = String(given, radix: 16)
        let expected = String(repeating: "0", count: 16 - text.count) + text
        for privileged in [false, true] {
            let result = try await test.run(["grep", "^Cap", "/proc/self/status"]) {
                if privileged { $0.privileged = true } else { $0.addedCapabilities = ["ALL"] }
            }
            for set in ["CapPrm", "CapEff", "CapBnd"] { #expect(result.output.contains("\(set):\t\(expected)\n")) }
        }
        try await test.remove()
    }

    @Test func setIDProgramsRegainNothingWithNoNewPrivileges() async throws {
        let test = try await TestEngine(adding: ["/bin/probe": Probe.program])
        let script = "cp /bin/probe /tmp/probe; chmod 4755 /tmp/probe; exec su user -s /bin/sh -c '/tmp/probe identity'"
        #expect(try await test.run(["sh", "-c", script]).output == "user 1000, effective 0, no new privileges 0\n")
        let confined = try await test.run(["sh", "-c", script]) { $0.noNewPrivileges = true }
        #expect(confined.output == "user 1000, effective 1000, no new privileges 1\n", "\(confined)")
        try await test.remove()
    }

    @Test func aReadOnlyRootCannotBeWritten() async throws {
        let test = try await TestEngine()
        let result = try await test.run(["sh", "-c", "echo x >/tmp/x; echo x >/dev/shm/x && echo shm; mount -o remount,rw /; echo x >/x"]) {
            $0.readOnlyRoot = true
        }
        #expect(result.output == "shm\n")
        #expect(result.errors.components(separatedBy: "Read-only file system").count == 3, "\(result.errors)")
        try await test.remove()
    }

    /// Threads may have priorities of their own; a container has that of the program.
    @Test func thePriorityIsThatOfTheProgram() async throws {
        let test = try await TestEngine()
        let own = getpriority(__priority_which_t(PRIO_PROCESS.rawValue), UInt32(getpid()))
        try #require(setpriority(__priority_which_t(PRIO_PROCESS.rawValue), UInt32(getpid()), 9) == 0)
        defer { setpriority(__priority_which_t(PRIO_PROCESS.rawValue), UInt32(getpid()), own) }
        #expect(try await test.run(["sh", "-c", "set -- $(cat /proc/self/stat); echo ${19}"]).output == "9\n")
        try await test.remove()
    }

    // MARK: The host

    /// Where the host's root is a shared mount, as systemd makes it, nothing of the container's mounts arrives there.
    @Test func aSharedRootOfTheHostReceivesNothing() async throws {
        let test = try await TestEngine()
        func mounts() throws -> String { try String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8) }
        try #require(unsafe mount(nil, "/", nil, 16384 | 1 << 20, nil) == 0)
        defer { unsafe mount(nil, "/", nil, 16384 | 1 << 18, nil) }
        let before = try mounts()
        #expect(try await test.run(["sh", "-c", "grep -c shared: /proc/self/mountinfo"]).output == "0\n")
        #expect(try mounts() == before)
        try await test.remove()
    }

    /// The program that a container's script could name as its interpreter by /proc/self/exe lies on a mount that cannot be written.
    @Test func theMonitorsProgramCannotBeChangedThroughItsProcess() async throws {
        let test = try await TestEngine()
        var configuration = ContainerConfiguration(image: "busybox")
        configuration.command = ["sleep", "1000"]
        configuration.network = .none
        let container = try await test.engine.containers.create(configuration)
        try await container.start()
        let process = try #require(try container.details().processID)
        let status = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
        let parent = try #require(status.split(separator: "\n").first { $0.hasPrefix("PPid:") }?.split(separator: "\t").last)
        let program = unsafe open("/proc/\(parent)/exe", O_RDONLY)
        try #require(program >= 0)
        defer { close(program) }
        #expect(fchmod(program, 0o755) == -1 && errno == EROFS)
        #expect(fchown(program, 0, 0) == -1 && errno == EROFS)
        #expect(unsafe open("/proc/self/fd/\(program)", O_WRONLY) == -1 && (errno == EROFS || errno == ETXTBSY))
        try await test.remove()
    }

    @Test func aScriptThatNamesTheMonitorAsInterpreterGetsNowhere() async throws {
        let test = try await TestEngine()
        let script = "printf '#!/proc/self/exe\\n' >/bad; chmod 755 /bad; exec sleep 1000"
        var configuration = ContainerConfiguration(image: "busybox")
        configuration.command = ["sh", "-c", script]
        configuration.network = .none
        let container = try await test.engine.containers.create(configuration)
        try await container.start()
        var execution = ExecutionConfiguration(command: ["sh", "-c", "until [ -x /bad ]; do :; done"])
        execution.attachesOutput = true
        let waiting = try await container.makeExecution(execution)
        _ = try await waiting.start()
        _ = try await waiting.wait()
        execution.command = ["/bad"]
        execution.attachesErrors = true
        let running = try await container.makeExecution(execution)
        do {
            let streams = try await running.start()
            while try await streams.read() != nil {}
            #expect(try await running.wait() != 0)
        } catch {
            // A monitor that is linked dynamically does not find its libraries in there.
            #expect(error.code == .commandNotFound)
        }
        // The container and its monitor are as before.
        #expect(try container.details().status == .running)
        try await test.remove()
    }

    @Test func thereIsNoWayOutOfTheRoot() async throws {
        let test = try await TestEngine(adding: ["/bin/probe": Probe.program])
        let result = try await test.run(["probe", "escape"])
        #expect(
            result.output == """
                above the root: the root
                the root of process 1: the root
                the working directory: /
                out of a chroot: the root
                open by handle: Operation not permitted
                mode of standard input: changed

                """)
        try await test.remove()
    }

    @Test func whatAProcessOfAnExecutionHasOpenIsNotTheHosts() async throws {
        let test = try await TestEngine(adding: ["/bin/probe": Probe.program])
        var configuration = ContainerConfiguration(image: "busybox")
        configuration.command = ["sleep", "1000"]
        configuration.network = .none
        let container = try await test.engine.containers.create(configuration)
        try await container.start()
        var execution = ExecutionConfiguration(
            command: [
                "sh", "-c",
                "ls /proc/$$/fd; sed 's/^/group /' /proc/$$/cgroup; probe escape | grep 'has a directory'; readlink /proc/$$/root; readlink /proc/$$/cwd; grep -E '^(Cap|Seccomp:)' /proc/$$/status",
            ])
        (execution.attachesOutput, execution.attachesErrors) = (true, true)
        let running = try await container.makeExecution(execution)
        let streams = try await running.start()
        var output: [UInt8] = []
        while case .output(let bytes)? = try await streams.read() { output += bytes }
        let text = String(decoding: output, as: UTF8.self)
        #expect(text.hasPrefix("0\n1\n2\n"), "\(text)")
        #expect(!text.contains("has a directory"))
        // Its groups are the container's, which are the roots that it sees.
        let groups = text.split(separator: "\n").filter { $0.hasPrefix("group ") }
        #expect(!groups.isEmpty && groups.allSatisfy { $0.hasSuffix(":/") }, "\(groups)")
        for line in ["CapPrm:\t00000000a80425fb", "CapBnd:\t00000000a80425fb", "CapInh:\t0000000000000000", "Seccomp:\t2"] {
            #expect(text.contains(line + "\n"))
        }
        try await test.remove()
    }

    // MARK: Hostile images

    /// What an image has in place of /etc/passwd is never waited for, opened as a device, or looked for outside of it.
    @Test func aHostileUserFileIsAnError() async throws {
        let test = try await TestEngine()
        for file in ["secret", "passwd"] {
            try "outside:x:0:0:::\n".write(toFile: "\(test.folder)/\(file)", atomically: false, encoding: .utf8)
        }
        for (script, reason) in [
            ("rm /etc/passwd; mkfifo /etc/passwd", "'/etc/passwd' of the image is not a regular file"),
            ("rm /etc/passwd; mknod /etc/passwd c 1 3", "'/etc/passwd' of the image is not a regular file"),
            ("rm /etc/passwd; mkdir /etc/passwd", "'/etc/passwd' of the image is not a regular file"),
            ("dd if=/dev/zero of=/etc/passwd bs=1M count=5 2>/dev/null", "'/etc/passwd' of the image has more than 4194304 bytes"),
            ("rm /etc/passwd; ln -s loop /etc/passwd; ln -s passwd /etc/loop", "ELOOP"),
            ("rm /etc/passwd; ln -s ../../../../../../HOST/secret /etc/passwd", "unable to find user outside"),
            ("rm /etc/passwd; ln -s HOST/secret /etc/passwd", "unable to find user outside"),
            ("umount /etc/hosts /etc/hostname /etc/resolv.conf; rm -r /etc; ln -s HOST /etc", "unable to find user outside"),
        ] {
            let hostile = script.replacingOccurrences(of: "HOST", with: test.folder)
            let container = try await Self.start(test, ["sh", "-c", "exec 2>&1; \(hostile); echo done; exec sleep 1000"]) {
                $0.addedCapabilities = ["SYS_ADMIN"]  // to take away what is mounted in /etc
            }
            var execution = ExecutionConfiguration(command: ["true"])
            execution.user = "outside"
            let running = try await container.makeExecution(execution)
            await #expect {
                _ = try await running.start()
            } throws: {
                "\($0)".contains(reason)
            }
            try await container.remove(force: true)
        }
        try await test.remove()
    }

    /// Starts a container that says something when it is ready.
    static func start(
        _ test: TestEngine, _ command: [String], _ change: (inout ContainerConfiguration) -> Void = { _ in }
    ) async throws -> Container {
        var configuration = ContainerConfiguration(image: "busybox")
        configuration.command = command
        configuration.network = .none
        change(&configuration)
        let container = try await test.engine.containers.create(configuration)
        let attachment = try await container.attach()
        try await container.start()
        let said = try await attachment.read()
        try #require(said == .output(Array("done\n".utf8)))
        return container
    }

    /// An image leads a volume to where process information is; the volume has, under the names by which it could be found, something else.
    @Test func masksAreNotLedAstrayByAVolumeOverProc() async throws {
        let test = try await TestEngine()
        let volume = test.folder + "/volume"
        let script = "ls /sys/firmware | wc -l; ls /proc; mount | grep -c ' /sys/firmware '"
        try FileManager.default.createDirectory(atPath: volume + "/self/fd", withIntermediateDirectories: true)
        for number in 0..<64 {
            try FileManager.default.createSymbolicLink(atPath: "\(volume)/self/fd/\(number)", withDestinationPath: "/tmp")
        }
        let result = try await test.run(["sh", "-c", script]) {
            $0.bindMounts = [BindMount(source: volume, target: "/proc", readOnly: false)]
        }
        // Its /proc is the volume, and what is masked elsewhere is masked all the same.
        #expect(result.output.hasPrefix("0\nself\n"), "\(result)")
        try await test.remove()
    }

    /// A chosen /dev is the host's: nothing is made in it, and what it has for a null device is bound nowhere unless it is one.
    @Test func aDevOfTheHostsIsLeftAlone() async throws {
        let test = try await TestEngine()
        let devices = test.folder + "/dev"
        try FileManager.default.createDirectory(atPath: devices, withIntermediateDirectories: true)
        func start() async throws -> String {
            try await test.run(["sh", "-c", "ls /dev; cat /proc/keys"]) {
                $0.bindMounts = [BindMount(source: devices, target: "/dev")]
            }.output
        }
        // A link that would put the host's kernel settings where process 1 can write them.
        try FileManager.default.createSymbolicLink(atPath: devices + "/null", withDestinationPath: "/proc/sys/kernel/core_pattern")
        let failure = await #expect(throws: ContainerError.self) { _ = try await start() }
        #expect(failure?.description.contains("/proc/") ?? false, "\(String(describing: failure))")
        try FileManager.default.removeItem(atPath: devices + "/null")
        try "".write(toFile: devices + "/null", atomically: false, encoding: .utf8)
        await #expect(throws: ContainerError.self) { _ = try await start() }
        #expect(try FileManager.default.contentsOfDirectory(atPath: devices) == ["null"])
        try FileManager.default.removeItem(atPath: devices + "/null")
        try #require(unsafe mknod(devices + "/null", 0o020666, 0x103) == 0)
        #expect(try await start() == "null\n")
        #expect(try FileManager.default.contentsOfDirectory(atPath: devices) == ["null"])
        try await test.remove()
    }
}
