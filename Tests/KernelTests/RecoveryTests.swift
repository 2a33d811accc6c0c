import Berth
import BerthLinux
import Foundation
import Testing

/// What lives on when an engine, or a monitor, does not.
@Suite(.kernelTier, .serialized) struct RecoveryTests {
    private func lines(_ container: Berth.Container) async throws -> [String] {
        var lines: [String] = []
        for try await line in try container.logs() { lines.append(line.text) }
        return lines
    }

    private func monitor(of id: String, at scene: Scene) throws -> Int32 {
        struct Run: Decodable {
            struct Monitor: Decodable { let id: Int32 }
            let monitor: Monitor
        }
        let file = URL(fileURLWithPath: "\(scene.execRoot)/containers/\(id)/run.json")
        return try JSONDecoder().decode(Run.self, from: try Data(contentsOf: file)).monitor.id
    }

    private func groups(of id: String) throws -> [String] {
        try CgroupLayout.detect().directories(of: "").flatMap { hierarchy in
            (try FileManager.default.contentsOfDirectory(atPath: hierarchy)).filter { $0.hasPrefix("berth-") }.map {
                "\(hierarchy)/\($0)/\(id)"
            }
        }.filter { FileManager.default.fileExists(atPath: $0) }
    }

    /// Whether a process has ended. One without a monitor is reaped by the host's first process, when that gets to it.
    private func isGone(_ process: Int32) -> Bool {
        guard let stat = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else { return true }
        return stat.split(separator: ")").last?.hasPrefix(" Z") ?? true
    }

    @Test func twentyContainersLiveThroughTheDeathOfTheirEngine() async throws {
        let scene = try await Scene()
        let host = try EngineHost("containers", at: scene)
        let report = try await host.ready()
        host.kill()
        // One ends while nobody looks.
        try #require(FileManager.default.createFile(atPath: scene.folder + "/shared/go", contents: nil))
        let record = "\(scene.root)/containers/\(report.ending)/exit.json"
        try await until("the container to have ended") { try !Data(contentsOf: URL(fileURLWithPath: record)).isEmpty }

        let engine = try await scene.open()
        #expect(report.writers.count == 18)
        for (id, process) in report.writers {
            let details = try engine.containers.find(id).details()
            #expect(details.status == .running)
            #expect(details.processID == process)
        }
        let ended = try engine.containers.find(report.ending)
        #expect(try ended.details().status == .exited)
        #expect(try ended.details().lastExit?.code == 42)
        #expect(try ended.details().lastExit?.reason == nil)
        #expect(try await lines(ended) == ["last words"])

        let cat = try await engine.containers.find(report.cat).attach(AttachOptions(input: true))
        _ = try await cat.write(Array("after\n".utf8))
        #expect(try await cat.read() == .output(Array("after\n".utf8)))
        try await cat.closeInput()
        #expect(try await cat.read() == nil)
        #expect(try await engine.containers.find(report.cat).wait().code == 0)
        #expect(try await lines(try engine.containers.find(report.cat)) == ["before", "after"])

        // Every line that was written is in the log, once: those from before, from between and from after.
        for id in report.writers.keys {
            let container = try engine.containers.find(id)
            let known = try await lines(container).count
            try await until("more lines") { try await lines(container).count > known }
            try await container.kill()
            let all = try await lines(container)
            #expect(all == (1...max(1, all.count)).map { "line \($0)" })
            #expect(all.count > known)
            try await container.start()
            #expect(try container.details().status == .running)
        }
        try await scene.remove(with: engine)
    }

    /// As with dockerd: whether they have run or not.
    @Test func whatRemovesItselfAndDoesNotRunIsRemovedByTheNextEngine() async throws {
        let scene = try await Scene()
        var engine = try await scene.open()
        let passing = try await engine.containers.create(scene.configuration(["true"]) { $0.removesItself = true }).id
        let staying = try await engine.containers.create(scene.configuration(["true"])).id
        await engine.close()
        engine = try await scene.open()
        #expect(engine.containers.all().map(\.id) == [staying])
        try await until("its directories to have followed") {
            ["containers", "overlay2"].allSatisfy { !FileManager.default.fileExists(atPath: "\(scene.root)/\($0)/\(passing)") }
        }
        try await scene.remove(with: engine)
    }

    @Test func oneThatRemovesItselfRunsOnUnderTheNextEngine() async throws {
        let scene = try await Scene()
        var engine = try await scene.open()
        let configuration = scene.configuration(["sleep", "1000"]) { $0.removesItself = true }
        let id = try await engine.containers.create(configuration).id
        try await engine.containers.find(id).start()
        let process = try engine.containers.find(id).details().processID
        await engine.close()
        engine = try await scene.open()
        let container = try engine.containers.find(id)
        #expect(try container.details().status == .running)
        #expect(try container.details().processID == process)
        let removal = try container.waiter(.removed)
        try await container.kill()
        _ = try await removal.value()
        #expect(engine.containers.all().isEmpty)
        await engine.close()
        engine = try await scene.open()
        #expect(engine.containers.all().isEmpty)
        #expect(try groups(of: id) == [])
        for folder in ["\(scene.root)/containers", "\(scene.root)/overlay2", "\(scene.execRoot)/containers", "\(scene.execRoot)/passing"] {
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder).allSatisfy { !$0.contains(id) })
        }
        try await scene.remove(with: engine)
    }

    /// A reboot takes the exec-root. Volumes are found by their container's document alone: one that has such is known, and removed with them.
    @Test func whatRemovesItselfIsGoneAfterAReboot() async throws {
        let scene = try await Scene()
        var engine = try await scene.open()
        let plain = try await engine.containers.create(scene.configuration(["true"]) { $0.removesItself = true }).id
        let configuration = scene.configuration(["true"]) { ($0.removesItself, $0.volumes) = (true, ["/v"]) }
        let withVolume = try await engine.containers.create(configuration).id
        #expect(engine.volumes.all().count == 1)
        await engine.close()
        try FileManager.default.removeItem(atPath: scene.execRoot)
        engine = try await scene.open()
        #expect(engine.containers.all().isEmpty && engine.containers.unreadable.isEmpty)
        #expect(engine.volumes.all().isEmpty)
        await engine.close()
        for id in [plain, withVolume] {
            for folder in ["containers", "overlay2"] { #expect(!FileManager.default.fileExists(atPath: "\(scene.root)/\(folder)/\(id)")) }
        }
        engine = try await scene.open()
        try await scene.remove(with: engine)
    }

    /// They are not waited for when it is made: its document says what they say.
    @Test(arguments: ["", "\u{0}\u{0}\u{0}"])
    func whatALossOfPowerTakesOfAContainersLayerIsWrittenAgain(_ left: String) async throws {
        let scene = try await Scene()
        var engine = try await scene.open()
        let id = try await engine.containers.create(scene.configuration(["true"])).id
        await engine.close()
        for name in ["lower", "link"] {
            try left.write(toFile: "\(scene.root)/overlay2/\(id)/\(name)", atomically: false, encoding: .utf8)
        }
        engine = try await scene.open()
        let container = try engine.containers.find(id)
        try await container.start()
        #expect(try await container.wait().code == 0)
        try await container.remove()
        try await scene.remove(with: engine)
    }

    @Test func aContainerWhoseMonitorIsKilledIsGoneAndSaysWhy() async throws {
        let scene = try await Scene()
        let engine = try await scene.open()
        let container = try await engine.containers.create(scene.configuration(["sh", "-c", "sleep 1000 & sleep 1001 & wait"]))
        try await container.start()
        let process = try #require(try container.details().processID)
        let monitor = try monitor(of: container.id, at: scene)
        #expect(kill(monitor, SIGKILL) == 0)
        let exit = try await container.wait()
        #expect(exit.code == 137)
        #expect(exit.reason == "monitor lost")
        #expect(isGone(process))
        #expect(try groups(of: container.id) == [])
        #expect(!FileManager.default.fileExists(atPath: "\(scene.execRoot)/containers/\(container.id)"))
        #expect(try container.details().status == .exited)
        // And it can run again.
        try await container.start()
        try await container.kill()
        #expect(try await container.wait().reason == nil)
        try await scene.remove(with: engine)
    }

    @Test func aMonitorThatDiedWithTheEngineIsNoticedByTheNext() async throws {
        let scene = try await Scene()
        let host = try EngineHost("containers", at: scene, count: 4)
        let report = try await host.ready()
        let id = try #require(report.writers.keys.first)
        let monitor = try monitor(of: id, at: scene)
        host.kill()
        #expect(kill(monitor, SIGKILL) == 0)
        try await until("the monitor to be gone") { isGone(monitor) }
        let engine = try await scene.open()
        let details = try engine.containers.find(id).details()
        #expect(details.status == .exited)
        #expect(details.lastExit?.code == 137)
        #expect(details.lastExit?.reason == "monitor lost")
        #expect(isGone(report.writers[id]!))
        #expect(try groups(of: id) == [])
        for other in report.writers.keys where other != id { #expect(try engine.containers.find(other).details().status == .running) }
        try await scene.remove(with: engine)
    }

    @Test func anExecRootMayBeLongerThanASocketsName() async throws {
        let folder = "/var/tmp/berth-scene-\(UUID().uuidString.prefix(8))"
        let execRoot = folder + "/" + String(repeating: "a", count: 199 - folder.utf8.count)
        #expect(execRoot.utf8.count == 200)
        let scene = try await Scene(in: folder, execRoot: execRoot)
        let host = try EngineHost("containers", at: scene, count: 3)
        let report = try await host.ready()
        host.kill()
        let engine = try await scene.open()
        let cat = try await engine.containers.find(report.cat).attach(AttachOptions(input: true))
        _ = try await cat.write(Array("far away\n".utf8))
        #expect(try await cat.read() == .output(Array("far away\n".utf8)))
        try await scene.remove(with: engine)
    }

    @Test func twoEnginesCrashAndRecoverSideBySide() async throws {
        let (here, there) = (try await Scene(), try await Scene())
        let engine = try await here.open()
        var own: [Berth.Container] = []
        for _ in 0..<3 {
            let container = try await engine.containers.create(here.configuration(Scene.writer))
            try await container.start()
            own.append(container)
        }
        func picture() throws -> [ContainerDetails] { try own.map { try $0.details() } }
        let before = try picture()
        let host = try EngineHost("containers", at: there, count: 5)
        let report = try await host.ready()
        host.kill()
        let other = try await there.open()
        #expect(Set(other.containers.all().map(\.id)) == Set(report.writers.keys).union([report.cat, report.ending]))
        #expect(try picture() == before)
        for container in own {
            #expect(try groups(of: container.id).count == CgroupLayout.detect().directories(of: "").count)
            #expect(throws: ContainerError.self) { try other.containers.find(container.id) }
        }
        try await there.remove(with: other)
        #expect(try picture() == before)
        // The one here goes as well, and comes back, with its containers as they were.
        await engine.close()
        let again = try await here.open()
        #expect(Set(again.containers.all().map(\.processID)) == Set(before.map(\.processID)))
        try await here.remove(with: again)
    }

    /// A monitor that does not answer holds up neither the next engine nor other containers, and its container is not taken for lost.
    @Test func aMonitorThatHangsIsWaitedForAndNothingElseIs() async throws {
        let scene = try await Scene()
        let host = try EngineHost("containers", at: scene, count: 5)
        let report = try await host.ready()
        let id = try #require(report.writers.keys.first)
        let monitor = try monitor(of: id, at: scene)
        host.kill()
        #expect(kill(monitor, SIGSTOP) == 0)
        let engine = try await scene.open()
        let container = try engine.containers.find(id)
        #expect(try container.details().status == .running)
        for other in report.writers.keys where other != id { try await engine.containers.find(other).remove(force: true) }
        await #expect {
            try await container.kill()
        } throws: {
            ($0 as? ContainerError)?.code == .busy && "\($0)".contains("its monitor has not said so")
        }
        #expect(kill(monitor, SIGCONT) == 0)
        let exit = try await container.wait()
        #expect(exit.code == 137)
        #expect(exit.reason == nil, "its monitor has seen it end")
        try await scene.remove(with: engine)
    }

    /// What a later version has written is not understood, and so not touched.
    @Test func whatIsNotUnderstoodIsLetBe() async throws {
        let scene = try await Scene()
        let first = try await scene.open()
        let container = try await first.containers.create(scene.configuration(["sleep", "1000"]))
        try await container.start()
        let process = try #require(try container.details().processID)
        await first.close()
        let file = URL(fileURLWithPath: "\(scene.execRoot)/containers/\(container.id)/run.json")
        let record = try Data(contentsOf: file)
        try Data(#"{"version":2,"something":"else"}"#.utf8).write(to: file)

        let second = try await scene.open()
        let found = try second.containers.find(container.id)
        #expect(!isGone(process))
        for action in [{ try await found.start() }, { try await found.remove(force: true) }, { try await found.kill() }]
            as [() async throws -> Void]
        {
            await #expect { try await action() } throws: { ($0 as? ContainerError)?.code == .busy && "\($0)".contains("run.json") }
        }
        #expect(!isGone(process))
        try record.write(to: file)
        try await until("it to be looked for again") { try found.details().status == .running }
        #expect(try found.details().processID == process)
        try await scene.remove(with: second)
    }

    /// That something can be executed in it; one that ends by itself may do that at any moment, and then says so.
    private func expectAtWork(_ container: Berth.Container, _ endsByItself: Bool, _ round: Int) async throws {
        var configuration = ExecutionConfiguration(command: ["true"])
        configuration.attachesOutput = true
        let failure: ContainerError
        do throws(ContainerError) {
            let execution = try await container.makeExecution(configuration)
            _ = try await execution.start()
            let code = try await execution.wait()
            #expect(code == 0 || endsByItself, "round \(round)")
            return
        } catch { failure = error }
        #expect(endsByItself && failure.code == .conflict, "round \(round): \(failure)")
    }

    /// Kills at random moments of an engine that starts, executes, kills and removes as fast as it can.
    @Test func anEngineKilledAtAnyMomentLeavesAWholeState() async throws {
        let scene = try await Scene()
        let rounds = ProcessInfo.processInfo.environment["BERTH_LONG"] == nil ? 4 : 200
        for round in 0..<rounds {
            let host = try EngineHost("churn", at: scene, count: 4)
            let containers = URL(fileURLWithPath: scene.root + "/containers")
            // Some containers later, and then at any moment.
            let first = try FileManager.default.contentsOfDirectory(atPath: containers.path).count
            try await until("the other engine to be at work") {
                try FileManager.default.contentsOfDirectory(atPath: containers.path).count > first
            }
            try await Task.sleep(for: .microseconds(Int64.random(in: 0...300_000)))
            host.kill()
            let engine = try await scene.open()
            #expect(engine.containers.unreadable.isEmpty, "round \(round)")
            for details in engine.containers.all() {
                let container = try engine.containers.find(details.id)
                if details.status == .running {
                    try await expectAtWork(container, details.configuration.command == ["true"], round)
                } else {
                    try await container.start()
                }
                try await container.remove(force: true)
            }
            #expect(engine.containers.all().isEmpty, "round \(round)")
            try await until("the directories to have followed") {
                try FileManager.default.contentsOfDirectory(atPath: containers.path).filter { $0 != "lock" } == []
                    && FileManager.default.contentsOfDirectory(atPath: scene.execRoot + "/containers") == []
            }
            for hierarchy in try CgroupLayout.detect().directories(of: "berth-\(engine.id)") {
                let groups = try FileManager.default.contentsOfDirectory(atPath: hierarchy).filter { $0.utf8.count == 64 }
                #expect(groups == [], "round \(round)")
            }
            try await until("the monitors to have ended") { try monitors(of: engine.id).isEmpty }
            await engine.close()
        }
        try await scene.remove(with: try await scene.open())
    }
}
