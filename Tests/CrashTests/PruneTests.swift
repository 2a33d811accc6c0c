import BerthContent
import BerthImages
import BerthLinux
import BerthOCI
import BerthSnapshots
import Foundation
import Testing

@Suite("Pruning images can be done again, whatever happened at whichever call", .crashTier)
struct PruneTests {
    private func prune(_ stores: Stores) async -> Result<ImagesPruned, any Error> {
        var query = ImagePruning()
        query.includesNamed = true
        do { return .success(try await stores.images.prune(query, uses: { _ in [] })) } catch { return .failure(error) }
    }

    @Test(
        "Stopped, with a full disk, or failing once, at each state-changing call",
        arguments: [SystemCallSeam.Outcome.stop, .failFrom(.ENOSPC), .failOnce(.EIO)])
    func walk(_ outcome: SystemCallSeam.Outcome) async throws {
        let every = try EveryEntry()
        let (root, base) = (every.folder + "/root", every.folder + "/base")
        try FileManager.default.createDirectory(atPath: base, withIntermediateDirectories: true)
        let empty: [String]
        do {
            let stores = try await Stores(base)
            empty = try tree(base, named: false)
            // Two images of one layer, of which one has no name.
            _ = try await stores.importArchive(every.archive)
            _ = try await stores.importArchive(every.archive)
            #expect(try stores.images.list().map(\.references.count).sorted() == [0, 1])
        }
        func begin() throws { try #require(bash("cd '\(every.folder)'; rm -rf root; cp -a base root") == 0) }
        try begin()
        var stores = try await Stores(root)
        let (result, calls) = await SystemCallSeam.scripted { [stores] in await prune(stores) }
        #expect(try result.get().removals.count == 4)
        #expect(try tree(root, named: false) == empty)
        #expect(calls.count > 10)
        var partial = 0
        for at in 1...calls.count {
            try begin()
            stores = try await Stores(root)
            let (result, _) = await SystemCallSeam.scripted(at: at, outcome) { [stores] in await prune(stores) }
            if case .failure(let error) = result { #expect(error is ImageError, "call \(at): \(error)") }
            stores = try await Stores.opened(root, "call \(at)")
            let left = try stores.images.list()
            if left.count == 1 { partial += 1 }
            // What is left is whole.
            for image in left {
                for blob in image.layers + [image.manifest] {
                    #expect(try stores.content.read(blob.digest, limit: 64 << 20).count == Int(blob.byteCount), "call \(at)")
                }
                #expect(try !tree(stores.snapshots.directory(of: #require(image.topLayer))).isEmpty, "call \(at)")
            }
            #expect(stores.images.unreadable.isEmpty, "call \(at)")
            _ = try await prune(stores).get()
            #expect(try tree(root, named: false) == empty, "call \(at) has left something")
        }
        #expect(partial > 0)
    }
}
