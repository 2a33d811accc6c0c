import BerthContent
import BerthOCI
import Foundation
import Testing

@Suite("A lease keeps what it holds, and says what is left when it ends")
struct LeaseTests {
    private let one = LeasedResource.blob(Digest(of: [1]))
    private let other = LeasedResource.layer(chainID: Digest(of: [2]))

    @Test("What several hold goes with the last of them; holding twice is holding once")
    func counting() {
        let leases = Leases()
        let (first, second) = (leases.begin(), leases.begin())
        first.hold(one)
        first.hold(one)
        second.hold(one)
        second.hold(other)
        #expect(leases.areHolding(one) && leases.areHolding(other))
        #expect(!leases.areHolding(.layer(chainID: Digest(of: [1]))))
        #expect(first.end() == [])
        #expect(leases.areHolding(one))
        #expect(first.end() == [])
        first.hold(other)
        #expect(second.end() == [one, other], "a lease that has ended holds something")
        #expect(!leases.areHolding(one) && !leases.areHolding(other))
    }

    @Test("A lease that nobody has any more has ended")
    func forgetting() {
        let leases = Leases()
        leases.begin().hold(one)
        #expect(!leases.areHolding(one))
    }

    @Test("Everything of a kind can be held, whatever it is called")
    func everything() {
        let leases = Leases()
        let lease = leases.begin()
        lease.hold(.everyBlob)
        #expect(leases.areHolding(one) && !leases.areHolding(other))
        lease.hold(.everyLayer)
        #expect(leases.areHolding(other))
        _ = lease.end()
        #expect(!leases.areHolding(one) && !leases.areHolding(other))
    }

    @Test("A blob that is held, or wanted, is not removed; it is held before it is committed")
    func blobs() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("berth-content-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }  // what is left lies in the temporary directory
        let store = try ContentStore(directory: path)
        let (first, second) = (store.leases.begin(), store.leases.begin())
        let digest = try store.add([1], for: first)
        try store.remove(digest)
        #expect(try store.contains(digest))
        #expect(try store.contains(digest, for: second))
        #expect(first.end() == [])
        try store.remove(digest)
        #expect(try store.contains(digest))
        #expect(second.end() == [.blob(digest)])
        try store.remove(digest, unless: { true })
        #expect(try store.contains(digest))
        try store.remove(digest, unless: { false })
        #expect(try !store.contains(digest))
        // What could not be committed is held too: it may be there under another's lease.
        let third = store.leases.begin()
        var ingest = try store.makeIngest(for: third)
        try unsafe ingest.write(([1] as [UInt8]).span.bytes)
        #expect(!store.leases.areHolding(.blob(digest)))
        _ = try ingest.commit(expecting: digest)
        #expect(store.leases.areHolding(.blob(digest)))
    }
}

@Suite("One at a time works for a thing")
struct TurnTests {
    private let thing = LeasedResource.blob(Digest(of: [1]))

    @Test("The others wait, in order; a turn that nobody has any more is over")
    func order() async throws {
        let turns = Turns()
        let first = try await turns.take(for: thing)
        let other = try await turns.take(for: .layer(chainID: Digest(of: [1])))
        let (said, say) = AsyncStream<Int>.makeStream()
        let waiting = [1, 2].map { number in
            Task {
                let turn = try await turns.take(for: thing)
                say.yield(number)
                turn.end()
                turn.end()
            }
        }
        first.end()
        for task in waiting { try await task.value }
        say.finish()
        #expect(await said.reduce(into: []) { $0.append($1) }.sorted() == [1, 2])
        other.end()
        _ = try await turns.take(for: thing)
        _ = try await turns.take(for: thing)
    }

    @Test("Who is cancelled while waiting leaves, and holds up nobody")
    func cancelling() async throws {
        let turns = Turns()
        let first = try await turns.take(for: thing)
        let waiting = Task { try await turns.take(for: thing) }
        waiting.cancel()
        await #expect { _ = try await waiting.value } throws: { ($0 as? ContentError)?.code == .cancelled }
        let next = Task { try await turns.take(for: thing) }
        first.end()
        try await next.value.end()
    }
}
