import BerthContent
import BerthImages
import BerthLayers
import BerthLinux
import BerthOCI
import BerthSnapshots
import BerthState
import Foundation
import Testing

@Suite("Collection runs while everything else runs, and spares what somebody relies on")
struct ImageLeaseTests {
    private struct Failure: Error {}

    @Test("An image is removed while a job relies on its parts: they go when the job has ended")
    func removalDuringAJob() async throws {
        let room = try await ImageRoom()
        let empty = try room.files
        let image = try await room.make("a:1")
        let blobs = [image.id, image.manifest.digest] + image.layers.map(\.digest)
        let name = try #require(image.references.first)
        try await room.store.withLease { (lease) throws(ImageError) in
            let found = try room.store.find("a:1", for: lease)
            #expect(found == image)
            let done = try await room.store.remove("a:1", uses: { _ in [] })
            #expect(done == [.untagged(name), .deleted(image.id)])
            try await room.store.collect()
            for blob in blobs { #expect(try! room.content.contains(blob)) }
            #expect(room.snapshots.layers().count == 1)
        }
        #expect(try room.files == empty)
        // What is gone cannot be leased.
        await #expect {
            try await room.store.withLease { (lease) throws(ImageError) in _ = try room.store.find("a:1", for: lease) }
        } throws: {
            ($0 as? ImageError)?.code == .notFound
        }
        // A job may need the layers alone, as a container does.
        let again = try await room.make("a:1")
        let lease = room.store.leases.begin()
        _ = try room.store.find("a:1", layersFor: lease)
        _ = try await room.rmi("a:1")
        #expect(room.snapshots.layers().keys.map(\.self) == [try #require(again.topLayer)])
        #expect(try room.content.all().isEmpty)
        await room.store.end(lease)
        #expect(try room.files == empty)
        try room.remove()
    }

    @Test("Of two jobs that bring the same blob and layer the one that fails takes nothing from the other")
    func twoJobs() async throws {
        let room = try await ImageRoom()
        let empty = try room.files
        let tar = try room.tar(text: "same")
        func bring(for lease: Lease) throws(ImageError) -> ImportedLayer {
            do {
                return try room.layers.importLayer(
                    from: try HostFile.open(tar), on: nil, for: lease, progress: { (_) throws(LayerError) in })
            } catch { throw ImageError(.storage, "\(error)") }
        }
        try await room.store.withLease { (first) throws(ImageError) in
            let layer = try bring(for: first)
            do throws(ImageError) {
                try await room.store.withLease { (second) throws(ImageError) in
                    #expect(try bring(for: second) == layer)
                    throw ImageError(.cancelled, "the second fails")
                }
            } catch { #expect(error.code == .cancelled) }
            #expect(try! room.content.contains(layer.blob.digest))
            #expect(room.snapshots.layers()[layer.name] != nil)
        }
        // Neither has made an image of it.
        try FileManager.default.removeItem(atPath: tar)
        #expect(try room.files == empty)
        try room.remove()
    }

    @Test(
        "A layer whose document is damaged or newer is told of, and keeps its files and what it lies on",
        arguments: ["x", #"{"version":9}"#])
    func unreadableLayer(_ document: String) async throws {
        let room = try await ImageRoom()
        let tar = try room.tar(text: "text")
        func directories() throws -> Set<String> { Set(try FileManager.default.contentsOfDirectory(atPath: room.path + "/vfs")) }
        // As a kill leaves them: no image names them, and nobody collects.
        let lease = room.store.leases.begin()
        func take(on parent: LayerName?) throws -> LayerName {
            try room.layers.importLayer(from: try HostFile.open(tar), on: parent, for: lease, progress: { (_) throws(LayerError) in }).name
        }
        let lower = try take(on: nil)
        let first = try directories()
        _ = try take(on: lower)
        let upper = try #require(try directories().subtracting(first).first)
        let path = URL(fileURLWithPath: "\(room.path)/vfs/\(upper)/layer.json")
        try Data(document.utf8).write(to: path)
        for _ in 0..<2 {
            let again = try await ImageRoom(at: room.path)
            #expect(again.store.unreadableLayers.keys.sorted() == [upper])
            #expect(try directories() == first.union([upper]))
        }
        // Taken away by hand, it is no layer any more, and what it lay on goes.
        try FileManager.default.removeItem(at: path)
        #expect(try await ImageRoom(at: room.path).store.unreadableLayers.isEmpty)
        #expect(try directories().isEmpty)
        try room.remove()
    }

    @Test("Imports and removals of the same layer, all at once: every image that is there is whole, and nothing else is left")
    func crowd() async throws {
        let room = try await ImageRoom()
        let empty = try room.files
        let tar = try room.tar(text: "shared")
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<8 {
                group.addTask {
                    for round in 0..<6 {
                        let name = "crowd:\(number)"
                        do {
                            let image = try await room.store.importRootFileSystem(fromFile: tar, as: try ImageReference(parsing: name))
                                .value
                            #expect(room.snapshots.layers()[try #require(image.topLayer)] != nil, "the layer of \(name) is gone")
                            for blob in [image.id, image.manifest.digest] + image.layers.map(\.digest) {
                                #expect(try room.content.contains(blob), "a blob of \(name) is gone")
                            }
                            if round == 3 { try await room.store.collect() }
                            _ = try await room.rmi(name)
                        } catch { Issue.record("\(name): \(error)") }
                    }
                }
            }
        }
        try FileManager.default.removeItem(atPath: tar)
        #expect(try room.files == empty)
        try room.remove()
    }
}
