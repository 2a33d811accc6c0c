import BerthContent
import BerthImages
import BerthLayers
import BerthLinux
import BerthOCI
import BerthSnapshots
import BerthState
import Foundation
import Testing

@Suite("Committing a container is whole or absent, whatever happens at whichever call", .crashTier)
struct CommitTests {
    static let name = "example/committed:1"

    private func shell(_ script: String) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.arguments = ["-euo", "pipefail", "-c", script]
        process.environment = ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"]
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
    }

    /// A root with an image, and a container that has changed something of every kind.
    func prepare(_ every: EveryEntry, in root: String) async throws {
        try shell("mkdir -p '\(root)'")
        let stores = try await Stores(root)
        let image = try await stores.importArchive(every.archive)
        _ = try stores.snapshots.makeWritable("container", on: image.topLayer)
        try shell(
            """
            cd '\(root)/overlay2/container/diff'; mkdir new dir; echo new >new/file; ln new/file new/again; head -c 400000 /dev/urandom >new/data
            mknod hard c 0 0; mknod dir/nothing c 0 0; mkdir empty; setfattr -n trusted.overlay.opaque -v y empty 2>/dev/null ||
                python3 -c 'import os; os.setxattr("empty", "trusted.overlay.opaque", b"y")'
            mkfifo new/pipe; ln -s nowhere new/link; python3 -c 'import os; os.setxattr("new/file", "user.note", b"x")'
            """)
    }

    func commit(_ stores: Stores) async -> Result<ImageRecord, any Error> {
        do {
            let image = try stores.images.find(Stores.name)
            let request = ImageCommit(
                of: WritableLayer(id: "container"), on: image.id, leavingOut: .none, execution: image.configuration.execution,
                createdBy: "sh")
            return .success(try await stores.images.commit(request, as: try ImageReference(parsing: Self.name)).value)
        } catch { return .failure(error) }
    }

    /// The files of an image's uppermost layer.
    func files(of image: ImageRecord, _ stores: Stores) throws -> [String] {
        let top = try #require(image.topLayer)
        return try tree(stores.snapshots.directory(of: top))
    }

    func remove(_ stores: Stores) async throws {
        _ = try await stores.images.remove(Self.name, uses: { _ in [] })
    }

    @Test(
        "Stopped, with a full disk, or failing once, at each state-changing call",
        arguments: [SystemCallSeam.Outcome.stop, .failFrom(.ENOSPC), .failOnce(.EIO)])
    func walk(_ outcome: SystemCallSeam.Outcome) async throws {
        let every = try EveryEntry()
        try await prepare(every, in: every.folder + "/base")
        let root = every.folder + "/root"
        func begin() throws { try shell("cd '\(every.folder)'; rm -rf root; cp -a base root") }

        try begin()
        var stores = try await Stores(root)
        let before = try tree(root, named: false)
        let (result, calls) = await SystemCallSeam.scripted { [stores] in await commit(stores) }
        let image = try result.get()
        let (whole, layer) = (try files(of: image, stores), image.layers.last)
        #expect(whole.count == 10)
        #expect(image.layers.count == 2)
        try await remove(stores)
        #expect(try tree(root, named: false) == before)
        #expect(calls.count > 60)

        var (failed, absent, present) = (0, 0, 0)
        for at in 1...calls.count {
            try begin()
            stores = try await Stores(root)
            let (result, _) = await SystemCallSeam.scripted(at: at, outcome) { [stores] in await commit(stores) }
            if case .failure(let error) = result {
                failed += 1
                #expect(error is ImageError, "call \(at): \(error)")
                if case .failOnce = outcome { #expect(try stores.images.list().count == 1, "call \(at)") }
            }
            let lower = try stores.images.find(Stores.name).topLayer
            stores = try await Stores.opened(
                root, "call \(at)", containers: [StoreUse.Container(id: "container", topLayer: lower, isInUse: false)])
            if let image = try? stores.images.find(Self.name) {
                present += 1
                #expect(try files(of: image, stores) == whole, "call \(at): an image that is not whole")
                for blob in image.layers + [image.manifest] {
                    #expect(try stores.content.read(blob.digest, limit: 64 << 20).count == Int(blob.byteCount))
                }
                try await remove(stores)
            } else {
                absent += 1
            }
            #expect(try tree(root, named: false) == before, "call \(at) has left something")
            let image = try await commit(stores).get()
            #expect(
                try files(of: image, stores) == whole && image.layers.last == layer, "call \(at): the same commit does not work any more")
        }
        #expect(failed > 50 && absent > 50, "\(failed) failed, \(absent) absent, \(present) present")
        if outcome == .stop { #expect(present > 0) }
    }
}
