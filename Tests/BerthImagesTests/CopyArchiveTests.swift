import BerthContent
import BerthImages
import BerthLinux
import BerthOCI
import BerthState
import Foundation
import Synchronization
import Testing

@Suite("Images are copied from archives and to them, and from the store and to it")
struct CopyArchiveTests {
    /// An archive, as a job reads it.
    private func source(_ members: [Member], name: String? = nil, _ room: ImageRoom) throws -> CopySource {
        let file = room.path + "/source-\(UUID().uuidString)"
        try Data(archive(of: members)).write(to: URL(fileURLWithPath: file))
        defer { try? FileManager.default.removeItem(atPath: file) }  // it is open, which is what counts
        return .archive(try HostFile.open(file), name: name)
    }

    /// What a job writes, once it has done so.
    private func archived(_ form: ArchiveForm, _ room: ImageRoom, _ copy: (consuming CopyDestination) async throws -> Void) async throws
        -> [UInt8]
    {
        let file = room.path + "/target-\(UUID().uuidString)"
        try #require(FileManager.default.createFile(atPath: file, contents: nil))
        defer { try? FileManager.default.removeItem(atPath: file) }  // only tidiness
        let place = try HostPlace(file)
        try await copy(.archive(try place.directory.openForWriting(place.name), form))
        return Array(try Data(contentsOf: URL(fileURLWithPath: file)))
    }

    @Test("A layout goes to a repository byte for byte, by its name, by its digest, or as the only one", arguments: ["tag", nil, "digest"])
    func layout(_ by: String?) async throws {
        let (room, index, destination) = (try await ImageRoom(), SampleIndex(), FakeDestination("other.test/copy"))
        let name = by == "digest" ? index.digest.description : by
        let stake = try await room.store.copy(
            from: try source(index.members(name: "tag"), name: name, room), to: .content(destination, tag: "2"))
        #expect(try await stake.value.digest == index.digest)
        destination.state.withLock { state in
            #expect(state.tags == ["2": index.digest])
            for bytes in index.blobs { #expect((state.blobs[Digest(of: bytes)] ?? state.manifests[Digest(of: bytes)]) == bytes) }
        }
        // Nothing of it stays, and nothing is an image here.
        #expect(room.store.count == 0)
        #expect(try room.content.all().isEmpty)
        try room.remove()
    }

    @Test("Docker's archive gets the manifest that a load gives it")
    func docker() async throws {
        let (room, sample, destination) = (try await ImageRoom(), Sample(), FakeDestination("other.test/copy"))
        let copied = try await room.store.copy(
            from: try source(sample.dockerMembers(), name: "sample:1", room), to: .content(destination, tag: "2")
        ).value
        let loaded = try await room.load(sample.dockerMembers())
        #expect(copied.digest == loaded.first?.image.manifest.digest)
        #expect(destination.state.withLock { Set($0.blobs.values) } == Set(sample.layers + [sample.configuration]))
        try room.remove()
    }

    @Test("From the store to an archive, and back into another")
    func backAndForth() async throws {
        let (room, other, index) = (try await ImageRoom(), try await ImageRoom(), SampleIndex())
        _ = try await room.load(index.members())
        let name = try ImageReference(parsing: "copied:2")
        let tar = try await archived(.layout(name: "docker.io/library/copied:2"), room) { target in
            let copied = try await room.store.copy(from: .store("sample:1"), to: target).value
            #expect(copied.digest == index.digest)
        }
        let again = try await archived(.layout(name: "docker.io/library/copied:2"), room) { target in
            _ = try await room.store.copy(from: .store("sample:1"), to: target).value
        }
        #expect(tar == again)
        let file = other.path + "/copied.tar"
        try Data(tar).write(to: URL(fileURLWithPath: file))
        let stake = try await other.store.copy(from: .archive(try HostFile.open(file), name: nil), to: .store(name))
        #expect(try await stake.value.digest == index.digest)
        #expect(try other.store.find("copied:2").index?.digest == index.digest)
        #expect(try await other.load(tar).count == 3)
        for room in [room, other] { try room.remove() }
    }

    @Test("Of an index of which not all is there, the image for this machine goes, unless all is asked for")
    func partial() async throws {
        let (room, index) = (try await ImageRoom(), SampleIndex([Platform.host.architecture, "s390x"]))
        let members = index.members(only: [Platform.host.architecture])
        let destination = FakeDestination("other.test/copy")
        let own = Digest(of: index.samples[0].manifest)
        let copied = try await room.store.copy(from: try source(members, room), to: .content(destination, tag: "1")).value
        #expect(copied.digest == own)
        await #expect(throws: ImageError.self) {
            _ = try await room.store.copy(
                from: try source(members, room), to: .content(destination, tag: "2"), CopyOptions(requiresAll: true)
            ).value
        }
        await #expect(throws: ImageError.self) {
            _ = try await room.store.copy(
                from: try source(members, room), to: .content(destination, tag: "2"),
                CopyOptions(platform: Platform(parsing: "linux/arm/v7"))
            ).value
        }
        #expect(destination.state.withLock { $0.tags } == ["1": own])
        try room.remove()
    }

    @Test("An archive in Docker's form has one image, which is said when all are asked for")
    func oneImage() async throws {
        let (room, index) = (try await ImageRoom(), SampleIndex([Platform.host.architecture, "s390x"]))
        let source = FakeSource(index)
        let tar = try await archived(.docker(name: try ImageReference(parsing: "one:1")), room) { target in
            _ = try await room.store.copy(from: .content(source, .tag("1")), to: target).value
        }
        #expect(try await room.load(tar).map(\.image.id) == [index.samples[0].id])
        #expect(try room.store.find("one:1").manifest.digest == Digest(of: index.samples[0].manifest))
        var refusal: ImageError?
        let nothing = try await archived(.docker(name: nil), room) { target in
            do {
                _ = try await room.store.copy(from: .content(source, .tag("1")), to: target, CopyOptions(requiresAll: true)).value
            } catch let error as ImageError { refusal = error }
        }
        #expect(refusal?.code == .invalid)
        #expect(nothing.isEmpty)
        try room.remove()
    }

    @Test("What is damaged, or missing, is named, and nothing is named there")
    func damaged() async throws {
        let (room, sample, destination) = (try await ImageRoom(), Sample(), FakeDestination("other.test/copy"))
        let whole = sample.layoutMembers()
        let layer = "blobs/sha256/\(Digest(of: sample.layers[0]).hex)"
        var wrong = whole
        if let at = wrong.firstIndex(where: { $0.name == layer }) { wrong[at].contents[600] ^= 1 }
        for members in [wrong, whole.filter { $0.name != layer }, [.file("x", "y")], []] {
            await #expect(throws: ImageError.self) {
                _ = try await room.store.copy(from: try source(members, room), to: .content(destination, tag: "1")).value
            }
        }
        await #expect(throws: ImageError.self) {
            _ = try await room.store.copy(from: try source(whole, name: "other", room), to: .content(destination, tag: "1")).value
        }
        await #expect(throws: ImageError.self) {
            _ = try await room.store.copy(from: .store("absent"), to: .content(destination, tag: "1"))
        }
        #expect(destination.state.withLock { $0.tags.isEmpty && $0.manifests.isEmpty })
        #expect(try room.content.all().isEmpty)
        try room.remove()
    }

    @Test("A store without a way to registries says so")
    func withoutPlaces() async throws {
        let room = try await ImageRoom()
        await #expect(throws: TransferError.self) { _ = try await room.store.pull("sample:1") }
        let name = try ImageReference(parsing: "sample:1")
        #expect(throws: ImageError.self) { _ = try room.store.push(name) }
        try room.remove()
    }
}
