import Berth
import BerthLinux
import Foundation
import Testing

@Suite(.kernelTier, .serialized) struct PowerCutTests {
    /// The file system is shut down as a loss of power shuts it down: what no commit of its journal has reached is gone. Then everything that ran
    /// is killed, as the machine would have been.
    @Test func aPowerCutLosesNoDocumentOfTwentyRunningContainers() async throws {
        let folder = "/var/tmp/berth-power-\(UUID().uuidString.prefix(8))"
        let (disk, image) = (folder + "/disk", folder + "/disk.img")
        try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: true)
        try run("/bin/dd", "if=/dev/zero", "of=" + image, "bs=1M", "count=0", "seek=512", "status=none")
        try run("/sbin/mkfs.ext4", "-q", "-F", image)
        try run("/bin/mount", "-o", "loop,commit=300", image, disk)
        defer {
            _ = try? run("/bin/umount", "-l", disk)
            try? FileManager.default.removeItem(atPath: folder)
        }
        let execRoot = folder + "/run"
        let scene = try await Scene(in: disk + "/scene", execRoot: execRoot)
        let id = try await {
            let engine = try await scene.open()
            // A shared directory of the host's would lie on the disk that goes.
            await engine.close()
            return engine.id
        }()
        let host = try EngineHost("containers", at: scene)
        let report = try await host.ready()

        let opened = unsafe open(disk, O_RDONLY | O_CLOEXEC)
        try #require(opened >= 0)
        var flags: UInt32 = 2  // the journal is not written either
        try #require(unsafe ioctl(opened, 0x8004_587d, &flags) == 0, "the file system cannot be shut down: \(Errno.current)")
        _ = close(opened)
        host.kill()
        let layout = try CgroupLayout.detect()
        func everything() -> Set<Int32> {
            layout.children(of: "berth-\(id)").reduce(into: []) { $0.formUnion(layout.processes(in: "berth-\(id)/\($1)")) }
        }
        try await until("everything to be dead") {
            for process in everything() { _ = kill(process, SIGKILL) }
            return everything().isEmpty
        }
        try await until("the disk to be let go") { unsafe umount2(disk, 0) == 0 }
        for group in layout.children(of: "berth-\(id)") { try layout.remove("berth-\(id)/\(group)") }
        try FileManager.default.removeItem(atPath: execRoot)
        try run("/bin/mount", "-o", "loop", image, disk)

        let engine = try await scene.open()
        #expect(engine.containers.unreadable.isEmpty)
        let all = engine.containers.all()
        #expect(Set(all.map(\.id)) == Set(report.writers.keys).union([report.cat, report.ending]))
        #expect(all.count == 20)
        for details in all {
            #expect(details.status == .exited || details.status == .created)
            #expect(details.configuration.command != nil)
            let container = try engine.containers.find(details.id)
            try await container.start()
            let execution = try await container.makeExecution(ExecutionConfiguration(command: ["grep", "-q", "localhost", "/etc/hosts"]))
            _ = try await execution.start()
            #expect(try await execution.wait() == 0)
            try await container.remove(force: true)
        }
        await engine.close()
    }
}
