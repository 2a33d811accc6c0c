import Berth
import BerthLinux
import Foundation
import Testing

/// Checks, and limits that change, with real processes.
@Suite(.kernelTier, .serialized) struct HealthEngineTests {
    private func checked(
        _ scene: Scene, _ test: String, _ command: [String] = ["sleep", "1000"],
        _ change: (inout ContainerConfiguration) -> Void = { _ in }
    ) -> ContainerConfiguration {
        scene.configuration(command) {
            var check = ImageConfiguration.Healthcheck(test: ["CMD-SHELL", test])
            (check.interval, check.timeout, check.retries) = (20_000_000, 10_000_000_000, 2)
            $0.healthcheck = check
            $0.bindMounts = [BindMount(source: scene.folder + "/shared", target: "/shared")]
            change(&$0)
        }
    }

    private func status(_ container: Berth.Container) throws -> HealthStatus { try container.details().health?.status ?? .none }

    @Test func itIsWellAsLongAsItsChecksSaySo() async throws {
        let scene = try await Scene()
        let engine = try await scene.open()
        let events = engine.events.subscribe()
        let file = scene.folder + "/shared/well"
        let container = try await engine.containers.create(checked(scene, "echo looking; test -e /shared/well"))
        #expect(try status(container) == .none)
        try #require(FileManager.default.createFile(atPath: file, contents: nil))
        try await container.start()
        try await until("it to be healthy") { try status(container) == .healthy }
        #expect(
            try engine.containers.list(ContainerQuery(includesAll: false, filters: ["health": ["healthy"]])).map(\.id) == [container.id])
        try FileManager.default.removeItem(atPath: file)
        try await until("it to be unhealthy") { try status(container) == .unhealthy }
        let health = try #require(try container.details().health)
        #expect(health.failingStreak >= 2 && health.log.last?.exitCode == 1 && health.log.last?.output == "looking\n")
        try #require(FileManager.default.createFile(atPath: file, contents: nil))
        try await until("it to be healthy again") { try status(container) == .healthy }
        var seen: [String] = []
        for try await event in events where event.action.hasPrefix("health_status") {
            seen.append(event.action)
            if seen.count == 3 { break }
        }
        #expect(seen == ["health_status: healthy", "health_status: unhealthy", "health_status: healthy"])
        // Under the next engine it is asked anew; what has ended is not well.
        await engine.close()
        let next = try await scene.open()
        let found = try next.containers.find(container.id)
        try await until("the next engine to know") { try status(found) == .healthy }
        try await found.kill()
        #expect(try status(found) == .unhealthy)
        try await scene.remove(with: next)
    }

    /// The first check of each comes after the pause of the start, however many begin at once.
    @Test func theFirstCheckComesAtItsTime() async throws {
        let scene = try await Scene()
        let engine = try await scene.open()
        var containers: [Berth.Container] = []
        for _ in 0..<30 {
            containers.append(
                try await engine.containers.create(
                    checked(scene, "true") {
                        $0.healthcheck?.interval = 3_600_000_000_000
                        $0.healthcheck?.startPeriod = 3_600_000_000_000
                        $0.healthcheck?.startInterval = 1_000_000
                    }))
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for container in containers { group.addTask { try await container.start() } }
            try await group.waitForAll()
        }
        for container in containers { try await until("each to be well") { try status(container) == .healthy } }
        try await scene.remove(with: engine)
    }

    @Test func aCheckThatNeverEndsIsKilledAtItsTimeAndCostsNobodyElse() async throws {
        let scene = try await Scene()
        let engine = try await scene.open()
        let stuck = try await engine.containers.create(
            checked(scene, "echo $$ >> /shared/pids; sleep 1000 & wait") {
                $0.healthcheck?.timeout = 300_000_000
            })
        let fine = try await engine.containers.create(checked(scene, "true"))
        try await stuck.start()
        try await fine.start()
        try await until("the other to be well") { try status(fine) == .healthy }
        try await until("it to be unhealthy") { try status(stuck) == .unhealthy }
        let probe = try #require(try stuck.details().health?.log.last)
        #expect((probe.exitCode, probe.output) == (-1, "Health check exceeded timeout (300ms)"))
        // It does not stand in the way of its container's end.
        try await stuck.stop(timeoutSeconds: 0)
        #expect(try stuck.details().status == .exited)
        try await scene.remove(with: engine)
    }

    @Test func whatStandsStillIsNotChecked() async throws {
        let scene = try await Scene()
        let engine = try await scene.open()
        let container = try await engine.containers.create(checked(scene, "echo x >> /shared/count"))
        try await container.start()
        try await until("it to be well") { try status(container) == .healthy }
        try await container.pause()
        func count() throws -> Int { try String(contentsOfFile: scene.folder + "/shared/count", encoding: .utf8).count }
        let known = try count()
        try await Task.sleep(for: .milliseconds(200))
        #expect(try count() == known && (status(container)) == .healthy)
        try await container.unpause()
        try await until("the checks to go on") { try count() > known }
        try await scene.remove(with: engine)
    }

    @Test(arguments: [UnhealthyAction.restart, .stop, .kill]) func whatIsAskedForIsDoneWhenItIsUnhealthy(action: UnhealthyAction)
        async throws
    {
        let scene = try await Scene()
        let engine = try await scene.open()
        let container = try await engine.containers.create(
            checked(scene, "false", ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.01; done"]) {
                $0.unhealthyAction = action
                if action != .restart { $0.restart = .onFailure() }
            })
        let waiter = try container.waiter(.nextExit)
        try await container.start()
        let exit = try await waiter.value()
        switch action {
        case .restart, .kill:
            #expect(exit.code == (action == .kill ? 137 : 0))
            try await until("it to run again") {
                let details = try container.details()
                return details.status == .running && details.lastExit != nil
            }
        default:
            #expect(exit.code == 0)
            #expect(try container.details().status == .exited)
        }
        try await scene.remove(with: engine)
    }

    // MARK: Limits that change

    private func limit(_ engine: Engine, _ id: String, _ version1: (controller: String, file: String), _ version2: String) throws -> String
    {
        let layout = try CgroupLayout.detect()
        let group = "berth-\(engine.id)/\(id)"
        let path =
            layout.version == 1
            ? try #require(layout.directory(of: version1.controller, group)) + "/" + version1.file
            : try #require(layout.unified) + "/\(group)/" + version2
        return try String(contentsOfFile: path, encoding: .utf8).trimmingCharacters(in: .newlines)
    }

    @Test func limitsChangeWhileItRuns() async throws {
        let scene = try await Scene()
        var engine = try await scene.open()
        let id = try await engine.containers.create(
            scene.configuration(["sh", "-c", "head -c 30000000 /dev/zero | tail; sleep 1000"]) {
                ($0.resources.memoryByteCount, $0.resources.pidsLimit) = (64 << 20, 50)
            }
        ).id
        var container = try engine.containers.find(id)
        try await container.start()
        func memory() throws -> String { try limit(engine, id, ("memory", "memory.limit_in_bytes"), "memory.max") }
        func pids() throws -> String { try limit(engine, id, ("pids", "pids.max"), "pids.max") }
        #expect(try memory() == "\(64 << 20)")
        var update = ContainerUpdate()
        // Up beyond what memory and swap were together, and down below what they are: the order of writing differs.
        (update.resources.memoryByteCount, update.resources.memorySwapByteCount, update.resources.pidsLimit) = (256 << 20, 512 << 20, 20)
        try await container.update(update)
        #expect(try memory() == "\(256 << 20)" && (pids()) == "20")
        (update.resources.memoryByteCount, update.resources.memorySwapByteCount, update.resources.pidsLimit) = (48 << 20, 96 << 20, -1)
        try await container.update(update)
        #expect(try memory() == "\(48 << 20)" && (pids()) == "max")
        update = ContainerUpdate()
        (update.resources.cpuShares, update.restart) = (512, .unlessStopped)
        try await container.update(update)
        let shares = try limit(engine, id, ("cpu", "cpu.shares"), "cpu.weight")
        #expect(shares == (try CgroupLayout.detect().version == 1 ? "512" : "20"))
        // It is kept: by the next engine, and by the next start.
        await engine.close()
        engine = try await scene.open()
        container = try engine.containers.find(id)
        #expect(try container.details().configuration.restart == .unlessStopped)
        try await container.restart(timeoutSeconds: 0)
        #expect(try memory() == "\(48 << 20)")
        try await scene.remove(with: engine)
    }

    @Test func lessMemoryThanIsInUseIsRefused() async throws {
        let scene = try await Scene()
        let engine = try await scene.open()
        // What is in a file system of memory cannot be taken back.
        let container = try await engine.containers.create(
            scene.configuration(["sh", "-c", "head -c 30000000 /dev/zero > /dev/shm/file; echo full; sleep 1000"]) {
                ($0.resources.memoryByteCount, $0.resources.memorySwapByteCount) = (128 << 20, 128 << 20)
            })
        try await container.start()
        try await until("it to be full") {
            var text = ""
            for try await line in try container.logs() { text += line.text }
            return text.contains("full")
        }
        var update = ContainerUpdate()
        (update.resources.memoryByteCount, update.resources.memorySwapByteCount, update.resources.pidsLimit) = (8 << 20, 8 << 20, 5)
        await #expect { try await container.update(update) } throws: {
            "\($0)".hasPrefix("Cannot update container \(container.id): unable to set memory limit to \(8 << 20) (current usage: ")
        }
        #expect(try container.details().status == .running)
        #expect(try container.details().configuration.resources.memoryByteCount == 128 << 20)
        #expect(try limit(engine, container.id, ("memory", "memory.limit_in_bytes"), "memory.max") == "\(128 << 20)")
        #expect(try limit(engine, container.id, ("pids", "pids.max"), "pids.max") == "max")
        try await scene.remove(with: engine)
    }
}
