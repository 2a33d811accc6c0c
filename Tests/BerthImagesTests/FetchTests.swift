import BerthContent
import BerthImages
import BerthOCI
import BerthState
import Foundation
import Synchronization
import Testing

@Suite("Images are fetched from any source")
struct FetchTests {
    private var name: ImageReference { get throws { try ImageReference(parsing: "registry.test/sample:1") } }

    private func pull(_ room: ImageRoom, _ source: FakeSource, _ options: FetchOptions = FetchOptions()) async throws -> FetchedImage {
        try await room.store.fetch(name, from: source, options).value
    }

    @Test("An image comes with all its blobs, byte for byte, under its name; the second time nothing comes")
    func image() async throws {
        let (room, sample) = (try await ImageRoom(), Sample())
        let source = FakeSource(sample)
        let events = room.events.subscribe(since: 0)
        let fetched = try await pull(room, source)
        #expect(fetched.image.id == sample.id)
        #expect(fetched.digest == Digest(of: sample.manifest))
        #expect(fetched.isNew)
        for bytes in sample.layers + [sample.configuration, sample.manifest] {
            #expect(try room.content.read(Digest(of: bytes), limit: 1 << 20) == bytes)
        }
        #expect(try room.store.find("registry.test/sample:1").references == [name])
        #expect(fetched.image.digests.map(\.familiar) == ["registry.test/sample@\(Digest(of: sample.manifest))"])
        for try await event in events {
            #expect([event.type, event.action, event.actorID] == ["image", "pull", "registry.test/sample:1"])
            #expect(event.attributes == ["name": "registry.test/sample"])
            break
        }
        source.forgetFetched()
        #expect(try await !pull(room, source).isNew)
        #expect(source.fetched.isEmpty)
        try room.remove()
    }

    @Test("Of an index the image for the platform comes, and the index is kept whole; another platform is added to it")
    func index() async throws {
        let (room, index) = (try await ImageRoom(), SampleIndex())
        let source = FakeSource(index)
        let first = try await pull(room, source, FetchOptions(platform: Platform(parsing: "linux/arm64")))
        #expect(first.image.id == index.samples[1].id)
        #expect(first.digest == index.digest)
        #expect(try room.content.read(index.digest, limit: 1 << 20) == index.documents[0])
        let second = try await pull(room, source, FetchOptions(platform: Platform(parsing: "linux/s390x")))
        #expect(second.image.id == index.samples[2].id)
        #expect(try room.store.find("registry.test/sample:1", platform: Platform(parsing: "linux/arm64")).id == index.samples[1].id)
        // Nothing of what nobody asked for.
        #expect(try !room.content.contains(Digest(of: index.samples[0].layers[0])))
        await #expect(throws: ImageError.self) { try await pull(room, source, FetchOptions(platform: Platform(parsing: "linux/riscv64"))) }
        try room.remove()
    }

    @Test("By a digest it is found by the name with the digest, and has no tag")
    func digest() async throws {
        let (room, sample) = (try await ImageRoom(), Sample())
        let text = "registry.test/sample@\(Digest(of: sample.manifest))"
        let fetched = try await room.store.fetch(
            try ImageReference(parsing: "registry.test/sample:7@\(Digest(of: sample.manifest))"), from: FakeSource(sample)
        ).value
        #expect(fetched.name.familiar == text)
        #expect(try room.store.find(text).id == sample.id)
        #expect(try room.store.find(text).references.allSatisfy { $0.tag == nil })
        let again = try await ImageRoom(at: room.path)
        #expect(try again.store.find(text).id == sample.id)
        _ = try await again.rmi(text)
        #expect(again.store.count == 0)
        try room.remove()
    }

    @Test("What broke off goes on where it broke, also in the next process; nothing partial is in the list")
    func resuming() async throws {
        let sample = Sample([String(repeating: "lower", count: 5000), "upper"])
        var room = try await ImageRoom()
        let source = FakeSource(sample)
        source.fail(sample.layers[0], .cut(at: 5000, times: 1))
        await #expect(throws: TransferError.self) { try await pull(room, source) }
        #expect(try room.store.list(ImageQuery(includesAll: true)).isEmpty)
        #expect(try room.content.all().isEmpty)
        room = try await ImageRoom(at: room.path)
        source.forgetFetched()
        #expect(try await pull(room, source).image.id == sample.id)
        #expect(source.fetched.contains { $0 == (Digest(of: sample.layers[0]), 5000) })
        #expect(try room.content.read(Digest(of: sample.layers[0]), limit: 1 << 20) == sample.layers[0])
        try room.remove()
    }

    @Test("A layer that was whole when another failed does not come again")
    func keepingWhole() async throws {
        let (room, sample) = (try await ImageRoom(), Sample())
        let source = FakeSource(sample)
        source.fail(sample.layers[1], .cut(at: 10, times: 1))
        var options = FetchOptions()
        options.downloadWidth = 1
        await #expect(throws: TransferError.self) { try await pull(room, source, options) }
        source.forgetFetched()
        _ = try await pull(room, source, options)
        #expect(source.fetched.first { $0.digest == Digest(of: sample.layers[0]) }?.offset == UInt64(sample.layers[0].count))
        try room.remove()
    }

    @Test("Wrong bytes are fetched anew, once", arguments: [1, 2])
    func wrongBytes(times: Int) async throws {
        let (room, sample) = (try await ImageRoom(), Sample())
        let source = FakeSource(sample)
        source.fail(sample.layers[1], .wrong(times: times))
        if times == 1 {
            #expect(try await pull(room, source).image.id == sample.id)
        } else {
            await #expect(throws: TransferError.self) { try await pull(room, source) }
            #expect(room.store.count == 0)
            #expect(try await pull(room, source).image.id == sample.id)
        }
        try room.remove()
    }

    @Test("A layer whose blob is right and whose tar is another's is refused")
    func otherDiff() async throws {
        var sample = Sample()
        sample.configuration = Array(
            String(decoding: sample.configuration, as: UTF8.self).replacingOccurrences(
                of: Digest(of: sample.layers[1]).hex, with: Digest(of: sample.layers[0]).hex
            ).utf8)
        let room = try await ImageRoom()
        await #expect(throws: ImageError.self) { try await pull(room, FakeSource(sample)) }
        #expect(room.store.count == 0)
        try room.remove()
    }

    @Test("What cannot be had is refused by what it is, before a layer comes")
    func refusals() async throws {
        let room = try await ImageRoom()
        func refused(
            _ sample: Sample, _ manifest: [UInt8]? = nil, _ code: ImageError.Code, _ words: String, _ options: FetchOptions = FetchOptions()
        ) async {
            let manifest = manifest ?? sample.manifest
            let source = FakeSource(
                sample.layers + [sample.configuration], [(manifest, Sample.manifestType)], tags: ["1": Digest(of: manifest)])
            do {
                _ = try await pull(room, source, options)
                Issue.record("\(words): was taken")
            } catch let error as ImageError {
                #expect(error.code == code && error.description.contains(words), "\(error)")
            } catch { Issue.record("\(words): \(error)") }
            #expect(source.fetched.allSatisfy { $0.digest == sample.id })
        }
        let sample = Sample()
        await refused(
            sample, sample.manifest(layerType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"), .unsupported,
            "not for registries")
        await refused(sample, sample.manifest(layerType: "text/plain"), .unsupported, "text/plain")
        await refused(Sample(os: "windows"), nil, .unsupported, "windows")
        var options = FetchOptions()
        options.maximumLayerByteCount = 100
        await refused(sample, nil, .tooLarge, "at most 100", options)
        let huge = String(decoding: sample.manifest, as: UTF8.self).replacing(
            "\"size\":\(sample.layers[0].count)", with: "\"size\":999999999999999999")
        var wide = FetchOptions()
        wide.maximumLayerByteCount = .max
        await refused(sample, Array(huge.utf8), .noSpace, "space", wide)
        try room.remove()
    }

    @Test("Two that want the same are one job; who may not see it is told so, and joins nothing")
    func sharing() async throws {
        let (room, sample) = (try await ImageRoom(), Sample())
        let source = FakeSource(sample)
        source.fail(sample.layers[0], .stuck(at: 100))
        let first = try await room.store.fetch(name, from: source, FetchOptions(), .bound)
        for await digest in source.begun where digest == Digest(of: sample.layers[0]) { break }
        let second = try await room.store.fetch(name, from: FakeSource(sample), FetchOptions(), .bound)
        #expect(first.job.id == second.job.id)
        let stranger = FakeSource(sample)
        stranger.deny()
        await #expect(throws: TransferError.self) { try await room.store.fetch(name, from: stranger) }
        first.giveUp()
        second.giveUp()
        await #expect(throws: ImageError.self) { try await first.job.value }
        #expect(room.store.count == 0)
        source.fail(sample.layers[0], nil)
        source.forgetFetched()
        #expect(try await room.store.fetch(name, from: source).value.image.id == sample.id)
        #expect(source.fetched.first { $0.digest == Digest(of: sample.layers[0]) }?.offset == 100)
        try room.remove()
    }

    @Test("A layer that two images have comes once, also when both are fetched at the same time")
    func sharedLayer() async throws {
        let room = try await ImageRoom()
        let (one, other) = (Sample(["same", "one"]), Sample(["same", "other"]))
        let sources = [FakeSource(one), FakeSource(other)]
        async let first = room.store.fetch(try ImageReference(parsing: "registry.test/a:1"), from: sources[0]).value
        async let second = room.store.fetch(try ImageReference(parsing: "registry.test/b:1"), from: sources[1]).value
        #expect(try await [first.image.id, second.image.id] == [one.id, other.id])
        #expect(sources.flatMap(\.fetched).filter { $0.digest == Digest(of: one.layers[0]) }.count == 1)
        try room.remove()
    }

    @Test("No more layers come at once than were asked for", arguments: [1, 3])
    func width(_ width: Int) async throws {
        let (room, sample) = (try await ImageRoom(), Sample((0..<12).map { "layer \($0)" }))
        let source = FakeSource(sample)
        var options = FetchOptions()
        options.downloadWidth = width
        _ = try await pull(room, source, options)
        #expect(source.state.withLock { $0.mostRunning } <= width)
        try room.remove()
    }

    @Test("Each layer is told of from its beginning to its end")
    func progress() async throws {
        let (room, sample) = (try await ImageRoom(), Sample())
        let stake = try await room.store.fetch(name, from: FakeSource(sample))
        _ = try await stake.value
        var last: BerthState.Progress?
        for await progress in stake.job.progress { last = progress }
        #expect(last?.parts.map(\.id) == sample.layers.map { String(Digest(of: $0).hex.prefix(12)) })
        #expect(last?.parts.map(\.status) == ["Pull complete", "Pull complete"])
        try room.remove()
    }
}
