import BerthContent
import BerthImages
import BerthLinux
import BerthOCI
import BerthSnapshots
import BerthState
import BerthTar
import Foundation
import Testing

@Suite("A check compares layers that have those below in them, and repairs them")
struct CheckTests {
    /// Layers that say little of the directories that they put something into, and remove from those below.
    private func sample() -> Sample {
        var sample = Sample()
        sample.layers = [
            archive(of: [
                Member(name: "dir/", kind: .directory), .file("dir/one", "1"), .file("dir/two", "2"), .file("implied/deep/file", "3"),
                Member(name: "gone/", kind: .directory), .file("gone/file", "4"), .link("gone/hard", to: "gone/file", hard: true),
            ]),
            archive(of: [.file("dir/three", "5"), .file("dir/.wh.two", ""), .file("implied/more", "6"), .file(".wh.gone", "")]),
            archive(of: [
                Member(name: "implied/", kind: .directory), .file("dir/.wh..wh..opq", ""), .file("dir/four", "7"),
                .link("link", to: "dir/four"),
                .link("implied/four", to: "dir/four", hard: true),
            ]),
        ]
        let diffs = sample.layers.map { "\"\(Digest(of: $0))\"" }.joined(separator: ",")
        sample.configuration = Array(
            "{\"architecture\":\"\(sample.architecture)\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\(diffs)]}}".utf8)
        return sample
    }

    private func check(_ room: ImageRoom, repairing repairs: Bool = false) async throws -> StoreReport {
        try await room.store.check(repairing: repairs) { StoreUse() }.value
    }

    private func load(_ room: ImageRoom, _ sample: Sample) async throws -> ImageRecord {
        let path = room.path + "/sample.tar"
        try Data(archive(of: sample.dockerMembers())).write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }  // only tidiness
        return try await room.store.load(fromFile: path).value[0].image
    }

    @Test("Each layer of a chain is found as it should be; damaged in the middle, it and what was copied from it are made anew")
    func chain() async throws {
        let room = try await ImageRoom()
        let image = try await load(room, sample())
        let report = try await check(room)
        #expect(report.findings.isEmpty)
        #expect(report.layerCount == 3 && report.blobCount == 5 && report.imageCount == 1)
        let names = room.snapshots.layers()
        let top = try #require(image.topLayer)
        let middle = try #require(names[top]?.parent)
        let file = try room.snapshots.directory(of: middle) + "/dir/three"
        try FileManager.default.removeItem(atPath: file)
        let found = try await check(room)
        #expect(found.findings.map(\.subject) == [middle.chainID.description])
        #expect(found.findings[0].details == ["/dir/three: it is missing"])
        #expect(try await check(room, repairing: true).isSound)
        #expect(FileManager.default.fileExists(atPath: file))
        #expect(try await check(room).findings.isEmpty)
        let again = try await ImageRoom(at: room.path)
        #expect(try await check(again).findings.isEmpty)
        try room.remove()
    }

    @Test("A blob that is damaged says nothing of the layers above it; whole again, it does")
    func blobs() async throws {
        let room = try await ImageRoom()
        let image = try await load(room, sample())
        let blob = URL(fileURLWithPath: "\(room.path)/content/blobs/sha256/\(image.layers[0].digest.hex)")
        try (Data(contentsOf: blob) + [0]).write(to: blob)
        let found = try await check(room)
        #expect(found.findings.filter { $0.kind == .damagedBlob }.map(\.subject) == [image.layers[0].digest.description])
        #expect(found.findings.count { $0.kind == .unverifiedLayer } == 3 && found.findings.count == 4)
        _ = try await check(room, repairing: true)
        #expect(!FileManager.default.fileExists(atPath: blob.path))
        _ = try await load(room, sample())
        let after = try await check(room)
        #expect(after.findings.isEmpty, "\(after.findings)")
        try room.remove()
    }

    @Test("While images come and go, a check finds nothing wrong, and nothing is left when they are gone")
    func crowd() async throws {
        let room = try await ImageRoom()
        let empty = try room.files
        let tar = try room.tar(text: "shared")
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<4 {
                group.addTask {
                    for _ in 0..<8 {
                        do {
                            let name = "crowd:\(number)"
                            _ = try await room.store.importRootFileSystem(fromFile: tar, as: try ImageReference(parsing: name)).value
                            _ = try await room.rmi(name)
                        } catch { Issue.record(error) }
                    }
                }
            }
            for _ in 0..<2 {
                group.addTask {
                    for round in 0..<16 {
                        do {
                            let report = try await room.store.check(repairing: round % 2 == 1) { StoreUse() }.value
                            #expect(report.findings.filter(\.isFault).isEmpty, "round \(round)")
                        } catch { Issue.record(error) }
                    }
                }
            }
        }
        try FileManager.default.removeItem(atPath: tar)
        #expect(try await check(room).findings.isEmpty)
        #expect(try room.files == empty)
        try room.remove()
    }

    @Test("A check that is cancelled ends, and holds nothing any more")
    func cancelled() async throws {
        let room = try await ImageRoom()
        _ = try await room.make("a:1")
        let job = room.store.check { StoreUse() }
        job.cancel()
        do {
            _ = try await job.value  // it may have been faster
        } catch { #expect((error as? ImageError)?.code == .cancelled) }
        #expect(try await check(room).findings.isEmpty)
        try room.remove()
    }
}
