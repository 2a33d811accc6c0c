import Berth
import BerthLinux
import Foundation
import Synchronization
import Testing

/// What there is on this machine that containers are made of.
private struct Inventory: Equatable {
    var mounts: Set<String> = []
    var cgroups: Set<String> = []
    var processes: Set<String> = []
    var namespaces: Set<String> = []
    var files: Set<String> = []
    var keys: Set<String> = []
    var descriptors: [String: Int] = [:]

    /// - Parameters:
    ///   - folders: whose every name is taken down.
    ///   - engineID: whose cgroups are.
    ///   - ids: the containers whose keys are.
    init(_ folders: [String], engineID: String, ids: Set<String>) throws {
        mounts = Set(try String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8).split(separator: "\n").map(String.init))
        for directory in try CgroupLayout.detect().directories(of: "berth-\(engineID)") { add(directory, to: &cgroups) }
        for folder in folders { add(folder, to: &files) }
        for name in try FileManager.default.contentsOfDirectory(atPath: "/proc") where name.allSatisfy(\.isNumber) {
            // Those of this engine and of its monitors: below this process, or in its cgroups. Others' come and go meanwhile.
            guard let groups = try? String(contentsOfFile: "/proc/\(name)/cgroup", encoding: .utf8),
                let status = try? String(contentsOfFile: "/proc/\(name)/status", encoding: .utf8)
            else { continue }
            let isOurs = groups.contains("berth-\(engineID)") || status.contains("\nPPid:\t\(getpid())\n")
            // Monitors are forked of one that the engine has to its end.
            guard isOurs, !status.hasPrefix("Name:\tberth-nursery\n") else { continue }
            processes.insert("\(name) \(status.prefix { $0 != "\n" })")
            for namespace in (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(name)/ns")) ?? [] {
                if let text = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(name)/ns/\(namespace)") {
                    namespaces.insert(text)
                }
            }
        }
        for line in try String(contentsOfFile: "/proc/keys", encoding: .utf8).split(separator: "\n") {
            guard let name = line.split(separator: " ").first(where: { $0.hasPrefix("_ses.") }) else { continue }
            if ids.contains(name.dropFirst(5).filter { $0 != ":" }) { keys.insert(String(name)) }
        }
        for name in try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd") {
            guard let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(name)") else { continue }
            // Timers and what they wake are Swift's own, made when it first waits; a container has none of them here.
            if ["[timerfd]", "[eventpoll]", "[eventfd]"].contains(where: target.hasSuffix) { continue }
            let isNumbered = target.hasPrefix("socket:") || target.hasPrefix("pipe:")
            descriptors[isNumbered ? String(target.prefix { $0 != ":" }) : target, default: 0] += 1
        }
    }

    private func add(_ folder: String, to set: inout Set<String>) {
        for case let path as String in FileManager.default.enumerator(atPath: folder) ?? FileManager.DirectoryEnumerator() {
            // Files of a control group are the kernel's.
            if !folder.hasPrefix("/sys/")
                || !path.contains(".") && !["tasks", "notify_on_release"].contains(path.split(separator: "/").last)
            {
                set.insert(folder + "/" + path)
            }
        }
    }

    /// Whether nothing is there that another has not. Of descriptors there may be fewer: what an earlier test's engines had goes by and by.
    func isNoMore(than other: Inventory) -> Bool {
        var same = self
        same.descriptors = other.descriptors
        return same == other && descriptors.allSatisfy { name, count in count <= other.descriptors[name] ?? 0 }
    }

    /// What one has and the other has not.
    func difference(from other: Inventory) -> [String] {
        let parts: [KeyPath<Inventory, Set<String>>] = [\.mounts, \.cgroups, \.processes, \.namespaces, \.files, \.keys]
        return parts.flatMap { self[keyPath: $0].symmetricDifference(other[keyPath: $0]).sorted() }
            + (descriptors == other.descriptors ? [] : ["\(descriptors) and not \(other.descriptors)"])
    }
}

private final class Names: Sendable {
    private let names = Mutex<Set<String>>([])
    var all: Set<String> { names.withLock { $0 } }
    func add(_ name: String) { names.withLock { _ = $0.insert(name) } }
}

@Suite(.kernelTier, .serialized) struct LeftoverTests {
    /// Forty containers, or two hundred with BERTH_LONG: started, attached, executed in, listed, stopped, removed. Then nothing is left.
    @Test func containersLeaveNothingBehind() async throws {
        let count = ProcessInfo.processInfo.environment["BERTH_LONG"] == nil ? 40 : 200
        let scene = try await Scene()
        let engine = try await scene.open()
        let ids = Names()
        @Sendable func inventory() throws -> Inventory { try Inventory([scene.root, scene.execRoot], engineID: engine.id, ids: ids.all) }
        @Sendable func life(_ index: Int) async throws {
            let container = try await engine.containers.create(
                scene.configuration(index % 2 == 0 ? ["sleep", "1000"] : ["sh", "-c", "trap 'exit 3' TERM; while :; do sleep 0.05; done"]) {
                    ($0.terminal, $0.openStandardInput) = (index % 3 == 0, index % 4 == 0)
                    $0.bindMounts = [BindMount(source: scene.folder + "/shared", target: "/shared")]
                })
            ids.add(container.id)
            let attachment = try await container.attach(AttachOptions(input: index % 4 == 0))
            try await container.start()
            if index == 0 { #expect(try !inventory().keys.isEmpty, "a container has a keyring") }
            let execution = try await container.makeExecution(ExecutionConfiguration(command: ["true"]))
            _ = try await execution.start()
            #expect(try await execution.wait() == 0)
            #expect(try engine.containers.list().contains { $0.id == container.id })
            for try await _ in try container.logs() {}
            try await container.stop(timeoutSeconds: index % 2 == 0 ? 0 : 10)
            #expect(try await attachment.read() == nil)
            try await container.remove()
        }
        // What is made once, such as threads' own descriptors, is made by the first.
        try await life(0)
        var before = try inventory()
        try await until("what the first has left to be gone") {
            before = try inventory()
            return before.processes.isEmpty && before.keys.isEmpty
        }

        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 1...8 { group.addTask { try await life(index) } }
            for index in 9..<count {
                try await group.next()
                group.addTask { try await life(index) }
            }
            try await group.waitForAll()
        }
        // Nothing of the containers is left when they are removed; their monitors, and what the kernel tears down by itself, follow.
        #expect(try engine.containers.list(ContainerQuery(includesAll: true)).isEmpty)
        #expect(try FileManager.default.contentsOfDirectory(atPath: scene.execRoot + "/containers") == [])
        var after = try inventory()
        do {
            try await until("the rest to be gone") {
                after = try inventory()
                return after.isNoMore(than: before)
            }
        } catch {
            Issue.record("what is left, or gone: \(after.difference(from: before))")
        }
        #expect(after.isNoMore(than: before))
        try await scene.remove(with: engine)
    }

    /// An engine that is closed gives back what it held, though its containers run on.
    @Test func aClosedEngineGivesItsDescriptorsBack() async throws {
        let scene = try await Scene()
        let first = try await scene.open()
        for _ in 0..<5 { try await first.containers.create(scene.configuration(["sleep", "1000"])).start() }
        await first.close()
        func sockets() throws -> Int {
            try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count {
                (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)"))?.hasPrefix("socket:") ?? false
            }
        }
        for _ in 0..<3 {
            let engine = try await scene.open()
            #expect(engine.containers.all().count { $0.status == .running } == 5)
            await engine.close()
        }
        // Five connections an engine would be fifteen more.
        let known = try sockets()
        for _ in 0..<3 { await (try await scene.open()).close() }
        try await until("the connections to be closed") { try sockets() <= known }
        try await scene.remove(with: try await scene.open())
    }
}
