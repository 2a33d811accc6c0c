import BerthLaunch
import BerthLinux
import BerthOCI
import BerthReactor
import Foundation
import Synchronization
import Testing

@testable import BerthRuntime

/// A runtime without an engine, a root of busybox, and containers that wait to be killed: for what their monitors do besides.
final class MonitorScene: Sendable {
    let folder: String
    let engineID: String
    let reactor: Reactor
    let lane = Lane(named: "the scene")
    private struct WeakRuntime {
        weak var runtime: Runtime?
    }
    /// Those whose nurseries may still be there.
    private let runtimes = Mutex<[WeakRuntime]>([])

    init() throws {
        engineID = "relay\(UUID().uuidString.prefix(8).lowercased())"
        folder = "/var/tmp/berth-\(engineID)"
        reactor = try Reactor.start()
        for part in ["lower/bin", "lower/proc", "state"] {
            try FileManager.default.createDirectory(atPath: "\(folder)/\(part)", withIntermediateDirectories: true)
        }
        try FileManager.default.copyItem(atPath: "/bin/busybox", toPath: folder + "/lower/bin/busybox")
    }

    /// A test that has failed leaves nothing running.
    deinit {
        guard let layout = try? CgroupLayout.detect() else { return }
        for group in layout.children(of: "berth-\(engineID)") {
            for process in layout.processes(in: "berth-\(engineID)/\(group)") { _ = kill(process, SIGKILL) }
        }
        // The kernel empties the groups a moment later.
        for _ in 0..<200 where (try? layout.remove("berth-\(engineID)")) == nil { HostFile.pause(milliseconds: 10) }
        try? FileManager.default.removeItem(atPath: folder)  // only tidiness
    }

    /// An engine's: each finds what another has started.
    func runtime(_ monitor: MonitorLocation = .automatic) throws -> Runtime {
        let made = try Runtime(
            configuration: RuntimeConfiguration(engineID: engineID, execRoot: folder + "/run", monitor: monitor), reactor: reactor)
        runtimes.withLock { $0.append(WeakRuntime(runtime: made)) }
        return made
    }

    static func newID() -> String {
        (0..<32).map { _ in String(UInt8.random(in: 0...255) | 16, radix: 16) }.joined().prefix(64).lowercased()
    }

    func start(
        _ runtime: Runtime, _ id: String, _ command: [String] = ["/bin/busybox", "sleep", "1000"], holding sockets: [HandedSocket] = [],
        _ change: @escaping @Sendable (inout RuntimeSpec) -> Void = { _ in }
    ) async throws -> RuntimeContainer {
        let state = "\(folder)/state/\(id)"
        try FileManager.default.createDirectory(atPath: state, withIntermediateDirectories: true)
        let preparation = Runtime.Preparation(id: id, stateDirectory: state, root: .directory(folder + "/lower"))
        var start = Runtime.Start(log: MonitoredLog(name: "log"), input: .none) { _ in
            var spec = RuntimeSpec()
            spec.process = RuntimeSpec.Process(args: command)
            var linux = RuntimeSpec.Linux()
            linux.namespaces = ["mount", "pid", "ipc", "uts", "network"].map { RuntimeSpec.Namespace(type: $0) }
            spec.linux = linux
            spec.mounts = [.init(destination: "/proc", type: "proc", source: "proc", options: [])]
            change(&spec)
            return spec
        }
        start.heldSockets = sockets
        let monitor = try await lane.run { () throws(RuntimeError) in try runtime.prepare(preparation) }
        return try await runtime.start(start, by: monitor, in: lane)
    }

    func reconnect(_ runtime: Runtime, _ id: String) async throws -> Runtime.Found {
        try await runtime.reconnect(id: id, stateDirectory: "\(folder)/state/\(id)", in: lane)
    }

    /// The monitor of a container that runs.
    func monitor(of id: String) throws -> Int32 {
        struct Run: Decodable {
            struct Monitor: Decodable { let id: Int32 }
            let monitor: Monitor
        }
        return try JSONDecoder().decode(
            Run.self, from: try Data(contentsOf: URL(fileURLWithPath: "\(folder)/run/containers/\(id)/run.json"))
        )
        .monitor.id
    }

    static func isGone(_ process: Int32) -> Bool {
        guard let stat = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else { return true }
        return stat.split(separator: ")").last?.hasPrefix(" Z") ?? true
    }

    static func descriptorCount(of process: Int32) throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/fd").count
    }

    /// Kibibytes that a process has for itself, from `smaps_rollup`.
    static func memory(of process: Int32, _ field: String) throws -> Int {
        let line = try String(contentsOfFile: "/proc/\(process)/smaps_rollup", encoding: .utf8).split(separator: "\n").first {
            $0.hasPrefix(field + ":")
        }
        return try #require(line.flatMap { Int($0.drop { !$0.isNumber }.prefix { $0.isNumber }) })
    }

    /// Kills what is left, and sees that nothing of it stays.
    func remove(_ runtime: Runtime, _ containers: RuntimeContainer...) async throws {
        for container in containers {
            do throws(RuntimeError) { try container.signal(SIGKILL) } catch { #expect(error.code == .notRunning) }
            _ = try await container.wait()
            #expect(try await runtime.cleanUp(id: container.facts.id, in: lane).isEmpty)
        }
        for other in runtimes.withLock({ $0 }) { await other.runtime?.close(in: lane) }
        await runtime.close(in: lane)
        // Every monitor has ended: their group is empty.
        try await until("the monitors to have ended") { (try? runtime.cgroups.remove(runtime.cgroupParent)) != nil }
        try FileManager.default.removeItem(atPath: folder)
    }
}

/// A socket of a test's, at a port that the kernel chose.
final class TestSocket: Sendable {
    /// What it listens to.
    enum Kind { case tcp, udp }

    let descriptor: OwnedDescriptor
    let port: UInt16

    /// - Parameter isDual: of IPv6 and takes both; else of IPv4 alone.
    init(_ kind: Kind, isDual: Bool = false, port: UInt16 = 0) throws {
        let raw = socket(isDual ? AF_INET6 : AF_INET, CInt(kind == .tcp ? SOCK_STREAM.rawValue : SOCK_DGRAM.rawValue), 0)
        try #require(raw >= 0)
        descriptor = OwnedDescriptor(adopting: raw)
        // As an engine's: connections of an earlier holder are no hindrance. For UDP it would let several have the port.
        var isReused: CInt = 1
        if kind == .tcp { try #require(unsafe setsockopt(raw, SOL_SOCKET, SO_REUSEADDR, &isReused, 4) == 0) }
        var size = socklen_t(MemoryLayout<sockaddr_in6>.size)
        var name = sockaddr_in6()
        if isDual {
            name.sin6_family = sa_family_t(AF_INET6)
            name.sin6_port = port.bigEndian
        } else {
            var v4 = sockaddr_in()
            v4.sin_family = sa_family_t(AF_INET)
            v4.sin_port = port.bigEndian
            size = socklen_t(MemoryLayout<sockaddr_in>.size)
            unsafe withUnsafeBytes(of: v4) { from in unsafe withUnsafeMutableBytes(of: &name) { unsafe $0.copyMemory(from: from) } }
        }
        let (bound, length) = unsafe withUnsafeMutablePointer(to: &name) { name in
            unsafe name.withMemoryRebound(to: sockaddr.self, capacity: 1) { name in
                let result = unsafe bind(raw, name, size)
                return (result, result == 0 ? unsafe getsockname(raw, name, &size) : -1)
            }
        }
        try #require(bound == 0 && length == 0, "\(Errno.current)")
        if kind == .tcp { try #require(listen(raw, 1024) == 0) }
        // Of both kinds of names the port is the second field.
        self.port = UInt16(bigEndian: name.sin6_port)
    }

    /// For a monitor.
    func handed(_ key: UInt64, _ use: HeldSocket.Use) throws -> HandedSocket {
        HandedSocket(HeldSocket(key: key, use: use), try descriptor.duplicate())
    }

    /// A port of the loopback interface at which nobody is, for the scenario's own server.
    static func freePort(_ kind: Kind) throws -> UInt16 { try TestSocket(kind).port }
}

/// A scenario of `Tests/Oracle/relay.py`, which speaks first where it says a word.
final class RelayScenario {
    private let process = Process()
    private let input = Foundation.Pipe()
    private let output = Foundation.Pipe()
    private var rest = ""

    init(_ name: String, port: UInt16, target: UInt16, hosts: String = "127.0.0.1") throws {
        let tool = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path + "/Oracle/relay.py"
        process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        process.arguments = [tool, name, "\(port)", "\(target)", hosts]
        process.environment = ["PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"]
        (process.standardInput, process.standardOutput, process.standardError) = (input, output, output)
        try process.run()
    }

    deinit {
        if process.isRunning {
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
    }

    /// Waits for a word. What else is said is the scenario's failure.
    func expect(_ word: String) async throws {
        while !rest.contains("\n") {
            let data = await read()
            try #require(!data.isEmpty, "the scenario ended before it said '\(word)': \(rest)")
            rest += String(decoding: data, as: UTF8.self)
        }
        let line = rest.prefix { $0 != "\n" }
        rest.removeFirst(line.count + 1)
        try #require(line == word, "\(line)\n\(rest)")
    }

    func goOn() throws { try input.fileHandleForWriting.write(contentsOf: Data("\n".utf8)) }

    /// Waits for its end, which is to be a good one.
    func end() async throws {
        while case let data = await read(), !data.isEmpty { rest += String(decoding: data, as: UTF8.self) }
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(rest)")
        #expect(rest == "")
    }

    /// On a thread of its own: the engine's side must go on meanwhile.
    private func read() async -> Data {
        let number = output.fileHandleForReading.fileDescriptor
        return await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(returning: FileHandle(fileDescriptor: number, closeOnDealloc: false).availableData)
            }
        }
    }
}
