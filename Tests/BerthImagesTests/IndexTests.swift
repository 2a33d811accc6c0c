import BerthContent
import BerthImages
import BerthLinux
import BerthOCI
import BerthState
import Foundation
import Testing

extension ImageRoom {
    func platform(_ text: String) throws -> Platform { try #require(Platform(parsing: text)) }

    /// The blobs that are there.
    var blobs: Set<Digest> { get throws { try content.all() } }
}

@Suite("Indexes are kept whole, and a name with one means the image that fits best")
struct IndexTests {
    private let host = Platform.host.architecture
    private var others: [String] { ["amd64", "arm64", "s390x"].filter { $0 != host } }

    @Test("Loading keeps all of it, byte for byte; each platform is found, by its name, its digests, and the index's")
    func load() async throws {
        let (room, index) = (try await ImageRoom(), SampleIndex())
        let loaded = try await room.load(index.members())
        #expect(loaded.map(\.image.id) == index.samples.map(\.id))
        #expect(loaded.map(\.names.count).reduce(0, +) == 1 && loaded.allSatisfy { $0.index == index.digest })
        #expect(try room.blobs == Set(index.blobs.map { Digest(of: $0) }))
        #expect(try await room.store.usage().loose.isEmpty)
        func check(_ room: ImageRoom) throws {
            for sample in index.samples {
                let platform = try room.platform("linux/\(sample.architecture)")
                #expect(try room.store.find("sample:1", platform: platform).id == sample.id)
                #expect(try room.store.find("sample@\(index.digest)", platform: platform).id == sample.id)
                #expect(try room.store.find("\(index.digest)", platform: platform).id == sample.id)
                #expect(try room.store.find("sample@\(Digest(of: sample.manifest))").id == sample.id)
                #expect(try room.contents(try room.store.find(sample.id.description))["file0"] == "for \(sample.architecture)")
            }
            let own = try room.store.find("sample:1")
            #expect(own.configuration.platform.architecture == host)
            #expect(own.references.map(\.familiar) == ["sample:1"] && own.indexReferences.isEmpty)
            #expect(own.digests.map(\.familiar) == ["sample@\(index.digest)"])
            let other = try room.store.find("sample:1", platform: try room.platform("linux/\(others[0])"))
            #expect(other.references.isEmpty && other.indexReferences.map(\.familiar) == ["sample:1"] && !other.isDangling)
            #expect(other.digests.map(\.familiar) == ["sample@\(other.manifest.digest)"])
            #expect(try room.store.list().map(\.id) == [own.id])
            #expect(Set(try room.store.list(ImageQuery(includesAll: true)).map(\.id)) == Set(index.samples.map(\.id)))
            #expect(try room.store.list(ImageQuery(filters: ["dangling": ["true"]], includesAll: true)).isEmpty)
            #expect { try room.store.find("sample:1", platform: try room.platform("linux/riscv64")) } throws: {
                ($0 as? ImageError)?.code == .notFound
                    && "\($0)".hasPrefix(
                        "image with reference sample:1 was found but does not provide the specified platform (linux/riscv64): it is for linux/amd64, linux/arm64, linux/s390x"
                    )
            }
        }
        try check(room)
        // The next opening knows the same, and collects nothing of it.
        let again = try await ImageRoom(at: room.path)
        try check(again)
        #expect(try again.blobs == Set(index.blobs.map { Digest(of: $0) }))
        try room.remove()
    }

    @Test("Of an index each manifest is told, also of what is not here: what it is of, whether it is whole, how many bytes it has")
    func manifests() async throws {
        let (room, index) = (try await ImageRoom(), SampleIndex([Platform.host.architecture, "s390x", "riscv64"]))
        _ = try await room.load(index.members(only: [host, "s390x"]))
        let own = try room.store.find("sample:1")
        #expect(own.index?.digest == index.digest && own.index?.mediaType == .index)
        #expect(try room.store.list().map(\.index?.digest) == [index.digest])
        let told = try #require(try await room.store.manifests(of: [own])[own.id])
        let about = index.attached[2]
        #expect(told.map(\.descriptor.digest) == (index.samples.map(\.manifest) + [about]).map { Digest(of: $0) })
        #expect(told.map(\.isWhole) == [true, true, false, true])
        func byteCount(_ blobs: [[UInt8]]) -> UInt64 { UInt64(blobs.reduce(0) { $0 + $1.count }) }
        let wholes = index.samples.prefix(2).map { byteCount([$0.manifest, $0.configuration] + $0.layers) }
        #expect(told.map(\.byteCount) == wholes + [0, byteCount(index.attached)])
        for (manifest, sample) in zip(told, index.samples.prefix(2)) {
            let unpacked = try room.store.find("\(sample.id)").byteCount
            #expect(unpacked > 0)
            #expect(manifest.kind == .image(sample.id, try room.platform("linux/\(sample.architecture)"), unpackedByteCount: unpacked))
        }
        #expect(told[2].kind == .image(nil, try room.platform("linux/riscv64"), unpackedByteCount: 0))
        #expect(told[3].kind == .attestation(of: Digest(of: index.samples[0].manifest)))
        // Asked for by its platform, or by its id, an image is told alone.
        for one in [
            try room.store.find("sample:1", platform: try room.platform("linux/s390x")), try room.store.find("\(index.samples[1].id)"),
        ] {
            #expect(one.index == nil)
            let alone = try #require(try await room.store.manifests(of: [one])[one.id])
            #expect(alone.map(\.descriptor.digest) == [one.manifest.digest] && alone[0].isWhole && alone[0].byteCount == wholes[1])
        }
        // What is removed of it is told as not here.
        _ = try await room.rmi("\(index.samples[1].id)")
        let left = try #require(try await room.store.manifests(of: [own])[own.id])
        #expect(left.map(\.isWhole) == [true, false, false, true] && left[1].byteCount == 0)
        try room.remove()
    }

    @Test("The reference's document has the index's descriptor; the layout's index.json names it")
    func documents() async throws {
        let (room, index) = (try await ImageRoom(), SampleIndex(["amd64"]))
        _ = try await room.load(index.members())
        let name = try ImageReference(parsing: "sample:1").description
        let file = "\(room.path)/references/\(Digest(of: Array(name.utf8)).hex).json"
        let descriptor = "{\"digest\":\"\(index.digest)\",\"mediaType\":\"\(Sample.indexType)\",\"size\":\(index.documents[0].count)}"
        #expect(
            try String(contentsOfFile: file, encoding: .utf8)
                == "{\"document\":{\"image\":\(descriptor),\"name\":\"docker.io/library/sample:1\"},\"version\":2}\n")
        let layout = try JSONDecoder().decode(Index.self, from: Data(contentsOf: URL(fileURLWithPath: room.path + "/content/index.json")))
        #expect(layout.manifests.map(\.digest) == [index.digest] && layout.manifests.map(\.mediaType) == [.index])
        #expect(layout.manifests[0].annotations == ["org.opencontainers.image.ref.name": name])
        // What earlier versions wrote is read: a name with an image's id, and what had the name before.
        let id = index.samples[0].id
        for old in ["\"image\":\"\(id)\"", "\"image\":\"\(Digest(of: []))\",\"previous\":\"\(id)\""] {
            try Data("{\"version\":1,\"document\":{\"name\":\"docker.io/library/sample:1\",\(old)}}".utf8)
                .write(to: URL(fileURLWithPath: file))
            let again = try await ImageRoom(at: room.path)
            #expect(try again.store.find("sample:1").id == id)
            #expect(again.store.unreadable.isEmpty)
        }
        try room.remove()
    }

    @Test("What the archive has not is no error, and another archive of the same index brings it")
    func partial() async throws {
        let (room, index) = (try await ImageRoom(), SampleIndex())
        let first = try #require(others.first)
        #expect(try await room.load(index.members(only: [first])).map(\.image.id) == [index.samples.first { $0.architecture == first }?.id])
        // None of it runs here: then the first is meant.
        #expect(try room.store.find("sample:1").configuration.platform.architecture == first)
        #expect(try room.store.list().count == 1)
        #expect(try await room.load(index.members(only: [host])).count == 1)
        #expect(try room.store.find("sample:1").configuration.platform.architecture == host)
        #expect(try room.store.find("sample:1", platform: try room.platform("linux/\(first)")).references.isEmpty)
        // A manifest whose layers are not there is as good as none.
        let last = try #require(index.samples.first { $0.architecture == others[1] })
        let members = index.members().filter { $0.contents != last.layers[0] }
        #expect(try await room.load(members).count == 2)
        #expect(try await room.load(index.members()).count == 3)
        #expect(try room.blobs == Set(index.blobs.map { Digest(of: $0) }))
        await #expect { try await room.load(index.members(only: [])) } throws: {
            ($0 as? ImageError)?.code == .notFound && "\($0)".contains("none of its images is in the archive")
        }
        try room.remove()
    }

    @Test("With a platform only the best image of it is taken, and the others come later")
    func onePlatform() async throws {
        let (room, index) = (try await ImageRoom(), SampleIndex())
        let loaded = try await room.load(index.members(), platform: try room.platform("linux/\(others[0])"))
        #expect(loaded.map(\.image.configuration.platform.architecture) == [others[0]] && loaded[0].names.map(\.familiar) == ["sample:1"])
        #expect(try room.blobs.count == 1 + index.attached.count + 2 + 2)
        #expect(try await room.load(index.members()).count == 3)
        try room.remove()
    }

    @Test("Saved and loaded elsewhere it is the same bytes, also of an index in an index; of one platform only that")
    func save() async throws {
        let (amd, arm) = (Sample(["amd"], architecture: "amd64"), Sample(["arm"], architecture: "arm64"))
        let inner = Sample.index([SampleIndex.descriptor(arm)])
        let nested = SampleIndex(
            [amd, arm], [Sample.index([SampleIndex.descriptor(amd), Sample.descriptor(inner, Sample.indexType)]), inner])
        for index in [SampleIndex(), nested] {
            let (room, other) = (try await ImageRoom(), try await ImageRoom())
            _ = try await room.load(index.members())
            let saved = try await room.save("sample:1")
            #expect(try await other.load(saved).map(\.image.id) == index.samples.map(\.id))
            #expect(try other.blobs == Set(index.blobs.map { Digest(of: $0) }))
            #expect(try await other.save("sample:1") == saved)
            // What is not here any more is not there either, and the rest is.
            let gone = try #require(index.samples.last { $0.architecture != host })
            _ = try await other.store.remove(
                "sample:1", platform: try room.platform("linux/\(gone.architecture)"), force: true, uses: { _ in [] })
            #expect(try await other.load(saved).count == index.samples.count)
            let folder = room.path + "/layout"
            try await room.store.save(["sample:1"], toLayout: folder, platform: try room.platform("linux/arm64")).value
            let one = try await ImageRoom()
            let image = try await one.store.load(fromFile: folder).value[0].image
            #expect(image.manifest.digest == Digest(of: try #require(index.samples.first { $0.architecture == "arm64" }).manifest))
            #expect(image.references.map(\.familiar) == ["sample:1"])
            #expect(try one.store.list(ImageQuery(includesAll: true)).count == 1)
            #expect { _ = try room.store.save(["sample:1"], toLayout: folder, platform: try room.platform("linux/riscv64")) } throws: {
                "\($0)".contains("does not provide the specified platform (linux/riscv64)")
            }
            for room in [room, other, one] { try room.remove() }
        }
    }

    @Test("A layout in a directory is read as an archive is, with what is attached")
    func directory() async throws {
        let (room, other, index) = (try await ImageRoom(), try await ImageRoom(), SampleIndex())
        _ = try await room.load(index.members())
        let folder = room.path + "/layout"
        try await room.store.save(["sample:1"], toLayout: folder).value
        #expect(try await other.store.load(fromFile: folder).value.map(\.image.id) == index.samples.map(\.id))
        #expect(try other.blobs == room.blobs)
        let statement = "\(folder)/blobs/sha256/\(Digest(of: index.attached[1]).hex)"
        try Data("other".utf8).write(to: URL(fileURLWithPath: statement))
        let third = try await ImageRoom()
        await #expect { try await third.store.load(fromFile: folder).value } throws: { ($0 as? ImageError)?.code == .invalid }
        #expect(try third.store.list(ImageQuery(includesAll: true)).isEmpty && third.blobs.isEmpty)
        for room in [room, other, third] { try room.remove() }
    }

    @Test("What is attached and lies is refused, and nothing is left")
    func lies() async throws {
        let (room, index) = (try await ImageRoom(), SampleIndex())
        let before = try room.files
        for attached in [index.attached[1], index.attached[2]] {
            let members = index.members().map { $0.contents == attached ? Member.file($0.name, $0.contents + [32]) : $0 }
            await #expect { try await room.load(members) } throws: { ($0 as? ImageError)?.code == .invalid }
            #expect(try room.files == before)
        }
        try room.remove()
    }

    @Test("A tag of it has the index as well; the last name takes all with it")
    func names() async throws {
        let (room, index) = (try await ImageRoom(), SampleIndex())
        let empty = try room.files
        _ = try await room.load(index.members())
        try await room.store.tag("sample:1", as: try ImageReference(parsing: "other:2"))
        try await room.store.tag("sample@\(index.digest)", as: try ImageReference(parsing: "third:3"))
        let arm = try room.platform("linux/arm64")
        for name in ["other:2", "third:3"] { #expect(try room.store.find(name, platform: arm).id == index.samples[1].id) }
        // One of its images under a name of its own.
        try await room.store.tag(index.samples[2].id.description, as: try ImageReference(parsing: "own:1"))
        for name in ["sample:1", "other:2"] { #expect(try await room.rmi(name).count == 1) }
        #expect(try room.content.contains(index.digest))
        let done = try await room.rmi("third:3")
        #expect(done.filter { if case .deleted(let id) = $0 { index.samples.map(\.id).contains(id) } else { false } }.count == 2)
        #expect(try room.store.list(ImageQuery(includesAll: true)).map(\.id) == [index.samples[2].id])
        let sample = index.samples[2]
        #expect(try room.blobs == Set(([sample.manifest, sample.configuration] + sample.layers).map { Digest(of: $0) }))
        _ = try await room.rmi("own:1")
        #expect(try room.files == empty)
        try room.remove()
    }

    @Test("A name that moves to something else leaves the images, and nothing of the index")
    func moved() async throws {
        let (room, index) = (try await ImageRoom(), SampleIndex())
        _ = try await room.load(index.members())
        let image = try await room.make("sample:1")
        #expect(try room.store.find("sample:1").id == image.id)
        #expect(try Set(room.store.list(ImageQuery(filters: ["dangling": ["true"]])).map(\.id)) == Set(index.samples.map(\.id)))
        for document in index.documents + index.attached { #expect(try !room.content.contains(Digest(of: document))) }
        _ = try await room.load(index.members())
        #expect(try room.store.find(image.id.description).isDangling)
        try room.remove()
    }

    @Test("By id the image that a name means goes with all of it; another goes alone, and the last one with the name")
    func byID() async throws {
        let (room, index) = (try await ImageRoom(), SampleIndex())
        let empty = try room.files
        _ = try await room.load(index.members())
        let (own, other) = (try room.store.find("sample:1"), try #require(index.samples.first { $0.architecture == others[0] }))
        #expect(try await room.rmi(other.id.description).first == .deleted(other.id))
        #expect(try room.store.list(ImageQuery(includesAll: true)).count == 2)
        #expect(try !room.content.contains(Digest(of: other.manifest)) && room.content.contains(index.digest))
        #expect(try await room.rmi(own.id.description).first == .untagged(own.references[0]))
        #expect(try room.files == empty)
        _ = try await room.load(index.members(only: [others[0]]))
        #expect(try await room.rmi(other.id.description).count >= 2)
        #expect(try room.files == empty)
        try room.remove()
    }

    @Test("A platform goes if it is forced, and is the one that was asked for")
    func removePlatform() async throws {
        let (room, index) = (try await ImageRoom(), SampleIndex(["amd64", "arm64"]))
        let empty = try room.files
        _ = try await room.load(index.members())
        func remove(_ platform: String, force: Bool = true, _ users: [ImageUse] = []) async throws -> [ImageRemoval] {
            try await room.store.remove("sample:1", platform: try room.platform(platform), force: force, uses: { _ in users })
        }
        await #expect { try await remove("linux/arm64", force: false) } throws: { ($0 as? ImageError)?.code == .conflict }
        // Which would run there, and is not it.
        await #expect { try await remove("linux/amd64/v3") } throws: { ($0 as? ImageError)?.code == .notFound }
        await #expect { try await remove("linux/arm64", [ImageUse(containerID: "c", isRunning: true)]) } throws: {
            ($0 as? ImageError)?.code == .conflict
        }
        #expect(try room.store.list(ImageQuery(includesAll: true)).count == 2)
        #expect(try await remove("linux/arm64").first == .deleted(index.samples[1].id))
        #expect(try room.store.find("sample:1").id == index.samples[0].id)
        #expect(try await remove("linux/amd64").first == .untagged(try ImageReference(parsing: "sample:1")))
        #expect(try room.files == empty)
        try room.remove()
    }

    @Test("A container of any of its images holds the name, and pruning leaves all of them")
    func uses() async throws {
        let (room, index) = (try await ImageRoom(), SampleIndex())
        _ = try await room.load(index.members())
        let used = try #require(index.samples.first { $0.architecture == others[0] }).id
        let uses: @Sendable (Digest) -> [ImageUse] = { $0 == used ? [ImageUse(containerID: "cccccccccccccc", isRunning: false)] : [] }
        await #expect { try await room.store.remove("sample:1", uses: uses) } throws: {
            "\($0)"
                == "conflict: unable to remove repository reference \"sample:1\" (must force) - container cccccccccccc is using its referenced image \(used.hex.prefix(12))"
        }
        var query = ImagePruning()
        #expect(try await room.store.prune(query, uses: { _ in [] }).removals.isEmpty)
        query.includesNamed = true
        #expect(try await room.store.prune(query, uses: uses).removals.isEmpty)
        #expect(try room.store.list(ImageQuery(includesAll: true)).count == 3)
        #expect(try await room.store.prune(query, uses: { _ in [] }).removals.count > 3)
        #expect(try room.blobs.isEmpty && room.store.list(ImageQuery(includesAll: true)).isEmpty)
        try room.remove()
    }

    @Test("The same image by another manifest: both are kept, and each archive comes back as it was")
    func otherManifest() async throws {
        let room = try await ImageRoom()
        let index = SampleIndex([host])
        let plain = index.samples[0]
        _ = try await room.load(plain.dockerMembers(tags: ["plain:1"]))
        let compressed = try plain.layers.map { try room.filter($0, "gzip -n") }
        var sample = plain
        sample.layers = compressed
        let manifest = sample.manifest(layerType: "application/vnd.oci.image.layer.v1.tar+gzip")
        let other = Sample(["other"], architecture: others[0])
        let document = Sample.index([Sample.descriptor(manifest, Sample.manifestType), SampleIndex.descriptor(other)])
        let name = ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"docker.io/library/packed:1\"}"
        _ = try await room.load(
            compressed.map(Sample.blob) + [document, manifest, plain.configuration, other.manifest].map(Sample.blob) + other.blobs + [
                .file("index.json", Sample.index([Sample.descriptor(document, Sample.indexType, name)]))
            ])
        #expect(try room.store.find("packed:1").id == plain.id && room.store.find("plain:1").id == plain.id)
        let again = try await ImageRoom(at: room.path)
        for bytes in compressed + plain.layers + [document, manifest] { #expect(try again.content.contains(Digest(of: bytes))) }
        let there = try await ImageRoom()
        _ = try await there.load(try await again.save("packed:1"))
        for bytes in compressed + [document, manifest] { #expect(try there.content.contains(Digest(of: bytes))) }
        // Taken out of the index, it takes along what the index alone had of it.
        let packed = try await ImageRoom()
        _ = try await packed.load(plain.dockerMembers(tags: ["plain:1"]))
        _ = try await packed.load(try await again.save("packed:1"))
        _ = try await packed.store.remove("packed:1", platform: .host, force: true, uses: { _ in [] })
        #expect(try packed.blobs == Set(([document, other.manifest, other.configuration] + other.layers).map { Digest(of: $0) }))
        #expect(try await again.rmi("packed:1").count == 3)
        for bytes in compressed + [document, manifest] { #expect(try !again.content.contains(Digest(of: bytes))) }
        for bytes in plain.layers { #expect(try again.content.contains(Digest(of: bytes))) }
        for room in [room, there, packed] { try room.remove() }
    }

    @Test("What is named many times in indexes of indexes is read once")
    func diamonds() async throws {
        let (room, sample) = (try await ImageRoom(), Sample())
        var documents = [Sample.index([SampleIndex.descriptor(sample)])]
        for depth in 0..<7 {
            let below = Sample.descriptor(documents[0], Sample.indexType)
            // Sixteen to the power of seven ways lead to the image.
            documents.insert(Sample.index(Array(repeating: below, count: 16) + ["\(below.dropLast()),\"x\":\(depth)}"]), at: 0)
        }
        #expect(try await room.load(SampleIndex([sample], documents).members()).map(\.image.id) == [sample.id])
        try room.remove()
    }

    @Test("An index that is damaged is told of, and nothing is removed", arguments: ["damaged", "missing"])
    func damage(_ how: String) async throws {
        let (room, index) = (try await ImageRoom(), SampleIndex())
        _ = try await room.load(index.members())
        let file = URL(fileURLWithPath: "\(room.path)/content/blobs/sha256/\(index.digest.hex)")
        if how == "damaged" { try Data("{}".utf8).write(to: file) } else { try FileManager.default.removeItem(at: file) }
        let before = try room.files
        let again = try await ImageRoom(at: room.path)
        #expect(again.store.unreadable.count == 1)
        #expect(try room.files == before)
        #expect(try again.store.list().count == 3)
        try room.remove()
    }
}
