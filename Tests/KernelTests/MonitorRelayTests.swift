import BerthLaunch
import BerthLinux
import BerthOCI
import Foundation
import Testing

@testable import BerthRuntime

/// Sockets that monitors hold and relay, with real traffic through real monitors.
@Suite(.kernelTier, .serialized, .timeLimit(.minutes(3))) struct MonitorRelayTests {
    private static func local(_ port: UInt16) throws -> RelayTarget { try #require(RelayTarget(address: [127, 0, 0, 1], port: port)) }

    /// One scenario at one relayed port of a container that was started with it.
    private func scenario(
        _ name: String, _ kind: TestSocket.Kind = .tcp, isDual: Bool = false, hosts: String = "127.0.0.1",
        _ body: (_ scenario: RelayScenario, _ monitor: Int32) async throws -> Void = { _, _ in }
    ) async throws {
        let scene = try MonitorScene()
        let runtime = try scene.runtime()
        let target = try TestSocket.freePort(kind)
        let socket = try TestSocket(kind, isDual: isDual)
        let relay = try Self.local(target)
        let id = MonitorScene.newID()
        let container = try await scene.start(
            runtime, id, holding: [try socket.handed(1, kind == .tcp ? .tcpRelay(to: relay) : .udpRelay(to: relay))])
        let monitor = try scene.monitor(of: id)
        let scenario = try RelayScenario(name, port: socket.port, target: target, hosts: hosts)
        try await body(scenario, monitor)
        try await scenario.end()
        try await scene.remove(runtime, container)
    }

    @Test(arguments: ["127.0.0.1", "::1"]) func aHundredMebibytesGoBothWaysAtOnce(_ host: String) async throws {
        try await scenario("bulk", isDual: true, hosts: host)
    }

    @Test func eachDirectionHasAnEndOfItsOwn() async throws { try await scenario("halfclose") }

    @Test func whatIsBrokenOnOneSideIsBrokenOnTheOther() async throws { try await scenario("broken") }

    @Test func aServerThatRefusesIsToldToTheClient() async throws { try await scenario("refuse") }

    /// Five hundred at once; idle ones take two descriptors each, and closed ones none.
    @Test func manyConnectionsAtOnceAndNoneIsLeft() async throws {
        try await scenario("many", isDual: true, hosts: "127.0.0.1,::1") { scenario, monitor in
            let limits = try String(contentsOfFile: "/proc/\(monitor)/limits", encoding: .utf8)
            #expect(limits.contains("Max open files"))
            try await scenario.expect("open")
            let count = try MonitorScene.descriptorCount(of: monitor)
            #expect(count >= 1000 && count < 1100)
            try scenario.goOn()
            try await scenario.expect("closed")
            try await until("the connections to be closed") { try MonitorScene.descriptorCount(of: monitor) < 60 }
            try scenario.goOn()
        }
    }

    @Test func aClientThatDoesNotReadHoldsBackItsServerAlone() async throws {
        try await scenario("stuck") { scenario, monitor in
            try await scenario.expect("stuck")
            #expect(try MonitorScene.memory(of: monitor, "Private_Dirty") < 4096, "KiB")
            try scenario.goOn()
        }
    }

    @Test(arguments: [(true, "127.0.0.1,::1,127.0.0.2"), (false, "127.0.0.1,127.0.0.2")])
    func datagramsOfMoreClientsThanThereMayBe(_ isDual: Bool, _ hosts: String) async throws {
        try await scenario("udp", .udp, isDual: isDual, hosts: hosts) { scenario, monitor in
            try await scenario.expect("full")
            let count = try MonitorScene.descriptorCount(of: monitor)
            #expect(count >= 1024 && count < 1100)
            try scenario.goOn()
        }
    }

    /// An engine that goes away in the middle of a transfer, and another that comes: the transfer knows nothing of it.
    @Test func aTransferOutlivesTheEngine() async throws {
        let scene = try MonitorScene()
        let first = try scene.runtime()
        let target = try TestSocket.freePort(.tcp)
        let (relayed, kept, taken) = (try TestSocket(.tcp), try TestSocket(.udp), try TestSocket(.tcp))
        let id = MonitorScene.newID()
        let container = try await scene.start(
            first, id,
            holding: [try relayed.handed(1, .tcpRelay(to: Self.local(target))), try kept.handed(2, .kept), try taken.handed(3, .reserved)])
        let scenario = try RelayScenario("paused", port: relayed.port, target: target)
        try await scenario.expect("half")
        container.close()
        await #expect { _ = try await container.sandbox.held() } throws: { ($0 as? RuntimeError)?.code == .notRunning }

        let second = try scene.runtime()
        guard case .running(let again) = try await scene.reconnect(second, id) else {
            Issue.record("the container is not found again")
            return
        }
        try scenario.goOn()
        try await scenario.end()
        #expect(
            try await again.sandbox.held() == [
                HeldSocket(key: 1, use: .tcpRelay(to: try Self.local(target))), HeldSocket(key: 2, use: .kept),
                HeldSocket(key: 3, use: .reserved),
            ])
        let lent = try await again.sandbox.lend([3, 2, 9, 1])
        #expect(lent.map(\.socket) == [HeldSocket(key: 2, use: .kept)])
        #expect(lent.first?.descriptor.withRawDescriptor { Self.port(of: $0) } == kept.port)
        try await scene.remove(second, again)
    }

    private static func port(of socket: CInt) -> UInt16 {
        var name = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = unsafe withUnsafeMutablePointer(to: &name) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe getsockname(socket, $0, &size) }
        }
        return result == 0 ? UInt16(bigEndian: name.sin_port) : 0
    }

    @Test func theContainersEndClosesEverything() async throws {
        let scene = try MonitorScene()
        let runtime = try scene.runtime()
        let target = try TestSocket.freePort(.tcp)
        let id = MonitorScene.newID()
        let (container, port) = try await { () async throws in
            let socket = try TestSocket(.tcp)
            return (try await scene.start(runtime, id, holding: [try socket.handed(1, .tcpRelay(to: Self.local(target)))]), socket.port)
        }()
        let monitor = try scene.monitor(of: id)
        let scenario = try RelayScenario("tail", port: port, target: target)
        try await scenario.expect("open")
        try container.signal(SIGKILL)
        #expect(try await container.wait()?.code == 137)
        try await until("the monitor to have ended") { MonitorScene.isGone(monitor) }
        try scenario.goOn()
        try await scenario.end()
        await #expect { _ = try await container.sandbox.held() } throws: {
            ($0 as? RuntimeError)?.code == .notRunning
        }
        try await scene.remove(runtime, container)
    }

    /// What is dropped is free at once and its connections are ended; the rest stays.
    @Test func whatIsDroppedIsFree() async throws {
        let scene = try MonitorScene()
        let runtime = try scene.runtime()
        let target = try TestSocket.freePort(.tcp)
        let id = MonitorScene.newID()
        let container = try await scene.start(runtime, id)
        #expect(try await container.sandbox.held() == [])
        let port = try await { () async throws in
            let socket = try TestSocket(.tcp)
            try await container.sandbox.hold([try socket.handed(7, .tcpRelay(to: Self.local(target)))])
            await #expect { try await container.sandbox.hold([try socket.handed(7, .reserved)]) } throws: {
                ($0 as? RuntimeError)?.underlying == .EEXIST
            }
            return socket.port
        }()
        let scenario = try RelayScenario("tail", port: port, target: target)
        try await scenario.expect("open")
        try await container.sandbox.drop([7, 8])
        try await container.sandbox.drop([7])
        try scenario.goOn()
        try await scenario.end()
        #expect(try await container.sandbox.held() == [])
        _ = try TestSocket(.tcp, port: port)
        try await scene.remove(runtime, container)
    }

    /// All of a message's sockets are held, or none of them; and many messages' are.
    @Test func whatCannotBeRelayedIsRefused() async throws {
        let scene = try MonitorScene()
        let runtime = try scene.runtime()
        let container = try await scene.start(runtime, MonitorScene.newID())
        let (tcp, udp) = (try TestSocket(.tcp), try TestSocket(.udp))
        let target = try Self.local(9)
        for wrong in [try tcp.handed(2, .udpRelay(to: target)), try udp.handed(2, .tcpRelay(to: target))] {
            await #expect { try await container.sandbox.hold([try tcp.handed(1, .tcpRelay(to: target)), wrong]) } throws: {
                ($0 as? RuntimeError)?.underlying == .EINVAL
            }
        }
        await #expect { try await container.sandbox.hold([try tcp.handed(1, .reserved), try udp.handed(1, .kept)]) } throws: {
            ($0 as? RuntimeError)?.underlying == .EEXIST
        }
        #expect(try await container.sandbox.held() == [])
        var all: [HeldSocket] = []
        for start in stride(from: UInt64(0), to: 2500, by: 100) {
            let some = try (start..<start + 100).map { try udp.handed($0 * 3, $0 % 2 == 0 ? .kept : .reserved) }
            try await container.sandbox.hold(some)
            all += some.map(\.socket)
        }
        #expect(try await container.sandbox.held() == all)
        #expect(try await container.sandbox.lend((0..<100).map { $0 * 3 }).map(\.socket.key) == (0..<50).map { $0 * 6 })
        try await container.sandbox.drop(all.map(\.key))
        #expect(try await container.sandbox.held() == [])
        try await scene.remove(runtime, container)
    }

    /// The monitor's own limit of descriptors is not its container's.
    @Test func processesOfTheContainerKeepTheirLimitOfFiles() async throws {
        let scene = try MonitorScene()
        let runtime = try scene.runtime()
        let socket = try TestSocket(.tcp)
        let show = ["/bin/busybox", "sh", "-c", "ulimit -Sn; ulimit -Hn; sleep 1000"]
        func limits(_ container: RuntimeContainer, _ id: String) async throws -> [Substring] {
            let log = "\(scene.folder)/state/\(id)/log"
            try await until("two lines") { try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n").count == 2 }
            return try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n").map { $0.prefix { $0 != "\\" } }
        }
        // What this process may have is what a monitor may have before it holds anything.
        let before = try ResourceLimitName.current(7)
        var lower = rlimit(rlim_cur: rlim_t(before.soft - 1000), rlim_max: rlim_t(before.hard))
        try #require(unsafe setrlimit(__rlimit_resource_t(7), &lower) == 0)
        defer {
            lower.rlim_cur = rlim_t(before.soft)
            _ = unsafe setrlimit(__rlimit_resource_t(7), &lower)
        }
        let (one, two) = (MonitorScene.newID(), MonitorScene.newID())
        let plain = try await scene.start(runtime, one, show)
        let holding = try await scene.start(runtime, two, show, holding: [try socket.handed(1, .tcpRelay(to: Self.local(9)))])
        #expect(try await limits(plain, one) == limits(holding, two))
        let raised = try String(contentsOfFile: "/proc/\(scene.monitor(of: two))/limits", encoding: .utf8).split(separator: "\n").first {
            $0.hasPrefix("Max open files")
        }
        let words = try #require(raised?.split(separator: " "))
        #expect(words[3] == words[4])
        #expect(try await limits(plain, one).first == "{\"log\":\"\(before.soft - 1000)")
        let execution = try await holding.execute(
            RuntimeSpec.Process(args: ["/bin/busybox", "sh", "-c", "ulimit -Sn"]), seccomp: nil, hasInput: false, streams: [.output])
        var text: [UInt8] = []
        while let chunk = try await execution.stream.read() { if case .output(let bytes) = chunk { text += bytes } }
        #expect(String(decoding: text, as: UTF8.self) == "\(before.soft - 1000)\n")
        try await scene.remove(runtime, plain, holding)
    }

    /// A monitor that has more open than its container may have: processes start all the same.
    @Test func manySocketsLeaveAProcessItsRoom() async throws {
        let scene = try MonitorScene()
        let runtime = try scene.runtime()
        let id = MonitorScene.newID()
        let container = try await scene.start(runtime, id)
        let limited = try Scratch.run("/usr/bin/prlimit", ["--pid", "\(scene.monitor(of: id))", "--nofile=64:"])
        try #require(limited.code == 0, "\(limited.output)")
        let socket = try TestSocket(.tcp)
        try await container.sandbox.hold([try socket.handed(1, .tcpRelay(to: Self.local(9)))])
        try await container.sandbox.hold(try (2..<150).map { try socket.handed($0, .reserved) })
        let execution = try await container.execute(
            RuntimeSpec.Process(args: ["/bin/busybox", "sh", "-c", "ulimit -Sn; ls /proc/self/fd | wc -l"]), seccomp: nil, hasInput: false,
            streams: [.output])
        var text: [UInt8] = []
        while let chunk = try await execution.stream.read() { if case .output(let bytes) = chunk { text += bytes } }
        #expect(String(decoding: text, as: UTF8.self) == "64\n4\n")
        try await scene.remove(runtime, container)
    }

    /// While the relay has all that it can do, the container's output is complete and its end is told.
    @Test func aBusyRelayHoldsNothingUp() async throws {
        let scene = try MonitorScene()
        let runtime = try scene.runtime()
        let (tcp, udp) = (try TestSocket(.tcp), try TestSocket(.udp))
        let target = try TestSocket.freePort(.tcp)
        let id = MonitorScene.newID()
        let container = try await scene.start(
            runtime, id,
            [
                "/bin/busybox", "sh", "-c",
                "until [ -e /go ]; do /bin/busybox sleep 0.01; done; i=0; while [ $i -lt 20000 ]; do echo line; i=$((i+1)); done; exit 7",
            ],
            holding: [
                try tcp.handed(1, .tcpRelay(to: Self.local(target))), try udp.handed(2, .udpRelay(to: Self.local(target))),
                try udp.handed(3, .kept),
            ])
        try await runtime.keepSandbox(id, by: container.sandbox, in: scene.lane)
        let scenario = try RelayScenario("flood", port: tcp.port, target: target, hosts: "\(udp.port)")
        try await scenario.expect("flooded")
        let busy = try await container.execute(
            RuntimeSpec.Process(args: ["/bin/busybox", "echo", "hello"]), seccomp: nil, hasInput: false, streams: [.output])
        #expect(try await busy.stream.read() == .output(Array("hello\n".utf8)))
        try Data().write(to: URL(fileURLWithPath: scene.folder + "/lower/go"))
        #expect(try await container.wait()?.code == 7)
        let log = try String(contentsOfFile: "\(scene.folder)/state/\(id)/log", encoding: .utf8)
        #expect(log.split(separator: "\n").count == 20000)
        #expect(try await container.sandbox.held().count == 3)
        try scenario.goOn()
        try await scenario.end()
        try await container.sandbox.release()
        try await scene.remove(runtime, container)
    }

    /// Sockets that nobody uses cost a monitor next to nothing, and what many connections took goes back.
    @Test func anIdleMonitorIsSmall() async throws {
        let scene = try MonitorScene()
        let runtime = try scene.runtime()
        let target = try TestSocket.freePort(.tcp)
        let socket = try TestSocket(.tcp)
        let (one, two) = (MonitorScene.newID(), MonitorScene.newID())
        let plain = try await scene.start(runtime, one)
        var sockets = [try socket.handed(0, .tcpRelay(to: Self.local(target)))]
        for key in UInt64(1)..<32 { sockets.append(try TestSocket(.udp).handed(key, key % 2 == 0 ? .kept : .udpRelay(to: Self.local(9)))) }
        let holding = try await scene.start(runtime, two, holding: sockets)
        let monitor = try scene.monitor(of: two)
        let usual = try MonitorScene.memory(of: try scene.monitor(of: one), "Private_Dirty")
        #expect(try MonitorScene.memory(of: monitor, "Private_Dirty") < usual + 128, "KiB")
        let scenario = try RelayScenario("many", port: socket.port, target: target)
        for word in ["open", "closed"] {
            try await scenario.expect(word)
            try scenario.goOn()
        }
        try await scenario.end()
        try await until("the memory to have been given back") { try MonitorScene.memory(of: monitor, "Private_Dirty") < usual + 256 }
        try await scene.remove(runtime, plain, holding)
    }
}
