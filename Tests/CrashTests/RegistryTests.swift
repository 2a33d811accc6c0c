import BerthContent
import BerthLinux
import BerthOCI
@testable import BerthRegistryServer
import Foundation
import NIOCore
import Synchronization
import Testing

/// What clients were told to be in a registry.
private struct Told: Hashable {
    struct Repository: Hashable {
        var tags: [String: Digest] = [:]
        var manifests: Set<Digest> = []
        var blobs: Set<Digest> = []
    }
    var a = Repository()
    var b = Repository()
    /// How much has come of the upload that is left in the middle; `nil` if nobody was told of it.
    var uploadByteCount: UInt64?
}

/// What a client does, and what is so when it was answered.
private struct Step {
    let name: String
    let perform: (RegistryStore) async throws(RegistryFailure) -> Void
    let effect: (inout Told) -> Void
}

/// Clients of a registry in a directory: everything that changes something, one after the other.
private final class Clients {
    let a: RepositoryPath
    let b: RepositoryPath
    let blobs: [[UInt8]]
    /// What is in the upload that is left in the middle.
    let pending: [UInt8]
    private(set) var pendingUpload: String?
    private var chunked: Upload?

    init() throws {
        (a, b) = (try #require(RepositoryPath("a/one")), try #require(RepositoryPath("b")))
        blobs = (0..<4).map { seed in (0..<(3000 + seed)).map { UInt8(truncatingIfNeeded: $0 &* (seed + 3) >> 2) } }
        pending = Array("what was sent in two pieces".utf8)
    }

    func digest(_ index: Int) -> Digest { Digest(of: blobs[index]) }

    /// A manifest whose configuration is the third blob.
    func manifest(layer: Int) -> [UInt8] {
        func descriptor(_ index: Int, _ type: MediaType) -> String {
            "{\"mediaType\":\"\(type)\",\"digest\":\"\(digest(index))\",\"size\":\(blobs[index].count)}"
        }
        return Array(
            "{\"schemaVersion\":2,\"mediaType\":\"\(MediaType.manifest)\",\"config\":\(descriptor(2, .configuration)),\"layers\":[\(descriptor(layer, .layer))]}"
                .utf8)
    }
    func manifestDigest(layer: Int) -> Digest { Digest(of: manifest(layer: layer)) }

    /// Every byte that may be named.
    func bytes(of digest: Digest) -> [UInt8]? {
        (blobs + [pending, manifest(layer: 0), manifest(layer: 1)]).first { Digest(of: $0) == digest }
    }

    private func whole(_ index: Int) -> Step {
        Step(name: "blob \(index) in one piece") { [self] store async throws(RegistryFailure) in
            let upload = try await store.beginUpload(to: a, .sha256)
            try await store.append([ByteBuffer(bytes: blobs[index])], to: upload)
            try await store.finish(upload, as: digest(index))
        } effect: { [self] in
            $0.a.blobs.insert(digest(index))
        }
    }

    private func put(layer: Int, _ tags: [String]) -> Step {
        Step(name: "manifest of \(layer)") { [self] store async throws(RegistryFailure) in
            let bytes = manifest(layer: layer)
            try await store.put(try ReceivedManifest(bytes, contentType: nil), as: Digest(of: bytes), tags: tags, in: a)
        } effect: { [self] told in
            told.a.manifests.insert(manifestDigest(layer: layer))
            for tag in tags { told.a.tags[tag] = manifestDigest(layer: layer) }
        }
    }

    /// Something that is taken away, perhaps by an earlier try whose answer was lost.
    private func taking(
        _ name: String, _ perform: @escaping (RegistryStore) async throws(RegistryFailure) -> Void, _ effect: @escaping (inout Told) -> Void
    ) -> Step {
        Step(name: name) { store async throws(RegistryFailure) in
            do throws(RegistryFailure) { try await perform(store) } catch { guard error.status == 404 else { throw error } }
        } effect: {
            effect(&$0)
        }
    }

    var steps: [Step] {
        [
            whole(0),
            Step(name: "an upload begins") { [self] store async throws(RegistryFailure) in
                chunked = try await store.beginUpload(to: a, .sha256)
            } effect: { _ in
            },
            Step(name: "a piece comes") { [self] store async throws(RegistryFailure) in
                try await append(upTo: 1000, store)
            } effect: { _ in
            },
            Step(name: "the rest comes, and it ends") { [self] store async throws(RegistryFailure) in
                // One that has failed at its end is gone: then all of it comes again.
                if let upload = chunked, (try? store.upload(upload.id, of: a)) == nil {
                    chunked = try await store.beginUpload(to: a, .sha256)
                }
                try await append(upTo: blobs[1].count, store)
                if let chunked { try await store.finish(chunked, as: digest(1)) }
            } effect: { [self] in
                $0.a.blobs.insert(digest(1))
            },
            whole(2), put(layer: 0, ["t"]), put(layer: 1, ["t", "u"]),
            Step(name: "a blob is mounted") { [self] store async throws(RegistryFailure) in
                guard try await store.mount(digest(1), from: [a], to: b) else { throw RegistryFailure(500, .unknown, "it is not mounted") }
            } effect: { [self] in
                $0.b.blobs.insert(digest(1))
            },
            taking("a tag goes") { [self] store async throws(RegistryFailure) in
                try await store.remove(.tag("u"), from: a)
            } _: {
                $0.a.tags["u"] = nil
            },
            taking("a manifest goes") { [self] store async throws(RegistryFailure) in
                try await store.remove(.digest(manifestDigest(layer: 0)), from: a)
            } _: { [self] in
                $0.a.manifests.remove(manifestDigest(layer: 0))
            },
            taking("a blob goes") { [self] store async throws(RegistryFailure) in
                try await store.remove(blob: digest(1), from: b)
            } _: { [self] in
                $0.b.blobs.remove(digest(1))
            },
            whole(3),
            Step(name: "what nobody needs is collected") { store async throws(RegistryFailure) in
                do throws(RegistryServerError) { _ = try await store.collect(untagged: true) } catch {
                    throw RegistryFailure(500, .unknown, error.description)
                }
            } effect: { [self] in
                $0.a.blobs.subtract([digest(0), digest(3)])
            },
            Step(name: "an upload that is left begins") { [self] store async throws(RegistryFailure) in
                pendingUpload = try await store.beginUpload(to: a, .sha256).id
            } effect: {
                $0.uploadByteCount = 0
            },
            Step(name: "half of it comes") { [self] store async throws(RegistryFailure) in
                let upload = try store.upload(pendingUpload ?? "", of: a)
                let rest = pending[Int(upload.file.byteCount)..<10]
                try await store.append([ByteBuffer(bytes: rest)], to: upload)
            } effect: {
                $0.uploadByteCount = 10
            },
        ]
    }

    private func append(upTo end: Int, _ store: RegistryStore) async throws(RegistryFailure) {
        guard let chunked else { return }
        try await store.append([ByteBuffer(bytes: blobs[1][Int(chunked.file.byteCount)..<end])], to: chunked)
    }
}

@Suite("A registry is whole at its next start, whatever happened at whichever call, and what was answered is there", .crashTier)
struct RegistryTests {
    private func open(_ directory: String) async throws -> RegistryStore {
        try await RegistryStore.open(directory: directory, .init(grace: .zero))
    }

    /// Does all steps; one that fails is tried once more if `retries`, else it is the last.
    ///
    /// - Returns: what may be so now, and how many steps failed.
    private func run(_ clients: Clients, _ store: RegistryStore, retries: Bool) async -> (told: [Told], failures: [String]) {
        var (told, failures) = (Told(), [String]())
        for step in clients.steps {
            for attempt in 1...2 {
                do throws(RegistryFailure) {
                    try await step.perform(store)
                    step.effect(&told)
                    break
                } catch {
                    failures.append("\(step.name): \(error)")
                    if retries, attempt == 1 { continue }
                    var after = told
                    step.effect(&after)
                    return ([told, after], failures)
                }
            }
        }
        return ([told], failures)
    }

    private func seen(_ path: RepositoryPath, _ store: RegistryStore) -> Told.Repository {
        guard let record = store.record(of: path) else { return Told.Repository() }
        return Told.Repository(tags: record.tags, manifests: Set(record.manifests.keys), blobs: Set(record.blobs.keys))
    }

    /// What a registry that is opened again must have.
    private func check(_ clients: Clients, _ told: [Told], _ directory: String, _ place: String) async throws {
        let store = try await open(directory)
        #expect(store.unreadable.isEmpty, "\(place)")
        let (a, b) = (seen(clients.a, store), seen(clients.b, store))
        #expect(told.contains { $0.a == a && $0.b == b }, "\(place): \(a), \(b), and told was \(told)")
        for digest in a.blobs.union(a.manifests).union(b.blobs) {
            let bytes = try store.content.read(digest, limit: 64 << 10)
            #expect(bytes == clients.bytes(of: digest), "\(place)")
        }
        // An upload whose beginning was answered goes on where it was said to be.
        if let id = clients.pendingUpload, let least = told.compactMap(\.uploadByteCount).min(),
            told.allSatisfy({ $0.uploadByteCount != nil })
        {
            let upload = try store.upload(id, of: clients.a)
            #expect(upload.file.byteCount >= least, "\(place)")
            try await store.append([ByteBuffer(bytes: clients.pending[Int(upload.file.byteCount)...])], to: upload)
            try await store.finish(upload, as: Digest(of: clients.pending))
            #expect(try store.content.read(Digest(of: clients.pending), limit: 1000) == clients.pending, "\(place)")
        }
        // What a stop has left goes with the next collection, and nothing else.
        for upload in store.state.withLock({ Array($0.uploads.values) }) { try await store.remove(upload) }
        _ = try await store.collect()
        let named = seen(clients.a, store)
        #expect(named.tags == a.tags && named.manifests == a.manifests, "\(place)")
        #expect(Set(try store.content.all()) == named.blobs.union(named.manifests).union(seen(clients.b, store).blobs), "\(place)")
        for folder in ["uploads", "content/ingest"] {
            let path = "\(directory)/\(folder)"
            if FileManager.default.fileExists(atPath: path) {
                #expect(try FileManager.default.contentsOfDirectory(atPath: path) == [], "\(place)")
            }
        }
        for name in try FileManager.default.contentsOfDirectory(atPath: "\(directory)/repositories") {
            #expect(name.hasSuffix(".json"), "\(place): \(name)")
        }
    }

    @Test(
        "Stopped, with a full disk, or failing once, at each state-changing call",
        arguments: [SystemCallSeam.Outcome.stop, .failFrom(.ENOSPC), .failOnce(.EIO)])
    func walk(_ outcome: SystemCallSeam.Outcome) async throws {
        let folder = try Directory.temporaryPath()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        func walked(at: Int?, _ index: Int) async throws -> (told: [Told], failures: [String], calls: [String]) {
            let (clients, directory) = (try Clients(), "\(folder)/\(index)")
            let retries = outcome == .failOnce(.EIO)
            let (result, calls) = try await {
                let store = try await open(directory)
                let (result, calls) = await SystemCallSeam.scripted(at: at, at == nil ? nil : outcome) {
                    await run(clients, store, retries: retries)
                }
                return (result, calls)
            }()
            try await check(clients, result.told, directory, "call \(at ?? 0) (\(at.map { calls[$0 - 1] } ?? "none"))")
            try Directory.open(folder).removeTree(try PathBytes("\(index)"))
            return (result.told, result.failures, calls)
        }
        let whole = try await walked(at: nil, 0)
        #expect(whole.failures == [] && whole.told.count == 1)
        #expect(whole.calls.count > 80, "only \(whole.calls.count) calls")
        var failedCount = 0
        for at in 1...whole.calls.count {
            let (told, failures, _) = try await walked(at: at, at)
            if !failures.isEmpty { failedCount += 1 }
            // A client that tries again gets what it wants.
            if outcome == .failOnce(.EIO) { #expect(told == whole.told, "call \(at): \(failures)") }
        }
        #expect(failedCount > whole.calls.count / 2, "\(failedCount) of \(whole.calls.count) calls were noticed")
    }
}

extension Directory {
    fileprivate static func temporaryPath() throws -> String {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("registry-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }
}
