import BerthContent
import BerthOCI
import BerthRegistryServer
import Foundation
import NIOHTTP1
import Testing

@Suite("Pull (OCI distribution specification, Pull)")
struct PullTests {
    @Test("end-1: the version is told (Determining Support)")
    func version() async throws {
        try await withRegistry { peer, _ async throws in
            let answer = try await peer.send(.GET, "/v2/")
            #expect(answer.status == 200 && answer["Docker-Distribution-Api-Version"] == "registry/2.0")
        }
    }

    @Test("end-3: a manifest comes byte for byte, with the type that it was pushed with and its digest (Pulling manifests)")
    func manifest() async throws {
        try await withRegistry { peer, _ async throws in
            let image = try await peer.pushImage("a/b", "latest", more: ", \"unknown\": [1]")
            for reference in ["latest", "\(image.manifest)", "\(image.manifest)".replacingOccurrences(of: ":", with: "%3A")] {
                let answer = try await peer.send(.GET, "/v2/a/b/manifests/\(reference)")
                #expect(answer.status == 200 && answer.bytes == image.bytes)
                #expect(answer["Content-Type"] == MediaType.manifest.rawValue)
                #expect(answer["Docker-Content-Digest"] == "\(image.manifest)")
                let head = try await peer.send(.HEAD, "/v2/a/b/manifests/\(reference)")
                #expect(head.status == 200 && head.bytes.isEmpty && head["Content-Length"] == "\(image.bytes.count)")
                #expect(head["Docker-Content-Digest"] == "\(image.manifest)")
            }
            let known = try await peer.send(.GET, "/v2/a/b/manifests/latest", headers: [("If-None-Match", "\"\(image.manifest)\"")])
            #expect(known.status == 304)
            for missing in ["nope", "sha256:\(String(repeating: "0", count: 64))"] {
                let answer = try await peer.send(.GET, "/v2/a/b/manifests/\(missing)")
                #expect(answer.status == 404 && answer.code == "MANIFEST_UNKNOWN")
            }
            #expect(try await peer.send(.GET, "/v2/none/manifests/latest").status == 404)
        }
    }

    @Test("end-2: a blob comes whole, and its head says how long it is (Pulling blobs, Checking if content exists)")
    func blob() async throws {
        try await withRegistry { peer, _ async throws in
            // More than one window of those that the kernel sends.
            let bytes = (0..<(9 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
            let digest = try await peer.push(bytes, to: "big")
            let answer = try await peer.send(.GET, "/v2/big/blobs/\(digest)")
            #expect(answer.status == 200 && answer.bytes == bytes && answer["Docker-Content-Digest"] == "\(digest)")
            let head = try await peer.send(.HEAD, "/v2/big/blobs/\(digest)")
            #expect(head.status == 200 && head.bytes.isEmpty && head["Content-Length"] == "\(bytes.count)")
            let missing = try await peer.send(.GET, "/v2/big/blobs/\(Digest(of: [1]))")
            #expect(missing.status == 404 && missing.code == "BLOB_UNKNOWN")
        }
    }

    @Test(
        "end-2: ranges (Pulling blobs; RFC 9110, section 14)",
        arguments: [
            ("bytes=0-0", 206, 0..<1), ("bytes=500-1499", 206, 500..<1500), ("bytes=500-", 206, 500..<3000),
            ("bytes=-500", 206, 2500..<3000),
            ("bytes=2000-5000", 206, 2000..<3000), ("bytes=-9999", 206, 0..<3000), ("bytes=0-99999999999999999999999", 206, 0..<3000),
            ("Bytes=1-2", 206, 1..<3), ("bytes=500-0", 416, 0..<0), ("bytes=3000-", 416, 0..<0), ("bytes=-0", 416, 0..<0),
            ("bytes=x-", 416, 0..<0), ("bytes=-", 416, 0..<0), ("bytes=+1-2", 416, 0..<0), ("lines=1-2", 200, 0..<3000),
            ("bytes=0-1,5-6", 200, 0..<3000),
        ] as [(String, Int, Range<Int>)])
    func ranges(header: String, status: Int, expected: Range<Int>) async throws {
        try await withRegistry { peer, _ async throws in
            let bytes = (0..<3000).map { UInt8(truncatingIfNeeded: $0 * 7) }
            let digest = try await peer.push(bytes, to: "r")
            let answer = try await peer.send(.GET, "/v2/r/blobs/\(digest)", headers: [("Range", header)])
            #expect(answer.status == status)
            switch status {
            case 206:
                #expect(answer.bytes == Array(bytes[expected]) && answer["Content-Length"] == "\(expected.count)")
                #expect(answer["Content-Range"] == "bytes \(expected.lowerBound)-\(expected.upperBound - 1)/3000")
            case 416: #expect(answer["Content-Range"] == "bytes */3000")
            default: #expect(answer.bytes == bytes)
            }
            let other = try await peer.send(.GET, "/v2/r/blobs/\(digest)", headers: [("Range", header), ("If-Range", "\"other\"")])
            #expect(other.status == 200 && other.bytes == bytes)
        }
    }

    @Test(
        "Names, tags and digests that follow no rule are refused in the specification's words (Pulling manifests)",
        arguments: [
            ("/v2/Up/manifests/a", 400, "NAME_INVALID"), ("/v2/a__-b/manifests/a", 400, "NAME_INVALID"),
            ("/v2/a//b/tags/list", 400, "NAME_INVALID"),
            ("/v2/\(String(repeating: "a", count: 256))/tags/list", 400, "NAME_INVALID"), ("/v2/a/manifests/.a", 400, "MANIFEST_INVALID"),
            ("/v2/a/manifests/\(String(repeating: "a", count: 129))", 400, "MANIFEST_INVALID"),
            ("/v2/a/blobs/sha256:1", 400, "DIGEST_INVALID"),
            ("/v2/a/blobs/md5:00", 400, "DIGEST_INVALID"), ("/v2/a/referrers/x", 400, "DIGEST_INVALID"), ("/v2/a", 404, "UNSUPPORTED"),
            ("/v1/", 404, "UNSUPPORTED"), ("/v3/a/tags/list", 404, "UNSUPPORTED"), ("/a/tags/list", 404, "UNSUPPORTED"),
            ("/metrics", 404, "UNSUPPORTED"), ("/v2/a/%zz/b", 400, "UNSUPPORTED"), ("/v2/%+1/tags/list", 400, "UNSUPPORTED"),
            ("/v2/a/tags/list%2", 400, "UNSUPPORTED"), ("/v2/a/manifests/%00", 400, "UNSUPPORTED"),
            ("/v2/a/manifests/%ff", 400, "UNSUPPORTED"), ("/v2/a/tags/list?n=%zz", 400, "UNSUPPORTED"),
            ("/v2/a/tags/list?\(String(repeating: "n=1&", count: 257))", 414, "UNSUPPORTED"),
            ("/v2/a/tags/list?last=\(String(repeating: "a", count: 8192))", 414, "UNSUPPORTED"),
        ])
    func refused(target: String, status: Int, code: String) async throws {
        try await withRegistry { peer, _ async throws in
            let answer = try await peer.send(.GET, target)
            #expect(answer.status == status && answer.code == code, "\(answer.text)")
        }
    }

    @Test(
        "Repositories may be called like parts of paths",
        arguments: ["blobs/uploads", "manifests/tags", "a/tags/list", "v2", "a-b.c__d/e---f"])
    func oddNames(name: String) async throws {
        try await withRegistry { peer, _ async throws in
            let image = try await peer.pushImage(name, "t")
            #expect(try await peer.send(.GET, "/v2/\(name)/manifests/t").bytes == image.bytes)
            #expect(try await peer.send(.GET, "/v2/\(name)/tags/list").text == "{\"name\":\"\(name)\",\"tags\":[\"t\"]}")
        }
    }

    @Test("What is not offered says what is")
    func methods() async throws {
        try await withRegistry { peer, _ async throws in
            let answer = try await peer.send(.PUT, "/v2/a/tags/list")
            #expect(answer.status == 405 && answer.code == "UNSUPPORTED" && answer["Allow"] == "GET, HEAD")
        }
    }
}
