import BerthContent
import BerthImages
import BerthLinux
import BerthOCI
import BerthSnapshots
import BerthState
import Foundation
import Testing

extension ImageRoom {
    func load(_ bytes: [UInt8], platform: Platform? = nil) async throws -> [LoadedImage] {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("berth-load-\(UUID().uuidString)").path
        try Data(bytes).write(to: URL(fileURLWithPath: file))
        defer { try? FileManager.default.removeItem(atPath: file) }  // only tidiness
        return try await store.load(fromFile: file, platform: platform).value
    }

    func load(_ members: [Member], platform: Platform? = nil) async throws -> [LoadedImage] {
        try await load(archive(of: members), platform: platform)
    }

    /// A program's output when it is given these bytes.
    func filter(_ bytes: [UInt8], _ command: String) throws -> [UInt8] {
        let file = path + "/filter"
        try Data(bytes).write(to: URL(fileURLWithPath: file))
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.arguments = ["-euc", "\(command) <'\(file)' >'\(file).out'"]
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        defer { for name in [file, file + ".out"] { try? FileManager.default.removeItem(atPath: name) } }  // only tidiness
        return Array(try Data(contentsOf: URL(fileURLWithPath: file + ".out")))
    }

    /// What the root of an image has in it.
    func contents(_ image: ImageRecord) throws -> [String: String] {
        let layer = try #require(image.topLayer)
        let entry = try FileManager.default.contentsOfDirectory(atPath: path + "/vfs").first { name in
            let document = try? String(contentsOfFile: "\(path)/vfs/\(name)/layer.json", encoding: .utf8)
            return document?.contains("\"name\":{\"chainID\":\"\(layer.chainID)\"}") ?? false
        }
        let root = "\(path)/vfs/\(try #require(entry))/dir"
        var result: [String: String] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: root) {
            result[name] = try String(contentsOfFile: "\(root)/\(name)", encoding: .utf8)
        }
        return result
    }
}

@Suite("Images are loaded from whatever others have saved")
struct LoadTests {
    private static let whole = ["file0": "lower", "file1": "upper", "both": "upper"]

    @Test("Docker's archive, in any order of its members, gives the image that was saved")
    func docker() async throws {
        let sample = Sample()
        for members in [sample.dockerMembers(), sample.dockerMembers().reversed()] {
            let room = try await ImageRoom()
            let loaded = try await room.load(members)
            #expect(loaded.map(\.image.id) == [sample.id])
            #expect(loaded[0].names.map(\.familiar) == ["sample:1"])
            let image = try room.store.find("sample:1")
            #expect(image.configuration.execution.command == ["sh"])
            #expect(image.layers.map(\.digest) == sample.layers.map { Digest(of: $0) })
            #expect(try room.content.read(image.id, limit: 1 << 20) == sample.configuration)
            #expect(try room.contents(image) == Self.whole)
            // Again: nothing changes, but for a name that was not there.
            let before = try room.files
            let again = try await room.load(sample.dockerMembers(tags: ["sample:1", "registry.example:5000/other:2"]))
            #expect(again[0].names.map(\.familiar) == ["sample:1", "registry.example:5000/other:2"])
            #expect(try room.files.count == before.count + 1)
            try room.remove()
        }
    }

    @Test("A layout in a tar keeps its manifest byte for byte; a tag alone is no name, and a name with a digest is none to be given")
    func layout() async throws {
        let sample = Sample()
        let names: [(String?, [String])] = [
            ("docker.io/library/sample:1", ["sample:1"]), ("latest", []), ("docker.io/library/sample@\(sample.id)", []), (nil, []),
        ]
        for (name, names) in names {
            let room = try await ImageRoom()
            let image = try await room.load(sample.layoutMembers(name: name).reversed())[0].image
            #expect(image.id == sample.id)
            #expect(image.references.map(\.familiar) == names)
            #expect(image.manifest.digest == Digest(of: sample.manifest))
            #expect(try room.content.read(image.manifest.digest, limit: 1 << 20) == sample.manifest)
            #expect(try room.contents(image) == Self.whole)
            try room.remove()
        }
    }

    @Test("A layout in a directory is loaded as one in a tar, and reads no more than the image needs")
    func directory() async throws {
        let sample = Sample()
        let room = try await ImageRoom()
        let folder = room.path + "/layout"
        for member in sample.layoutMembers() + [.file("blobs/sha256/" + String(repeating: "0", count: 64), "another's")] {
            let url = URL(fileURLWithPath: "\(folder)/\(member.name)")
            try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(member.contents).write(to: url)
        }
        let loaded = try await room.store.load(fromFile: folder).value
        #expect(loaded.map(\.image.id) == [sample.id])
        #expect(try room.contents(loaded[0].image) == Self.whole)
        #expect(throws: ImageError.self) { try room.store.load(fromFile: room.path + "/missing") }
        try room.remove()
    }

    @Test("The whole archive, and each layer of it, may be compressed", arguments: ["gzip", "zstd -q"])
    func compressed(_ program: String) async throws {
        let sample = Sample()
        let room = try await ImageRoom()
        var members = sample.dockerMembers()
        for index in sample.layers.indices { members[index].contents = try room.filter(members[index].contents, program) }
        let image = try await room.load(try room.filter(archive(of: members), program))[0].image
        #expect(image.id == sample.id)
        #expect(image.layers.map(\.mediaType) == Array(repeating: program == "gzip" ? .layerGzip : .layerZstd, count: 2))
        #expect(image.layers.map(\.digest) == members[..<2].map { Digest(of: $0.contents) })
        #expect(try room.contents(image) == Self.whole)
        try room.remove()
    }

    @Test("Layers may be links to others; several images share what they have in common")
    func links() async throws {
        let (one, two) = (Sample(["same", "one"]), Sample(["same", "two"]))
        let room = try await ImageRoom()
        let manifest = [one, two].enumerated().map { number, sample in
            "{\"Config\":\"./\(sample.configurationName)\",\"RepoTags\":[\"sample:\(number)\"],\"Layers\":[\"\(number)/low.tar\",\"\(number)/up.tar\"]}"
        }
        let loaded = try await room.load([
            .link("1/low.tar", to: "../0/low.tar"), .file("0/low.tar", one.layers[0]), .file("0/up.tar", one.layers[1]),
            .file("store/two", two.layers[1]), .link("1/up.tar", to: "store/two", hard: true),
            .file(one.configurationName, one.configuration),
            .file(two.configurationName, two.configuration), .file("manifest.json", "[\(manifest.joined(separator: ","))]"),
        ])
        #expect(loaded.map(\.image.id) == [one.id, two.id])
        #expect(try room.contents(loaded[1].image) == ["file0": "same", "file1": "two", "both": "two"])
        #expect(loaded[0].image.layers[0] == loaded[1].image.layers[0])
        #expect(try FileManager.default.contentsOfDirectory(atPath: room.path + "/vfs").count == 3)
        try room.remove()
    }

    @Test("What Docker saved before it had configurations is loaded, and two names of one image are of one image")
    func legacy() async throws {
        let room = try await ImageRoom()
        let sample = Sample()
        let ids = ["a", "b"].map { String(repeating: $0, count: 64) }
        let more = #""created":"2014-01-01T00:00:00Z","architecture":"amd64","os":"linux""#
        let top =
            #"{"id":"\#(ids[1])","parent":"\#(ids[0])","config":{"Cmd":["sh"]},"#
            + #""container_config":{"Cmd":["/bin/sh","-c","make"]},\#(more)}"#
        let loaded = try await room.load([
            .file("repositories", #"{"old":{"1":"\#(ids[1])","2":"\#(ids[1])"}}"#), .file("\(ids[1])/VERSION", "1.0"),
            .file("\(ids[1])/json", top),
            .file("\(ids[1])/layer.tar", sample.layers[1]), .file("\(ids[0])/json", #"{"id":"\#(ids[0])",\#(more)}"#),
            .file("\(ids[0])/layer.tar", try room.filter(sample.layers[0], "gzip")),
        ])
        #expect(loaded.map { $0.names.map(\.familiar) } == [["old:1", "old:2"]])
        let image = loaded[0].image
        #expect(try room.contents(image) == Self.whole)
        #expect(image.configuration.diffIDs == sample.layers.map { Digest(of: $0) })
        #expect(image.configuration.execution.command == ["sh"])
        #expect(image.configuration.history.map(\.createdBy) == [nil, "/bin/sh -c make"])
        // In a circle, it has no lowest layer.
        let circle: [Member] = [
            .file("repositories", #"{"old":{"1":"x"}}"#), .file("x/json", #"{"parent":"x"}"#), .file("x/layer.tar", sample.layers[0]),
        ]
        await #expect { try await room.load(circle) } throws: { ($0 as? ImageError)?.code == .tooLarge && "\($0)".contains("or on itself") }
        try room.remove()
    }

    @Test("An archive of both forms is one image, with the names of both, and the manifest of the layout")
    func mixed() async throws {
        let sample = Sample()
        let room = try await ImageRoom()
        let layers = sample.layers.map { "\"blobs/sha256/\(Digest(of: $0).hex)\"" }.joined(separator: ",")
        let docker = "[{\"Config\":\"blobs/sha256/\(sample.id.hex)\",\"RepoTags\":[\"two:2\"],\"Layers\":[\(layers)]}]"
        let loaded = try await room.load(sample.layoutMembers() + [.file("manifest.json", docker)])
        #expect(loaded.map(\.image.id) == [sample.id])
        #expect(loaded[0].names.map(\.familiar) == ["sample:1", "two:2"])
        #expect(loaded[0].image.manifest.digest == Digest(of: sample.manifest))
        try room.remove()
    }

    @Test("Only a blob's path says what its digest is, and what no image names need be nothing that could be used")
    func others() async throws {
        let sample = Sample()
        let nobodys = String(repeating: "0", count: 64)
        let tar = archive(of: [.file("a", "x")])
        let hostile = archive(of: [.file("../a", "x")])
        let room = try await ImageRoom()
        // Of many members, so that one that nobody needs has failed long before the last of them comes.
        let members: [Member] =
            [
                .file("hostile.tar", hostile), .file("blobs/notes", tar), .file("old/sha256/\(nobodys)", tar),
                .file("blobs/sha256/\(nobodys)/x", tar),
            ]
            + (0..<4000).map { .file("notes/\($0)", "x") }
        #expect(try await room.load(members + sample.dockerMembers()).map(\.image.id) == [sample.id])
        #expect(try room.contents(try room.store.find("sample:1")) == Self.whole)
        try room.remove()
    }

    @Test("Of an index of several platforms the asked one is taken, however deep it lies")
    func platforms() async throws {
        let samples = ["amd64", "arm64", "s390x"].map { Sample(["for \($0)"], architecture: $0) }
        let descriptors = samples.map {
            Sample.descriptor($0.manifest, Sample.manifestType, ",\"platform\":{\"os\":\"linux\",\"architecture\":\"\($0.architecture)\"}")
        }
        let attached = Sample.descriptor(
            [1], Sample.manifestType,
            ",\"platform\":{\"os\":\"unknown\",\"architecture\":\"unknown\"},\"annotations\":{\"vnd.docker.reference.type\":\"attestation-manifest\"}"
        )
        let inner = Sample.index(Array(descriptors[1...]) + [attached])
        let outer = Sample.index([descriptors[0], Sample.descriptor(inner, Sample.indexType)])
        let name =
            ",\"annotations\":{\"io.containerd.image.name\":\"docker.io/library/sample:1\",\"org.opencontainers.image.ref.name\":\"1\"}"
        let members =
            samples.flatMap { $0.blobs + [Sample.blob($0.manifest)] } + [
                Sample.blob(inner), Sample.blob(outer),
                .file("index.json", Sample.index([Sample.descriptor(outer, Sample.indexType, name)])),
            ]
        for sample in samples {
            let room = try await ImageRoom()
            let loaded = try await room.load(members, platform: Platform(os: "linux", architecture: sample.architecture))
            #expect(loaded.map(\.image.id) == [sample.id])
            #expect(loaded[0].names.map(\.familiar) == ["sample:1"])
            #expect(loaded[0].image.configuration.platform.architecture == sample.architecture)
            #expect(try await room.load(members).map(\.image.id) == samples.map(\.id))
            await #expect {
                try await room.load(members, platform: Platform(os: "linux", architecture: "riscv64"))
            } throws: { ($0 as? ImageError)?.code == .notFound && "\($0)".contains("linux/amd64, linux/arm64, linux/s390x") }
            try room.remove()
        }
    }

    @Test("What is no image, or lies, is refused with its reason, writes nowhere else, and leaves nothing", arguments: Refusal.all)
    func refusals(_ refusal: Refusal) async throws {
        let outcome = try await RefusalOutcomes.shared.outcome(of: refusal)
        #expect(outcome.text.contains(refusal.words), "\(outcome.text)")
        #expect(outcome.code == refusal.code, "\(outcome.text)")
        #expect(outcome.leftNothing, "it has left something")
        #expect(outcome.storeIsGood)
    }

    @Test("Two faults that differ have texts that differ, also without the names and numbers in them")
    func texts() async throws {
        var cases: [String: Set<String>] = [:]
        for refusal in Refusal.all {
            let text = try await RefusalOutcomes.shared.outcome(of: refusal).text
            cases[FaultText.plain(text), default: []].insert(refusal.what)
        }
        FaultText.expect(cases, toShareOnly: Refusal.sameFaults)
    }

    @Test("No case is lost, and no two have the same name")
    func count() {
        let names = Refusal.all.map(\.what) + DirectoryRefusal.all.map { "in a directory: \($0)" }
        #expect(names.count >= 162)
        #expect(Set(names).count == names.count)
    }

    @Test("A load that is cancelled leaves nothing")
    func cancelled() async throws {
        let room = try await ImageRoom()
        let before = try room.files
        let bytes = archive(of: Sample().dockerMembers())
        let (job, writing) = try BerthLinux.Pipe().take { (reading, writing) throws(Errno) in
            (room.store.load(from: reading), writing.release())
        }
        let end = OwnedDescriptor(adopting: writing)
        try unsafe end.writeAll(bytes.span.bytes)
        job.cancel()
        _ = consume end
        await #expect { _ = try await job.value } throws: { ($0 as? ImageError)?.code == .cancelled }
        #expect(try room.files == before)
        try room.remove()
    }
}
