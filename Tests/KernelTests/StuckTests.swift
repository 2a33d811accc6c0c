import Berth
import BerthLinux
import Foundation
import Synchronization
import Testing

/// A FUSE file system whose root is there and nothing else: whoever looks for a file in it waits in the kernel, and no signal ends that.
private final class HangingFileSystem: Sendable {
    let path: String
    private let device: CInt
    private let waiting = Mutex(0)
    private let hasEnded = Mutex(false)

    init(at path: String) throws {
        self.path = path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        device = unsafe open("/dev/fuse", O_RDWR | O_CLOEXEC)
        try #require(device >= 0, "/dev/fuse cannot be opened: \(Errno.current)")
        let options = "fd=\(device),rootmode=40000,user_id=0,group_id=0,allow_other"
        let result = unsafe mount("hang", path, "fuse.hang", UInt(MS_NOSUID | MS_NODEV), options)
        try #require(result == 0, "a FUSE file system cannot be mounted: \(Errno.current)")
        Thread.detachNewThread { [self] in serve() }
    }

    /// How many requests are kept for ever.
    var waitingCount: Int { waiting.withLock { $0 } }

    private func serve() {
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = unsafe read(device, &buffer, buffer.count)
            guard count >= 40 else { return }  // the file system has ended
            func number(_ offset: Int, _ count: Int) -> UInt64 {
                (0..<count).reduce(0) { $0 | UInt64(buffer[offset + $1]) << (8 * UInt64($1)) }
            }
            switch (number(4, 4), number(16, 8)) {
            case (26, _):  // INIT: version 7.31, names looked up side by side
                answer(
                    number(8, 8), 64,
                    [(0, 7, 4), (4, 31, 4), (8, 65536, 4), (12, 1 << 18, 4), (16, 16, 2), (18, 12, 2), (20, 65536, 4), (24, 1, 4)])
            case (3, 1):  // GETATTR of the root: a directory, mode 0755
                answer(number(8, 8), 104, [(0, 1, 8), (16, 1, 8), (76, 0o40755, 4), (80, 2, 4), (96, 4096, 4)])
            case (34, 1): answer(number(8, 8), 0, [])  // ACCESS
            default: waiting.withLock { $0 += 1 }
            }
        }
    }

    private func answer(_ unique: UInt64, _ byteCount: Int, _ fields: [(offset: Int, value: UInt64, byteCount: Int)]) {
        var bytes = [UInt8](repeating: 0, count: 16 + byteCount)
        for field in [(-16, UInt64(bytes.count), 4), (-8, unique, 8)] + fields {
            for index in 0..<field.byteCount { bytes[16 + field.offset + index] = UInt8(field.value >> (8 * UInt64(index)) & 255) }
        }
        _ = unsafe write(device, bytes, bytes.count)
    }

    /// The server goes: whatever waits gets an error.
    func end() {
        let isFirst = hasEnded.withLock { ended in
            defer { ended = true }
            return !ended
        }
        guard isFirst else { return }
        _ = unsafe umount2(path, CInt(MNT_FORCE))
        _ = close(device)
        _ = unsafe umount2(path, CInt(MNT_DETACH))
    }
}

@Suite(.kernelTier, .serialized) struct StuckTests {
    /// One container waits in a file system that hangs, one hangs in its start: twenty others, and listings, do not notice; and of the two
    /// it is said what the matter is.
    @Test func aFileSystemThatHangsHoldsUpNobodyElse() async throws {
        let scene = try await Scene()
        let hanging = try HangingFileSystem(at: scene.folder + "/hanging")
        defer { hanging.end() }
        let engine = try await scene.open()
        let mounts = [BindMount(source: hanging.path, target: "/hanging")]
        let stuck = try await engine.containers.create(scene.configuration(["cat", "/hanging/file"]) { $0.bindMounts = mounts })
        try await stuck.start()
        try await until("it to wait in the kernel") { hanging.waitingCount == 1 }
        let unstarted = try await engine.containers.create(
            scene.configuration(["true"]) { ($0.bindMounts, $0.workingDirectory) = (mounts, "/hanging/there") })
        let starting = Task { try await unstarted.start() }
        try await until("the start to wait in the kernel") { hanging.waitingCount == 2 }
        // Its sources are looked at before it is made: that waits in its own lane.
        let unmade = Task {
            try await engine.containers.create(
                scene.configuration(["true"]) {
                    $0.bindMounts = [BindMount(source: hanging.path + "/x", target: "/x", createsSource: false)]
                })
        }
        try await until("the check to wait in the kernel") { hanging.waitingCount == 3 }

        let process = try #require(try stuck.details().processID)
        let killing = Task { try await stuck.kill() }
        let removing = Task { try await unstarted.remove(force: true) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<20 {
                group.addTask {
                    let container = try await engine.containers.create(scene.configuration(["sleep", "1000"]))
                    try await container.start()
                    let execution = try await container.makeExecution(ExecutionConfiguration(command: ["true"]))
                    _ = try await execution.start()
                    #expect(try await execution.wait() == 0)
                    #expect(try engine.containers.list().contains { $0.id == stuck.id })
                    if index % 2 == 0 { try await container.stop(timeoutSeconds: 0) }
                    try await container.remove(force: true)
                }
            }
            try await group.waitForAll()
        }
        // All of that came to its end while these three still wait.
        #expect(try stuck.details().status == .running)
        #expect(try engine.containers.list(ContainerQuery(includesAll: true)).count == 2)
        await #expect { try await killing.value } throws: {
            ($0 as? ContainerError)?.code == .busy && "\($0)".contains("was killed and has not ended")
        }
        await #expect { try await removing.value } throws: {
            ($0 as? ContainerError)?.code == .busy && "\($0)".contains("start does not come to an end")
        }

        // Another engine in the place of this one finds the first at work, and says that nothing is known of the other.
        await engine.close()
        let next = try await scene.open()
        #expect(try next.containers.find(stuck.id).details().status == .running)
        await #expect { try await next.containers.find(unstarted.id).start() } throws: { ($0 as? ContainerError)?.code == .busy }
        let another = try await next.containers.create(scene.configuration(["true"]))
        try await another.start()
        #expect(try await another.wait().code == 0)

        // The file system goes, and with it everything that held them.
        hanging.end()
        #expect(try await next.containers.find(stuck.id).wait().code == 137)
        #expect(!FileManager.default.fileExists(atPath: "/proc/\(process)"))
        _ = await starting.result
        _ = await unmade.result
        try await until("the other to be known") { (try? await next.containers.find(unstarted.id).remove(force: true)) != nil }
        try await scene.remove(with: next)
    }

    /// A container has filled the disk that has all logs, and goes on writing: others run, are listed, told of, stopped and removed.
    @Test func aFullLogDiskHoldsUpNobodyElse() async throws {
        let scratch = try Scratch()
        let disk = try scratch.mount("tmpfs", at: "disk", options: "size=48m")
        let scene = try await Scene(in: disk + "/scene", execRoot: scratch.path + "/run")
        let engine = try await scene.open()
        let events = engine.events.subscribe()
        var others: [Berth.Container] = []
        for _ in 0..<4 {
            let other = try await engine.containers.create(scene.configuration(Scene.writer))
            try await other.start()
            others.append(other)
        }
        let filler = try await engine.containers.create(
            scene.configuration(["sh", "-c", "head -c 60000000 /dev/zero | tr '\\0' x; exec sleep 1000"]) {
                $0.logOptions = ["max-size": "1g"]
            })
        try await filler.start()
        let process = try #require(try filler.details().processID)
        try await until("it to have written all") { try String(contentsOfFile: "/proc/\(process)/comm", encoding: .utf8) == "sleep\n" }
        // Pieces that did not fit were taken back: what is left of the room is less than one, and goes here.
        let rest = unsafe open(disk + "/rest", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        while unsafe write(rest, [UInt8](repeating: 0, count: 4096), 4096) > 0 {}
        #expect(Errno.current == .ENOSPC)
        close(rest)

        // Who listens hears on, of more than the last page of a log has room for.
        let other = try #require(others.first)
        let attachment = try await other.attach(AttachOptions())
        var heardCount = 0
        while heardCount < 1000 {
            guard case .output(let bytes) = try await attachment.read() else { break }
            heardCount += bytes.count
        }
        #expect(heardCount >= 1000)
        attachment.detach()
        #expect(try engine.containers.list().count == 5)
        for other in others {
            let execution = try await other.makeExecution(ExecutionConfiguration(command: ["true"]))
            _ = try await execution.start()
            #expect(try await execution.wait() == 0)
        }
        await #expect { _ = try await engine.containers.create(scene.configuration(["true"])) } throws: {
            ($0 as? ContainerError)?.code == .storage && "\($0)".contains("No space left")
        }
        let stopped = others.removeLast()
        try await stopped.stop(timeoutSeconds: 0)
        #expect(try stopped.details().lastExit?.code == 137)
        var seen: Set<String> = []
        for try await event in events where event.action == "die" || event.action == "exec_create: true" {
            seen.insert(event.action + event.actorID)
            if event.action == "die" { break }
        }
        #expect(seen == Set((others + [stopped]).map { "exec_create: true" + $0.id } + ["die" + stopped.id]))
        #expect(try filler.details().status == .running)
        try await stopped.remove()

        // There is room again: the logs that lack something say so, and go on.
        try await filler.remove(force: true)
        try FileManager.default.removeItem(atPath: disk + "/rest")
        try await until("the log to say what it lacks") {
            for try await line in try other.logs() where line.text.contains("log entries are missing here") { return true }
            return false
        }
        let another = try await engine.containers.create(scene.configuration(["true"]))
        try await another.start()
        #expect(try await another.wait().code == 0)
        try await scene.remove(with: engine)
    }
}
