import Berth
import BerthLinux
import BerthNetworking
import Foundation
import Testing

/// One piece of a small container's life, in a process that is killed at a state-changing call: modes of ``EngineHost``.
enum WalkHost {
    enum Work: String, CaseIterable, Sendable {
        case create = "walk-create"
        case start = "walk-start"
        case stop = "walk-stop"
        case rename = "walk-rename"
        case remove = "walk-remove"
    }

    static let name = "walked"
    static let otherName = "renamed"

    /// - Parameter number: at which call it is killed; 0: at none, and it says which there were.
    static func run(_ work: Work, _ engine: Engine, killedAt number: Int, answer: String) async throws {
        if work != .create {
            let container = try await create(engine)
            if work != .start { try await container.start() }
        }
        let (result, calls) = await SystemCallSeam.scripted(at: number == 0 ? nil : number, .kill) { () -> Result<Void, any Error> in
            do {
                switch work {
                case .create: _ = try await create(engine)
                case .start: try await engine.containers.find(name).start()
                case .stop: try await engine.containers.find(name).stop(timeoutSeconds: 0)
                case .rename: try await engine.containers.find(name).rename(to: otherName)
                case .remove: try await engine.containers.find(name).remove(force: true, removingVolumes: true)
                }
                return .success(())
            } catch { return .failure(error) }
        }
        try result.get()
        var report = HostReport()
        report.calls = calls
        try JSONEncoder().encode(report).write(to: URL(fileURLWithPath: answer), options: .atomic)
        await engine.close()
    }

    /// It has what a container has outside of itself: addresses, published ports, a volume.
    private static func create(_ engine: Engine) async throws -> Berth.Container {
        var configuration = NetworkHost.configuration(name, in: "first")
        configuration.networking.publishedPorts = NetworkHost.ports(at: nil)
        configuration.volumes = ["/data"]
        return try await engine.containers.create(configuration)
    }
}

@Suite("An engine killed at each state-changing call of a container's life", .kernelTier, .serialized, .timeLimit(.minutes(30)))
struct KillWalkTests {
    /// Some of the calls, always the same; with BERTH_LONG all of them.
    private func chosen(_ count: Int) -> [Int] {
        if ProcessInfo.processInfo.environment["BERTH_LONG"] != nil { return Array(1...count) }
        let step = max(1, count / 4)
        return Array(stride(from: 1 + step / 2, through: count, by: step))
    }

    /// What the next engine finds is whole: the container is there or not, under one name, and can be used; and nothing of it is left when it is gone.
    @Test(arguments: WalkHost.Work.allCases) func leavesAWholeState(_ work: WalkHost.Work) async throws {
        let traffic = try await NetworkTraffic()
        try await traffic.network("first", 1)
        // What is made once, and stays.
        try await traffic.start("once", in: ["first"])
        try await traffic.container("once").remove(force: true)
        var before = try NetworkInventory(traffic)
        try await until("the first to be gone") {
            before = try NetworkInventory(traffic)
            return !before.links.contains { $0.hasPrefix("veth") }
        }
        await traffic.engine.close()
        let calls = try await calls(of: work, traffic)
        #expect(calls.count > 5, "\(calls)")
        var killed = 0
        for number in chosen(calls.count) {
            let note = "\(work) killed at call \(number), \(calls[number - 1])"
            let host = try EngineHost(work.rawValue, at: traffic.scene, count: number)
            // Calls of several threads are not always as many.
            if try await host.ended() != nil { killed += 1 }
            try await traffic.openAgain()
            try await expectWhole(traffic, work, note)
            try await traffic.expect(onlyWhatThereWas: before, note)
            await traffic.engine.close()
        }
        #expect(killed > 2)
        try await traffic.openAgain()
        try await traffic.remove()
    }

    /// What it does when nobody kills it. What it leaves is removed.
    private func calls(of work: WalkHost.Work, _ traffic: NetworkTraffic) async throws -> [String] {
        let host = try EngineHost(work.rawValue, at: traffic.scene, count: 0)
        let calls = try await host.ready().calls
        #expect(try await host.ended() == nil)
        try await traffic.openAgain()
        try await expectWhole(traffic, work, "\(work)")
        await traffic.engine.close()
        return calls
    }

    private func expectWhole(_ traffic: NetworkTraffic, _ work: WalkHost.Work, _ note: String) async throws {
        let engine = traffic.engine
        #expect(engine.containers.unreadable.isEmpty && engine.volumes.unreadable.isEmpty, "\(note)")
        let all = engine.containers.all()
        #expect(all.count == 1 || all.isEmpty && (work == .create || work == .remove), "\(note): \(all.count) containers")
        for details in all {
            #expect(details.name == WalkHost.name || details.name == WalkHost.otherName && work == .rename, "\(note)")
            let container = try engine.containers.find(details.name)
            if details.status == .running {
                #expect(kill(try #require(details.processID), 0) == 0, "\(note)")
            } else {
                #expect(work != .rename, "\(note): it is \(details.status)")
                try await container.start()
            }
            let execution = try await container.makeExecution(ExecutionConfiguration(command: ["true"]))
            _ = try await execution.start()
            #expect(try await execution.wait() == 0, "\(note)")
            try await container.remove(force: true, removingVolumes: true)
        }
        // Volumes outlive kills as they outlive containers: what a removal has not come to is there, and can be removed.
        for volume in engine.volumes.all() { try await engine.volumes.remove(volume.name) }
        for name in [WalkHost.name, WalkHost.otherName] {
            var configuration = traffic.scene.configuration(["true"])
            configuration.name = name
            try await engine.containers.create(configuration).remove()
        }
        for hierarchy in try CgroupLayout.detect().directories(of: "berth-\(engine.id)") {
            let groups = try FileManager.default.contentsOfDirectory(atPath: hierarchy).filter { $0.utf8.count == 64 }
            #expect(groups == [], "\(note)")
        }
        try await until("the monitors to have ended") { try monitors(of: engine.id).isEmpty }
    }
}
