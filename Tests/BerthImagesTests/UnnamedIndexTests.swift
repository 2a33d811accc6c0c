import BerthContent
import BerthImages
import BerthLinux
import BerthOCI
import BerthState
import Foundation
import Testing

@Suite("An index without a name is kept whole, as the image that it means")
struct UnnamedIndexTests {
    private let host = Platform.host.architecture
    private let index = SampleIndex()

    private func own(_ room: ImageRoom) throws -> ImageRecord { try room.store.find("\(index.digest)") }
    private func documents(_ room: ImageRoom) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: room.path + "/indexes")
    }

    private func save(_ room: ImageRoom, _ name: String) async throws -> (file: String, bytes: Data) {
        let file = room.path + "/saved.tar"
        try #require(FileManager.default.createFile(atPath: file, contents: nil))
        let place = try HostPlace(file)
        try await room.store.save([name], to: try place.directory.openForWriting(place.name)).value
        return (file, try Data(contentsOf: URL(fileURLWithPath: file)))
    }

    @Test("It is listed once, found by its digest for each platform, and is still there when the store is opened again")
    func load() async throws {
        let room = try await ImageRoom()
        let loaded = try await room.load(index.members(name: nil))
        #expect(loaded.map(\.image.id) == index.samples.map(\.id))
        #expect(loaded.allSatisfy { $0.index == index.digest && $0.names.isEmpty && $0.image.isDangling })
        func check(_ room: ImageRoom) throws {
            let own = try own(room)
            #expect(own.configuration.platform.architecture == host && own.index?.digest == index.digest)
            #expect(try room.store.find(String(index.digest.hex.prefix(16))).id == own.id)
            for sample in index.samples {
                #expect(try room.store.find("\(index.digest)", platform: try room.platform("linux/\(sample.architecture)")).id == sample.id)
                #expect(try room.store.find("\(sample.id)").isDangling)
            }
            let listed = try room.store.list()
            #expect(listed.map(\.id) == [own.id] && listed[0].index?.digest == index.digest && listed[0].references.isEmpty)
            #expect(try room.store.list(ImageQuery(filters: ["dangling": ["true"]])).map(\.id) == [own.id])
            #expect(Set(try room.store.list(ImageQuery(includesAll: true)).map(\.id)) == Set(index.samples.map(\.id)))
            #expect(try room.blobs == Set(index.blobs.map { Digest(of: $0) }))
            #expect(room.store.unreadable.isEmpty)
        }
        try check(room)
        #expect(try await room.store.usage().loose.isEmpty)
        // Again it is the same.
        #expect(try await room.load(index.members(name: nil)).count == 3)
        try check(room)
        let again = try await ImageRoom(at: room.path)
        try check(again)
        #expect(try documents(again) == ["\(index.digest.hex).json"])
        let text = try String(contentsOfFile: "\(room.path)/indexes/\(index.digest.hex).json", encoding: .utf8)
        let descriptor = "{\"digest\":\"\(index.digest)\",\"mediaType\":\"\(Sample.indexType)\",\"size\":\(index.documents[0].count)}"
        #expect(text == "{\"document\":{\"index\":\(descriptor)},\"version\":1}\n")
        try room.remove()
    }

    @Test("Saved by its digest it comes back byte for byte")
    func save() async throws {
        let (room, other) = (try await ImageRoom(), try await ImageRoom())
        _ = try await room.load(index.members(name: nil))
        let saved = try await save(room, "\(index.digest)")
        #expect(Set(try await other.store.load(fromFile: saved.file).value.map(\.index)) == [index.digest])
        #expect(try other.blobs == room.blobs)
        #expect(try documents(other) == documents(room))
        #expect(try await save(other, "\(index.digest)").bytes == saved.bytes)
        for room in [room, other] { try room.remove() }
    }

    @Test("What comes of it with another archive belongs to it; Docker's names of its image are its own")
    func parts() async throws {
        let room = try await ImageRoom()
        _ = try await room.load(index.members(name: nil, only: [host]))
        #expect(try room.store.list(ImageQuery(includesAll: true)).count == 1)
        _ = try await room.load(index.members(name: nil))
        #expect(try room.store.find("\(index.digest)", platform: try room.platform("linux/s390x")).id == index.samples.last?.id)
        let sample = try #require(index.samples.first { $0.architecture == host })
        let layers = sample.layers.map { "\"\(Sample.blob($0).name)\"" }.joined(separator: ",")
        let manifest = "[{\"Config\":\"\(Sample.blob(sample.configuration).name)\",\"RepoTags\":[\"a:1\",\"a:2\"],\"Layers\":[\(layers)]}]"
        let named = try await room.load(index.members(name: nil) + [.file("manifest.json", manifest)])
        #expect(named.first { $0.image.id == sample.id }?.names.map(\.familiar) == ["a:1", "a:2"])
        #expect(try room.store.find("a:2", platform: try room.platform("linux/s390x")).id == index.samples.last?.id)
        #expect(try documents(room).isEmpty)
        try room.remove()
    }

    @Test("It goes by its digest, with the image that it means, or by a pruning; what is needed otherwise stays")
    func removal() async throws {
        let room = try await ImageRoom()
        let empty = try room.files
        for way in ["digest", "image", "prune"] {
            _ = try await room.load(index.members(name: nil))
            let own = try own(room).id
            let removed: [ImageRemoval]
            switch way {
            case "digest": removed = try await room.rmi("\(index.digest)")
            case "image": removed = try await room.rmi("\(own)")
            default:
                // A container of an image for another platform holds all of it.
                let other = index.samples.map(\.id).first { $0 != own }
                let kept = try await room.store.prune { $0 == other ? [ImageUse(containerID: "c", isRunning: false)] : [] }
                #expect(kept.removals.isEmpty)
                removed = try await room.store.prune { _ in [] }.removals
            }
            #expect(removed.contains(.deleted(index.digest)) && index.samples.allSatisfy { removed.contains(.deleted($0.id)) }, "\(way)")
            #expect(try room.files == empty, "\(way) has left something")
        }
        _ = try await room.load(index.members(name: nil))
        await #expect {
            try await room.rmi("\(index.digest)", users: [ImageUse(containerID: "c", isRunning: true)])
        } throws: { ($0 as? ImageError)?.code == .conflict }
        // An image of it under a name of its own.
        try await room.store.tag(index.samples[2].id.description, as: try ImageReference(parsing: "kept:1"))
        _ = try await room.store.prune { _ in [] }
        #expect(try room.store.list(ImageQuery(includesAll: true)).map(\.id) == [index.samples[2].id])
        #expect(try !room.content.contains(index.digest))
        _ = try await room.rmi("kept:1")
        // Of its images one after the other, the last takes it along.
        _ = try await room.load(index.members(name: nil))
        let own = try own(room).id
        for sample in index.samples where sample.id != own {
            #expect(try await !room.rmi("\(sample.id)").contains(.deleted(index.digest)))
        }
        #expect(try await room.rmi("\(own)").contains(.deleted(index.digest)))
        #expect(try room.files == empty)
        try room.remove()
    }

    @Test("With a name it exists by that alone", arguments: ["tag", "load"])
    func naming(_ how: String) async throws {
        let room = try await ImageRoom()
        let empty = try room.files
        _ = try await room.load(index.members(name: nil))
        let document = try Data(contentsOf: URL(fileURLWithPath: "\(room.path)/indexes/\(index.digest.hex).json"))
        if how == "tag" {
            try await room.store.tag("\(index.digest)", as: try ImageReference(parsing: "sample:1"))
        } else {
            _ = try await room.load(index.members())
        }
        #expect(try documents(room).isEmpty)
        #expect(try room.store.list().map { $0.references.map(\.familiar) } == [["sample:1"]])
        // Without a name in another archive it keeps the one that it has.
        _ = try await room.load(index.members(name: nil))
        #expect(try documents(room).isEmpty)
        // A kill in between leaves both documents.
        try document.write(to: URL(fileURLWithPath: "\(room.path)/indexes/\(index.digest.hex).json"))
        let again = try await ImageRoom(at: room.path)
        #expect(try documents(again).isEmpty)
        _ = try await again.rmi("sample:1")
        #expect(try room.files == empty)
        // One without any of its images is none.
        try document.write(to: URL(fileURLWithPath: "\(room.path)/indexes/\(index.digest.hex).json"))
        let last = try await ImageRoom(at: room.path)
        #expect(last.store.unreadable.count == 1, "what its document names is not there: nothing is known of it")
        try room.remove()
    }

    @Test("Its document that is damaged, newer or gone is told of; then nothing is removed, and a repair writes anew what is known")
    func damage() async throws {
        let room = try await ImageRoom()
        _ = try await room.load(index.members(name: nil))
        let file = URL(fileURLWithPath: "\(room.path)/indexes/\(index.digest.hex).json")
        let document = try Data(contentsOf: file)
        let blobs = try room.blobs
        for text in ["{", "{\"version\":9}"] {
            try Data(text.utf8).write(to: file)
            let found = try await room.store.check { StoreUse() }.value
            #expect(found.findings.map(\.kind) == [.damagedDocument] && found.findings[0].subject == "indexes/\(index.digest.hex).json")
            #expect(try await room.store.check(repairing: true) { StoreUse() }.value.isSound)
            #expect(try Data(contentsOf: file) == document)
            try Data(text.utf8).write(to: file)
            let again = try await ImageRoom(at: room.path)
            #expect(again.store.unreadable.keys.sorted() == [index.digest.hex])
            try await again.store.collect()
            #expect(try again.blobs == blobs)
            #expect(try await again.store.check { StoreUse() }.value.findings.contains { $0.kind == .unreadableImage })
            let aside = try #require(try documents(room).first)
            #expect(aside.contains(".unreadable-"))
            try FileManager.default.removeItem(atPath: "\(room.path)/indexes/\(aside)")
            try document.write(to: file)
        }
        let again = try await ImageRoom(at: room.path)
        #expect(try own(again).index?.digest == index.digest && again.store.unreadable.isEmpty)
        #expect(try await again.store.check { StoreUse() }.value.isSound)
        try room.remove()
    }
}
