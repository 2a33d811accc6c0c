import BerthContent
import BerthLinux
import BerthOCI
import Foundation
import Testing

@Suite("Blobs that get their names together", .crashTier)
struct BlobBatchTests {
    private static let texts = ["one", "two", "three"]

    /// A store in which the second is there already.
    private func withStore(_ body: (ContentStore, [PendingBlob]) async throws -> Void) async throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("berth-blobs-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let store = try ContentStore(directory: path)
        let lease = store.leases.begin()
        var pending: [PendingBlob] = []
        for (text, algorithm) in zip(Self.texts, [Digest.Algorithm.sha256, .sha256, .sha512]) {
            var ingest = try store.makeIngest(algorithm, for: lease)
            try unsafe ingest.write(text.utf8Span.span.bytes)
            pending.append(ingest.seal())
        }
        _ = try store.add(Array("two".utf8), .sha256, for: lease)
        try await body(store, pending)
    }

    @Test("Each is on the disk before it has its name, and all names are before it is answered")
    func order() async throws {
        try await withStore { store, pending in
            let (result, calls) = await SystemCallSeam.scripted { Result { try store.commit(pending) } }
            try result.get()
            #expect(calls == ["fsync", "renameat2", "fsync", "renameat2", "fsync", "fsync"])
            for (text, blob) in zip(Self.texts, pending) { #expect(try store.read(blob.digest, limit: 10) == Array(text.utf8)) }
        }
    }

    @Test("Stopped at any call, each is whole or absent, and the same can be done again")
    func stops() async throws {
        for at in 1...6 {
            try await withStore { store, pending in
                let result = await SystemCallSeam.scripted(at: at, .stop) { Result { try store.commit(pending) } }.result
                #expect(throws: ContentError.self, "stopped at call \(at)") { try result.get() }
                for (text, blob) in zip(Self.texts, pending) where try store.contains(blob.digest) {
                    #expect(try store.read(blob.digest, limit: 10) == Array(text.utf8), "stopped at call \(at)")
                }
                try store.commit(pending)
                #expect(try store.all() == Set(pending.map(\.digest)), "stopped at call \(at)")
            }
        }
    }
}
