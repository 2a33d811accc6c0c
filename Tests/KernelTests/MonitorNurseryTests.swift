import BerthLaunch
import BerthLinux
import BerthReactor
import Foundation
import Testing

@testable import BerthRuntime

/// The process of which monitors are forked.
@Suite(.kernelTier, .serialized, .timeLimit(.minutes(3))) struct MonitorNurseryTests {
    /// The nursery of a scene's engine, by its name and group; `nil` where there is none.
    private func nursery(_ scene: MonitorScene) throws -> Int32? {
        let layout = try CgroupLayout.detect()
        return layout.processes(in: "berth-\(scene.engineID)/monitors").subtracting(try monitors(of: scene.engineID)).first {
            !MonitorScene.isGone($0)
        }
    }

    private func field(_ name: String, of process: Int32) throws -> String {
        let status = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix(name + ":") })
        return line.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces)
    }

    /// What a monitor is does not depend on how it came about: alone in its session, in the monitors' group in every hierarchy, with nothing of another's.
    @Test func whatIsForkedIsAMonitorLikeAnyOther() async throws {
        let scene = try MonitorScene()
        let runtime = try scene.runtime()
        #expect(try nursery(scene) == nil, "nothing was started, and nothing is there")
        let (first, second) = (MonitorScene.newID(), MonitorScene.newID())
        let containers = (try await scene.start(runtime, first), try await scene.start(runtime, second))
        let nursery = try #require(try nursery(scene))
        let layout = try CgroupLayout.detect()
        for id in [first, second] {
            let monitor = try scene.monitor(of: id)
            #expect(try field("Name", of: monitor) == "berth-monitor")
            #expect(try field("PPid", of: monitor) == "\(nursery)")
            #expect(try field("NSsid", of: monitor) == "\(monitor)")
            #expect(try field("Threads", of: monitor) == "1")
            let groups = try String(contentsOfFile: "/proc/\(monitor)/cgroup", encoding: .utf8).split(separator: "\n")
            for hierarchy in layout.version1 {
                let named = hierarchy.controllers.joined(separator: ",")
                #expect(groups.contains { $0.hasSuffix(":\(named):/berth-\(scene.engineID)/monitors") }, "\(named) in \(groups)")
            }
            // As many as the other has: null streams, signals, listener, connection, directories, root, log and what the container says.
            #expect(try MonitorScene.descriptorCount(of: monitor) == MonitorScene.descriptorCount(of: try scene.monitor(of: first)))
            let open = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(monitor)/fd").compactMap {
                try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(monitor)/fd/\($0)")
            }
            let other = id == first ? second : first
            #expect(!open.contains { $0.contains(other) }, "\(open)")
        }
        try await scene.remove(runtime, containers.0, containers.1)
        #expect(MonitorScene.isGone(nursery))
    }

    /// It is killed, or does not answer: the next start has another, and what runs does not notice.
    @Test(arguments: [SIGKILL, SIGSTOP]) func anotherTakesItsPlace(_ signal: Int32) async throws {
        let scene = try MonitorScene()
        let runtime = try Runtime(
            configuration: RuntimeConfiguration(engineID: scene.engineID, execRoot: scene.folder + "/run"), reactor: scene.reactor,
            nurseryPatience: .milliseconds(500))
        let first = try await scene.start(runtime, MonitorScene.newID())
        let lost = try #require(try nursery(scene))
        #expect(kill(lost, signal) == 0)
        if signal == SIGKILL { try await until("it to be gone") { MonitorScene.isGone(lost) } }
        let second = try await scene.start(runtime, MonitorScene.newID())
        try await until("it to be gone") { MonitorScene.isGone(lost) }
        #expect(try #require(try nursery(scene)) != lost)
        #expect(try await scene.reconnect(runtime, first.facts.id).isRunning)
        try await scene.remove(runtime, first, second)
    }

    /// It lives by its engine's connection.
    @Test func itEndsWithItsRuntimeAndMonitorsDoNot() async throws {
        let scene = try MonitorScene()
        let container: RuntimeContainer
        let left: Int32
        do {
            let runtime = try scene.runtime()
            container = try await scene.start(runtime, MonitorScene.newID())
            left = try #require(try nursery(scene))
        }
        try await until("it to have ended") { MonitorScene.isGone(left) }
        let next = try scene.runtime()
        #expect(try await scene.reconnect(next, container.facts.id).isRunning)
        try await scene.remove(next, container)
    }

    /// What is no monitor, or cannot be started, is said to be that.
    @Test(arguments: ["/bin/true", "/bin/cat"]) func whatIsNoMonitorSaysNoHello(_ program: String) async throws {
        let scene = try MonitorScene()
        let runtime = try Runtime(
            configuration: RuntimeConfiguration(engineID: scene.engineID, execRoot: scene.folder + "/run", monitor: .program(program)),
            reactor: scene.reactor, nurseryPatience: .milliseconds(500))
        let error = await #expect(throws: RuntimeError.self) { _ = try await scene.start(runtime, MonitorScene.newID()) }
        #expect(error?.code == .monitor)
        try await scene.remove(runtime)
    }
}

extension Runtime.Found {
    fileprivate var isRunning: Bool { if case .running = self { true } else { false } }
}
