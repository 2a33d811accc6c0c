import Berth
import BerthLinux
import Foundation
import Testing

/// An engine on a root of its own, with an image of busybox.
final class TestEngine {
    let folder: String
    let engine: Engine

    /// - Parameter files: what is put into the image beside busybox, by its path there: a file of the host's.
    static func archive(in folder: String, adding files: [String: String] = [:]) throws -> String {
        let tree = folder + "/tree"
        for part in ["bin", "etc", "tmp", "root"] {
            try FileManager.default.createDirectory(atPath: "\(tree)/\(part)", withIntermediateDirectories: true)
        }
        try FileManager.default.copyItem(atPath: "/bin/busybox", toPath: tree + "/bin/busybox")
        let list = Process()
        let names = Foundation.Pipe()
        (list.executableURL, list.arguments, list.standardOutput) = (URL(fileURLWithPath: "/bin/busybox"), ["--list"], names)
        try list.run()
        for tool in String(decoding: names.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self).split(separator: "\n")
        where tool != "busybox" {
            try FileManager.default.createSymbolicLink(atPath: "\(tree)/bin/\(tool)", withDestinationPath: "busybox")
        }
        list.waitUntilExit()
        try "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1001:user:/home/user:/bin/sh\n".write(
            toFile: tree + "/etc/passwd", atomically: false, encoding: .utf8)
        try "root:x:0:\nusers:x:1001:\nextra:x:1002:user\n".write(toFile: tree + "/etc/group", atomically: false, encoding: .utf8)
        for (path, file) in files {
            try FileManager.default.createDirectory(
                atPath: (tree + path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            try FileManager.default.copyItem(atPath: file, toPath: tree + path)
        }
        let tar = Process()
        tar.executableURL = URL(fileURLWithPath: "/bin/tar")
        tar.arguments = ["-C", tree, "--numeric-owner", "--owner=0", "--group=0", "-cf", folder + "/busybox.tar", "."]
        try tar.run()
        tar.waitUntilExit()
        try #require(tar.terminationStatus == 0)
        return folder + "/busybox.tar"
    }

    init(adding files: [String: String] = [:], usesSELinux: Bool = false) async throws {
        folder = "/var/tmp/berth-engine-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        engine = try await Engine.open(EngineConfiguration(root: folder + "/root", execRoot: folder + "/run", usesSELinux: usesSELinux))
        let archive = try HostFile.open(try Self.archive(in: folder, adding: files))
        _ = try await engine.images.importRootFileSystem(from: archive, as: try ImageReference(parsing: "busybox")).value
    }

    func remove() async throws {
        for container in try engine.containers.list(ContainerQuery(includesAll: true)) {
            try await engine.containers.find(container.id).remove(force: true)
        }
        await engine.close()
        let group = "berth-\(engine.id)"
        let cgroups = try CgroupLayout.detect()
        for attempt in 0... {
            // A monitor ends a moment after its container, and the kernel tells nobody when a group is empty.
            do { try cgroups.remove(group) } catch {
                guard error == .EBUSY, attempt < 1000 else { throw error }
                usleep(2000)
                continue
            }
            break
        }
        try FileManager.default.removeItem(atPath: folder)
    }

    func run(_ command: [String], _ change: (inout ContainerConfiguration) -> Void = { _ in }) async throws -> (
        output: String, errors: String, code: Int32
    ) {
        var configuration = ContainerConfiguration(image: "busybox")
        configuration.command = command
        configuration.network = .none
        change(&configuration)
        let container = try await engine.containers.create(configuration)
        let attachment = try await container.attach()
        let waiter = try container.waiter(.nextExit)
        try await container.start()
        var (output, errors): ([UInt8], [UInt8]) = ([], [])
        while let chunk = try await attachment.read() {
            switch chunk {
            case .output(let bytes): output += bytes
            case .errors(let bytes): errors += bytes
            }
        }
        let exit = try await waiter.value()
        try await container.remove()
        return (String(decoding: output, as: UTF8.self), String(decoding: errors, as: UTF8.self), exit.code)
    }
}

@Suite(.kernelTier, .serialized)
struct EngineTests {
    @Test func aContainerRunsAndSaysWhatItDid() async throws {
        let test = try await TestEngine()
        let result = try await test.run(["sh", "-c", "echo out; echo err >&2; exit 7"])
        #expect(result.output == "out\n")
        #expect(result.errors == "err\n")
        #expect(result.code == 7)
        try await test.remove()
    }

    /// What process 1 sees of itself.
    @Test func aDefaultContainerIsConfined() async throws {
        let test = try await TestEngine()
        let script = """
            grep -E '^(Cap|Seccomp:|NoNewPrivs|Groups)' /proc/self/status; echo "pid $$"; hostname
            ls /proc/self/fd | wc -l
            ls /dev
            for n in mnt uts ipc pid net cgroup; do readlink /proc/self/ns/$n; done
            grep -c . /proc/kcore; ls /sys/firmware | wc -l
            touch /proc/sys/kernel/hostname 2>&1; mount -t tmpfs x /tmp 2>&1
            cat /proc/self/mountinfo
            """
        let result = try await test.run(["sh", "-c", script])
        let lines = result.output.split(separator: "\n").map(String.init)
        for (name, value) in [
            ("CapInh", "0000000000000000"), ("CapPrm", "00000000a80425fb"), ("CapEff", "00000000a80425fb"), ("CapBnd", "00000000a80425fb"),
            ("CapAmb", "0000000000000000"), ("NoNewPrivs", "0"), ("Seccomp", "2"), ("Groups", "0 "),
        ] {
            #expect(lines.contains("\(name):\t\(value)"))
        }
        #expect(lines.contains("pid 1"))
        // ls itself has one more open than its caller: the directory that it reads.
        #expect(lines.contains("4"))
        for device in [
            "fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty", "urandom", "zero",
        ] {
            #expect(lines.contains(device))
        }
        for (kind, file) in [("mnt", "mnt"), ("uts", "uts"), ("ipc", "ipc"), ("pid", "pid"), ("net", "net"), ("cgroup", "cgroup")] {
            let ours = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/\(file)")
            #expect(!lines.contains(ours))
            #expect(lines.contains { $0.hasPrefix("\(kind):[") })
        }
        #expect(result.output.contains("touch: /proc/sys/kernel/hostname: Read-only file system"))
        #expect(result.output.contains("mount: permission denied"))
        #expect(lines.contains { $0.contains(" /sys ") && $0.contains(" ro,nosuid,nodev,noexec") })
        #expect(lines.contains { $0.contains(" /proc ") && $0.contains(" rw,nosuid,nodev,noexec") })
        #expect(lines.contains { $0.contains(" / / ") && $0.contains(" - overlay ") })
        // Nothing of the host's mounts is left below.
        #expect(!result.output.contains(test.folder + "/root "))
        try await test.remove()
    }

    @Test func privilegedHasEverything() async throws {
        let test = try await TestEngine()
        let result = try await test.run([
            "sh", "-c", "grep -E '^(CapEff|Seccomp:)' /proc/self/status; mount -t tmpfs x /tmp && echo mounted",
        ]) { $0.privileged = true }
        #expect(result.output.contains("Seccomp:\t0"))
        #expect(result.output.contains("mounted"))
        try await test.remove()
    }

    @Test func usersGroupsAndEnvironment() async throws {
        let test = try await TestEngine()
        let result = try await test.run(["sh", "-c", "id; env; pwd; grep CapEff /proc/self/status"]) {
            $0.user = "user"
            $0.environment = ["A=1", "B=two words"]
            $0.workingDirectory = "/some/where"
        }
        #expect(result.output.contains("uid=1000(user) gid=1001(users) groups=1001(users),1002(extra)"))
        for line in [
            "A=1", "B=two words", "HOME=/home/user", "/some/where", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "CapEff:\t0000000000000000",
        ] {
            #expect(result.output.split(separator: "\n").contains(Substring(line)))
        }
        try await test.remove()
    }

    @Test func limitsAreInForce() async throws {
        let test = try await TestEngine()
        let script =
            "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null; true"
        let result = try await test.run(["sh", "-c", script]) {
            $0.resources.memoryByteCount = 64 << 20
            $0.resources.pidsLimit = 77
        }
        #expect(result.output == "67108864\n77\n")
        try await test.remove()
    }

    @Test func outOfMemoryIsSaid() async throws {
        let test = try await TestEngine()
        var configuration = ContainerConfiguration(image: "busybox")
        configuration.network = .none
        configuration.command = ["dd", "if=/dev/zero", "of=/dev/null", "bs=64M"]
        configuration.resources.memoryByteCount = 16 << 20
        configuration.resources.memorySwapByteCount = 16 << 20
        let container = try await test.engine.containers.create(configuration)
        try await container.start()
        let exit = try await container.wait()
        #expect(exit.outOfMemory)
        #expect(exit.code == 137)
        try await test.remove()
    }

    @Test func commandsThatCannotBeRun() async throws {
        let test = try await TestEngine()
        for (command, code, docker) in [
            ("nothing-of-this-name", ContainerError.Code.commandNotFound, Int32(127)), ("/etc/passwd", .commandNotExecutable, 126),
            ("/tmp", .commandNotExecutable, 126),
        ] {
            var configuration = ContainerConfiguration(image: "busybox")
            configuration.command = [command]
            configuration.network = .none
            let container = try await test.engine.containers.create(configuration)
            await #expect { try await container.start() } throws: { ($0 as? ContainerError)?.code == code }
            #expect(try container.details().lastExit?.code == docker)
            #expect(try container.details().status == .created)
            try await container.remove()
        }
        try await test.remove()
    }

    @Test func executionsStopKillAndRemove() async throws {
        let test = try await TestEngine()
        var configuration = ContainerConfiguration(image: "busybox")
        configuration.command = ["sh", "-c", "trap 'echo stopping; exit 3' TERM; while :; do sleep 0.05; done"]
        configuration.network = .none
        configuration.name = "one"
        let container = try await test.engine.containers.create(configuration)
        await #expect { try await test.engine.containers.create(configuration) } throws: { ($0 as? ContainerError)?.code == .conflict }
        try await container.start()
        await #expect { try await container.start() } throws: { ($0 as? ContainerError)?.code == .notModified }
        await #expect { try await container.remove() } throws: { ($0 as? ContainerError)?.code == .conflict }

        var execution = ExecutionConfiguration(command: ["sh", "-c", "read line; echo \"$line and $X\"; exit 5"])
        execution.environment = ["X=y"]
        (execution.attachesInput, execution.attachesOutput) = (true, true)
        let running = try await container.makeExecution(execution)
        let streams = try await running.start()
        _ = try await streams.write(Array("typed\n".utf8))
        #expect(try await streams.read() == .output(Array("typed and y\n".utf8)))
        let code = try await running.wait()
        #expect(code == 5)

        try await container.stop()
        let exit = try await container.wait()
        #expect(exit.code == 3, "\(exit)")
        var lines: [String] = []
        for try await line in try container.logs() { lines.append(line.text) }
        #expect(lines == ["stopping"])

        try await container.start()
        try await container.kill()
        #expect(try await container.wait().code == 137)
        try await container.remove()
        #expect { try container.details() } throws: { ($0 as? ContainerError)?.code == .notFound }
        try await test.remove()
    }

    @Test func anEngineFindsWhatAnotherHasStarted() async throws {
        let test = try await TestEngine()
        var configuration = ContainerConfiguration(image: "busybox")
        configuration.command = ["cat"]
        configuration.network = .none
        configuration.openStandardInput = true
        let cat = try await test.engine.containers.create(configuration)
        try await cat.start()
        configuration.command = ["sh", "-c", "read x; exit 9"]
        let ending = try await test.engine.containers.create(configuration)
        try await ending.start()
        let endingInput = try await ending.attach(AttachOptions(input: true))
        await test.engine.close()

        _ = try await endingInput.write(Array("go\n".utf8))  // it ends while nobody looks
        while try await endingInput.read() != nil {}

        let second = try await Engine.open(EngineConfiguration(root: test.folder + "/root", execRoot: test.folder + "/run"))
        let found = try second.containers.find(cat.id)
        #expect(try found.details().status == .running)
        let streams = try await found.attach(AttachOptions(input: true))
        _ = try await streams.write(Array("still here\n".utf8))
        #expect(try await streams.read() == .output(Array("still here\n".utf8)))
        #expect(try second.containers.find(ending.id).details().lastExit?.code == 9)
        try await found.remove(force: true)
        try await second.containers.find(ending.id).remove()
        await second.close()
        try FileManager.default.removeItem(atPath: test.folder)
    }

    @Test func aSecondEngineIsToldWhoHasTheRoot() async throws {
        let test = try await TestEngine()
        await #expect { try await Engine.open(EngineConfiguration(root: test.folder + "/root", execRoot: test.folder + "/run2")) } throws: {
            ($0 as? EngineError)?.code == .inUse && "\($0)".contains("process \(getpid())")
        }
        try await test.remove()
    }
}
