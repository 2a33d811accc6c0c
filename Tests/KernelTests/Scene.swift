import Berth
import BerthLinux
import BerthNetworking
import Foundation
import Testing

/// A place for engines: a folder with a root, an exec-root and an image of busybox with all its tools.
final class Scene: Sendable {
    let folder: String
    let root: String
    let execRoot: String

    /// - Parameters:
    ///   - folder: where; made where it is missing.
    ///   - execRoot: the exec-root, if it is not to lie in the folder.
    init(in folder: String? = nil, execRoot: String? = nil) async throws {
        self.folder = folder ?? "/var/tmp/berth-scene-\(UUID().uuidString.prefix(8))"
        root = self.folder + "/root"
        self.execRoot = execRoot ?? self.folder + "/run"
        try FileManager.default.createDirectory(atPath: self.folder + "/shared", withIntermediateDirectories: true)
        let engine = try await open()
        let archive = try HostFile.open(try Self.archive())
        _ = try await engine.images.importRootFileSystem(from: archive, as: try ImageReference(parsing: "box")).value
        await engine.close()
    }

    /// A test that has failed leaves nothing running: what is still there of its engine is killed by its groups.
    deinit {
        struct Document: Decodable { let id: String }
        guard let data = try? Data(contentsOf: URL(fileURLWithPath: root + "/engine.json")),
            let id = try? JSONDecoder().decode(Document.self, from: data).id, let layout = try? CgroupLayout.detect()
        else { return }
        for group in layout.children(of: "berth-\(id)") {
            for process in layout.processes(in: "berth-\(id)/\(group)") { _ = kill(process, SIGKILL) }
        }
        // The rest is only tidiness.
        try? FileManager.default.removeItem(atPath: folder)
    }

    func open(hostGateway: HostGateway = .defaultNetwork) async throws -> Engine {
        try await Engine.open(EngineConfiguration(root: root, execRoot: execRoot, hostGateway: hostGateway))
    }

    /// Removes every container and the folder.
    func remove(with engine: Engine) async throws {
        for container in try engine.containers.list(ContainerQuery(includesAll: true)) {
            try await engine.containers.find(container.id).remove(force: true)
        }
        await engine.close()
        // The last monitors end a moment after their containers are removed.
        let layout = try CgroupLayout.detect()
        try await until("the engine's groups to be empty") { (try? layout.remove("berth-\(engine.id)")) != nil }
        // Two hundred containers' was once not to be removed at first, why is not known.
        let folder = folder
        try await until("the folder to be gone") {
            try? FileManager.default.removeItem(atPath: folder)
            return !FileManager.default.fileExists(atPath: folder)
        }
    }

    /// One archive for all tests of this program.
    private static func archive() throws -> String {
        let folder = "/var/tmp/berth-box-\(getpid())"
        let path = folder + "/box.tar"
        if FileManager.default.fileExists(atPath: path) { return path }
        let tree = folder + "/tree"
        for part in ["bin", "etc", "tmp", "root", "proc"] {
            try FileManager.default.createDirectory(atPath: "\(tree)/\(part)", withIntermediateDirectories: true)
        }
        try FileManager.default.copyItem(atPath: "/bin/busybox", toPath: tree + "/bin/busybox")
        for tool in try run("/bin/busybox", "--list").split(separator: "\n") where tool != "busybox" {
            try FileManager.default.createSymbolicLink(atPath: "\(tree)/bin/\(tool)", withDestinationPath: "busybox")
        }
        _ = try run("/bin/tar", "-C", tree, "--numeric-owner", "--owner=0", "--group=0", "-cf", path + ".new", ".")
        try FileManager.default.moveItem(atPath: path + ".new", toPath: path)
        atexit { try? FileManager.default.removeItem(atPath: "/var/tmp/berth-box-\(getpid())") }
        return path
    }

    func configuration(_ command: [String], _ change: (inout ContainerConfiguration) -> Void = { _ in }) -> ContainerConfiguration {
        var configuration = ContainerConfiguration(image: "box")
        (configuration.command, configuration.network) = (command, .none)
        change(&configuration)
        return configuration
    }

    /// Writes `line 1`, `line 2` … for ever, a hundred a second.
    static let writer = ["sh", "-c", "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.01; done"]
}

/// Runs a tool of the host's and gives what it wrote.
@discardableResult func run(_ program: String, _ arguments: String...) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    let output = Foundation.Pipe()
    process.standardOutput = output
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0, "\(program) \(arguments)")
    return String(decoding: data, as: UTF8.self)
}

/// The monitors of an engine's containers: what is in their group, but for the process of which they are forked.
func monitors(of engineID: String) throws -> Set<Int32> {
    try CgroupLayout.detect().processes(in: "berth-\(engineID)/monitors").filter { process in
        // One that is gone by now is none.
        (try? String(contentsOfFile: "/proc/\(process)/comm", encoding: .utf8)).map { $0 != "berth-nursery\n" } ?? false
    }
}

/// Waits for what is no event of this process, with a bound far beyond anything usual.
func until(_ what: String, _ condition: () async throws -> Bool) async throws {
    let clock = ContinuousClock()
    let bound = clock.now + .seconds(60)
    while !(try await condition()) {
        try #require(clock.now < bound, "waited a minute for: \(what)")
        try await Task.sleep(for: .milliseconds(5))
    }
}

/// An engine in a process of its own, which can be killed: this very program, executed again for ``EngineHostProcess`` alone.
final class EngineHost {
    private let process = Process()
    private let answer: String

    /// - Parameter launcher: a command that executes it.
    init(_ mode: String, at scene: Scene, count: Int = 20, by launcher: [String] = []) throws {
        answer = "/var/tmp/berth-host-\(UUID().uuidString.prefix(8))"
        let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let command = launcher + [program, "--testing-library", "swift-testing", "--filter", "EngineHostProcess"]
        (process.executableURL, process.arguments) = (URL(fileURLWithPath: command[0]), Array(command.dropFirst()))
        process.environment = ProcessInfo.processInfo.environment.merging([
            "BERTH_HOST_MODE": mode, "BERTH_HOST_ROOT": scene.root, "BERTH_HOST_EXEC_ROOT": scene.execRoot, "BERTH_HOST_ANSWER": answer,
            "BERTH_HOST_SHARED": scene.folder + "/shared", "BERTH_HOST_COUNT": "\(count)",
        ]) { $1 }
        let log = answer + ".log"
        try #require(FileManager.default.createFile(atPath: log, contents: nil))
        let output = try #require(FileHandle(forWritingAtPath: log))
        (process.standardOutput, process.standardError, process.standardInput) = (output, output, FileHandle.nullDevice)
        try process.run()
        try output.close()
    }

    /// What it says once everything runs.
    func ready() async throws -> HostReport {
        try await until("the other engine to have everything running") {
            if FileManager.default.fileExists(atPath: answer) { return true }
            try #require(process.isRunning, "the other engine has ended")
            return false
        }
        return try JSONDecoder().decode(HostReport.self, from: try Data(contentsOf: URL(fileURLWithPath: answer)))
    }

    /// Waits for its end, which others bring about.
    ///
    /// - Returns: the signal that has killed it; `nil`: it has come to its end by itself.
    func ended() async throws -> Int32? {
        try await until("the other engine to have ended") { !process.isRunning }
        if process.terminationReason == .uncaughtSignal { return process.terminationStatus }
        let log = try String(contentsOfFile: answer + ".log", encoding: .utf8)
        try #require(process.terminationStatus == 0, "the other engine: \(log)")
        return nil
    }

    func kill() {
        _ = Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    deinit {
        if process.isRunning { kill() }
        for file in [answer, answer + ".log"] { try? FileManager.default.removeItem(atPath: file) }  // only tidiness
    }
}

struct HostReport: Codable {
    var refusal = ""
    var writers: [String: Int32] = [:]
    var cat = ""
    var ending = ""
    var pod: [String] = []
    /// The state-changing calls that its work has made.
    var calls: [String] = []
}

@Suite(.serialized) struct EngineHostProcess {
    /// Not a test but the other process of ``EngineHost``: skipped unless it is that.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["BERTH_HOST_MODE"] != nil, "the other process of tests that kill an engine"))
    func hostsAnEngine() async throws {
        let environment = ProcessInfo.processInfo.environment
        func value(_ name: String) throws -> String { try #require(environment["BERTH_HOST_" + name]) }
        let engine = try await Engine.open(EngineConfiguration(root: try value("ROOT"), execRoot: try value("EXEC_ROOT")))
        let count = try #require(Int(try value("COUNT")))
        if let work = WalkHost.Work(rawValue: try value("MODE")) {
            return try await WalkHost.run(work, engine, killedAt: count, answer: try value("ANSWER"))
        }
        if try value("MODE").hasPrefix("network") {
            return try await NetworkHost.run(try value("MODE"), engine, count: count, answer: try value("ANSWER"))
        }
        if try value("MODE") == "life" {
            return try await LifeRecoveryTests.host(engine, shared: try value("SHARED"), answer: try value("ANSWER"))
        }
        if try value("MODE") == "editing" { return try await EditTests.hostForEver(engine) }
        if try value("MODE") == "edit" { return try await EditTests.host(engine, call: count, answer: try value("ANSWER")) }
        if let state = MemberScene.State(rawValue: try value("MODE")) {
            return try await MemberScene.host(to: state, engine, port: UInt16(clamping: count), answer: try value("ANSWER"))
        }
        if try value("MODE") == "churn" {
            // For ever, until it is killed wherever it is.
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<count { group.addTask { try await Self.churn(engine, number) } }
                try await group.waitForAll()
            }
            return
        }
        var report = HostReport()
        func make(_ command: [String], _ change: (inout ContainerConfiguration) -> Void = { _ in }) async throws -> Berth.Container {
            var configuration = ContainerConfiguration(image: "box")
            (configuration.command, configuration.network) = (command, .none)
            configuration.bindMounts = [BindMount(source: try value("SHARED"), target: "/shared")]
            change(&configuration)
            let container = try await engine.containers.create(configuration)
            return container
        }
        for _ in 0..<(count - 2) {
            let container = try await make(Scene.writer)
            try await container.start()
            report.writers[container.id] = try container.details().processID
        }
        let cat = try await make(["cat"]) { ($0.openStandardInput, $0.standardInputOnce) = (true, true) }
        let attachment = try await cat.attach(AttachOptions(input: true))
        try await cat.start()
        _ = try await attachment.write(Array("before\n".utf8))
        #expect(try await attachment.read() == .output(Array("before\n".utf8)))
        let ending = try await make(["sh", "-c", "until [ -e /shared/go ]; do sleep 0.02; done; echo last words; exit 42"])
        try await ending.start()
        (report.cat, report.ending) = (cat.id, ending.id)
        let answer = URL(fileURLWithPath: try value("ANSWER"))
        try JSONEncoder().encode(report).write(to: answer, options: .atomic)
        try await Task.sleep(for: .seconds(3600))
        _ = attachment
    }

    private static func churn(_ engine: Engine, _ number: Int) async throws {
        var configuration = ContainerConfiguration(image: "box")
        configuration.network = .none
        for round in 0... {
            configuration.command = round % 3 == 0 ? ["true"] : ["sh", "-c", "echo $$; exec sleep 1000"]
            configuration.openStandardInput = round % 2 == 0
            let container = try await engine.containers.create(configuration)
            try await container.start()
            if round % 3 != 0 {
                let execution = try await container.makeExecution(ExecutionConfiguration(command: ["true"]))
                _ = try await execution.start()
                #expect(try await execution.wait() == 0)
                if round % 3 == 1 { try await container.kill() }
            }
            if round % 5 != 4 || round > 50 { try await container.remove(force: true) }
        }
    }
}
