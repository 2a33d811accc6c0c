import Berth
import BerthLinux
import Foundation
import Testing

/// What the options of a container make of it, read from inside: on cgroup v1 here and on v2 in the guest.
@Suite(.kernelTier, .serialized, .timeLimit(.minutes(3)))
struct EngineOptionTests {
    /// A character device that containers do not have, and that anybody may open for reading who may open it at all.
    private static let device = ["/dev/fuse", "/dev/loop-control", "/dev/net/tun", "/dev/rtc0"].first {
        FileManager.default.fileExists(atPath: $0)
    }
    /// A disk, for limits of it.
    private static let disk = ["/dev/vda", "/dev/sda", "/dev/xvda", "/dev/nvme0n1", "/dev/ubda"].first {
        FileManager.default.fileExists(atPath: $0)
    }

    /// The lines of files of the container's own groups, by the version's names for them.
    private func groupFiles(_ old: [String], _ new: [String]) throws -> String {
        try CgroupLayout.detect().version == 1
            ? old.map { "cat /sys/fs/cgroup/\($0)" }.joined(separator: "; ")
            : new.map { "cat /sys/fs/cgroup/\($0)" }.joined(separator: "; ")
    }

    @Test func limitsAreInForce() async throws {
        let test = try await TestEngine()
        let isOld = try CgroupLayout.detect().version == 1
        // A kernel may lack the controller, as that of a small machine does.
        let hasSets = try isOld || String(contentsOfFile: "/sys/fs/cgroup/cgroup.controllers", encoding: .utf8).contains("cpuset")
        let script = try groupFiles(
            ["memory/memory.limit_in_bytes", "memory/memory.swappiness", "pids/pids.max", "cpu/cpu.cfs_quota_us", "cpuset/cpuset.cpus"],
            ["memory.max", "pids.max", "cpu.max"] + (hasSets ? ["cpuset.cpus"] : []))
        let told = try await test.run(["sh", "-c", script]) {
            $0.resources.memoryByteCount = 64 << 20
            $0.resources.swappiness = 17
            $0.resources.pidsLimit = 33
            $0.resources.nanoCPUs = 500_000_000
            $0.resources.cpusetCPUs = "0"
        }
        #expect(
            told.output == (isOld ? "67108864\n17\n33\n50000\n0\n" : "67108864\n33\n50000 100000\n" + (hasSets ? "0\n" : "")), "\(told)")
        var asked = ContainerConfiguration(image: "busybox")
        asked.resources.cpusetCPUs = "0"
        (asked.resources.swappiness, asked.resources.oomKillDisabled, asked.resources.memoryByteCount) = (17, true, 64 << 20)
        let warnings = test.engine.containers.warnings(about: asked)
        #expect(warnings.contains { $0.contains("cpuset") } == !hasSets)
        #expect(warnings.contains { $0.contains("swappiness") } == !isOld && warnings.contains { $0.contains("OomKillDisable") } == !isOld)
        try await test.remove()
    }

    @Test(.enabled(if: disk != nil, "a machine with a disk")) func blockDevicesAreLimited() async throws {
        let test = try await TestEngine()
        let disk = try #require(Self.disk)
        guard case .blockDevice(let number) = try HostFile.namedStatus(disk).kind else { throw Errno.EINVAL }
        let isOld = try CgroupLayout.detect().version == 1
        let script = try groupFiles(
            ["read_bps", "write_bps", "read_iops", "write_iops"].map { "blkio/blkio.throttle.\($0)_device" }, ["io.max"])
        let limit = { (value: UInt64) in [BlockLimits.Device(path: disk, value: value)] }
        let change = { (asked: inout ContainerConfiguration) in
            (asked.resources.block.readBytes, asked.resources.block.writeBytes) = (limit(1 << 20), limit(2 << 20))
            (asked.resources.block.readOperations, asked.resources.block.writeOperations) = (limit(30), limit(40))
        }
        var asked = ContainerConfiguration(image: "busybox")
        change(&asked)
        let told = try await test.run(["sh", "-c", script], change)
        let name = "\(number.major):\(number.minor)"
        if test.engine.containers.warnings(about: asked).isEmpty {
            #expect(
                told.output
                    == (isOld
                        ? "\(name) 1048576\n\(name) 2097152\n\(name) 30\n\(name) 40\n"
                        : "\(name) rbps=1048576 wbps=2097152 riops=30 wiops=40\n"),
                "\(told)")
        } else {
            // A kernel without limits of them: told, and started.
            #expect(test.engine.containers.warnings(about: asked).count == 4 && told.output.isEmpty)
        }
        try await test.remove()
    }

    @Test(.enabled(if: device != nil, "a machine with one of these devices")) func devicesCanBeUsedAsFarAsIsSaid() async throws {
        let test = try await TestEngine()
        let path = try #require(Self.device)
        let target = "/dev/given"
        let script = "sh -c ': < \(target)'; echo $?; sh -c ': > \(target)'; echo $?"
        let readable = try await test.run(["sh", "-c", script]) {
            $0.devices = [DeviceMapping(source: path, target: target, permissions: "r")]
        }
        #expect(readable.output == "0\n1\n" && readable.errors.contains("Operation not permitted"), "\(readable)")
        guard case .characterDevice(let number) = try HostFile.namedStatus(path).kind else { throw Errno.EINVAL }
        let making = "mknod \(target) c \(number.major) \(number.minor); " + script
        let byRule = try await test.run(["sh", "-c", making]) { $0.deviceRules = ["c \(number.major):* r"] }
        #expect(byRule.output == "0\n1\n", "\(byRule)")
        let without = try await test.run(["sh", "-c", making])
        #expect(without.output == "1\n1\n", "\(without)")
        try await test.remove()
    }

    @Test func processOneIsAnInit() async throws {
        let test = try await TestEngine()
        // Its child's group is another than its own; what is left to it is reaped; what is sent to it arrives.
        let script = """
            tr '\\0' ' ' < /proc/1/cmdline; cat /proc/1/comm; ls -l /proc/1/fd | grep -c memfd
            grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/1/status
            (sh -c 'sleep 0.1 & exec true' &); sleep 0.5; grep -h '^State' /proc/[0-9]*/status | grep -c Z
            trap 'echo got; exit 3' USR1; kill -USR1 1; sleep 5 & wait
            """
        let told = try await test.run(["sh", "-c", script]) {
            ($0.runsInit, $0.noNewPrivileges, $0.user) = (true, true, "user")
        }
        let lines = told.output.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.first?.hasPrefix("/sbin/docker-init -- sh -c ") == true, "\(told)")
        #expect(told.output.contains("CapEff:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n0\ngot\n"), "\(told)")
        #expect(told.code == 3)
        for (command, code) in [(["sh", "-c", "exit 9"], 9), (["sh", "-c", "kill -9 $$"], 137)] as [([String], Int32)] {
            #expect(try await test.run(command) { $0.runsInit = true }.code == code)
        }
        try await test.remove()
    }

    @Test func namespacesOfTheHosts() async throws {
        let test = try await TestEngine()
        let own = { (kind: String) in try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/\(kind)") }
        for (kind, change) in [
            ("pid", { $0.namespaces.pid = .host }), ("ipc", { $0.namespaces.ipc = .host }), ("uts", { $0.namespaces.uts = .host }),
            ("cgroup", { $0.namespaces.cgroup = .host }),
        ] as [(String, (inout ContainerConfiguration) -> Void)] {
            let told = try await test.run(["readlink", "/proc/self/ns/\(kind)"], change)
            #expect(told.output == (try own(kind)) + "\n", "\(told)")
            let alone = try await test.run(["readlink", "/proc/self/ns/\(kind)"])
            #expect(alone.output != (try own(kind)) + "\n")
        }
        let none = try await test.run(["sh", "-c", "test -e /dev/shm; echo $?"]) { $0.namespaces.ipc = .none }
        #expect(none.output == "1\n")
        try await test.remove()
    }

    @Test func kernelParametersAndScoresArrive() async throws {
        let test = try await TestEngine()
        let told = try await test.run([
            "sh", "-c", "cat /proc/sys/net/ipv4/ping_group_range /proc/sys/kernel/msgmax /proc/1/oom_score_adj; id -G",
        ]) {
            $0.kernelParameters = ["net.ipv4.ping_group_range": "7 8", "kernel.msgmax": "4096"]
            ($0.outOfMemoryScore, $0.addedGroups) = (123, ["extra", "77"])
        }
        #expect(told.output == "7\t8\n4096\n123\n0 1002 77\n" || told.output == "7\t8\n4096\n123\n0 77 1002\n", "\(told)")
        try await test.remove()
    }
}
