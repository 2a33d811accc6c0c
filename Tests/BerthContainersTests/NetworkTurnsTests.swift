import Synchronization
import Testing

@testable import BerthContainers

@Suite("One change of a sandbox at a time")
struct NetworkTurnsTests {
    private final class Counter: Sendable {
        private let count = Mutex(0)
        func change(by step: Int) -> Int {
            count.withLock { count in
                count += step
                return count
            }
        }
    }

    @Test("Turns of one sandbox come one after the other; another's does not wait for them")
    func order() async throws {
        let (turns, inside) = (NetworkTurns(), Counter())
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    for _ in 0..<200 {
                        await turns.run("x") { () async in
                            #expect(inside.change(by: 1) == 1)
                            await turns.run("y") { () async in await Task.yield() }
                            #expect(inside.change(by: -1) == 0)
                        }
                    }
                }
            }
        }
    }

    private struct No: Error {}

    @Test("A turn that fails, or is a cancelled task's, lets the next one go on")
    func failure() async throws {
        let turns = NetworkTurns()
        await #expect(throws: No.self) { try await turns.run("x") { () async throws(No) in throw No() } }
        let (former, own) = turns.take("x")
        #expect(former == nil)
        let inside = Counter()
        let cancelled = Task { await turns.run("x") { () async in _ = inside.change(by: 1) } }
        cancelled.cancel()
        while own.waitCount == 0, inside.change(by: 0) == 0 { await Task.yield() }
        #expect(inside.change(by: 0) == 0)
        turns.end(own, of: "x")
        await cancelled.value
        #expect(inside.change(by: 0) == 1)
        await turns.run("x") { () async in }
        #expect(turns.take("x").former == nil)
    }
}
