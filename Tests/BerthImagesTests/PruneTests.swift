import BerthContent
import BerthImages
import BerthOCI
import BerthSnapshots
import BerthState
import Synchronization
import Testing

@Suite("Images that no container is made of are pruned")
struct PruneTests {
    private func left(_ room: ImageRoom) throws -> Set<Digest> { Set(try room.store.list().map(\.id)) }

    @Test("Without more words those without names, with all their names the others too, and nothing that is used")
    func names() async throws {
        let room = try await ImageRoom()
        let empty = try room.files
        let named = try await room.make("named:1", text: "named")
        try await room.store.tag("named:1", as: try ImageReference(parsing: "named:2"))
        let names = try room.store.find("named:1").references
        #expect(names.count == 2)
        let lost = try await room.make(nil, text: "lost")
        let used = try await room.make(nil, text: "used")
        let users: @Sendable (Digest) -> [ImageUse] = { $0 == used.id ? [ImageUse(containerID: "c", isRunning: false)] : [] }
        let layer = try #require(lost.topLayer).chainID
        let first = try await room.store.prune(uses: users)
        #expect(first.removals == [.deleted(lost.id), .deleted(layer)])
        #expect(first.reclaimedByteCount == 4)
        #expect(try left(room) == [named.id, used.id])
        var all = ImagePruning()
        all.includesNamed = true
        let second = try await room.store.prune(all, uses: users)
        #expect(second.removals.dropLast() == names.map { .untagged($0) } + [.deleted(named.id)])
        #expect(second.reclaimedByteCount == 5)
        #expect(try left(room) == [used.id])
        #expect(try await room.store.prune(all, uses: { _ in [] }).removals.count == 2)
        #expect(try room.files == empty)
        #expect(try await room.store.prune(all, uses: { _ in [] }).removals.isEmpty)
        try room.remove()
    }

    @Test("By time and by labels, all of which must be, and none of which may be")
    func conditions() async throws {
        let room = try await ImageRoom()
        let a = try await room.make(nil, text: "a", changes: ["LABEL kind=a"])
        let b = try await room.make(nil, text: "b", changes: ["LABEL kind=b", "LABEL more="])
        let c = try await room.make(nil, text: "c")
        func gone(_ change: (inout ImagePruning) -> Void) async throws -> Set<Digest> {
            var query = ImagePruning()
            change(&query)
            // What a container is made of stays: asked about is what would go.
            let asked = Asked()
            _ = try await room.store.prune(
                query,
                uses: {
                    asked.add($0)
                    return [ImageUse(containerID: "c", isRunning: true)]
                })
            return asked.all
        }
        #expect(try await gone { $0.labels = ["kind"] } == [a.id, b.id])
        #expect(try await gone { $0.labels = ["kind", "more"] } == [b.id])
        #expect(try await gone { $0.labels = ["kind=a", "more"] } == [])
        #expect(try await gone { $0.excludedLabels = ["kind=a"] } == [b.id, c.id])
        #expect(try await gone { $0.excludedLabels = ["kind=a", "more"] } == [c.id])
        #expect(try await gone { $0.until = b.createdAt } == [a.id, b.id])
        #expect(try await gone { $0.until = Timestamp(nanoseconds: b.createdAt.nanoseconds - 1) } == [a.id])
        #expect(try left(room).count == 3)
        try room.remove()
    }

    @Test("What a job relies on is not reclaimed, and an event tells how much is")
    func leased() async throws {
        let room = try await ImageRoom()
        let image = try await room.make(nil, text: "leased")
        let lease = room.store.leases.begin()
        _ = try room.store.find(image.id.description, layersFor: lease)
        let pruned = try await room.store.prune(uses: { _ in [] })
        #expect(pruned.removals == [.deleted(image.id)] && pruned.reclaimedByteCount == 0)
        #expect(room.snapshots.layers().count == 1)
        await room.store.end(lease)
        #expect(room.snapshots.layers().isEmpty)
        let events = room.events.subscribe(since: 0, until: 1 << 62).filter { $0.action == "prune" }
        var iterator = events.makeAsyncIterator()
        let event = try #require(try await iterator.next())
        #expect((event.type, event.actorID) == ("image", "") && event.attributes == ["reclaimed": "0"])
        try room.remove()
    }
}

private final class Asked: Sendable {
    private let ids = Mutex<Set<Digest>>([])
    var all: Set<Digest> { ids.withLock { $0 } }
    func add(_ id: Digest) { ids.withLock { _ = $0.insert(id) } }
}
