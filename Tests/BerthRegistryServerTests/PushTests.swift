import BerthContent
import BerthOCI
import BerthRegistryServer
import Foundation
import NIOHTTP1
import Testing

@Suite("Push (OCI distribution specification, Push)")
struct PushTests {
    private let blob = (0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 13) }

    @Test("end-4a, end-6: POST then PUT", arguments: [Digest.Algorithm.sha256, .sha512])
    func postThenPut(algorithm: Digest.Algorithm) async throws {
        try await withRegistry { peer, _ async throws in
            let digest = Digest(of: blob, algorithm)
            let place = try await peer.beginUpload(to: "a", algorithm == .sha512 ? "?digest-algorithm=sha512" : "")
            let answer = try await peer.send(.PUT, "\(place)?digest=\(digest)", blob)
            #expect(answer.status == 201 && answer["Location"] == "/v2/a/blobs/\(digest)" && answer["Docker-Content-Digest"] == "\(digest)")
            #expect(try await peer.send(.GET, "/v2/a/blobs/\(digest)").bytes == blob)
            let gone = try await peer.send(.GET, place)
            #expect(gone.status == 404 && gone.code == "BLOB_UPLOAD_UNKNOWN")
        }
    }

    @Test("A digest of another algorithm than was announced is computed anew (Pushing a blob in chunks)")
    func otherAlgorithm() async throws {
        try await withRegistry { peer, _ async throws in
            let place = try await peer.beginUpload(to: "a")
            #expect(try await peer.send(.PATCH, place, Array(blob[..<100])).status == 202)
            #expect(try await peer.send(.PUT, "\(place)?digest=\(Digest(of: blob, .sha512))", Array(blob[100...])).status == 201)
        }
    }

    @Test("end-4b: a single POST; an empty blob is one")
    func single() async throws {
        try await withRegistry { peer, _ async throws in
            for bytes in [blob, []] {
                let digest = try await peer.push(bytes, to: "a")
                #expect(try await peer.send(.GET, "/v2/a/blobs/\(digest)").bytes == bytes)
            }
        }
    }

    @Test("Digests that are wrong, invalid or of no known algorithm: 400 (Pushing blobs)")
    func wrongDigests() async throws {
        try await withRegistry { peer, store async throws in
            let other = Digest(of: [1])
            for target in ["?digest=\(other)", "?digest=sha256:1", "?digest=md5:1", "?digest-algorithm=md5"] {
                let answer = try await peer.send(.POST, "/v2/a/blobs/uploads/\(target)", blob)
                #expect(answer.status == 400 && answer.code == "DIGEST_INVALID", "\(target)")
            }
            let place = try await peer.beginUpload(to: "a")
            let missing = try await peer.send(.PUT, place, blob)
            #expect(missing.status == 400 && missing.code == "DIGEST_INVALID")
            #expect(try await peer.send(.PUT, "\(place)?digest=\(other)", blob).status == 400)
            #expect(try await peer.send(.HEAD, "/v2/a/blobs/\(other)").status == 404)
            #expect(try await peer.send(.GET, place).status == 404)
            // Nothing of them stays.
            #expect(try await store.collect() == CollectedContent())
        }
    }

    @Test("end-5, end-13: chunks come in order, and the status says how far they are (Pushing a blob in chunks)")
    func chunks() async throws {
        try await withRegistry { peer, _ async throws in
            let place = try await peer.beginUpload(to: "a")
            let first = try await peer.send(.PATCH, place, Array(blob[..<2000]), headers: [("Content-Range", "0-1999")])
            #expect(first.status == 202 && first["Range"] == "0-1999" && first["Location"] == place)
            for range in [
                "0-1999", "1999-2998", "2001-3000", "x-y", "3-2", "+2000-2999", "2000-+2999", "2000-2999-2999", "2000-1999", "2000-",
            ] {
                let wrong = try await peer.send(.PATCH, place, Array(blob[..<1000]), headers: [("Content-Range", range)])
                #expect(wrong.status == 416 && wrong["Range"] == "0-1999" && wrong["Location"] == place, "\(range)")
            }
            let length = try await peer.send(.PATCH, place, Array(blob[..<10]), headers: [("Content-Range", "2000-2999")])
            #expect(length.status == 400 && length.code == "SIZE_INVALID")
            let status = try await peer.send(.GET, place)
            #expect(status.status == 204 && status["Range"] == "0-1999" && status["Location"] == place)
            let digest = Digest(of: blob)
            let skipped = try await peer.send(
                .PUT, "\(place)?digest=\(digest)", Array(blob[..<1000]), headers: [("Content-Range", "4000-4999")])
            #expect(skipped.status == 416)
            #expect(try await peer.send(.PATCH, place, Array(blob[2000..<3000])).status == 202)
            let end = try await peer.send(
                .PUT, "\(place)?digest=\(digest)", Array(blob[3000...]), headers: [("Content-Range", "3000-4999")])
            #expect(end.status == 201)
            #expect(try await peer.send(.GET, "/v2/a/blobs/\(digest)").bytes == blob)
        }
    }

    @Test("No range of a chunk is so large that its length is no number (Pushing a blob in chunks)")
    func endlessChunk() async throws {
        try await withRegistry { peer, _ async throws in
            let place = try await peer.beginUpload(to: "a")
            for range in ["0-18446744073709551615", "0-18446744073709551616"] {
                let answer = try await peer.send(.PATCH, place, [1], headers: [("Content-Range", range)])
                #expect(answer.status == 416 && answer.code == "BLOB_UPLOAD_INVALID", "\(range)")
            }
        }
    }

    @Test("end-14: an upload is cancelled; another repository's cannot be (Cancel a blob upload)")
    func cancel() async throws {
        try await withRegistry { peer, _ async throws in
            let place = try await peer.beginUpload(to: "a")
            let other = place.replacingOccurrences(of: "/v2/a/", with: "/v2/b/")
            #expect(try await peer.send(.DELETE, other).status == 404)
            #expect(try await peer.send(.DELETE, place).status == 204)
            #expect(try await peer.send(.PATCH, place, blob).status == 404)
        }
    }

    @Test("What has come before a connection broke stays, and the upload goes on behind it (Resumable push)")
    func resume() async throws {
        try await withRegistry { peer, _ async throws in
            let place = try await peer.beginUpload(to: "a")
            try await peer.sendPart(.PATCH, place, Array(blob[..<1234]), of: 5000)
            // The status waits for its turn; until the server has noticed, there may be nothing yet.
            var byteCount = 0
            for _ in 0..<1000 where byteCount < 1234 {
                let range = try #require(try await peer.send(.GET, place)["Range"])
                byteCount = try #require(Int(range.dropFirst(2))) + 1
            }
            #expect(byteCount == 1234)
            let digest = Digest(of: blob)
            let end = try await peer.send(
                .PUT, "\(place)?digest=\(digest)", Array(blob[1234...]), headers: [("Content-Range", "1234-4999")])
            #expect(end.status == 201)
            #expect(try await peer.send(.GET, "/v2/a/blobs/\(digest)").bytes == blob)
        }
    }

    @Test("end-11: a blob is mounted from a repository that has it, named or found; else an upload begins (Mounting a blob)")
    func mount() async throws {
        try await withRegistry { peer, _ async throws in
            let digest = try await peer.push(blob, to: "from")
            for (target, status) in [
                ("?mount=\(digest)&from=from", 201), ("?mount=\(digest)", 201), ("?mount=\(digest)&from=none", 202),
                ("?mount=\(Digest(of: [9]))&from=from", 202), ("?mount=\(digest)&from=UP", 202),
            ] {
                let answer = try await peer.send(.POST, "/v2/to\(status)/blobs/uploads/\(target)")
                #expect(answer.status == status)
                #expect(answer["Location"]?.hasPrefix(status == 201 ? "/v2/to201/blobs/\(digest)" : "/v2/to202/blobs/uploads/") == true)
            }
            #expect(try await peer.send(.GET, "/v2/to201/blobs/\(digest)").bytes == blob)
            #expect(try await peer.send(.GET, "/v2/to202/blobs/\(digest)").status == 404)
            #expect(try await peer.send(.POST, "/v2/x/blobs/uploads/?mount=sha256:1&from=from").status == 400)
        }
    }

    @Test("end-7: a manifest is put by tag and by digest, sha512 too, and with tags beside its digest (Pushing Manifests)")
    func manifests() async throws {
        try await withRegistry { peer, _ async throws in
            let image = try await peer.pushImage("a", "one")
            let (short, long) = (Digest(of: image.bytes), Digest(of: image.bytes, .sha512))
            let byDigest = try await peer.put(image.bytes, "a", "\(long)?tag=two&tag=three")
            #expect(
                byDigest.status == 201 && byDigest["Docker-Content-Digest"] == "\(long)" && byDigest.headers["OCI-Tag"] == ["two", "three"])
            #expect(try await peer.send(.GET, "/v2/a/manifests/two")["Docker-Content-Digest"] == "\(long)")
            #expect(try await peer.send(.GET, "/v2/a/manifests/one")["Docker-Content-Digest"] == "\(short)")
            for reference in ["\(Digest(of: [1]))", "t?digest=\(Digest(of: [1]))"] {
                let wrong = try await peer.put(image.bytes, "a", reference)
                #expect(wrong.status == 400 && wrong.code == "DIGEST_INVALID")
            }
            let named = try await peer.put(image.bytes, "a", "t?digest=\(long)")
            #expect(named.status == 201 && named["Docker-Content-Digest"] == "\(long)")
            #expect(try await peer.put(image.bytes, "a", "\(short)?tag=.x").status == 400)
            let many = (0..<65).map { "tag=t\($0)" }.joined(separator: "&")
            #expect(try await peer.put(image.bytes, "a", "\(short)?\(many)").status == 414)
        }
    }

    @Test("What a manifest names is there first; what it is attached to need not be (Pushing Manifests)")
    func references() async throws {
        try await withRegistry { peer, _ async throws in
            let configuration = try await peer.push(Array("{}".utf8), to: "a")
            let missing = Peer.manifest(configuration: (configuration, 2), layer: (Digest(of: blob), blob.count))
            let answer = try await peer.put(missing, "a", "t")
            #expect(answer.status == 404 && answer.code == "MANIFEST_BLOB_UNKNOWN")
            #expect(try await peer.send(.GET, "/v2/a/manifests/t").status == 404)
            // Another repository's blob is none of this one's.
            _ = try await peer.push(blob, to: "b")
            #expect(try await peer.put(missing, "a", "t").code == "MANIFEST_BLOB_UNKNOWN")
            let foreign = String(decoding: missing, as: UTF8.self).replacingOccurrences(
                of: MediaType.layer.rawValue, with: "application/vnd.oci.image.layer.nondistributable.v1.tar")
            #expect(try await peer.put(Array(foreign.utf8), "a", "foreign").status == 201)
        }
        try await withRegistry(.init(takesSparseManifests: true)) { peer, _ async throws in
            let missing = Peer.manifest(configuration: (Digest(of: [1]), 1), layer: (Digest(of: [2]), 1))
            #expect(try await peer.put(missing, "a", "t").status == 201)
        }
    }

    private static let reference = "{\"digest\":\"\(Digest(of: []))\",\"size\":0}"

    @Test("A manifest that names more others than any has is not taken")
    func manyReferences() async throws {
        try await withRegistry(.init(takesSparseManifests: true)) { peer, _ async throws in
            for (count, status) in [(32768, 201), (32769, 400)] {
                let list = [String](repeating: Self.reference, count: count).joined(separator: ",")
                let answer = try await peer.put(Array("{\"blobs\":[\(list)]}".utf8), "a", "t", type: "a/b")
                #expect(answer.status == status)
                #expect(status == 201 || answer.text.contains("more than 32768 others"))
            }
        }
    }

    @Test(
        "What is no manifest: 400; over 4 MiB: 413 (Pushing Manifests)",
        arguments: [
            ("", "application/vnd.oci.image.manifest.v1+json", 400), ("[]", "application/vnd.oci.image.manifest.v1+json", 400),
            ("{\"schemaVersion\":2}", "application/vnd.oci.image.manifest.v1+json", 400),
            ("{\"schemaVersion\":1,\"manifests\":[]}", "application/vnd.oci.image.index.v1+json", 400),
            ("{\"schemaVersion\":2,\"mediaType\":\"a/b\",\"manifests\":[]}", "application/vnd.oci.image.index.v1+json", 400),
            ("{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"sha256:1\"}]}", "application/vnd.oci.image.index.v1+json", 400),
            ("{}", "", 400), ("{}", "nothing", 400), ("{}", "a/\(String(repeating: "b", count: 254))", 400),
            ("{\"mediaType\":\"a/b\\r\\nX-Evil: 1\"}", "", 400), ("{\"mediaType\":\"a/b\u{e4}\"}", "", 400),
            ("{\"schemaVersion\":2}", "application/vnd.oci.image.index.v1+json", 400),
            ("{\"schemaVersion\":1,\"layers\":[],\"config\":\(Self.reference)}", "application/vnd.oci.image.manifest.v1+json", 400),
            ("{\"schemaVersion\":2,\"layers\":[]}", "application/vnd.oci.image.manifest.v1+json", 400),
            ("{\"schemaVersion\":2,\"config\":\(Self.reference)}", "application/vnd.oci.image.manifest.v1+json", 400),
            ("{\"schemaVersion\":1}", "application/vnd.docker.distribution.manifest.list.v2+json", 400),
            ("{\"schemaVersion\":2}", "application/vnd.docker.distribution.manifest.v2+json", 400),
            (
                "{\"schemaVersion\":2,\"manifests\":[],\"x\":\"\(String(repeating: "x", count: 4 << 20))\"}",
                "application/vnd.oci.image.index.v1+json", 413
            ),
        ])
    func invalid(text: String, type: String, status: Int) async throws {
        try await withRegistry { peer, _ async throws in
            let answer = try await peer.put(Array(text.utf8), "a", "t", type: type)
            #expect(answer.status == status && answer.code == (status == 413 ? "SIZE_INVALID" : "MANIFEST_INVALID"))
        }
    }

    @Test("The type is kept without parameters, and one that the registry does not know is kept, too (Pushing Manifests)")
    func types() async throws {
        try await withRegistry { peer, _ async throws in
            #expect(
                try await peer.put(Array("{\"a\":1}".utf8), "a", "own", type: "application/vnd.example+json; charset=utf-8").status == 201)
            #expect(try await peer.send(.GET, "/v2/a/manifests/own")["Content-Type"] == "application/vnd.example+json")
        }
    }
}
