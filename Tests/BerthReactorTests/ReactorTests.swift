import BerthLinux
import Synchronization
import Testing

@testable import BerthReactor

private final class Held: Sendable {
    let descriptor: OwnedDescriptor
    init(_ descriptor: consuming OwnedDescriptor) { self.descriptor = descriptor }
}

@Suite struct ReactorTests {
    @Test func aDescriptorThatCanBeReadEndsItsWait() async throws {
        let reactor = try Reactor.start()
        let pipe = try Pipe()
        async let ready: Void = reactor.waitReadable(pipe.reading)
        try unsafe pipe.writing.writeAll("x".utf8Span.span.bytes)
        try await ready
        try await reactor.waitWritable(pipe.writing)
        #expect(reactor.waitCount == 0)
    }

    @Test func theEndOfTheOtherSideEndsAWait() async throws {
        let reactor = try Reactor.start()
        let pair = try SocketPair(.messages)
        async let ready: Void = reactor.waitReadable(pair.second)
        pair.first.shutDown()
        try await ready
    }

    /// A cancellation may come before the wait is registered, while it waits, and after its event: nothing stays of it, whichever it was.
    @Test func nothingStaysOfWaitsThatAreCancelledAtAnyMoment() async throws {
        let reactor = try Reactor.start()
        var (cancelledCount, endedCount) = (0, 0)
        for round in 0..<3000 {
            let pipe = try Pipe()
            let reading = Held(try pipe.reading.duplicate())
            let task = Task { () -> Bool in
                do { try await reactor.waitReadable(reading.descriptor) } catch { return true }
                return false
            }
            if round % 3 > 0 { await Task.yield() }
            try unsafe pipe.writing.writeAll("x".utf8Span.span.bytes)
            // From before the event to long after it.
            let until = monotonicNanoseconds() + Int64(round % 150) * 1000
            while monotonicNanoseconds() < until {}
            task.cancel()
            if await task.value { cancelledCount += 1 } else { endedCount += 1 }
        }
        #expect(cancelledCount > 0 && endedCount > 0)
        #expect(reactor.waitCount == 0)
    }

    @Test func aCancelledWaitSaysSo() async throws {
        let reactor = try Reactor.start()
        let pipe = try Pipe()
        let reading = Held(try pipe.reading.duplicate())
        let task = Task { try await reactor.waitReadable(reading.descriptor) }
        task.cancel()
        await #expect(throws: ReactorError.cancelled) { try await task.value }
    }

    @Test func sleepsEndInTheirOrderAndNoLengthIsTooMuch() async throws {
        let reactor = try Reactor.start()
        try await reactor.sleep(for: .seconds(-5))
        try await reactor.sleep(for: .seconds(Int64.min))
        let forEver = [
            Duration.seconds(Int64.max), .seconds(9_223_372_036) + .nanoseconds(999_999_999), .nanoseconds(Int64.max),
        ].map { length in Task { try await reactor.sleep(for: length) } }
        try await reactor.sleep(for: .milliseconds(1))
        for task in forEver {
            task.cancel()
            await #expect(throws: ReactorError.cancelled) { try await task.value }
        }
        #expect(reactor.waitCount == 0)
    }

    /// How many descriptors this program has of the two kinds that each reactor has one of. Other tests have many of other kinds.
    private func descriptorCounts() throws -> (polls: Int, events: Int) {
        let folder = try Directory.open("/proc/self/fd")
        // One that was closed in between leads nowhere any more.
        let targets = try folder.entries().compactMap { try? folder.readLink($0.name).description }
        return (targets.count { $0 == "anon_inode:[eventpoll]" }, targets.count { $0 == "anon_inode:[eventfd]" })
    }

    @Test func descriptorsComeBack() async throws {
        let before = try descriptorCounts()
        func areBack() throws -> Bool {
            let now = try descriptorCounts()
            // Other tests of this program may have a few open.
            return now.polls <= before.polls + 20 && now.events <= before.events + 40
        }
        for _ in 0..<50 {
            let reactor = try Reactor.start()
            let held = Held(try Pipe().reading.duplicate())
            let task = Task { try await reactor.waitReadable(held.descriptor) }
            task.cancel()
            _ = await task.result
        }
        // The thread of each reactor closes its descriptors a moment after the reactor has gone.
        let clock = ContinuousClock()
        let bound = clock.now + .seconds(20)
        while try !areBack(), clock.now < bound { await Task.yield() }
        let now = try descriptorCounts()
        #expect(try areBack(), "\(before) before, \(now) now")
    }
}

private struct Refused: LaneRefusable, Equatable {
    let waitingCount: Int
    static func busy(lane: String, waitingCount: Int) -> Refused { Refused(waitingCount: waitingCount) }
}

/// Opened once; calls wait for it on their threads.
private final class Gate: Sendable {
    private let reading: OwnedDescriptor
    private let writing: Mutex<OwnedDescriptor?>
    init() throws {
        let pipe = try Pipe()
        reading = try pipe.reading.duplicate()
        writing = Mutex(try pipe.writing.duplicate())
    }
    func open() { writing.withLock { $0 = nil } }
    func wait() {
        var byte: [UInt8] = [0]
        _ = try? reading.read(intoArray: &byte)  // the end of the file is what opens it
    }
}

@Suite struct LaneTests {
    @Test func whatHangsHoldsUpItsOwnLaneAndIsRefusedBeyondTheLimit() async throws {
        let (stuck, other, gate) = (Lane(named: "stuck"), Lane(named: "other"), try Gate())
        let all = try await withThrowingTaskGroup(of: Result<Int, Refused>.self) { group in
            let (begun, beginning) = AsyncStream<Int>.makeStream()
            var begins = begun.makeAsyncIterator()
            for index in 0..<(Lane.threadLimit + Lane.waitingLimit + 5) {
                // Once both threads hang, and not before, everything else waits.
                if index == Lane.threadLimit { for _ in 0..<Lane.threadLimit { _ = await begins.next() } }
                group.addTask {
                    do throws(Refused) {
                        return .success(
                            try await stuck.run { () throws(Refused) in
                                beginning.yield(index)
                                gate.wait()
                                return index
                            })
                    } catch { return .failure(error) }
                }
            }
            // Those that are refused are told at once, while everything else still hangs.
            var results: [Result<Int, Refused>] = []
            while results.count < 5, let next = try await group.next() { results.append(next) }
            #expect(results.allSatisfy { $0 == .failure(Refused(waitingCount: Lane.waitingLimit)) })
            #expect(try await other.run { () throws(Refused) in 7 } == 7)
            gate.open()
            for try await next in group { results.append(next) }
            return results
        }
        #expect(Set(all.compactMap { try? $0.get() }).count == Lane.threadLimit + Lane.waitingLimit)
    }

    /// With no thread to be had every call is answered all the same, and each once.
    @Test func withoutThreadsEveryCallIsRefused() async throws {
        let lane = Lane(named: "threadless") { _ throws(Errno) in throw .EAGAIN }
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<500 {
                group.addTask {
                    do throws(Refused) {
                        _ = try await lane.run { () throws(Refused) in 1 }
                        return false
                    } catch { return true }
                }
            }
            for await isRefused in group { #expect(isRefused) }
        }
    }

    /// Threads that sometimes cannot be had lose no call.
    @Test func everyCallIsAnsweredOnceWhenThreadsAreScarce() async throws {
        let asked = Atomic<Int>(0)
        let lane = Lane(named: "scarce") { body throws(Errno) in
            guard asked.add(1, ordering: .relaxed).newValue % 3 == 0 else { throw .EAGAIN }
            try startThread(body)
        }
        let answers = await withTaskGroup(of: Int.self) { group in
            for index in 0..<2000 {
                group.addTask {
                    do throws(Refused) { return try await lane.run { () throws(Refused) in index } } catch { return -1 }
                }
            }
            return await group.reduce(into: [Int]()) { $0.append($1) }
        }
        #expect(answers.count == 2000)
        #expect(answers.contains { $0 >= 0 })
    }
}
