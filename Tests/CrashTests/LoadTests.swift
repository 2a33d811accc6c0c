import BerthContent
import BerthImages
import BerthLinux
import BerthOCI
import BerthSnapshots
import BerthState
import Foundation
import Testing

/// An archive of an image of two layers, as Docker saves it: the lower has every type of entry, the upper removes and adds.
final class SavedImage {
    let every: EveryEntry
    var archive: String { every.folder + "/image.tar" }

    init() throws {
        every = try EveryEntry()
        let script = """
            import gzip, hashlib, io, json, tarfile
            folder = '\(every.folder)'
            lower = open(folder + '/every.tar.gz', 'rb').read()
            buffer = io.BytesIO()
            with tarfile.open(fileobj=buffer, mode='w') as tar:
                for name in ('.wh.hard', 'new'):
                    tar.addfile(tarfile.TarInfo(name))
            upper = buffer.getvalue()
            digest = lambda data: 'sha256:' + hashlib.sha256(data).hexdigest()
            configuration = json.dumps({'architecture': 'amd64', 'os': 'linux', 'rootfs': {
                'type': 'layers', 'diff_ids': [digest(gzip.decompress(lower)), digest(upper)]}}).encode()
            manifest = json.dumps([{'Config': 'image.json', 'RepoTags': ['\(Stores.name)', 'second:2'], 'Layers': ['1/layer.tar', '2/layer.tar']}]).encode()
            with tarfile.open(folder + '/image.tar', 'w') as tar:
                for name, data in (('1/layer.tar', lower), ('2/layer.tar', upper), ('image.json', configuration), ('manifest.json', manifest)):
                    entry = tarfile.TarInfo(name)
                    entry.size = len(data)
                    tar.addfile(entry, io.BytesIO(data))
                    with open(folder + '/part-' + name.replace('/', '-'), 'wb') as part:
                        part.write(data)
            """
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        process.arguments = ["-c", script]
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
    }
}

@Suite("Loading an image is whole or absent, whatever happens at whichever call", .crashTier)
struct LoadTests {
    private func withRoot<Result>(_ saved: SavedImage, _ body: (String) async throws -> Result) async throws -> Result {
        let root = saved.every.folder + "/root"
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        let result: Swift.Result<Result, any Error>
        do { result = .success(try await body(root)) } catch { result = .failure(error) }
        try Directory.open(saved.every.folder).removeTree("root")
        return try result.get()
    }

    /// The files of an image's layers, the uppermost first.
    func files(of image: ImageRecord, _ stores: Stores) throws -> [[String]] {
        let layer = try stores.snapshots.makeWritable("probe", on: image.topLayer)
        defer { try? stores.snapshots.remove(layer) }  // of a test that fails anyway
        guard case .overlay(let base, let lowers, _, _) = try stores.snapshots.mounts(of: layer) else { return [] }
        return try lowers.map { try tree("\(base)/\($0)/.") }
    }

    func load(_ stores: Stores, _ saved: SavedImage) async -> Result<[LoadedImage], any Error> {
        do { return .success(try await stores.images.load(fromFile: saved.archive).value) } catch { return .failure(error) }
    }

    @Test(
        "Stopped, with a full disk, or failing once, at each state-changing call",
        arguments: [SystemCallSeam.Outcome.stop, .failFrom(.ENOSPC), .failOnce(.EIO)])
    func walk(_ outcome: SystemCallSeam.Outcome) async throws {
        let saved = try SavedImage()
        let (empty, whole, callCount) = try await withRoot(saved) { root in
            let stores = try await Stores(root)
            let empty = try tree(root, named: false)
            let (result, calls) = await SystemCallSeam.scripted { await load(stores, saved) }
            let image = try result.get()[0].image
            let whole = try files(of: image, stores)
            #expect(whole.map(\.count) == [2, 15])
            _ = try await stores.images.remove(image.id.description, force: true, uses: { _ in [] })
            #expect(try tree(root, named: false) == empty)
            return (empty, whole, calls.count)
        }
        #expect(callCount > 100)
        var (failed, absent, present) = (0, 0, 0)
        for at in 1...callCount {
            try await withRoot(saved) { root in
                var stores = try await Stores(root)
                do {
                    let result = await SystemCallSeam.scripted(at: at, outcome) { [stores] in await load(stores, saved) }.result
                    if case .failure(let error) = result {
                        failed += 1
                        #expect(error is ImageError, "call \(at): \(error)")
                        if case .failOnce = outcome {
                            // What failed once has left nothing in the way of the same store.
                            _ = try await load(stores, saved).get()
                            let id = try stores.images.find(Stores.name).id.description
                            _ = try await stores.images.remove(id, force: true, uses: { _ in [] })
                            #expect(try tree(root, named: false) == empty, "call \(at) has left something in the same store")
                        }
                    }
                }
                stores = try await Stores.opened(root, "call \(at)")
                let images = try stores.images.list()
                if let image = images.first {
                    present += 1
                    #expect(images.count == 1)
                    #expect(image.references.map(\.familiar).contains(Stores.name), "call \(at): an image, and not under its name")
                    #expect(try files(of: image, stores) == whole, "call \(at): an image that is not whole")
                    for blob in image.layers + [image.manifest] {
                        #expect(try stores.content.read(blob.digest, limit: 64 << 20).count == Int(blob.byteCount))
                    }
                    _ = try await stores.images.remove(image.id.description, force: true, uses: { _ in [] })
                } else {
                    absent += 1
                }
                #expect(try tree(root, named: false) == empty, "call \(at) has left something")
                let image = try await load(stores, saved).get()[0].image
                #expect(try files(of: image, stores) == whole, "call \(at): the same load does not work any more")
                #expect(image.references.map(\.familiar) == [Stores.name, "second:2"])
            }
        }
        // The walk has been through both sides of the moment that counts.
        #expect(failed > 100 && absent > 100, "\(failed) failed, \(absent) absent, \(present) present")
        if outcome == .stop { #expect(present > 0) }
    }
}
