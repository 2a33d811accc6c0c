import BerthContent
@testable import BerthImages
import BerthLayers
import BerthLinux
import BerthOCI
import BerthReactor
import BerthSnapshots
import BerthState
import Foundation
import Testing

@Suite("Images as values")
struct DraftValueTests {
    private func layer(_ text: String) -> KeptLayer {
        let bytes = Array(text.utf8)
        return KeptLayer(
            blob: Descriptor(mediaType: .layerGzip, digest: Digest(of: bytes + bytes), byteCount: 1), diffID: Digest(of: bytes))
    }

    private func step(_ text: String) -> ImageConfiguration.HistoryEntry { .init(created: nil, createdBy: text) }

    /// An image of these steps: those with a colon made no layer, and a missing name is a layer of which nothing is said.
    private func image(_ steps: [String?], untold: Int = 0, architecture: String = "amd64") throws -> ImageDraft {
        let told = steps.compactMap(\.self)
        let layers = told.filter { !$0.contains(":") }.map(layer) + (0..<untold).map { layer("untold\($0)") }
        let history = told.map { text in
            var step = step(text)
            step.emptyLayer = text.contains(":") ? true : nil
            return step
        }
        let configuration = ImageConfiguration(
            platform: Platform(os: "linux", architecture: architecture), created: nil, execution: .init(), diffIDs: layers.map(\.diffID),
            history: history)
        return try ImageDraft(
            of: ImageRecord(
                id: Digest(of: []), references: [], indexReferences: [], digests: [], arrivedAt: Timestamp(nanoseconds: 0), comment: "",
                parent: nil,
                manifest: layer("manifest").blob, configuration: configuration, layers: layers.map(\.blob), topLayer: nil, byteCount: 0))
    }

    /// The steps, those without a layer in brackets.
    private func told(_ draft: ImageDraft) -> [String] {
        draft.configuration.history.map { $0.emptyLayer == true ? "(\($0.createdBy ?? "?"))" : $0.createdBy ?? "?" }
    }

    @Test("History and layers stay in step, whatever a step says of itself")
    func steps() throws {
        var draft = ImageDraft()
        var wrong = step("one")
        wrong.emptyLayer = true
        draft.append(layer("one"), step: wrong)
        draft.note(step("ENV:"))
        draft.append(layer("two"), step: step("two"))
        #expect(told(draft) == ["one", "(ENV:)", "two"])
        #expect(draft.configuration.diffIDs == [layer("one"), layer("two")].map(\.diffID) && draft.layers == [layer("one"), layer("two")])
        draft.execution.command = ["sh"]
        draft.created = Timestamp(nanoseconds: 5)
        #expect(draft.configuration.execution.command == ["sh"] && draft.configuration.created == Timestamp(nanoseconds: 5))
        // What nobody has told is filled up, so that the next step is that of its own layer; and only then.
        var short = try image(["a"], untold: 2)
        #expect(told(short) == ["a"])
        short.append(layer("b"), step: step("b"))
        #expect(told(short) == ["a", "?", "?", "b"] && short.layers.count == 4)
        #expect { try ImageDraft(of: try record(short, layerCount: 2)) } throws: {
            ($0 as? ImageError)?.code == .invalid && "\($0)".contains("tells of 4 layers, and it has 2")
        }
    }

    private func record(_ draft: ImageDraft, layerCount: Int) throws -> ImageRecord {
        var configuration = draft.configuration
        configuration.diffIDs = Array(configuration.diffIDs.prefix(layerCount))
        return ImageRecord(
            id: Digest(of: []), references: [], indexReferences: [], digests: [], arrivedAt: Timestamp(nanoseconds: 0), comment: "",
            parent: nil,
            manifest: layer("manifest").blob, configuration: configuration, layers: draft.layers.prefix(layerCount).map(\.blob),
            topLayer: nil,
            byteCount: 0)
    }

    @Test("One layer in the place of several: what made them is still told")
    func replacing() throws {
        let draft = try image(["a", "ENV:", "b", "CMD:", "c"])
        var all = draft
        try all.replaceLayers(from: 0, with: layer("all"), step: step("all"))
        #expect(told(all) == ["(a)", "(ENV:)", "(b)", "(CMD:)", "(c)", "all"] && all.layers == [layer("all")])
        var upper = draft
        try upper.replaceLayers(from: 1, with: layer("upper"), step: step("upper"))
        #expect(told(upper) == ["a", "(ENV:)", "(b)", "(CMD:)", "(c)", "upper"] && upper.layers == [layer("a"), layer("upper")])
        #expect(upper.configuration.diffIDs == upper.layers.map(\.diffID))
        for index in [-1, 3] {
            var same = draft
            #expect(throws: ImageError.self) { try same.replaceLayers(from: index, with: layer("x"), step: step("x")) }
            #expect(same == draft)
        }
    }

    @Test("Another base: its layers and history, the image's own above, and how it runs as before")
    func rebasing() throws {
        let (old, new) = (try image(["base", "CMD:"]), try image(["new", "more", "ENV:"]))
        var draft = try image(["base", "CMD:", "ENV:", "app", "LABEL:"])
        draft.execution.command = ["app"]
        try draft.rebase(from: old, onto: new)
        #expect(told(draft) == ["new", "more", "(ENV:)", "(ENV:)", "app", "(LABEL:)"])
        #expect(draft.layers == [layer("new"), layer("more"), layer("app")] && draft.configuration.diffIDs == draft.layers.map(\.diffID))
        #expect(draft.execution.command == ["app"])
        // Of a history that is not the base's, the steps up to its last layer are.
        var other = try image(["base", "OTHER:", "app"])
        try other.rebase(from: old, onto: new)
        #expect(told(other) == ["new", "more", "(ENV:)", "(OTHER:)", "app"])
        // A base of which nothing is told.
        var bare = try image(["base", "app"])
        try bare.rebase(from: old, onto: try image([], untold: 2))
        #expect(told(bare) == ["?", "?", "app"])
    }

    @Test(
        "A base that is none is refused, and the draft is as before",
        arguments: [
            (["other"], ["new"], "amd64", "of the base's 1 layers it begins with 0"),
            (["base", "app", "more"], ["new"], "amd64", "of the base's 3 layers it begins with 2"),
            ([], ["new"], "amd64", "the old base has no layers"),
            (["base"], ["new"], "arm64", "the new base is for linux/arm64, and the image for linux/amd64"),
        ])
    func refusals(_ old: [String], _ new: [String], _ architecture: String, _ words: String) throws {
        let draft = try image(["base", "app"])
        var same = draft
        #expect { try same.rebase(from: try image(old), onto: try image(new, architecture: architecture)) } throws: {
            ($0 as? ImageError)?.code == .invalid && "\($0)".contains(words)
        }
        #expect(same == draft)
    }

    @Test("A layer is named by its number, by a digest, or by the beginning of one")
    func naming() throws {
        let draft = try image(["a", "b", "b"])
        #expect(try draft.indexOfLayer(named: "1") == 0 && draft.indexOfLayer(named: "3") == 2)
        let first = draft.layers[0]
        for text in [
            first.diffID.description, first.diffID.hex, String(first.blob.digest.hex.prefix(4)), "sha256:\(first.diffID.hex.prefix(9))",
        ] {
            #expect(try draft.indexOfLayer(named: text) == 0, "\(text)")
        }
        let twice = draft.layers[1].diffID.hex
        for (text, code, words) in [
            ("0", ImageError.Code.notFound, "there is no layer 0: the image has 3"), ("4", .notFound, "no layer 4"),
            ("-1", .notFound, "no layer -1"),
            ("ffffffffff", .notFound, "no layer of the digest ffffffffff"), (twice, .invalid, "is the digest of 2 of the image's layers"),
            ("top", .invalid, "'top' is no layer"), ("", .invalid, "'' is no layer"), ("ABCDEF", .invalid, "is no layer"),
        ] {
            #expect("\(text)") { try draft.indexOfLayer(named: text) } throws: {
                ($0 as? ImageError)?.code == code && "\($0)".contains(words)
            }
        }
    }
}

/// An end of a pipe on which threads wait until the other is closed.
private final class GateEnd: Sendable {
    private let end: OwnedDescriptor
    init(_ end: consuming OwnedDescriptor) { self.end = end }
    func wait() {
        var byte = [UInt8](repeating: 0, count: 1)
        // Its end is what is waited for, however it comes.
        _ = try? unsafe byte.withUnsafeMutableBytes { (buffer) throws(Errno) in try unsafe end.read(into: buffer) }
    }
}

@Suite("Images made of values")
struct DraftTests {
    private func keep(_ bytes: [UInt8], _ room: ImageRoom, _ lease: Lease) async throws -> KeptLayer {
        let path = room.path + "/stream"
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }  // only tidiness
        return try await room.store.keepLayer(from: try HostFile.open(path), for: lease).value
    }

    private func reference(_ text: String) throws -> ImageReference { try ImageReference(parsing: text) }

    @Test("Of a stream, a directory and an image: the same values are the same image, in another store too")
    func reproducible() async throws {
        var images: [(ImageRecord, [UInt8])] = []
        for _ in 1...2 {
            let room = try await ImageRoom()
            try FileManager.default.createDirectory(atPath: room.path + "/app", withIntermediateDirectories: true)
            try Data("app".utf8).write(to: URL(fileURLWithPath: room.path + "/app/run"))
            let base = try #require(try await room.load(Sample().dockerMembers()).first).image
            var directory = PackedDirectory(path: room.path + "/app")
            directory.location = "/srv/app"
            (directory.owner, directory.modifiedAt) = (.init(userID: getuid(), groupID: getgid()), Timestamp(nanoseconds: 7_000_000_005))
            let packed = directory
            let record = try await room.store.withLease { lease in
                var draft = try room.store.draft(of: "sample:1", for: lease)
                draft.append(try await keep(archive(of: [.file("more", "more")]), room, lease), step: .init(created: nil, createdBy: "ADD"))
                draft.append(try await room.store.keepLayer(of: packed, for: lease).value, step: .init(created: nil, createdBy: "COPY"))
                draft.execution.command = ["/srv/app/run"]
                draft.created = Timestamp(nanoseconds: 0)
                return try await room.store.write(draft, as: try reference("made")).value
            }
            #expect(record.layers.prefix(2) == base.layers.prefix(2) && record.layers.count == 4)
            #expect(record.references.map(\.familiar) == ["made:latest"] && record.configuration.execution.command == ["/srv/app/run"])
            #expect(try room.store.history(of: record).map(\.entry.createdBy) == ["COPY", "ADD", nil, nil])
            let top = try room.snapshots.directory(of: try #require(record.topLayer))
            #expect(try String(contentsOfFile: top + "/srv/app/run", encoding: .utf8) == "app")
            let attributes = try FileManager.default.attributesOfItem(atPath: top + "/srv/app/run")
            #expect((attributes[.modificationDate] as? Date)?.timeIntervalSince1970.rounded(.down) == 7)
            #expect(try String(contentsOfFile: top + "/more", encoding: .utf8) == "more")
            images.append((record, try room.content.read(record.manifest.digest, limit: 1 << 20)))
            try room.remove()
        }
        #expect(images[0].0.id == images[1].0.id && images[0].1 == images[1].1)
    }

    @Test("The example of the article: a directory becomes the program of an image")
    func example() async throws {
        let room = try await ImageRoom()
        _ = try await room.load(Sample().dockerMembers())
        try FileManager.default.createDirectory(atPath: room.path + "/p", withIntermediateDirectories: true)
        try Data("#!".utf8).write(to: URL(fileURLWithPath: room.path + "/p/run"))
        let lease = room.store.leases.begin()
        var directory = PackedDirectory(path: room.path + "/p")
        directory.location = "srv/program/"
        (directory.owner, directory.modifiedAt) = (.init(userID: 0, groupID: 0), Timestamp(nanoseconds: 0))
        let layer = try await room.store.keepLayer(of: directory, for: lease).value
        if getuid() == 0 {
            // Without rights nothing can be made root's.
            let record = try await addProgram(
                in: room.path + "/p", to: "sample:1", as: try reference("program"), images: room.store)
            #expect(record.layers.last == layer.blob && record.configuration.history.last?.emptyLayer == true)
        }
        try room.remove()
    }

    @Test("An image that is here already gets the name, and what no image has taken goes with its lease")
    func again() async throws {
        let room = try await ImageRoom()
        _ = try await room.load(Sample().dockerMembers())
        let blobs = try await room.store.withLease { lease in
            let draft = try room.store.draft(of: "sample:1", for: lease)
            let first = try await room.store.write(draft, as: try reference("one")).value
            let second = try await room.store.write(draft, as: try reference("two")).value
            #expect(
                first.id == second.id && first.arrivedAt == second.arrivedAt
                    && second.references.map(\.familiar) == ["one:latest", "two:latest"])
            let blobs = try room.content.all()
            let layer = try await keep(archive(of: [.file("more", "more")]), room, lease)
            #expect(try room.content.contains(layer.blob.digest))
            return blobs
        }
        #expect(try room.content.all() == blobs)
        try room.remove()
    }

    @Test("A layer that nobody has held is no layer any more, and what is wrong with a layer is said, and leaves nothing")
    func refusals() async throws {
        let room = try await ImageRoom()
        let before = try room.content.all()
        var draft = ImageDraft()
        try await room.store.withLease { lease in
            draft.append(try await keep(archive(of: [.file("a", "a")]), room, lease), step: .init(created: nil, createdBy: "ADD"))
        }
        let stale = draft
        await #expect { _ = try await room.store.write(stale).value } throws: {
            ($0 as? ImageError)?.code == .notFound && "\($0)".contains("is not here any more")
        }
        try await room.store.withLease { lease in
            await #expect { _ = try await keep(Array("no archive at all".utf8), room, lease) } throws: {
                ($0 as? ImageError)?.code == .invalid
            }
            var hostile = ImageDraft()
            hostile.append(try await keep(archive(of: [.file("../a", "a")]), room, lease), step: .init(created: nil, createdBy: "ADD"))
            let escaping = hostile
            await #expect { _ = try await room.store.write(escaping, as: try reference("bad")).value } throws: {
                ($0 as? ImageError)?.code == .invalid && "\($0)".contains("..")
            }
            for (name, location) in [(".wh.x", "/"), ("x", "../up"), ("x", "/.wh.a")] {
                try FileManager.default.createDirectory(atPath: room.path + "/odd/" + name, withIntermediateDirectories: true)
                var directory = PackedDirectory(path: room.path + "/odd")
                directory.location = location
                let packed = directory
                await #expect("\(name) at \(location)") { _ = try await room.store.keepLayer(of: packed, for: lease).value } throws: {
                    ($0 as? ImageError)?.code == .invalid
                }
                try FileManager.default.removeItem(atPath: room.path + "/odd")
            }
            await #expect(throws: ImageError.self) {
                try await room.store.keepLayer(of: .init(path: room.path + "/none"), for: lease).value
            }
            var many = ImageDraft()
            for _ in 0...FoundImage.maximumLayerCount { many.append(hostile.layers[0], step: .init(created: nil, createdBy: nil)) }
            #expect { try room.store.write(many) } throws: { ($0 as? ImageError)?.code == .tooLarge && "\($0)".contains("at most 500") }
            var wordy = ImageDraft()
            wordy.execution.environment = [String(repeating: "A", count: ImageStore.maximumDocumentByteCount)]
            #expect { try room.store.write(wordy) } throws: { ($0 as? ImageError)?.code == .tooLarge && "\($0)".contains("4194304 bytes") }
            #expect(throws: ImageError.self) { try room.store.write(ImageDraft(), as: try reference("a@\(Digest(of: []))")) }
        }
        #expect(try room.content.all() == before && room.store.count == 0)
        try room.remove()
    }

    @Test("A manifest that is made here speaks of all layers in the specification's words")
    func mediaTypes() async throws {
        let room = try await ImageRoom()
        let sample = Sample()
        let manifest = sample.manifest(layerType: "application/vnd.docker.image.rootfs.diff.tar")
        let index = Sample.index([
            Sample.descriptor(manifest, Sample.manifestType, #","annotations":{"org.opencontainers.image.ref.name":"sample:1"}"#)
        ])
        _ = try await room.load(
            sample.blobs + [Sample.blob(manifest), .file("index.json", index), .file("oci-layout", #"{"imageLayoutVersion":"1.0.0"}"#)])
        let lease = room.store.leases.begin()
        var draft = try room.store.draft(of: "sample:1", for: lease)
        draft.author = "somebody"
        let made = try await room.store.write(draft).value
        let written = try JSONDecoder().decode(Manifest.self, from: Data(try room.content.read(made.manifest.digest, limit: 1 << 20)))
        #expect(written.layers.map(\.mediaType) == [.layer, .layer] && written.layers.map(\.digest) == made.layers.map(\.digest))
        #expect(MediaType(rawValue: "application/vnd.docker.image.rootfs.diff.tar.gzip").ofOCI == .layerGzip)
        #expect(MediaType(rawValue: "application/other").ofOCI == MediaType(rawValue: "application/other"))
        try room.remove()
    }

    @Test("What is cancelled makes nothing", arguments: ["squash", "compare", "layers"])
    func cancelling(_ what: String) async throws {
        let room = try await ImageRoom()
        let image = try #require(try await room.load(Sample().dockerMembers()).first).image
        let before = try room.files
        // Nobody gets to work before it is cancelled.
        let (occupied, begun) = AsyncStream<Void>.makeStream()
        let (gate, writing) = try BerthLinux.Pipe().take { (GateEnd($0), $1.release()) }
        let occupying = (0..<Lane.threadLimit).map { _ in
            Task {
                try await room.store.reading.run { () throws(ImageError) in
                    begun.yield()
                    gate.wait()
                }
            }
        }
        var iterator = occupied.makeAsyncIterator()
        for _ in occupying { await iterator.next() }
        let end: () async throws -> Void
        switch what {
        case "squash":
            let job = try room.store.squash("sample:1", as: try reference("flat"))
            job.cancel()
            end = { _ = try await job.value }
        case "compare":
            _ = try await room.store.tag(image.id.description, as: try reference("other"))
            let job = try room.store.compare("sample:1", with: "other")
            job.cancel()
            end = { _ = try await job.value }
        default:
            let job = try room.store.layers(of: "sample:1")
            job.cancel()
            end = { _ = try await job.value }
        }
        _ = OwnedDescriptor(adopting: writing)  // closed: those who occupy the lane go on
        await #expect { try await end() } throws: { ($0 as? ImageError)?.code == .cancelled }
        for task in occupying { try await task.value }
        if what != "compare" { #expect(try room.files == before) }
        try room.remove()
    }

    @Test("Squashed, rebased and compared: what is shown stays, and both images are told from each other by layer")
    func making() async throws {
        let room = try await ImageRoom()
        let image = try #require(try await room.load(Sample(["lower", "middle", "upper"]).dockerMembers(tags: ["app:1"])).first).image
        let squashed = try await room.store.squash("app:1", as: try reference("app:flat")).value
        #expect(squashed.layers.count == 1 && squashed.layers[0].mediaType == .layerGzip)
        #expect(try await room.store.squash("app:1").value.id == squashed.id)
        #expect(try room.store.history(of: squashed).map(\.entry.comment).first == "merge of layers 1 to 3")
        let same = try await room.store.compare("app:1", with: "app:flat").value
        #expect(same.differences == [] && same.sharedLayerCount == 0 && same.layersBefore.map(\.effect.hiddenFileCount) == [0, 1, 1])
        // From a layer on; of one layer there is nothing to do.
        let upper = try await room.store.squash("app:1", from: "2", as: try reference("app:upper")).value
        #expect(upper.layers.count == 2 && upper.layers[0] == image.layers[0])
        let compared = try await room.store.compare("app:1", with: "app:upper").value
        #expect(compared.sharedLayerCount == 1 && compared.differences == [])
        #expect(try await room.store.squash("app:1", from: "3", as: try reference("top")).value.id == image.id)
        #expect(try room.store.find("top").id == image.id)
        #expect { try room.store.squash("app:1", from: "4") } throws: { ($0 as? ImageError)?.code == .notFound }
        // Another base.
        _ = try await room.load(Sample(["lower"]).dockerMembers(tags: ["base:1"]))
        _ = try await room.load(Sample(["LOWER!"]).dockerMembers(tags: ["base:2"]))
        #expect { try room.store.rebase("app:1", from: "base:2", onto: "base:1") } throws: { ($0 as? ImageError)?.code == .invalid }
        let rebased = try await room.store.rebase("app:1", from: "base:1", onto: "base:2", as: try reference("app:2")).value
        #expect(rebased.layers.count == 3 && Array(rebased.layers.dropFirst()) == Array(image.layers.dropFirst()))
        let differences = try await room.store.compare("app:1", with: "app:2").value.differences
        #expect(differences.map { "\($0.kind.rawValue) \(String(decoding: $0.path, as: UTF8.self)) \($0.layer)" } == ["C /file0 0"])
        #expect(differences[0].byteCountBefore == 5 && differences[0].byteCountAfter == 6)
        let layers = try await room.store.layers(of: "app:1").value
        #expect(layers.map(\.effect.byteCount) == [10, 12, 10] && layers.map(\.references.first?.familiar) == ["base:1", nil, "app:1"])
        #expect(layers.map(\.diffID) == image.configuration.diffIDs && layers[2].name == image.topLayer)
        #expect(try await room.store.compare("app:1", with: "top").value.differences == [])
        try room.remove()
    }
}
