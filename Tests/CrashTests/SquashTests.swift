import BerthContent
import BerthImages
import BerthLayers
import BerthLinux
import BerthOCI
import BerthSnapshots
import BerthState
import Foundation
import Testing

@Suite("An image that is made of another is whole or absent, whatever happens at whichever call", .crashTier)
struct SquashTests {
    private static let name = "example/flat:1"

    private func squash(_ stores: Stores) async -> Result<ImageRecord, any Error> {
        do { return .success(try await stores.images.squash(Stores.name, as: try ImageReference(parsing: Self.name)).value) } catch {
            return .failure(error)
        }
    }

    /// Makes a root with an image of two layers: of a few files, and of what was removed and added.
    private func prepare(_ folder: String, _ root: String) async throws {
        let script = """
            cd '\(folder)'; mkdir root base low up; cd low; mkdir dir; echo text >dir/file; ln dir/file hard; ln -s nowhere link; head -c 70000 /dev/urandom >data
            tar -czf ../lower.tar.gz dir hard link data; cd ../up; touch .wh.link new; tar -cf ../upper.tar .wh.link new
            """
        try #require(bash(script) == 0)
        let stores = try await Stores(root)
        _ = try await stores.importArchive(folder + "/lower.tar.gz")
        let lease = stores.images.leases.begin()
        var draft = try stores.images.draft(of: Stores.name, for: lease)
        draft.append(
            try await stores.images.keepLayer(from: try HostFile.open(folder + "/upper.tar"), for: lease).value,
            step: .init(created: nil, createdBy: "ADD"))
        _ = try await stores.images.write(draft, as: try ImageReference(parsing: Stores.name)).value
        _ = try await stores.images.remove(
            try #require(stores.images.list().first { $0.references.isEmpty }).id.description, uses: { _ in [] })
    }

    private func files(of image: ImageRecord, _ stores: Stores) throws -> [String] {
        try tree(stores.snapshots.directory(of: #require(image.topLayer)))
    }

    private func remove(_ stores: Stores) async throws { _ = try await stores.images.remove(Self.name, uses: { _ in [] }) }

    @Test(
        "Stopped, with a full disk, or failing once, at each state-changing call",
        arguments: [SystemCallSeam.Outcome.stop, .failFrom(.ENOSPC), .failOnce(.EIO)])
    func walk(_ outcome: SystemCallSeam.Outcome) async throws {
        let folder = "/var/tmp/berth-crash-\(UUID().uuidString.prefix(8))"
        try #require(bash("mkdir '\(folder)'") == 0)
        defer { _ = bash("rm -rf '\(folder)'") }  // what cannot be removed lies in the temporary directory
        let (root, base) = (folder + "/root", folder + "/base")
        try await prepare(folder, base)
        func begin() throws { try #require(bash("cd '\(folder)'; rm -rf root; cp -a base root") == 0) }
        try begin()
        var stores = try await Stores(root)
        let before = try tree(root, named: false)
        let (result, calls) = await SystemCallSeam.scripted { [stores] in await squash(stores) }
        let image = try result.get()
        let whole = try files(of: image, stores)
        #expect(image.layers.count == 1 && whole.count == 5 && whole.contains { $0.hasPrefix("/new ") } && calls.count > 60)
        try await remove(stores)
        #expect(try tree(root, named: false) == before)
        var (failed, absent, present) = (0, 0, 0)
        for at in 1...calls.count {
            try begin()
            stores = try await Stores(root)
            let (result, _) = await SystemCallSeam.scripted(at: at, outcome) { [stores] in await squash(stores) }
            if case .failure(let error) = result {
                failed += 1
                #expect(error is ImageError, "call \(at): \(error)")
                if case .failOnce = outcome { #expect(try stores.images.list().count == 1, "call \(at)") }
            }
            stores = try await Stores(root)
            if let found = try? stores.images.find(Self.name) {
                present += 1
                #expect(try files(of: found, stores) == whole, "call \(at): an image that is not whole")
                for blob in found.layers + [found.manifest] {
                    #expect(try stores.content.read(blob.digest, limit: 64 << 20).count == Int(blob.byteCount))
                }
                try await remove(stores)
            } else {
                absent += 1
            }
            #expect(try tree(root, named: false) == before, "call \(at) has left something")
            #expect(try await squash(stores).get().id == image.id, "call \(at): the same cannot be made any more")
        }
        #expect(failed > 40 && absent > 40, "\(failed) failed, \(absent) absent, \(present) present")
        if outcome == .stop { #expect(present > 0) }
    }
}
