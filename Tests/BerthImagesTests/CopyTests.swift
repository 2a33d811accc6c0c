import BerthContent
import BerthImages
import BerthOCI
import BerthState
import Foundation
import Synchronization
import Testing

@Suite("Images are copied as they are, without becoming images here")
struct CopyTests {
    @Test("An index goes with all that it names, byte for byte; nothing of it stays here")
    func index() async throws {
        let (room, index, destination) = (try await ImageRoom(), SampleIndex(), FakeDestination("other.test/copy"))
        let source = FakeSource(index)
        let stake = try await room.store.copy(from: .content(source, .tag("1")), to: .content(destination, tag: "2"))
        #expect(try await stake.value.digest == index.digest)
        destination.state.withLock { state in
            #expect(state.tags == ["2": index.digest])
            for bytes in index.blobs { #expect((state.blobs[Digest(of: bytes)] ?? state.manifests[Digest(of: bytes)]) == bytes) }
        }
        #expect(room.store.count == 0)
        #expect(try room.content.all().isEmpty)
        source.forgetFetched()
        _ = try await room.store.copy(from: .content(source, .digest(index.digest)), to: .content(destination, tag: "3")).value
        #expect(source.fetched.isEmpty)
        #expect(destination.state.withLock { $0.tags["3"] } == index.digest)
        try room.remove()
    }

    @Test("Within a registry blobs are mounted, and do not come through here")
    func mounting() async throws {
        let (room, sample, destination) = (try await ImageRoom(), Sample(), FakeDestination("registry.test/other"))
        destination.state.withLock { $0.mountable["sample"] = Set((sample.layers + [sample.configuration]).map { Digest(of: $0) }) }
        let source = FakeSource(sample)
        _ = try await room.store.copy(from: .content(source, .tag("1")), to: .content(destination, tag: "1")).value
        #expect(source.fetched.isEmpty)
        #expect(destination.state.withLock { $0.uploaded.isEmpty })
        try room.remove()
    }

    @Test("When a blob does not come or go, nothing is named there, and nothing stays here")
    func failing() async throws {
        let (room, sample, destination) = (try await ImageRoom(), Sample(), FakeDestination("other.test/copy"))
        let source = FakeSource(sample)
        source.fail(sample.layers[1], .wrong(times: 2))
        await #expect(throws: TransferError.self) {
            try await room.store.copy(from: .content(source, .tag("1")), to: .content(destination, tag: "1")).value
        }
        // The other may have gone by now.
        destination.state.withLock { $0.failing = Digest(of: sample.layers[1]) }
        await #expect(throws: TransferError.self) {
            try await room.store.copy(from: .content(source, .tag("1")), to: .content(destination, tag: "1")).value
        }
        #expect(destination.state.withLock { $0.tags.isEmpty && $0.manifests.isEmpty })
        #expect(try room.content.all().isEmpty)
        try room.remove()
    }
}
