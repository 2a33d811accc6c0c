import BerthContent
import BerthImages
import BerthLinux
import BerthOCI
import BerthSnapshots
import BerthState
import Foundation
import Testing

@Suite("Collecting what nobody needs can be done again, whatever happened at whichever call", .crashTier)
struct CollectionTests {
    private func collect(_ stores: Stores) async -> Result<StoreCollection, any Error> {
        do { return .success(try await stores.images.startCollection().value) } catch { return .failure(error) }
    }

    /// The stores of a root, opened as an engine opens them, but nothing is collected yet.
    private func uncollected(_ root: String) throws -> Stores { try Stores(uncollected: root) }

    @Test(
        "Stopped, with a full disk, or failing once, at each state-changing call",
        arguments: [SystemCallSeam.Outcome.stop, .failFrom(.ENOSPC), .failOnce(.EIO)])
    func walk(_ outcome: SystemCallSeam.Outcome) async throws {
        let every = try EveryEntry()
        let (root, base) = (every.folder + "/root", every.folder + "/base")
        try FileManager.default.createDirectory(atPath: base, withIntermediateDirectories: true)
        var stores = try await Stores(base)
        let kept = try await stores.importArchive(every.archive)
        let whole = try tree(stores.snapshots.directory(of: #require(kept.topLayer)))
        try #require(bash("cd '\(every.folder)'; mkdir other; echo 1 >other/file; tar -cf other.tar -C other .") == 0)
        let clean = try tree(base, named: false)
        let other = try await stores.images.importRootFileSystem(fromFile: every.folder + "/other.tar").value
        // The document goes, and with it all that keeps the other image's blobs and layer.
        try #require(bash("rm '\(base)/images/\(other.id.hex).json'") == 0)
        func begin() throws { try #require(bash("cd '\(every.folder)'; rm -rf root; cp -a base root") == 0) }

        try begin()
        stores = try uncollected(root)
        #expect(try await stores.check().findings.count { $0.kind == .leftover } == 4)
        let (result, calls) = await SystemCallSeam.scripted { [stores] in await collect(stores) }
        #expect(try result.get().layers == [#require(other.topLayer)])
        #expect(try result.get().blobs == Set([other.id, other.manifest.digest, other.layers[0].digest]))
        #expect(try tree(root, named: false) == clean)
        #expect(calls.count > 10)
        #expect(stores.jobs.list().last?.kind == "collect")
        for at in 1...calls.count {
            try begin()
            stores = try uncollected(root)
            let (result, _) = await SystemCallSeam.scripted(at: at, outcome) { [stores] in await collect(stores) }
            if case .failure(let error) = result { #expect(error is ImageError, "call \(at): \(error)") }
            stores = try await Stores.opened(root, "call \(at)")
            #expect(try tree(root, named: false) == clean, "call \(at) has left something")
            #expect(try stores.images.list().map(\.id) == [kept.id], "call \(at)")
            #expect(try tree(stores.snapshots.directory(of: #require(kept.topLayer))) == whole, "call \(at)")
            _ = try await collect(stores).get()
        }
    }
}
