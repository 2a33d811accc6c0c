import BerthContent
import BerthImages
import BerthOCI
import BerthState
import Foundation
import Synchronization
import Testing

@Suite("Images are pushed to any destination, byte for byte")
struct PushTests {
    private var name: ImageReference { get throws { try ImageReference(parsing: "registry.test/sample:1") } }

    private func room(with source: FakeSource, _ options: FetchOptions = FetchOptions()) async throws -> ImageRoom {
        let room = try await ImageRoom()
        _ = try await room.store.fetch(name, from: source, options).value
        return room
    }

    private func statuses(_ job: Job<PushedImage>) async -> [String] {
        var last: BerthState.Progress?
        for await progress in job.progress { last = progress }
        return last?.parts.map(\.status) ?? []
    }

    @Test("Blobs go before the manifest, and are those that came; the second time none goes")
    func image() async throws {
        let sample = Sample()
        let (room, destination) = (try await room(with: FakeSource(sample)), FakeDestination())
        let stake = try room.store.push(name, to: destination)
        #expect(try await stake.value.manifest.digest == Digest(of: sample.manifest))
        #expect(await statuses(stake.job) == ["Pushed", "Pushed"])
        destination.state.withLock { state in
            #expect(state.tags == ["1": Digest(of: sample.manifest)])
            #expect(state.manifests[Digest(of: sample.manifest)] == sample.manifest)
            for bytes in sample.layers + [sample.configuration] { #expect(state.blobs[Digest(of: bytes)] == bytes) }
        }
        let again = try room.store.push(name, to: destination)
        _ = try await again.value
        #expect(await statuses(again.job) == ["Layer already exists", "Layer already exists"])
        #expect(destination.state.withLock { $0.uploaded.count } == 3)
        try room.remove()
    }

    @Test("An index goes whole where all of it is here; else its image for this machine goes, and that is said")
    func index() async throws {
        let index = SampleIndex([Platform.host.architecture, "s390x"])
        let room = try await room(with: FakeSource(index))
        let partial = FakeDestination()
        let one = try await room.store.push(name, to: partial).value
        #expect(one.manifest.digest == Digest(of: index.samples[0].manifest))
        #expect(one.insteadOf?.digest == index.digest)
        try room.remove()

        let whole = try await ImageRoom()
        let archive = whole.path + "/archive.tar"
        try Data(BerthImagesTests.archive(of: index.members(name: name.description))).write(to: URL(fileURLWithPath: archive))
        _ = try await whole.store.load(fromFile: archive).value
        let destination = FakeDestination()
        let all = try await whole.store.push(name, to: destination).value
        #expect(all.manifest.digest == index.digest)
        #expect(all.insteadOf == nil)
        destination.state.withLock { state in
            #expect(state.tags == ["1": index.digest])
            for bytes in index.blobs {
                #expect((state.blobs[Digest(of: bytes)] ?? state.manifests[Digest(of: bytes)]) == bytes)
            }
        }
        let chosen = try await whole.store.push(name, to: FakeDestination(), PushOptions(platform: Platform(parsing: "linux/s390x"))).value
        #expect(chosen.manifest.digest == Digest(of: index.samples[1].manifest))
        try whole.remove()
    }

    @Test("A layer that another repository of the registry has is mounted, and not sent")
    func mounting() async throws {
        let sample = Sample()
        let room = try await room(with: FakeSource(sample))
        try await room.store.tag(name.description, as: try ImageReference(parsing: "registry.test/other:1"))
        let destination = FakeDestination("registry.test/other")
        destination.state.withLock { $0.mountable["sample"] = [Digest(of: sample.layers[0])] }
        let stake = try room.store.push(try ImageReference(parsing: "registry.test/other:1"), to: destination)
        _ = try await stake.value
        #expect(await statuses(stake.job) == ["Pushed", "Mounted from sample"])
        #expect(destination.state.withLock { !$0.uploaded.contains(Digest(of: sample.layers[0])) })
        try room.remove()
    }

    @Test("When a blob does not go, nothing is named; what cannot be pushed is refused at once")
    func failing() async throws {
        let sample = Sample()
        let (room, destination) = (try await room(with: FakeSource(sample)), FakeDestination())
        destination.state.withLock { $0.failing = Digest(of: sample.layers[0]) }
        await #expect(throws: TransferError.self) { try await room.store.push(name, to: destination).value }
        #expect(destination.state.withLock { $0.tags.isEmpty && $0.manifests.isEmpty })
        #expect(throws: ImageError.self) { try room.store.push(try ImageReference(parsing: "registry.test/none"), to: destination) }
        #expect(throws: ImageError.self) { try room.store.push(name.withDigest(sample.id), to: destination) }
        try room.remove()
    }
}
