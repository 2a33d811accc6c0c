import Berth
import BerthLinux
import Foundation
import Testing

/// Restarts, pauses, renames and policies, with real processes.
@Suite(.kernelTier, .serialized) struct LifeEngineTests {
    /// A process that counts its runs in a file, and what it does then.
    private func counting(_ scene: Scene, then line: String) -> [String] { ["sh", "-c", "echo run >> /shared/runs; \(line)"] }

    private func runs(_ scene: Scene) -> Int {
        ((try? String(contentsOfFile: scene.folder + "/shared/runs", encoding: .utf8)) ?? "").split(separator: "\n").count
    }

    private func configuration(_ scene: Scene, _ policy: RestartPolicy, then line: String) -> ContainerConfiguration {
        scene.configuration(counting(scene, then: line)) {
            $0.restart = policy
            $0.bindMounts = [BindMount(source: scene.folder + "/shared", target: "/shared")]
        }
    }

    @Test func aRestartEndsItAndStartsItAgain() async throws {
        let scene = try await Scene()
        let engine = try await scene.open()
        let container = try await engine.containers.create(
            scene.configuration(["sh", "-c", "trap 'exit 3' USR1; echo up; while :; do sleep 0.01; done"]) { $0.removesItself = true })
        try await container.start()
        let first = try container.details()
        try await until("it to be ready") { try await text(container).contains("up") }
        try await container.restart(signal: "USR1", timeoutSeconds: 60)
        let second = try container.details()
        #expect(second.status == .running && second.processID != first.processID)
        #expect(second.lastExit?.code == 3, "the signal has reached it")
        // What does not run is only started; and what removes itself does so when it is really over.
        try await container.kill()
        try await until("it to be gone") { engine.containers.all().isEmpty }
        try await scene.remove(with: engine)
    }

    private func text(_ container: Berth.Container) async throws -> String {
        var all = ""
        for try await line in try container.logs() { all += line.text + "\n" }
        return all
    }

    @Test func whatIsPausedStandsStillAndSaysSo() async throws {
        let scene = try await Scene()
        var engine = try await scene.open()
        let id = try await engine.containers.create(scene.configuration(Scene.writer)).id
        var container = try engine.containers.find(id)
        await #expect(throws: ContainerError.self) { try await container.pause() }
        try await container.start()
        try await container.pause()
        #expect(try container.details().status == .paused)
        await #expect { try await container.pause() } throws: { "\($0)" == "Container \(id) is already paused" }
        await #expect { try await container.start() } throws: { "\($0)" == "cannot start a paused container, try unpause instead" }
        await #expect { _ = try await container.makeExecution(ExecutionConfiguration(command: ["true"])) } throws: {
            "\($0)" == "Container \(id) is paused, unpause the container before exec"
        }
        await #expect { try await container.remove() } throws: {
            "\($0)".hasPrefix("You cannot remove a paused container \(id). Unpause and then stop the container")
        }
        // A commit needs it to stand still as well, and lets it stand.
        _ = try await container.commit().value
        #expect(try container.details().status == .paused)
        // What it had written before it stood still has been read by its monitor since.
        let known = try await text(container)
        // So does the next engine.
        await engine.close()
        engine = try await scene.open()
        container = try engine.containers.find(id)
        #expect(try container.details().status == .paused)
        #expect(try await text(container) == known)
        try await container.unpause()
        try await until("it to go on") { try await text(container) != known }
        await #expect { try await container.unpause() } throws: { "\($0)" == "Container \(id) is not paused" }
        // What ends it reaches it all the same.
        for end in [{ try await $0.kill() }, { try await $0.stop(timeoutSeconds: 0) }] as [@Sendable (Berth.Container) async throws -> Void]
        {
            try await container.pause()
            try await end(container)
            #expect(try container.details().status == .exited)
            try await container.start()
        }
        try await container.pause()
        try await container.remove(force: true)
        try await scene.remove(with: engine)
    }

    @Test func aNameIsTakenAndTheFormerOneIsFree() async throws {
        let scene = try await Scene()
        var engine = try await scene.open()
        let first = try await engine.containers.create(scene.configuration(["true"]) { $0.name = "first" })
        let second = try await engine.containers.create(scene.configuration(["true"]) { $0.name = "second" })
        await #expect { try await first.rename(to: "second") } throws: {
            "\($0)".hasPrefix(
                "Error when allocating new name: Conflict. The container name \"/second\" is already in use by container \"\(second.id)\".")
        }
        await #expect { try await first.rename(to: "first") } throws: {
            "\($0)" == "Renaming a container with the same name as its current name"
        }
        await #expect(throws: ContainerError.self) { try await first.rename(to: "no/name") }
        try await first.rename(to: "/third")
        #expect(try engine.containers.find("third").id == first.id)
        #expect(throws: ContainerError.self) { try engine.containers.find("first") }
        try await second.rename(to: "first")
        await engine.close()
        engine = try await scene.open()
        #expect(Set(engine.containers.all().map(\.name)) == ["first", "third"])
        try await scene.remove(with: engine)
    }

    @Test func aPolicyStartsItAgainUntilItIsStopped() async throws {
        let scene = try await Scene()
        let engine = try await scene.open()
        let container = try await engine.containers.create(configuration(scene, .always, then: "exit 7"))
        try await container.start()
        try await until("three runs") { runs(scene) >= 3 }
        let details = try container.details()
        #expect(details.restartCount >= 2)
        #expect(try await container.wait(.nextExit).code == 7)
        try await until("the pause between two runs") { try container.details().status == .restarting }
        await #expect { try await container.remove() } throws: { "\($0)".contains("You cannot remove a restarting container") }
        await #expect { try await container.pause() } throws: { "\($0)".hasSuffix("is restarting, wait until the container is running") }
        let waiter = try container.waiter(.notRunning)
        try await container.stop()
        #expect(try await waiter.value().code == 7)
        #expect(try container.details().status == .exited)
        let known = runs(scene)
        try await Task.sleep(for: .milliseconds(300))
        #expect(try runs(scene) == known && (container.details().status) == .exited)
        try await container.start()
        #expect(try container.details().restartCount <= 1, "somebody has started it: it is counted anew")
        try await container.remove(force: true)
        try await scene.remove(with: engine)
    }

    @Test func failuresAreCountedToTheBound() async throws {
        let scene = try await Scene()
        let engine = try await scene.open()
        let container = try await engine.containers.create(configuration(scene, .onFailure(2), then: "exit 1"))
        try await container.start()
        try await until("it to rest") { try container.details().status == .exited }
        #expect(runs(scene) == 3)
        #expect(try container.details().restartCount == 2)
        let fine = try await engine.containers.create(configuration(scene, .onFailure(), then: "exit 0"))
        try await fine.start()
        try await until("the other to rest") { try fine.details().status == .exited }
        #expect(runs(scene) == 4)
        await #expect {
            try await engine.containers.create(scene.configuration(["true"]) { ($0.restart, $0.removesItself) = (.always, true) })
        } throws: { "\($0)" == "can't create 'AutoRemove' container with restart policy" }
        try await scene.remove(with: engine)
    }

    /// Ended while no engine was there, or stopped by hand before; and as after a reboot, which takes the exec-root away.
    @Test(arguments: [false, true]) func theNextEngineStartsWhatIsWanted(afterReboot: Bool) async throws {
        let scene = try await Scene()
        var engine = try await scene.open()
        func make(_ policy: RestartPolicy, _ name: String) async throws -> Berth.Container {
            let container = try await engine.containers.create(
                scene.configuration(["sleep", "1000"]) { ($0.restart, $0.name) = (policy, name) })
            try await container.start()
            return container
        }
        for (policy, name) in [(RestartPolicy.always, "always"), (.unlessStopped, "unless"), (.onFailure(), "failure"), (.no, "no")] {
            _ = try await make(policy, name)
            let stopped = try await make(policy, name + "-stopped")
            try await stopped.stop(timeoutSeconds: 0)
        }
        _ = try await engine.containers.create(
            scene.configuration(["sleep", "1000"]) { ($0.restart, $0.name) = (.always, "never-started") })
        await engine.close()
        for group in try CgroupLayout.detect().children(of: "berth-\(engine.id)") {
            for process in try CgroupLayout.detect().processes(in: "berth-\(engine.id)/\(group)") { _ = kill(process, SIGKILL) }
        }
        if afterReboot { try FileManager.default.removeItem(atPath: scene.execRoot) }
        engine = try await scene.open()
        try await until("what is wanted to run") {
            engine.containers.all().filter { $0.status == .running }.count == 4
                && !engine.containers.all().contains { $0.status == .restarting }
        }
        #expect(
            Set(engine.containers.all().filter { $0.status == .running }.map(\.name)) == ["always", "always-stopped", "unless", "failure"])
        try await scene.remove(with: engine)
    }

    @Test func aRestartThatAnEngineOwesIsTheNextEngines() async throws {
        let scene = try await Scene()
        var engine = try await scene.open()
        let id = try await engine.containers.create(configuration(scene, .onFailure(50), then: "exit 1")).id
        try await engine.containers.find(id).start()
        try await until("a long wait") {
            try engine.containers.find(id).details().restartCount >= 4 && engine.containers.find(id).details().status == .restarting
        }
        let (known, count) = (runs(scene), try engine.containers.find(id).details().restartCount)
        await engine.close()
        engine = try await scene.open()
        try await until("another run") { runs(scene) > known }
        #expect(try engine.containers.find(id).details().restartCount > count, "the count goes on")
        try await scene.remove(with: engine)
    }

    @Test func pruningTakesWhatRestsAndIsMeant() async throws {
        let scene = try await Scene()
        let engine = try await scene.open()
        let running = try await engine.containers.create(scene.configuration(["sleep", "1000"]))
        try await running.start()
        let paused = try await engine.containers.create(scene.configuration(["sleep", "1000"]))
        try await paused.start()
        try await paused.pause()
        let kept = try await engine.containers.create(scene.configuration(["true"]) { $0.labels = ["keep": "yes"] })
        let gone = try await engine.containers.create(scene.configuration(["sh", "-c", "echo 12345 > /file"]))
        try await gone.start()
        _ = try await gone.wait()
        var pruning = ContainerPruning()
        pruning.excludedLabels = ["keep"]
        let pruned = try await engine.containers.prune(pruning)
        #expect(pruned.ids == [gone.id] && pruned.reclaimedByteCount >= 6)
        #expect(Set(engine.containers.all().map(\.id)) == [running.id, paused.id, kept.id])
        pruning.excludedLabels = []
        pruning.until = Timestamp(nanoseconds: 1)
        #expect(try await engine.containers.prune(pruning).ids == [])
        try await scene.remove(with: engine)
    }
}
