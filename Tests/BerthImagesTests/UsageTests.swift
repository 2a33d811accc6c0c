import BerthContent
import BerthImages
import BerthOCI
import BerthSnapshots
import Testing

@Suite("What images take is counted, each byte once, and what keeps it is told")
struct UsageTests {
    @Test("Layers that several images have are shared, and counted once")
    func sharing() async throws {
        let room = try await ImageRoom()
        let first = try await room.make("first:1", text: "shared")
        let same = try await room.make("same:1", text: "shared", changes: ["LABEL a=b"])
        let other = try await room.make("other:1", text: "of its own")
        #expect(first.id != same.id && first.topLayer == same.topLayer)
        let usage = try await room.store.usage()
        #expect(usage.layersByteCount == 16)
        #expect(usage.images.map(\.image.id) == [other.id, same.id, first.id])
        #expect(usage.images.map(\.sharedByteCount) == [0, 6, 6])
        #expect(room.store.sharedByteCounts() == [first.id: 6, same.id: 6, other.id: 0])
        // A configuration and a manifest of each, and two layers.
        #expect(usage.blobCount == 8 && usage.loose.isEmpty && usage.partial.isEmpty)
        let blobs = try room.content.byteCounts()
        #expect(usage.blobsByteCount == blobs.values.reduce(0, +))
        for image in usage.images {
            let own = try [image.image.id, image.image.manifest.digest, image.image.layers[0].digest].map { try #require(blobs[$0]) }
            #expect(image.blobByteCount == own.reduce(0, +))
        }
        try room.remove()
    }

    @Test("What no image has is kept by work, by what cannot be read, or by nothing")
    func loose() async throws {
        let room = try await ImageRoom()
        let lease = room.content.leases.begin()
        let held = try room.content.add(Array("held".utf8), for: lease)
        let free = room.content.leases.begin()
        let abandoned = try room.content.add(Array("abandoned".utf8), for: free)
        _ = free.end()
        var coming = try room.content.makeIngest(for: lease)
        try unsafe coming.write(Array("half".utf8).span.bytes)
        let usage = try await room.store.usage()
        let expected: [Digest: ImageUsage.Loose] = [
            held: .init(name: held.description, byteCount: 4, keeper: .work),
            abandoned: .init(name: abandoned.description, byteCount: 9, keeper: .nothing),
        ]
        #expect(usage.loose == expected.values.sorted { $0.name < $1.name })
        #expect(usage.partial.map(\.byteCount) == [4] && usage.partial.map(\.keeper) == [.work])
        _ = coming.seal()
        #expect(try room.content.partials().isEmpty)
        try await room.store.collect()
        #expect(try await room.store.usage().loose.map(\.name) == [held.description])
        try room.remove()
    }
}
