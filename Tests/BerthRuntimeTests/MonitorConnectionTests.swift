import BerthLaunch
import BerthLinux
import Synchronization
import Testing

@testable import BerthReactor
@testable import BerthRuntime

private final class Held: Sendable {
    let socket: MessageSocket
    init(_ descriptor: consuming OwnedDescriptor) { socket = MessageSocket(adopting: descriptor) }
}

/// The other side of a connection, played by a test.
private final class PlayedMonitor: Sendable {
    private let socket: Mutex<Held?>
    private let reactor: Reactor
    let connection: MonitorConnection

    init(failingWaits: Int = 0) throws {
        let reactor = try Reactor.start()
        self.reactor = reactor
        let failures = Failures(failingWaits)
        let pair = try SocketPair(.messages)
        socket = Mutex(Held(try pair.second.duplicate()))
        connection = try MonitorConnection(MessageSocket(adopting: try pair.first.duplicate()), reactor: reactor) {
            (descriptor: borrowing OwnedDescriptor) async throws(ReactorError) in
            if failures.next() { throw .system(.EMFILE) }
            try await reactor.waitReadable(descriptor)
        }
        connection.listen()
    }

    func say(_ bytes: [UInt8]) throws { try socket.withLock { $0 }?.socket.send(bytes) }

    func say(_ answer: MonitorAnswer, number: UInt64 = 0) throws { try say(answer.encoded(number: number)) }

    /// The next request.
    func hear() async throws -> (number: UInt64, request: MonitorRequest) {
        let held = try #require(socket.withLock { $0 })
        try await reactor.waitReadable(held.socket.descriptor)
        return try MonitorRequest.decode(try held.socket.receive(waiting: false).bytes)
    }

    func leave() { socket.withLock { $0 = nil } }
}

private final class Failures: Sendable {
    private let left: Mutex<Int>
    init(_ count: Int) { left = Mutex(count) }
    func next() -> Bool {
        left.withLock { left in
            defer { left -= 1 }
            return left > 0
        }
    }
}

@Suite struct MonitorConnectionTests {
    private static let ended = MonitorAnswer.ExitStatus(code: 3, signal: 0, outOfMemory: false, startedAt: 1, finishedAt: 2)

    @Test func aRequestGetsItsOwnAnswerWhateverElseIsSaid() async throws {
        let monitor = try PlayedMonitor()
        let request = Task { try await monitor.connection.request(.state).answer }
        let (number, heard) = try await monitor.hear()
        #expect(heard == .state)
        try monitor.say(.done, number: number + 7)
        try monitor.say([9, 9, 9])  // of no version that is known here
        try monitor.say([1, 250] + [UInt8](repeating: 0, count: 10))  // of a kind that is not
        try monitor.say(.running(processID: 5, startTicks: 6, startedAt: 7), number: number)
        #expect(try await request.value == .running(processID: 5, startTicks: 6, startedAt: 7))
    }

    /// That this process has no descriptor to wait with does not mean that the monitor has gone.
    @Test func aWantOfDescriptorsIsNoEnd() async throws {
        let monitor = try PlayedMonitor(failingWaits: 3)
        try monitor.say(.exited(Self.ended))
        #expect(try await monitor.connection.exit() == Self.ended)
    }

    @Test func aMonitorThatGoesWithoutAWordIsLost() async throws {
        let monitor = try PlayedMonitor()
        let waiting = Task { try await monitor.connection.exit() }
        let request = Task { try await monitor.connection.request(.state).answer }
        _ = try await monitor.hear()
        monitor.leave()
        #expect(try await waiting.value == nil)
        await #expect { _ = try await request.value } throws: { ($0 as? RuntimeError)?.code == .notRunning }
        await #expect { _ = try await monitor.connection.request(.state) } throws: { ($0 as? RuntimeError)?.code == .notRunning }
    }

    @Test func closingIsNoLoss() async throws {
        let monitor = try PlayedMonitor()
        let waiting = Task { try await monitor.connection.exit() }
        monitor.connection.close()
        await #expect { _ = try await waiting.value } throws: { ($0 as? RuntimeError)?.code == .cancelled }
        await #expect { _ = try await monitor.connection.exit() } throws: { ($0 as? RuntimeError)?.code == .cancelled }
    }

    @Test func aRequestCanBeGivenUp() async throws {
        let monitor = try PlayedMonitor()
        let request = Task { try await monitor.connection.request(.state).answer }
        let (number, _) = try await monitor.hear()
        request.cancel()
        await #expect { _ = try await request.value } throws: { ($0 as? RuntimeError)?.code == .cancelled }
        try monitor.say(.done, number: number)  // for nobody any more
        let next = Task { try await monitor.connection.request(.state).answer }
        let heard = try await monitor.hear()
        try monitor.say(.done, number: heard.number)
        #expect(try await next.value == .done)
    }

    /// A monitor that hangs takes no more than its socket holds: then requests are refused, and nobody's thread waits.
    @Test func aMonitorThatDoesNotReadIsBusy() async throws {
        let monitor = try PlayedMonitor()
        let codes = await withTaskGroup(of: RuntimeError.Code?.self) { group in
            for _ in 0..<2000 {
                group.addTask {
                    do throws(RuntimeError) { _ = try await monitor.connection.request(.state) } catch { return error.code }
                    return nil
                }
            }
            var codes: [RuntimeError.Code?] = []
            while codes.isEmpty, let code = await group.next() { codes.append(code) }
            monitor.leave()
            for await code in group { codes.append(code) }
            return codes
        }
        #expect(codes.first == .busy)
        #expect(codes.allSatisfy { $0 == .busy || $0 == .notRunning })
    }

    @Test func theEndOfAnExecutionIsKeptUntilItIsForgotten() async throws {
        let monitor = try PlayedMonitor()
        let (first, second) = (monitor.connection.beginExecution(), monitor.connection.beginExecution())
        #expect(first != second)
        try monitor.say(.executionExited(number: first, Self.ended))
        try monitor.say(.executionExited(number: 12345, Self.ended))
        #expect(await monitor.connection.exit(ofExecution: first) == Self.ended)
        #expect(await monitor.connection.exit(ofExecution: first) == Self.ended)
        #expect(await monitor.connection.exit(ofExecution: 12345) == nil, "nobody here has begun it")
        monitor.connection.forgetExecution(first)
        #expect(await monitor.connection.exit(ofExecution: first) == nil)
        let waiting = Task { await monitor.connection.exit(ofExecution: second) }
        monitor.leave()
        #expect(await waiting.value == nil)
    }
}
