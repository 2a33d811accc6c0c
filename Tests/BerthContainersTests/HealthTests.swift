import BerthOCI
import BerthRuntime
import Testing

@testable import BerthContainers

@Suite("How a container does is decided by one value")
struct HealthTests {
    private func probe(_ code: Int32, _ output: String = "") -> HealthProbe {
        HealthProbe(startedAt: Timestamp(nanoseconds: 0), finishedAt: Timestamp(nanoseconds: 1), exitCode: code, output: output)
    }

    private func plan(_ change: (inout ImageConfiguration.Healthcheck) -> Void = { _ in }) throws -> HealthPlan {
        var check = ImageConfiguration.Healthcheck(test: ["CMD", "true"])
        change(&check)
        return try #require(HealthPlan(check, image: ImageConfiguration.Execution()))
    }

    @Test(
        "What checks say, one after the other",
        arguments: [
            // codes, statuses, streaks; three failures are too many
            ([0], [HealthStatus.healthy], [0]), ([1, 1, 1], [.starting, .starting, .unhealthy], [1, 2, 3]),
            ([0, 1, 1, 0, 1, 1, 1], [.healthy, .healthy, .healthy, .healthy, .healthy, .healthy, .unhealthy], [0, 1, 2, 0, 1, 2, 3]),
            ([1, 1, -1, 1, 0], [.starting, .starting, .unhealthy, .unhealthy, .healthy], [1, 2, 3, 4, 0]),
        ] as [([Int32], [HealthStatus], [Int])])
    func sequences(codes: [Int32], statuses: [HealthStatus], streaks: [Int]) throws {
        var health = Health()
        let plan = try plan()
        for (index, code) in codes.enumerated() {
            let former = health.status
            let changed = health.record(probe(code), plan, age: .seconds(100))
            #expect(changed == (former != statuses[index]))
            #expect((health.status, health.failingStreak) == (statuses[index], streaks[index]))
        }
    }

    @Test("Failures of the start do not count until one has succeeded")
    func startPeriod() throws {
        var health = Health()
        let plan = try plan { ($0.startPeriod, $0.retries) = (10_000_000_000, 1) }
        _ = health.record(probe(1), plan, age: .seconds(9))
        #expect((health.status, health.failingStreak) == (.starting, 0))
        _ = health.record(probe(0), plan, age: .seconds(9))
        _ = health.record(probe(1), plan, age: .seconds(9))
        #expect(health.status == .unhealthy, "once it was well, it is not starting any more")
        var late = Health()
        _ = late.record(probe(1), plan, age: .seconds(10))
        #expect(late.status == .unhealthy)
    }

    @Test("Five checks are kept, and so much of what they write")
    func bounds() throws {
        var health = Health()
        for code in Int32(0)..<8 { _ = health.record(probe(code), try plan(), age: .zero) }
        #expect(health.log.map(\.exitCode) == [3, 4, 5, 6, 7])
        var output = ProbeOutput()
        for _ in 0..<5 { output.append(.output(Array(repeating: 0x61, count: 819))) }
        #expect(output.text.utf8.count == 4095)
        output.append(.errors([0x62]))
        #expect(output.text.utf8.count == 4096 && output.text.hasSuffix("ab"))
        output.append(.errors([0x63]))
        #expect(output.text.hasSuffix("ab...") && output.text.utf8.count == 4099)
    }

    @Test("What is not said is the image's, and what the image does not say is Docker's")
    func inherited() throws {
        var image = ImageConfiguration.Execution()
        #expect(HealthPlan(nil, image: image) == nil)
        image.healthcheck = ImageConfiguration.Healthcheck(test: ["CMD-SHELL", "test -e /ready"])
        image.healthcheck?.interval = 7_000_000_000
        let standard = try #require(HealthPlan(nil, image: image))
        #expect(standard.command == ["/bin/sh", "-c", "test -e /ready"])
        #expect((standard.interval, standard.timeout, standard.retries) == (.seconds(7), .seconds(30), 3))
        #expect((standard.startPeriod, standard.startInterval) == (.zero, .seconds(5)))
        var own = ImageConfiguration.Healthcheck(test: nil)
        (own.retries, own.timeout) = (9, 1_000_000)
        let mixed = try #require(HealthPlan(own, image: image))
        #expect((mixed.command, mixed.interval, mixed.retries, mixed.timeout) == (standard.command, .seconds(7), 9, .milliseconds(1)))
        #expect(HealthPlan(ImageConfiguration.Healthcheck(test: ["NONE"]), image: image) == nil)
        image.shell = ["/bin/bash", "-ec"]
        #expect(HealthPlan(nil, image: image)?.command == ["/bin/bash", "-ec", "test -e /ready"])
    }

    @Test("Between checks of the start there is less time")
    func rhythm() throws {
        let plan = try plan { ($0.startPeriod, $0.startInterval, $0.interval) = (10_000_000_000, 1_000_000_000, 20_000_000_000) }
        #expect(plan.pause(.starting, age: .seconds(9)) == .seconds(1))
        #expect(plan.pause(.starting, age: .seconds(10)) == .seconds(20))
        #expect(plan.pause(.healthy, age: .seconds(1)) == .seconds(20))
    }

    @Test("Nonsense is refused in Docker's words")
    func refused() throws {
        func refusal(_ change: (inout ImageConfiguration.Healthcheck) -> Void) -> String? {
            var check = ImageConfiguration.Healthcheck(test: ["CMD", "true"])
            change(&check)
            do throws(ContainerError) { try HealthPlan.check(check) } catch { return error.description }
            return nil
        }
        #expect(refusal { $0.interval = 999_999 } == "Interval in Healthcheck cannot be less than 1ms")
        #expect(refusal { $0.timeout = -1 } == "Timeout in Healthcheck cannot be less than 1ms")
        #expect(refusal { $0.startPeriod = 1 } == "StartPeriod in Healthcheck cannot be less than 1ms")
        #expect(refusal { $0.retries = -1 } == "Retries in Healthcheck cannot be negative")
        #expect(refusal { $0.test = ["MAYBE"] } != nil)
        #expect(refusal { $0.interval = 1_000_000 } == nil)
    }

    @Test(
        "Durations as Go writes them",
        arguments: [
            (Duration.zero, "0s"), (.nanoseconds(5), "5ns"), (.microseconds(1500), "1.5ms"), (.milliseconds(300), "300ms"),
            (.seconds(1), "1s"), (.milliseconds(1500), "1.5s"), (.seconds(90), "1m30s"), (.seconds(3600), "1h0m0s"),
        ])
    func durations(duration: Duration, text: String) { #expect(duration.goText == text) }

    @Test("An update keeps what it does not name, and refuses what does not go together")
    func updates() throws {
        var has = Resources()
        (has.memoryByteCount, has.pidsLimit) = (64 << 20, 10)
        var update = Resources()
        update.memoryByteCount = 100 << 20
        let grown = try has.updated(by: update)
        #expect((grown.memoryByteCount, grown.memorySwapByteCount, grown.pidsLimit) == (100 << 20, 128 << 20, 10))
        update.memoryByteCount = 200 << 20
        func refusal(_ has: Resources, _ update: Resources) -> String? {
            do throws(ContainerError) { _ = try has.updated(by: update) } catch { return error.description }
            return nil
        }
        let swap = "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time"
        #expect(refusal(has, update) == swap && refusal(Resources(), update) == swap)
        update.memorySwapByteCount = -1
        #expect(refusal(has, update) == nil)
        var (nano, quota) = (Resources(), Resources())
        (nano.nanoCPUs, quota.cpuQuota) = (1_000_000_000, 50_000)
        #expect(refusal(nano, quota) == "Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set")
        #expect(refusal(quota, nano) == "Conflicting options: Nano CPUs cannot be updated as CPU Quota has already been set")
    }
}
