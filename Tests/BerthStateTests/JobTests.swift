import BerthState
import Synchronization
import Testing

@Suite("Jobs are followed, listed and cancelled")
struct JobTests {
    private struct Refusal: Error {}

    @Test("A job gives its result and its progress, and is listed as it ended")
    func results() async throws {
        let registry = JobRegistry()
        let good = registry.start(kind: "import", title: "a") { context in
            context.report(BerthState.Progress(status: "half", completedByteCount: 1, totalByteCount: 2))
            return 7
        }
        let bad = registry.start(kind: "import", title: "b") { _ -> Int in throw Refusal() }
        #expect(try await good.value == 7)
        await #expect(throws: Refusal.self) { try await bad.value }
        var last: BerthState.Progress?
        for await progress in good.progress { last = progress }
        #expect(last == BerthState.Progress(status: "half", completedByteCount: 1, totalByteCount: 2))
        let list = registry.list()
        #expect(list.map(\.id) == ["import-1", "import-2"])
        #expect(list[0].state == .succeeded)
        guard case .failed = list[1].state else { throw Refusal() }
    }

    @Test("A job that is cancelled sees it, and is listed so")
    func cancelling() async throws {
        let registry = JobRegistry()
        let (begun, signal) = AsyncStream<Void>.makeStream()
        let job = registry.start(kind: "import", title: "a") { context in
            signal.finish()
            while !context.isCancelled { await Task.yield() }
            throw Refusal()
        }
        for await _ in begun {}
        job.cancel()
        job.cancel()
        await #expect(throws: Refusal.self) { try await job.value }
        #expect(registry.list().first?.state == .cancelled)
    }

    @Test("Of those that have ended the latest 64 are remembered")
    func memory() async throws {
        let registry = JobRegistry()
        for _ in 0..<100 { try await registry.start(kind: "k", title: "") { _ in }.value }
        let last = registry.start(kind: "k", title: "") { _ in }
        try await last.value
        #expect(registry.list().count == 65)
        #expect(registry.list().last?.id == last.id)
    }

    @Test("Each part of a job is told of in its place, and whoever follows late is told of all")
    func parts() async throws {
        let registry = JobRegistry()
        let job = registry.start(kind: "pull", title: "a") { context in
            context.report(BerthState.Progress.Part(id: "1", status: "Downloading", completedByteCount: 1, totalByteCount: 9))
            context.report(BerthState.Progress.Part(id: "2", status: "Waiting"))
            context.report(BerthState.Progress(status: "at it"))
            context.report(BerthState.Progress.Part(id: "1", status: "Done"))
            for number in 3...2000 { context.report(BerthState.Progress.Part(id: "\(number)", status: "")) }
        }
        try await job.value
        var last: BerthState.Progress?
        for await progress in job.progress { last = progress }
        let progress = try #require(last)
        #expect(progress.status == "at it")
        #expect(progress.parts.prefix(2).map(\.status) == ["Done", "Waiting"])
        #expect(progress.parts.count == BerthState.Progress.maximumPartCount)
    }

    @Test("A job is found by its id, and can be followed and cancelled so by whoever has not started it")
    func finding() async throws {
        let registry = JobRegistry()
        let job = registry.start(kind: "k", title: "a") { context in
            while !context.isCancelled { await Task.yield() }
            throw Refusal()
        }
        let outline = try #require(registry.find(job.id))
        #expect(outline.summary.state == .running)
        outline.cancel()
        for await _ in outline.progress {}
        await #expect(throws: Refusal.self) { try await job.value }
        #expect(outline.summary.state == .cancelled)
        #expect(registry.find("k-7") == nil)
    }
}

@Suite("Those that want the same have one job between them")
struct SharedJobTests {
    private struct Refusal: Error {}

    /// A registry, and how often work was begun in it. The work ends when it is cancelled, or told to.
    private final class Room: Sendable {
        let registry = JobRegistry()
        let begun = Atomic(0)
        let mayEnd = Atomic(false)

        func share(_ key: String, _ lifetime: JobRegistry.Lifetime) -> JobStake<Int> {
            registry.share(key, kind: "pull", title: key, lifetime) { [self] context in
                let number = begun.add(1, ordering: .relaxed).newValue
                while !context.isCancelled {
                    if mayEnd.load(ordering: .relaxed) { return number }
                    await Task.yield()
                }
                throw Refusal()
            }
        }
    }

    @Test("Two of one key are one job, of another key another; of one that has ended nobody has a stake")
    func sharing() async throws {
        let room = Room()
        let (first, second, other) = (room.share("a", .bound), room.share("a", .bound), room.share("b", .bound))
        #expect(first.job.id == second.job.id)
        #expect(first.job.id != other.job.id)
        room.mayEnd.store(true, ordering: .relaxed)
        #expect(try await first.value == second.value)
        _ = try await other.value
        let third = room.share("a", .bound)
        #expect(third.job.id != first.job.id)
        #expect(try await third.value == 3)
    }

    @Test("A bound job goes on while anybody has a stake in it, and is cancelled with the last one")
    func lastStake() async throws {
        let room = Room()
        let first = room.share("a", .bound)
        let second = room.share("a", .bound)
        first.giveUp()
        first.giveUp()
        #expect(room.registry.find(second.job.id)?.summary.state == .running)
        second.giveUp()
        // In this very moment another begins anew.
        let third = room.share("a", .bound)
        #expect(third.job.id != second.job.id)
        await #expect(throws: Refusal.self) { try await second.job.value }
        #expect(room.registry.find(second.job.id)?.summary.state == .cancelled)
        room.mayEnd.store(true, ordering: .relaxed)
        _ = try await third.value
    }

    @Test("A stake that nobody has any more is given up")
    func forgottenStake() async throws {
        let room = Room()
        let job = room.share("a", .bound).job
        await #expect(throws: Refusal.self) { try await job.value }
    }

    @Test("Whoever waits and is cancelled leaves; a detached one keeps the job going for good")
    func leaving() async throws {
        let room = Room()
        let bound = room.share("a", .bound)
        let detached = room.share("a", .detached)
        let waiting = Task { try await bound.value }
        waiting.cancel()
        detached.giveUp()
        #expect(room.registry.find(bound.job.id)?.summary.isBound == false)
        #expect(room.registry.find(bound.job.id)?.summary.state == .running)
        room.mayEnd.store(true, ordering: .relaxed)
        #expect(try await bound.job.value == 1)
    }
}
