import BerthArchive
import BerthContent
import BerthImages
import BerthLayers
import BerthOCI
import BerthSnapshots
import BerthState
import Foundation
import Testing

/// An image store on a root of its own, over plain directories: no rights are needed.
final class ImageRoom: Sendable {
    let path: String
    let store: ImageStore
    let content: ContentStore
    let snapshots: any Snapshotter
    let layers: LayerStore
    let events = EventHub()

    init(at existing: String? = nil) async throws {
        path = existing ?? FileManager.default.temporaryDirectory.appendingPathComponent("berth-images-\(UUID().uuidString)").path
        content = try ContentStore(directory: path + "/content")
        snapshots = try Vfs(directory: path + "/vfs")
        layers = LayerStore(content: content, snapshots: snapshots)
        store = try ImageStore(
            .init(root: path, content: content, layers: layers, snapshots: snapshots, events: events, jobs: JobRegistry()))
        try await store.collect()
    }

    func remove() throws { try FileManager.default.removeItem(atPath: path) }

    /// An archive with one file.
    func tar(text: String) throws -> String {
        let tar = path + "/image.tar"
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.arguments = [
            "-euc",
            "mkdir -p '\(path)/t'; printf '%s' '\(text)' >'\(path)/t/file'; touch -d @5 '\(path)/t/file' '\(path)/t'; tar -C '\(path)/t' -cf '\(tar)' .; rm -r '\(path)/t'",
        ]
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        return tar
    }

    /// An image with one file.
    func make(_ name: String?, text: String = "text", changes: [String] = [], message: String? = nil) async throws -> ImageRecord {
        let tar = try tar(text: text)
        defer { try? FileManager.default.removeItem(atPath: tar) }  // only tidiness
        return try await store.importRootFileSystem(
            fromFile: tar, as: try name.map { try ImageReference(parsing: $0) }, changes: changes, message: message
        ).value
    }

    func rmi(_ text: String, force: Bool = false, users: [ImageUse] = []) async throws -> [ImageRemoval] {
        try await store.remove(text, force: force, uses: { _ in users })
    }

    var files: [String] { get throws { try FileManager.default.subpathsOfDirectory(atPath: path).sorted() } }
}

@Suite("Images are found, named and removed by Docker's rules")
struct ImageStoreTests {
    @Test("What is imported says what it is, and is found by each of its names")
    func finding() async throws {
        let room = try await ImageRoom()
        let image = try await room.make("example", changes: ["CMD [\"sh\"]", "ENV A=1 B=2", "LABEL x=y"], message: "said")
        #expect(image.references.map(\.familiar) == ["example:latest"])
        #expect(image.configuration.execution.command == ["sh"])
        #expect(image.configuration.execution.environment == ["A=1", "B=2"])
        #expect(image.configuration.execution.labels == ["x": "y"])
        #expect(image.configuration.history.map(\.comment) == ["said"])
        #expect(image.comment == "said")
        #expect(image.byteCount == 4)
        #expect(image.layers.count == 1)
        let hex = image.id.hex
        for text in [
            "example", "example:latest", "docker.io/library/example", hex, image.id.description, String(hex.prefix(12)),
            "sha256:\(hex.prefix(5))", "example@\(image.manifest.digest)",
        ] {
            #expect(try room.store.find(text).id == image.id, "\(text)")
        }
        for (text, words) in [
            ("missing", "No such image: missing:latest"), ("example:other", "No such image: example:other"),
            ("other@\(image.manifest.digest)", "No such image: other@\(image.manifest.digest)"),
        ] {
            #expect { try room.store.find(text) } throws: { ($0 as? ImageError)?.code == .notFound && "\($0)" == words }
        }
        #expect { try room.store.find("NOT VALID") } throws: { ($0 as? ImageError)?.code == .invalid }
        try room.remove()
    }

    @Test("An image without a name is an image, and a name that moves leaves one")
    func unnamed() async throws {
        let room = try await ImageRoom()
        let first = try await room.make(nil, text: "first")
        #expect(first.references.isEmpty)
        let second = try await room.make("name:1", text: "second")
        let third = try await room.make("name:1", text: "third")
        #expect(try room.store.find("name:1").id == third.id)
        #expect(try room.store.find(second.id.description).references.isEmpty)
        #expect(try room.store.list(ImageQuery(filters: ["dangling": ["true"]])).map(\.id) == [second.id, first.id])
        // The next opening knows the same.
        let again = try await ImageRoom(at: room.path)
        #expect(try again.store.list().map(\.id) == [third.id, second.id, first.id])
        #expect(try again.store.find("name:1").id == third.id)
        #expect(try await again.rmi(first.id.description) == [.deleted(first.id), .deleted(try #require(first.topLayer).chainID)])
        try room.remove()
    }

    @Test("Filters")
    func filters() async throws {
        let room = try await ImageRoom()
        let one = try await room.make("group/one:1", text: "1", changes: ["LABEL kind=a"])
        let two = try await room.make("group/two:2", text: "2", changes: ["LABEL kind=b", "LABEL only="])
        let three = try await room.make("three", text: "3")
        func list(_ filters: [String: [String]]) throws -> [Digest] { try room.store.list(ImageQuery(filters: filters)).map(\.id) }
        #expect(try list([:]) == [three.id, two.id, one.id])
        #expect(try list(["label": ["kind"]]) == [two.id, one.id])
        #expect(try list(["label": ["kind=a"]]) == [one.id])
        #expect(try list(["label": ["kind", "only"]]) == [two.id])
        #expect(try list(["reference": ["group/*"]]) == [two.id, one.id])
        #expect(try list(["reference": ["group/*:2", "three"]]) == [three.id, two.id])
        #expect(try list(["reference": ["*"]]) == [three.id])
        // An image is listed with the names that match, in short or in full.
        func names(_ pattern: String) throws -> [String] {
            try room.store.list(ImageQuery(filters: ["reference": [pattern]])).flatMap { $0.references.map(\.familiar) }
        }
        try await room.store.tag("three", as: ImageReference(parsing: "other/three:x"))
        #expect(try names("*") == ["three:latest"] && names("*/thr*") == ["other/three:x"])
        #expect(try names("docker.io/library/three") == ["three:latest"] && names("docker.io/*/three:?") == ["other/three:x"])
        var past = ImageQuery()
        past.until = Timestamp(nanoseconds: 0)
        #expect(try room.store.list(past).isEmpty)
        past.until = Timestamp(nanoseconds: .max)
        #expect(try Set(room.store.list(past).map(\.id)) == [one.id, two.id, three.id])
        #expect(try list(["before": ["group/two:2"]]) == [one.id])
        #expect(try list(["since": ["group/one:1"]]) == [three.id, two.id])
        #expect(try list(["dangling": ["false"], "label": ["kind=b"]]) == [two.id])
        #expect(try list(["dangling": ["true"]]) == [])
        #expect { try list(["nonsense": ["x"]]) } throws: {
            "\($0)" == "invalid filter 'nonsense'" && ($0 as? ImageError)?.code == .invalid
        }
        #expect(throws: ImageError.self) { try list(["dangling": ["maybe"]]) }
        #expect { try list(["before": ["missing"]]) } throws: { ($0 as? ImageError)?.code == .notFound }
        try room.remove()
    }

    @Test("Tags are given, moved, and given again")
    func tags() async throws {
        let room = try await ImageRoom()
        let image = try await room.make("a")
        try await room.store.tag("a", as: try ImageReference(parsing: "registry.example:5000/b:2"))
        try await room.store.tag("a", as: try ImageReference(parsing: "registry.example:5000/b:2"))
        try await room.store.tag(String(image.id.hex.prefix(10)), as: try ImageReference(parsing: "c"))
        #expect(try room.store.find("c:latest").references.map(\.familiar) == ["a:latest", "c:latest", "registry.example:5000/b:2"])
        await #expect { try await room.store.tag("missing", as: try ImageReference(parsing: "d")) } throws: {
            ($0 as? ImageError)?.code == .notFound
        }
        await #expect { try await room.store.tag("a", as: try ImageReference(parsing: "d@\(image.id)")) } throws: {
            "\($0)" == "refusing to create a tag with a digest reference"
        }
        try room.remove()
    }

    @Test("Removing says what is gone, and leaves nothing of it; layers that others lie on stay")
    func removal() async throws {
        let room = try await ImageRoom()
        let empty = try room.files
        let image = try await room.make("a:1", text: "same")
        let other = try await room.make("b:1", text: "same")
        #expect(image.topLayer == other.topLayer && image.id != other.id)
        let name = try #require(image.references.first)
        #expect(try await room.rmi("a:1") == [.untagged(name), .deleted(image.id)])
        #expect(try room.store.find("b:1").topLayer == image.topLayer)
        let layer = try #require(other.topLayer)
        #expect(
            try await room.rmi(other.id.description) == [
                .untagged(try #require(other.references.first)), .deleted(other.id), .deleted(layer.chainID),
            ])
        #expect(try room.files == empty)
        await #expect { try await room.rmi("a:1") } throws: { "\($0)" == "No such image: a:1" }
        try room.remove()
    }

    @Test("What uses an image, or names it, holds it, in Docker's words")
    func conflicts() async throws {
        let room = try await ImageRoom()
        let image = try await room.make("a:1")
        let short = image.id.hex.prefix(12)
        let container = String(repeating: "c", count: 64)
        let (running, stopped) = (ImageUse(containerID: container, isRunning: true), ImageUse(containerID: container, isRunning: false))
        func words(_ text: String, force: Bool, _ users: [ImageUse]) async -> String {
            do {
                return "\(try await room.rmi(text, force: force, users: users).count) done"
            } catch {
                return (error as? ImageError)?.code == .conflict ? "\(error)" : "not a conflict: \(error)"
            }
        }
        #expect(
            await words("a:1", force: false, [stopped])
                == "conflict: unable to remove repository reference \"a:1\" (must force) - container cccccccccccc is using its referenced image \(short)"
        )
        #expect(
            await words(image.id.description, force: false, [stopped])
                == "conflict: unable to delete \(short) (must be forced) - image is being used by stopped container cccccccccccc")
        for force in [false, true] {
            #expect(
                await words(image.id.description, force: force, [running])
                    == "conflict: unable to delete \(short) (cannot be forced) - image is being used by running container cccccccccccc")
        }
        try await room.store.tag("a:1", as: try ImageReference(parsing: "b:1"))
        #expect(
            await words(image.id.description, force: false, [])
                == "conflict: unable to delete \(short) (must be forced) - image is referenced in multiple repositories")
        #expect(try room.store.find("a:1").references.count == 2, "a refusal has changed something")
        #expect(await words("b:1", force: false, [running]) == "1 done")
        #expect(await words(image.id.description, force: true, [stopped]) == "3 done")
        try room.remove()
    }

    @Test("A document that is damaged keeps what it names, is told of, and holds up nobody")
    func damage() async throws {
        let room = try await ImageRoom()
        let bad = try await room.make("bad:1", text: "bad")
        let good = try await room.make("good:1", text: "good")
        try Data("{".utf8).write(to: URL(fileURLWithPath: "\(room.path)/images/\(bad.id.hex).json"))
        for _ in 0..<2 {
            let again = try await ImageRoom(at: room.path)
            #expect(try again.store.list().map(\.id) == [good.id])
            #expect(again.store.unreadable.keys.sorted() == [bad.id.hex])
            // Its blobs and its layer are there, and its name is nobody else's to lose.
            #expect(try again.content.contains(bad.layers[0].digest) && again.content.contains(bad.manifest.digest))
            #expect(try FileManager.default.contentsOfDirectory(atPath: room.path + "/references").count == 2)
        }
        // Put right by hand, it is there again.
        let aside = try #require(
            try FileManager.default.contentsOfDirectory(atPath: room.path + "/images").first { $0.contains("unreadable") })
        try FileManager.default.removeItem(atPath: "\(room.path)/images/\(aside)")
        let gone = try await ImageRoom(at: room.path)
        #expect(try gone.store.list().map(\.id) == [good.id])
        #expect(try !gone.content.contains(bad.manifest.digest))
        #expect(try FileManager.default.contentsOfDirectory(atPath: room.path + "/references").count == 1)
        try room.remove()
    }

    @Test(
        "An image whose configuration is damaged, or whose layer is missing, is told of, and nothing of it is removed",
        arguments: ["configuration", "layer"])
    func parts(_ part: String) async throws {
        let room = try await ImageRoom()
        let image = try await room.make("a:1")
        if part == "configuration" {
            try Data("x".utf8).write(to: URL(fileURLWithPath: "\(room.path)/content/blobs/sha256/\(image.id.hex)"))
        } else {
            let layer = try #require(try FileManager.default.contentsOfDirectory(atPath: room.path + "/vfs").first)
            try Data("x".utf8).write(to: URL(fileURLWithPath: "\(room.path)/vfs/\(layer)/layer.json"))
        }
        let before = try room.files
        let again = try await ImageRoom(at: room.path)
        #expect(try again.store.list().isEmpty)
        #expect(again.store.unreadable.keys.sorted() == [image.id.hex])
        #expect(try room.files == before)
        try room.remove()
    }

    @Test("Imports that are refused or cancelled leave nothing")
    func refusals() async throws {
        let room = try await ImageRoom()
        let before = try room.files
        #expect { _ = try room.store.importRootFileSystem(fromFile: "/dev/null", changes: ["RUN x"]) } throws: {
            "\($0)" == "RUN is not a valid change command" && ($0 as? ImageError)?.code == .invalid
        }
        #expect { _ = try room.store.importRootFileSystem(fromFile: "/nonexistent") } throws: { ($0 as? ImageError)?.code == .notFound }
        #expect {
            _ = try room.store.importRootFileSystem(
                fromFile: "/dev/null", as: try ImageReference(parsing: "a@" + Digest(of: []).description))
        } throws: {
            "\($0)" == "cannot import digest reference"
        }
        // Zeros end an archive and go on for ever: only cancelling ends this.
        let job = try room.store.importRootFileSystem(fromFile: "/dev/zero")
        for await progress in job.progress where progress.completedByteCount ?? 0 > 0 { break }
        job.cancel()
        await #expect { try await job.value } throws: { ($0 as? ImageError)?.code == .cancelled }
        #expect(try room.files == before)
        try room.remove()
    }

    @Test("Events say what happened")
    func events() async throws {
        let room = try await ImageRoom()
        let image = try await room.make("a:1")
        try await room.store.tag("a:1", as: try ImageReference(parsing: "b:1"))
        _ = try await room.rmi(image.id.description, force: true)
        var seen: [String] = []
        for try await event in room.events.subscribe(since: 0, until: 1) { seen.append(event.action) }
        #expect(seen.isEmpty)
        for try await event in room.events.subscribe(since: 0).prefix(5) {
            #expect(event.type == "image" && event.actorID == image.id.description)
            seen.append(event.action)
        }
        #expect(seen == ["import", "tag", "untag", "untag", "delete"])
        try room.remove()
    }
}
