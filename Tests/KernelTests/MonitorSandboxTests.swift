import BerthLaunch
import BerthLinux
import BerthOCI
import Foundation
import Testing

@testable import BerthRuntime

/// Monitors that stay for their sandbox after their container has ended.
@Suite(.kernelTier, .serialized, .timeLimit(.minutes(3))) struct MonitorSandboxTests {
    private static func local(_ port: UInt16) throws -> RelayTarget { try #require(RelayTarget(address: [127, 0, 0, 1], port: port)) }

    private func end(_ container: RuntimeContainer) async throws {
        try container.signal(SIGKILL)
        #expect(try await container.wait()?.code == 137)
    }

    /// The container ends in the middle of a transfer, is cleaned up and started again under the same id, the engine goes and another comes: the
    /// first monitor goes on, is found by its sandbox, and is taken for no container's.
    @Test func aSandboxIsKeptAndFoundAgain() async throws {
        let scene = try MonitorScene()
        let first = try scene.runtime()
        let target = try TestSocket.freePort(.tcp)
        let (relayed, kept) = (try TestSocket(.tcp), try TestSocket(.udp))
        let (id, sandbox) = (MonitorScene.newID(), MonitorScene.newID())
        let container = try await scene.start(
            first, id, holding: [try relayed.handed(1, .tcpRelay(to: Self.local(target))), try kept.handed(2, .kept)])
        let monitor = try scene.monitor(of: id)
        #expect(first.sandboxTraces() == [])
        try await first.keepSandbox(sandbox, by: container.sandbox, in: scene.lane)
        try await first.keepSandbox(sandbox, by: container.sandbox, in: scene.lane)
        let scenario = try RelayScenario("paused", port: relayed.port, target: target)
        try await scenario.expect("half")
        try await end(container)
        // It has ended, whoever asks, although its monitor answers.
        guard case .ended(let record) = try await scene.reconnect(first, id) else {
            Issue.record("a container whose monitor stays has not ended")
            return
        }
        #expect(record.code == 137)
        #expect(try await first.cleanUp(id: id, in: scene.lane).isEmpty)
        container.close()

        let second = try scene.runtime()
        let again = try await scene.start(second, id)
        #expect(try scene.monitor(of: id) != monitor)
        #expect(second.sandboxTraces() == [sandbox])
        let found = try #require(try await second.findSandbox(sandbox, in: scene.lane))
        try scenario.goOn()
        try await scenario.end()
        #expect(try await found.held().map(\.key) == [1, 2])
        #expect(try await found.lend([2]).count == 1)
        try await found.hold([try kept.handed(3, .reserved)])
        // It has little else than these.
        #expect(try MonitorScene.memory(of: monitor, "Private_Dirty") < 1024, "KiB")
        let open = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(monitor)/fd").compactMap {
            try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(monitor)/fd/\($0)")
        }
        #expect(!open.contains { $0.contains("/lower") || $0.contains("/state/") }, "\(open)")

        try await found.release()
        try await found.waitUntilGone()
        try await until("the monitor to have ended") { MonitorScene.isGone(monitor) }
        #expect(try await second.findSandbox(sandbox, in: scene.lane) == nil)
        try await second.removeSandbox(sandbox, in: scene.lane)
        try await second.removeSandbox(sandbox, in: scene.lane)
        #expect(second.sandboxTraces() == [])
        try await scene.remove(second, again)
    }

    /// With the last socket dropped there is nothing to stay for.
    @Test func aMonitorThatHoldsNothingEnds() async throws {
        let scene = try MonitorScene()
        let runtime = try scene.runtime()
        let (id, sandbox) = (MonitorScene.newID(), MonitorScene.newID())
        let container = try await scene.start(
            runtime, id, holding: [try TestSocket(.udp).handed(2, .kept), try TestSocket(.tcp).handed(5, .reserved)])
        let monitor = try scene.monitor(of: id)
        try await runtime.keepSandbox(sandbox, by: container.sandbox, in: scene.lane)
        try await end(container)
        try await container.sandbox.drop([2])
        #expect(try await container.sandbox.held().map(\.key) == [5])
        try await container.sandbox.drop([5])
        try await container.sandbox.waitUntilGone()
        try await until("the monitor to have ended") { MonitorScene.isGone(monitor) }
        try await scene.remove(runtime, container)
    }

    @Test func aSandboxThatIsReleasedEndsWithItsContainer() async throws {
        let scene = try MonitorScene()
        let runtime = try scene.runtime()
        let (id, sandbox) = (MonitorScene.newID(), MonitorScene.newID())
        let container = try await scene.start(runtime, id, holding: [try TestSocket(.udp).handed(2, .kept)])
        let monitor = try scene.monitor(of: id)
        try await runtime.keepSandbox(sandbox, by: container.sandbox, in: scene.lane)
        try await container.sandbox.release()
        try await container.sandbox.release()
        #expect(try await runtime.findSandbox(sandbox, in: scene.lane) == nil)
        #expect(try await container.sandbox.held().map(\.key) == [2], "the container runs")
        try await end(container)
        try await until("the monitor to have ended") { MonitorScene.isGone(monitor) }
        await #expect { try await runtime.keepSandbox(sandbox, by: container.sandbox, in: scene.lane) } throws: {
            ($0 as? RuntimeError)?.code == .notRunning
        }
        try await scene.remove(runtime, container)
    }

    /// A monitor that stays and is killed is noticed, and is not found.
    @Test func aMonitorThatIsKilledIsGone() async throws {
        let scene = try MonitorScene()
        let runtime = try scene.runtime()
        let (id, sandbox) = (MonitorScene.newID(), MonitorScene.newID())
        let container = try await scene.start(runtime, id, holding: [try TestSocket(.udp).handed(2, .kept)])
        let monitor = try scene.monitor(of: id)
        try await runtime.keepSandbox(sandbox, by: container.sandbox, in: scene.lane)
        try await end(container)
        let found = try #require(try await runtime.findSandbox(sandbox, in: scene.lane))
        let waiting = Task { try await found.waitUntilGone() }
        let cancelled = Task { try await found.waitUntilGone() }
        cancelled.cancel()
        await #expect { try await cancelled.value } throws: { ($0 as? RuntimeError)?.code == .cancelled }
        kill(monitor, SIGKILL)
        try await waiting.value
        #expect(try await runtime.findSandbox(sandbox, in: scene.lane) == nil)
        try await scene.remove(runtime, container)
    }

    /// What a later engine asks for is refused in words, and nothing else is.
    @Test func aRequestThatIsNotKnownIsRefusedAlone() async throws {
        let scene = try MonitorScene()
        let runtime = try scene.runtime()
        let id = MonitorScene.newID()
        let container = try await scene.start(runtime, id)
        let socket = try Directory.open("\(scene.folder)/run/containers/\(id)").connectForMessages(to: "monitor.sock")
        func ask(_ bytes: [UInt8]) throws -> (number: UInt64, answer: MonitorAnswer) {
            try socket.send(bytes)
            try #require(try socket.descriptor.waitReadable(milliseconds: 10_000))
            return try MonitorAnswer.decode(try socket.receive(waiting: false).bytes)
        }
        let refused = try ask([1, 99, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3])
        #expect(refused.number == 5)
        guard case .failed(_, let errno, let reason) = refused.answer else {
            Issue.record("\(refused.answer)")
            return
        }
        #expect(errno == ENOSYS && reason.contains("99"))
        #expect(try ask(MonitorRequest.held(from: 0).encoded(number: 6)).answer == .held([], hasMore: false))
        try await scene.remove(runtime, container)
    }
}
