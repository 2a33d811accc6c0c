import BerthContent
import BerthOCI
@testable import BerthRegistryServer
import Foundation
import Synchronization
import NIOHTTP1
import Testing

@Suite("What a registry keeps")
struct StoreTests {
    private func temporary() -> String {
        FileManager.default.temporaryDirectory.appendingPathComponent("registry-\(UUID().uuidString)").path
    }

    private func serving<Result>(_ directory: String, _ body: (Peer, RegistryStore) async throws -> Result) async throws -> Result {
        let store = try await RegistryStore.open(directory: directory)
        let registry = try await RegistryServer(store: store).serve()
        let result = try await body(Peer(port: registry.port), store)
        await registry.close()
        return result
    }

    @Test("Opened again it is as it was: images, uploads in the middle, and a valid image layout")
    func reopened() async throws {
        let directory = temporary()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let blob = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let (image, place) = try await serving(directory) { peer, _ async throws in
            let image = try await peer.pushImage("a/b", "t")
            let place = try await peer.beginUpload(to: "a/b")
            #expect(try await peer.send(.PATCH, place, Array(blob[..<70_000])).status == 202)
            return (image, place)
        }
        try await serving(directory) { peer, _ async throws in
            #expect(try await peer.send(.GET, "/v2/a/b/manifests/t").bytes == image.bytes)
            let status = try await peer.send(.GET, place)
            #expect(status.status == 204 && status["Range"] == "0-69999")
            let end = try await peer.send(.PUT, "\(place)?digest=\(Digest(of: blob))", Array(blob[70_000...]))
            #expect(end.status == 201)
            #expect(try await peer.send(.GET, "/v2/a/b/blobs/\(Digest(of: blob))").bytes == blob)
        }
        let index = try JSONDecoder().decode(Index.self, from: Data(contentsOf: URL(fileURLWithPath: "\(directory)/content/index.json")))
        #expect(index.manifests.map(\.digest) == [image.manifest])
        #expect(index.manifests.first?.annotations == ["org.opencontainers.image.ref.name": "a/b:t"])
    }

    @Test("What a kill leaves between two steps is whole or nothing when it is opened again")
    func halfMade() async throws {
        let directory = temporary()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let place = try await serving(directory) { peer, _ async throws in try await peer.beginUpload(to: "a") }
        let id = try #require(place.split(separator: "/").last)
        // Killed after the bytes became a blob and before the repository knew of it; and while an upload was made.
        try FileManager.default.removeItem(atPath: "\(directory)/uploads/\(id)/data")
        try FileManager.default.createDirectory(atPath: "\(directory)/uploads/half", withIntermediateDirectories: true)
        try await serving(directory) { peer, _ async throws in
            #expect(try await peer.send(.GET, place).status == 404)
            #expect(try FileManager.default.contentsOfDirectory(atPath: "\(directory)/uploads") == [])
        }
    }

    @Test("One process has a store at a time")
    func locked() async throws {
        let directory = temporary()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let store = try await RegistryStore.open(directory: directory)
        await #expect { _ = try await RegistryStore.open(directory: directory) } throws: { ($0 as? RegistryServerError)?.code == .inUse }
        withExtendedLifetime(store) {}
    }

    @Test("A document that cannot be read is set aside and keeps its name; nothing is collected meanwhile")
    func setAside() async throws {
        let directory = temporary()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let image = try await serving(directory) { peer, _ async throws in try await peer.pushImage("a", "t") }
        let file = "\(directory)/repositories/\(Digest(of: Array("a".utf8)).hex).json"
        try Data("{".utf8).write(to: URL(fileURLWithPath: file))
        try await serving(directory) { peer, store async throws in
            #expect(store.unreadable.count == 1)
            #expect(try await peer.send(.GET, "/v2/a/manifests/t").status == 404)
            let answer = try await peer.send(.POST, "/v2/a/blobs/uploads/?digest=\(Digest(of: [1]))", [1])
            #expect(answer.status == 500 && !answer.text.contains(directory))
            _ = try await store.collect(untagged: true)
            #expect(FileManager.default.fileExists(atPath: "\(directory)/content/blobs/sha256/\(image.layer.hex)"))
        }
    }

    @Test("A referrer whose bytes have gone is left out of the list, and the others are told")
    func referrerGone() async throws {
        let directory = temporary()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try await serving(directory) { peer, _ async throws in
            let image = try await peer.pushImage("a", "t")
            let subject = ",\"subject\":{\"mediaType\":\"\(MediaType.manifest)\",\"digest\":\"\(image.manifest)\",\"size\":1}"
            let kept = try await peer.pushImage("a", "kept", more: subject)
            let gone = try await peer.pushImage("a", "gone", layer: [1], more: subject)
            try FileManager.default.removeItem(atPath: "\(directory)/content/blobs/sha256/\(gone.manifest.hex)")
            let answer = try await peer.send(.GET, "/v2/a/referrers/\(image.manifest)")
            #expect(answer.status == 200)
            #expect(try JSONDecoder().decode(Index.self, from: Data(answer.bytes)).manifests.map(\.digest) == [kept.manifest])
        }
    }

    // MARK: collection

    @Test("Collected is what no manifest names, and what no tag leads to if asked; never within the grace")
    func collection() async throws {
        let directory = temporary()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let clock = Mutex(ContinuousClock.now)
        let store = try await RegistryStore.open(directory: directory, .init(grace: .seconds(100)), now: { clock.withLock { $0 } })
        let registry = try await RegistryServer(store: store).serve()
        let peer = Peer(port: registry.port)
        func pass(_ seconds: Int) { clock.withLock { $0 += .seconds(seconds) } }
        func isThere(_ digest: Digest) -> Bool { FileManager.default.fileExists(atPath: "\(directory)/content/blobs/sha256/\(digest.hex)") }

        let kept = try await peer.pushImage("a", "kept", layer: [1])
        let untagged = try await peer.pushImage("a", "moved", layer: [2])
        let moved = try await peer.pushImage("a", "moved", layer: [3])
        let subject = ",\"subject\":{\"mediaType\":\"\(MediaType.manifest)\",\"digest\":\"\(kept.manifest)\",\"size\":1}"
        let attached = try await peer.pushImage("a", "signature", layer: [4], more: subject)
        #expect(try await peer.send(.DELETE, "/v2/a/manifests/signature").status == 202)
        let pushed = try await peer.push([5], to: "a")

        // A push in progress relies on what it has brought.
        #expect(try await store.collect(untagged: true) == CollectedContent())
        pass(101)
        _ = try await store.collect()
        // ... and on what it has asked for: by itself, what was brought would be let go of by now.
        #expect(try await peer.send(.HEAD, "/v2/a/blobs/\(pushed)").status == 200)
        pass(101)
        _ = try await store.collect()
        #expect(isThere(pushed))
        pass(300)
        let first = try await store.collect()
        #expect(first.blobCount == 1 && first.manifestCount == 0 && first.byteCount == 1 && !isThere(pushed))
        #expect(try await peer.send(.GET, "/v2/a/blobs/\(pushed)").status == 404)
        let second = try await store.collect(untagged: true)
        #expect(second.manifestCount == 1 && second.blobCount == 1)
        #expect(!isThere(untagged.manifest) && !isThere(untagged.layer))
        for digest in [kept.manifest, kept.layer, moved.manifest, moved.layer, attached.manifest, attached.layer] {
            #expect(isThere(digest))
        }
        #expect(try await store.collect(untagged: true) == CollectedContent())
        await registry.close()
    }

    @Test("Uploads that nobody goes on with are collected, and only so many are taken")
    func uploads() async throws {
        try await withRegistry(.init(uploadLimit: 2, uploadAge: .zero)) { peer, store async throws in
            let places = [try await peer.beginUpload(to: "a"), try await peer.beginUpload(to: "a")]
            let refused = try await peer.send(.POST, "/v2/a/blobs/uploads/")
            #expect(refused.status == 429 && refused.code == "TOOMANYREQUESTS" && refused["Retry-After"] == "10")
            #expect(try await store.collect().uploadCount == 2)
            #expect(try await peer.send(.GET, places[0]).status == 404)
            _ = try await peer.beginUpload(to: "a")
        }
    }

    @Test("Pushes and collections at the same time lose nothing")
    func together() async throws {
        try await withRegistry(.init(grace: .seconds(100))) { peer, store async throws in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for worker in 0..<6 {
                    group.addTask {
                        for round in 0..<8 {
                            let layer = Array("\(worker % 3) \(round)".utf8)
                            let image = try await peer.pushImage("r\(worker % 2)", "w\(worker)", layer: layer)
                            let answer = try await peer.send(.GET, "/v2/r\(worker % 2)/blobs/\(image.layer)")
                            #expect(answer.bytes == layer)
                        }
                    }
                }
                group.addTask { for _ in 0..<40 { _ = try await store.collect(untagged: true) } }
                try await group.waitForAll()
            }
        }
    }

    // MARK: quota

    @Test("The quota holds in all and for a repository, with what is being uploaded; what is shared costs nothing in all")
    func quota() async throws {
        try await withRegistry(.init(quota: RegistryQuota(byteCount: 1000, repositoryByteCount: 600))) { peer, _ async throws in
            let digest = try await peer.push([UInt8](repeating: 1, count: 500), to: "a")
            let place = try await peer.beginUpload(to: "a")
            let full = try await peer.send(.PATCH, place, [UInt8](repeating: 2, count: 101))
            #expect(full.status == 403 && full.code == "DENIED" && full.text.contains("quota of 600 bytes"))
            #expect(try await peer.send(.PATCH, place, [UInt8](repeating: 2, count: 100)).status == 202)
            #expect(try await peer.send(.POST, "/v2/b/blobs/uploads/?mount=\(digest)&from=a").status == 201)
            let all = try await peer.send(
                .POST, "/v2/c/blobs/uploads/?digest=\(Digest(of: [UInt8](repeating: 3, count: 401)))", [UInt8](repeating: 3, count: 401))
            #expect(all.status == 403 && all.text.contains("quota of 1000 bytes"))
            #expect(try await peer.send(.DELETE, place).status == 204)
            _ = try await peer.push([UInt8](repeating: 3, count: 401), to: "c")
        }
    }

    @Test("What nothing needs, decided without a disk")
    func garbage() throws {
        func digest(_ byte: UInt8) -> Digest { Digest(of: [byte]) }
        func manifest(_ byte: UInt8, blobs: [UInt8] = [], manifests: [UInt8] = [], subject: UInt8? = nil) -> ManifestRecord {
            ManifestRecord(
                digest: digest(byte), mediaType: .manifest, byteCount: 1, subject: subject.map(digest), blobs: blobs.map(digest),
                manifests: manifests.map(digest))
        }
        var record = RepositoryRecord(name: "a")
        record.add(manifest(1, manifests: [2, 9]), tags: ["index"])
        record.add(manifest(2, blobs: [20]), tags: [])
        record.add(manifest(3, blobs: [30], subject: 2), tags: [])
        record.add(manifest(4, blobs: [30, 40], subject: 5), tags: [])
        for blob in [20, 30, 40, 50] as [UInt8] { record.add(blob: digest(blob), byteCount: 1) }
        let some = record.garbage(untagged: false) { _ in false }
        #expect(some.manifests.isEmpty && some.blobs == [digest(50)])
        let all = record.garbage(untagged: true) { _ in false }
        #expect(all.manifests == [digest(4)] && all.blobs == [digest(40), digest(50)])
        let held = record.garbage(untagged: true) { $0 == digest(4) || $0 == digest(50) }
        #expect(held.manifests.isEmpty && held.blobs.isEmpty)
        let decoded = try JSONDecoder().decode(RepositoryRecord.self, from: JSONEncoder().encode(record))
        #expect(decoded == record)
    }

    @Test("A document of the first version is read")
    func golden() throws {
        let hex = String(repeating: "0", count: 64)
        let text = """
            {"blobs":{"sha256:\(hex)":5},"manifests":[{"blobs":["sha256:\(hex)"],"byteCount":7,"digest":"sha256:\(hex)","manifests":[],\
            "mediaType":"application/vnd.oci.image.manifest.v1+json"}],"name":"a/b","tags":{"t":"sha256:\(hex)"}}
            """
        let record = try JSONDecoder().decode(RepositoryRecord.self, from: Data(text.utf8))
        #expect(record.name == "a/b" && record.blobs.values.first == 5 && record.tags["t"] == record.manifests.keys.first)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        #expect(try String(decoding: encoder.encode(record), as: UTF8.self) == text)
    }
}
