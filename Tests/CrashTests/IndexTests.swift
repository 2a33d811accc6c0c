import BerthContent
import BerthImages
import BerthLinux
import BerthOCI
import BerthState
import Foundation
import Testing

/// Two archives of the same name: an image, and an index of two images with something attached; and one of that index without a name.
private final class SavedIndex {
    let folder = "/var/tmp/berth-crash-\(UUID().uuidString.prefix(8))"
    var image: String { folder + "/image.tar" }
    var index: String { folder + "/index.tar" }
    var unnamed: String { folder + "/unnamed.tar" }

    init() throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let script = """
            import hashlib, io, json, tarfile
            digest = lambda data: 'sha256:' + hashlib.sha256(data).hexdigest()
            blobs = {}
            def keep(data, kind, **more):
                data = data if isinstance(data, bytes) else json.dumps(data).encode()
                blobs['blobs/' + digest(data).replace(':', '/')] = data
                return {'mediaType': 'application/vnd.' + kind, 'digest': digest(data), 'size': len(data), **more}
            def image(architecture, text):
                buffer = io.BytesIO()
                with tarfile.open(fileobj=buffer, mode='w') as tar:
                    tar.addfile(tarfile.TarInfo(text))
                layer = keep(buffer.getvalue(), 'oci.image.layer.v1.tar')
                configuration = keep({'architecture': architecture, 'os': 'linux', 'rootfs': {'type': 'layers', 'diff_ids': [layer['digest']]}}, 'oci.image.config.v1+json')
                return keep({'schemaVersion': 2, 'config': configuration, 'layers': [layer]}, 'oci.image.manifest.v1+json',
                    platform={'os': 'linux', 'architecture': architecture})
            def write(path, top, named=True):
                if named:
                    top = dict(top, annotations={'org.opencontainers.image.ref.name': '\(Stores.name)'})
                blobs['index.json'] = json.dumps({'schemaVersion': 2, 'manifests': [top]}).encode()
                with tarfile.open(path, 'w') as tar:
                    for name, data in blobs.items():
                        entry = tarfile.TarInfo(name)
                        entry.size = len(data)
                        tar.addfile(entry, io.BytesIO(data))
            write('\(folder)/image.tar', image('amd64', 'old'))
            blobs.clear()
            images = [image('arm64', 'arm64'), image('amd64', 'amd64')]
            attached = keep({'schemaVersion': 2, 'config': keep({}, 'oci.image.config.v1+json'), 'layers': [keep(b'statement', 'in-toto+json')]},
                'oci.image.manifest.v1+json', platform={'os': 'unknown', 'architecture': 'unknown'})
            index = keep({'schemaVersion': 2, 'manifests': images + [attached]}, 'oci.image.index.v1+json')
            write('\(folder)/index.tar', index)
            write('\(folder)/unnamed.tar', index, named=False)
            """
        try script.write(toFile: folder + "/make.py", atomically: true, encoding: .utf8)
        try #require(bash("python3 '\(folder)/make.py'") == 0)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }  // what cannot be removed lies in the temporary directory
}

@Suite("An index gets its name whole, whatever happens at whichever call", .crashTier)
struct IndexTests {
    private func load(_ stores: Stores, _ archive: String) async -> Result<[LoadedImage], any Error> {
        do { return .success(try await stores.images.load(fromFile: archive).value) } catch { return .failure(error) }
    }

    private func withRoot<Result>(_ saved: SavedIndex, _ body: (String) async throws -> Result) async throws -> Result {
        let root = saved.folder + "/root"
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        let result: Swift.Result<Result, any Error>
        do { result = .success(try await body(root)) } catch { result = .failure(error) }
        try Directory.open(saved.folder).removeTree("root")
        return try result.get()
    }

    @Test("The name means the image before or an image of the index", arguments: [SystemCallSeam.Outcome.stop, .failOnce(.EIO)])
    func walk(_ outcome: SystemCallSeam.Outcome) async throws {
        let saved = try SavedIndex()
        let (empty, whole, calls) = try await withRoot(saved) { root in
            let stores = try await Stores(root)
            let empty = try tree(root, named: false)
            let (result, _) = await SystemCallSeam.scripted { await load(stores, saved.index) }
            #expect(try result.get().count == 2)
            let whole = try stores.content.all()
            _ = try await stores.images.remove(Stores.name, uses: { _ in [] })
            #expect(try tree(root, named: false) == empty)
            _ = try await load(stores, saved.image).get()
            let calls = await SystemCallSeam.scripted { _ = await load(stores, saved.index) }.calls
            return (empty, whole, calls)
        }
        // Only the end is about names: from the first that is renamed, after everything has been unpacked and kept.
        let first = calls.count - 40
        try #require(first > 0)
        var (old, new) = (0, 0)
        for at in first...calls.count {
            try await withRoot(saved) { root in
                var stores = try await Stores(root)
                let before = try await load(stores, saved.image).get()[0].image.id
                do {
                    let result = await SystemCallSeam.scripted(at: at, outcome) { [stores] in await load(stores, saved.index) }.result
                    if case .failure = result, case .failOnce = outcome {
                        // What failed once has changed nothing that is seen.
                        #expect(try stores.images.find(Stores.name).id == before, "call \(at)")
                        #expect(try stores.images.list(ImageQuery(includesAll: true)).count == 1, "call \(at)")
                    }
                }
                stores = try await Stores(root)
                let named = try stores.images.find(Stores.name)
                if named.id == before {
                    old += 1
                    #expect(
                        try stores.images.list(ImageQuery(includesAll: true)).map(\.id) == [before], "call \(at): images without a name")
                } else {
                    new += 1
                    #expect(try stores.images.find(before.description).isDangling)
                    for image in try stores.images.list(ImageQuery(includesAll: true)) where image.id != before {
                        #expect(!image.isDangling, "call \(at): an image that has lost its index")
                    }
                }
                #expect(stores.images.unreadable.isEmpty)
                #expect(try await load(stores, saved.index).get().count == 2, "call \(at): the same load does not work any more")
                _ = try await stores.images.remove(before.description, uses: { _ in [] })
                #expect(try stores.content.all() == whole, "call \(at): not what the index has")
                _ = try await stores.images.remove(Stores.name, uses: { _ in [] })
                #expect(try tree(root, named: false) == empty, "call \(at) has left something")
            }
        }
        // The walk has been through both sides of the moment that counts.
        #expect(old > 5, "\(old) old, \(new) new: \(calls[(first - 1)...])")
        if outcome == .stop { #expect(new > 5, "\(old) old, \(new) new: \(calls[(first - 1)...])") }
    }

    @Test("Without a name it is there, with what is there of it, or is not", arguments: [SystemCallSeam.Outcome.stop, .failOnce(.EIO)])
    func unnamed(_ outcome: SystemCallSeam.Outcome) async throws {
        let saved = try SavedIndex()
        let archive = saved.unnamed
        let (empty, whole, digest, calls) = try await withRoot(saved) { root in
            let stores = try await Stores(root)
            let empty = try tree(root, named: false)
            let (result, calls) = await SystemCallSeam.scripted { await load(stores, archive) }
            let digest = try #require(try result.get().first?.index)
            let whole = try stores.content.all()
            let removed = await SystemCallSeam.scripted { _ = try? await stores.images.remove(digest.description, uses: { _ in [] }) }.calls
            #expect(try tree(root, named: false) == empty)
            return (empty, whole, digest, (load: calls.count, remove: removed.count))
        }
        var (absent, there) = (0, 0)
        /// What holds whatever has happened before.
        func check(_ root: String, _ what: String) async throws {
            let stores = try await Stores(root)
            let found = try? stores.images.find(digest.description)
            let images = try stores.images.list(ImageQuery(includesAll: true))
            #expect((found == nil) == images.isEmpty, "\(what): images without their index")
            if found == nil { absent += 1 } else { there += 1 }
            #expect(stores.images.unreadable.isEmpty)
            #expect(try await load(stores, archive).get().count == 2, "\(what): the same load does not work any more")
            #expect(try stores.content.all() == whole, "\(what): not what the index has")
            _ = try await stores.images.remove(digest.description, uses: { _ in [] })
            #expect(try tree(root, named: false) == empty, "\(what) has left something")
        }
        for at in max(1, calls.load - 40)...calls.load {
            try await withRoot(saved) { root in
                let result = try await {
                    let stores = try await Stores(root)
                    return await SystemCallSeam.scripted(at: at, outcome) { [stores] in await load(stores, archive) }.result
                }()
                if case .failure = result, case .failOnce = outcome {
                    #expect(!FileManager.default.fileExists(atPath: "\(root)/indexes/\(digest.hex).json"), "call \(at)")
                }
                try await check(root, "call \(at) of the load")
            }
        }
        #expect(absent > 5, "\(absent) absent, \(there) there")
        if outcome == .stop { #expect(there > 3, "\(absent) absent, \(there) there") }
        for at in 1...calls.remove {
            try await withRoot(saved) { root in
                try await {
                    let stores = try await Stores(root)
                    _ = try await load(stores, archive).get()
                    _ = await SystemCallSeam.scripted(at: at, outcome) { [stores] in
                        try? await stores.images.remove(digest.description, uses: { _ in [] })
                    }
                }()
                // Once its document is gone its images are images as others: these the next load gives an index again.
                let stores = try await Stores(root)
                #expect(stores.images.unreadable.isEmpty)
                #expect(try await load(stores, archive).get().count == 2, "call \(at) of the removal: a load does not work any more")
                #expect(try stores.content.all() == whole)
                _ = try await stores.images.remove(digest.description, uses: { _ in [] })
                #expect(try tree(root, named: false) == empty, "call \(at) of the removal has left something")
            }
        }
    }
}
