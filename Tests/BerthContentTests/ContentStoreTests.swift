import BerthContent
import BerthOCI
import Foundation
import Testing

@Suite("Blobs are what their digests say, or are not there")
struct ContentStoreTests {
    private func withFolder(_ body: (String) throws -> Void) throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("berth-content-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }  // what is left lies in the temporary directory
        try body(path)
    }

    @Test("Digests are those that other programs count")
    func digests() throws {
        #expect(Digest(of: []).description == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(
            Digest(of: Array("abc".utf8), .sha512).description
                == "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
        )
    }

    @Test("What is left of bytes that never came whole goes when the store is opened again; blobs stay")
    func leftovers() throws {
        try withFolder { path in
            let first = try ContentStore(directory: path)
            let kept = try first.add([1], for: first.leases.begin())
            try FileManager.default.createDirectory(atPath: path + "/ingest/tree", withIntermediateDirectories: true)
            for name in ["in-1", "in-2", "tree/file"] { try Data([1, 2]).write(to: URL(fileURLWithPath: "\(path)/ingest/\(name)")) }
            let store = try ContentStore(directory: path)
            #expect(try FileManager.default.contentsOfDirectory(atPath: path + "/ingest").isEmpty)
            #expect(try store.all() == [kept])
            #expect(try store.contains(kept))
        }
    }

    @Test("Bytes that come and are dropped leave no file")
    func dropping() throws {
        try withFolder { path in
            let store = try ContentStore(directory: path)
            do {
                var ingest = try store.makeIngest(for: store.leases.begin())
                try unsafe ingest.write(([1, 2, 3] as [UInt8]).span.bytes)
                #expect(try FileManager.default.contentsOfDirectory(atPath: path + "/ingest").count == 1)
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: path + "/ingest").isEmpty)
            #expect {
                var wrong = try store.makeIngest(for: store.leases.begin())
                try unsafe wrong.write(([1, 2, 3] as [UInt8]).span.bytes)
                _ = try wrong.commit(expecting: Digest(of: [4]))
            } throws: {
                ($0 as? ContentError)?.code == .digestMismatch && "\($0)".contains(Digest(of: [4]).hex)
                    && "\($0)".contains(Digest(of: [1, 2, 3]).hex)
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: path + "/ingest").isEmpty)
            #expect(try store.all().isEmpty)
        }
    }

    @Test("What the disk gives back is compared, and bounded")
    func damage() throws {
        try withFolder { path in
            let store = try ContentStore(directory: path)
            let digest = try store.add(Array("configuration".utf8), for: store.leases.begin())
            #expect { _ = try store.read(digest, limit: 5) } throws: { ($0 as? ContentError)?.code == .tooLarge }
            try Data("something else".utf8).write(to: URL(fileURLWithPath: "\(path)/blobs/sha256/\(digest.hex)"))
            #expect { _ = try store.read(digest, limit: 100) } throws: { ($0 as? ContentError)?.code == .digestMismatch }
            try store.remove(digest)
            try store.remove(digest)
            #expect { _ = try store.read(digest, limit: 100) } throws: { ($0 as? ContentError)?.code == .notFound }
        }
    }

    @Test("The directory is an OCI layout; files of others in it are left out, and left alone")
    func layout() throws {
        try withFolder { path in
            let store = try ContentStore(directory: path)
            #expect(try String(contentsOfFile: path + "/oci-layout", encoding: .utf8) == #"{"imageLayoutVersion":"1.0.0"}"#)
            try Data().write(to: URL(fileURLWithPath: path + "/blobs/sha256/README"))
            let long = try store.add([9], .sha256, for: store.leases.begin())
            try store.writeIndex(Index(manifests: [Descriptor(mediaType: .manifest, digest: long, byteCount: 1)]))
            let index = try #require(
                try JSONSerialization.jsonObject(with: try Data(contentsOf: URL(fileURLWithPath: path + "/index.json"))) as? [String: Any])
            #expect(index["schemaVersion"] as? Int == 2)
            #expect((index["manifests"] as? [[String: Any]])?.first?["digest"] as? String == long.description)
            #expect(try ContentStore(directory: path).all() == [long])
            #expect(FileManager.default.fileExists(atPath: path + "/blobs/sha256/README"))
        }
    }
}
