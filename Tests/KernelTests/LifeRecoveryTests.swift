import Berth
import BerthLinux
import Foundation
import Testing

/// What an engine that is killed leaves of containers that stand still, wait for their next start, or are just being checked; and names that change.
@Suite(.kernelTier, .serialized) struct LifeRecoveryTests {
    @Test func whatWaitsStandsOrIsCheckedGoesOnUnderTheNextEngine() async throws {
        let scene = try await Scene()
        let host = try EngineHost("life", at: scene)
        let report = try await host.ready()
        let (paused, restarting, checked) = (report.pod[0], report.pod[1], report.pod[2])
        host.kill()
        let engine = try await scene.open()
        func details(_ id: String) throws -> ContainerDetails { try engine.containers.find(id).details() }
        #expect(try details(paused).status == .paused)
        try await engine.containers.find(paused).unpause()
        #expect(try details(paused).status == .running)
        // It waited for minutes to come; the next engine starts it at once, and goes on counting.
        try await until("another start") { try details(restarting).restartCount > report.writers[restarting].map(Int.init) ?? 0 }
        // The check that was under way is nobody's; the next ones are made.
        try await until("it to be well") { try details(checked).health?.status == .healthy }
        try await scene.remove(with: engine)
    }

    /// In a process of its own, which is killed.
    static func host(_ engine: Engine, shared: String, answer: String) async throws {
        func make(_ line: String, _ change: (inout ContainerConfiguration) -> Void = { _ in }) async throws -> Berth.Container {
            var configuration = ContainerConfiguration(image: "box")
            (configuration.command, configuration.network) = (["sh", "-c", line], .none)
            configuration.bindMounts = [BindMount(source: shared, target: "/shared")]
            change(&configuration)
            let container = try await engine.containers.create(configuration)
            try await container.start()
            return container
        }
        let paused = try await make("while :; do sleep 0.01; done")
        try await paused.pause()
        let restarting = try await make("exit 1") { $0.restart = .always }
        // The first check never ends, those of the next engine do.
        let checked = try await make("sleep 1000") {
            var check = ImageConfiguration.Healthcheck(
                test: ["CMD-SHELL", "if [ -e /shared/first ]; then exit 0; fi; touch /shared/first; sleep 1000"])
            (check.interval, check.timeout) = (20_000_000, 100_000_000_000)
            $0.healthcheck = check
        }
        try await until("a check to be under way") { FileManager.default.fileExists(atPath: shared + "/first") }
        try await until("a long wait") {
            let details = try restarting.details()
            return details.restartCount >= 5 && details.status == .restarting
        }
        var report = HostReport(pod: [paused.id, restarting.id, checked.id])
        report.writers[restarting.id] = Int32(try restarting.details().restartCount)
        try JSONEncoder().encode(report).write(to: URL(fileURLWithPath: answer), options: .atomic)
        try await Task.sleep(for: .seconds(3600))
    }

    @Test func whoIsRenamedIsFoundByTheNewNameAlone() async throws {
        let traffic = try await NetworkTraffic()
        try await traffic.network("front", 1)
        let db = try await traffic.start("db", in: ["front"]) { $0.endpoints[0].aliases = ["store"] }
        try await traffic.start("asker", in: ["front"])
        let address = try traffic.address("db", in: "front")
        #expect(try traffic.dig(at: "asker", "db") == [address])
        try await db.rename(to: "base")
        #expect(try traffic.dig(at: "asker", "base") == [address])
        #expect(try traffic.dig(at: "asker", "db") == [])
        #expect(try traffic.dig(at: "asker", "store") == [address], "an alias is no name")
        // So it is after its next start.
        try await db.restart(timeoutSeconds: 0)
        try traffic.place("base", at: db)
        #expect(try traffic.dig(at: "asker", "base") == [try traffic.address("base", in: "front")])
        #expect(try traffic.dig(at: "asker", "db") == [])
        try await traffic.remove()
    }

    /// Renames and restarts at once take turns at what is written down of its sandbox, and at what its networks call it.
    @Test func itIsRenamedWhileItIsStartedAgain() async throws {
        let traffic = try await NetworkTraffic()
        try await traffic.network("front", 1)
        let db = try await traffic.start("db", in: ["front"])
        try await traffic.start("asker", in: ["front"])
        let began = Int64(Date.now.timeIntervalSince1970 * 1e9)
        let names = (0..<10).map { "db\($0)" }
        for round in 0..<5 {
            let renames = Task {
                await withTaskGroup { group in
                    for _ in 0..<8 {
                        // One that is its own by then is refused.
                        group.addTask { for number in 0..<40 { try? await db.rename(to: names[number % names.count]) } }
                    }
                }
            }
            for _ in 0..<8 { try await db.restart(timeoutSeconds: 0) }
            await renames.value
            #expect(try names.filter { try traffic.dig(at: "asker", $0) != [] } == [try db.details().name], "round \(round)")
        }
        for try await event in traffic.engine.events.subscribe(since: began, until: Int64(Date.now.timeIntervalSince1970 * 1e9)) {
            #expect(event.action != "warning", "\(event.attributes)")
        }
        try await traffic.remove()
    }
}
