import BerthContent
import BerthOCI
import BerthRegistryServer
import Foundation
import NIOHTTP1
import Testing

@Suite("Content discovery and management (OCI distribution specification)")
struct DiscoveryTests {
    private struct Tags: Decodable { var tags: [String] }
    private struct Catalogue: Decodable { var repositories: [String] }

    @Test("end-8: tags in the order of their bytes, in pages, with a link to the next (Listing Tags)")
    func tags() async throws {
        try await withRegistry { peer, _ async throws in
            let image = try await peer.pushImage("a", "b")
            for tag in ["a", "B", "c", "_d"] { #expect(try await peer.put(image.bytes, "a", tag).status == 201) }
            let all = ["B", "_d", "a", "b", "c"]
            func list(_ query: String) async throws -> ([String], String?) {
                let answer = try await peer.send(.GET, "/v2/a/tags/list\(query)")
                try #require(answer.status == 200)
                return (try JSONDecoder().decode(Tags.self, from: Data(answer.bytes)).tags, answer["Link"])
            }
            #expect(try await list("") == (all, nil))
            #expect(try await list("?n=2") == (["B", "_d"], "</v2/a/tags/list?n=2&last=_d>; rel=\"next\""))
            #expect(try await list("?n=2&last=_d") == (["a", "b"], "</v2/a/tags/list?n=2&last=b>; rel=\"next\""))
            #expect(try await list("?n=2&last=b") == (["c"], nil))
            #expect(try await list("?last=Zzz") == (["_d", "a", "b", "c"], nil))
            #expect(try await list("?n=0") == ([], nil))
            #expect(try await list("?n=100") == (all, nil))
            #expect(try await peer.send(.GET, "/v2/a/tags/list?n=-1").status == 400)
            let missing = try await peer.send(.GET, "/v2/none/tags/list")
            #expect(missing.status == 404 && missing.code == "NAME_UNKNOWN")
            // A repository without tags has a list of none.
            _ = try await peer.push([1], to: "bare")
            #expect(try await peer.send(.GET, "/v2/bare/tags/list").text == "{\"name\":\"bare\",\"tags\":[]}")
        }
    }

    @Test("The catalogue, in pages (the Docker registry's own)")
    func catalogue() async throws {
        try await withRegistry { peer, _ async throws in
            for name in ["b", "a/x", "c"] { _ = try await peer.push([1], to: name) }
            let first = try await peer.send(.GET, "/v2/_catalog?n=2")
            #expect(try JSONDecoder().decode(Catalogue.self, from: Data(first.bytes)).repositories == ["a/x", "b"])
            #expect(first["Link"] == "</v2/_catalog?n=2&last=b>; rel=\"next\"")
            let rest = try await peer.send(.GET, "/v2/_catalog?n=2&last=b")
            #expect(rest.text == "{\"repositories\":[\"c\"]}" && rest["Link"] == nil)
        }
    }

    @Test("end-12: what is attached to a manifest, with its type and words, filtered if asked (Listing Referrers)")
    func referrers() async throws {
        try await withRegistry { peer, _ async throws in
            let image = try await peer.pushImage("a", "t")
            let subject = ",\"subject\":{\"mediaType\":\"\(MediaType.manifest)\",\"digest\":\"\(image.manifest)\",\"size\":1}"
            let bill = try await peer.pushImage(
                "a", "s1", more: subject + ",\"artifactType\":\"application/vnd.x+json\",\"annotations\":{\"k\":\"v\"}")
            let plain = try await peer.pushImage("a", "s2", more: subject)
            let index = Array("{\"schemaVersion\":2,\"mediaType\":\"\(MediaType.index)\",\"manifests\":[]\(subject)}".utf8)
            let put = try await peer.put(index, "a", "\(Digest(of: index))", type: MediaType.index.rawValue)
            #expect(put.status == 201 && put["OCI-Subject"] == "\(image.manifest)")

            let all = try await peer.send(.GET, "/v2/a/referrers/\(image.manifest)")
            #expect(all.status == 200 && all["Content-Type"] == MediaType.index.rawValue && all["OCI-Filters-Applied"] == nil)
            let found = try JSONDecoder().decode(Index.self, from: Data(all.bytes)).manifests
            #expect(Set(found.map(\.digest)) == [bill.manifest, plain.manifest, Digest(of: index)])
            #expect(found.first { $0.digest == bill.manifest }?.annotations == ["k": "v"])
            #expect(all.text.contains("\"artifactType\":\"application/vnd.oci.image.config.v1+json\""))
            #expect(all.text.components(separatedBy: "artifactType").count == 3)  // of the index it is left out

            for type in ["application/vnd.x+json", "application%2Fvnd.x%2Bjson"] {
                let some = try await peer.send(.GET, "/v2/a/referrers/\(image.manifest)?artifactType=\(type)")
                #expect(some["OCI-Filters-Applied"] == "artifactType")
                #expect(try JSONDecoder().decode(Index.self, from: Data(some.bytes)).manifests.map(\.digest) == [bill.manifest])
            }
            #expect(try await peer.send(.DELETE, "/v2/a/manifests/\(bill.manifest)").status == 202)
            let rest = try await peer.send(.GET, "/v2/a/referrers/\(image.manifest)")
            #expect(try JSONDecoder().decode(Index.self, from: Data(rest.bytes)).manifests.count == 2)
            // Of what is not there, and of a repository that is not: an empty list, never 404.
            for name in ["a", "none"] {
                let none = try await peer.send(.GET, "/v2/\(name)/referrers/\(Digest(of: [7]))")
                #expect(none.status == 200)
                #expect(try JSONDecoder().decode(Index.self, from: Data(none.bytes)).manifests.isEmpty)
            }
        }
    }

    @Test("A list of referrers that is larger than a manifest may be comes in parts, with links (Listing Referrers)")
    func manyReferrers() async throws {
        try await withRegistry { peer, _ async throws in
            let image = try await peer.pushImage("a", "t")
            let subject = ",\"subject\":{\"mediaType\":\"\(MediaType.manifest)\",\"digest\":\"\(image.manifest)\",\"size\":1}"
            var pushed: Set<Digest> = []
            for number in 0..<3 {
                let words = "\(number)" + String(repeating: "x", count: 1_800_000)
                pushed.insert(try await peer.pushImage("a", "r\(number)", more: subject + ",\"annotations\":{\"k\":\"\(words)\"}").manifest)
            }
            var (found, target): ([Digest], String?) = ([], "/v2/a/referrers/\(image.manifest)?artifactType=\(MediaType.configuration)")
            var pageCount = 0
            while let next = target {
                let answer = try await peer.send(.GET, next)
                #expect(answer.status == 200 && answer.bytes.count <= 4 << 20)
                found += try JSONDecoder().decode(Index.self, from: Data(answer.bytes)).manifests.map(\.digest)
                target = answer["Link"].map { String($0.dropFirst().prefix { $0 != ">" }) }
                pageCount += 1
                try #require(pageCount < 10)
            }
            #expect(pageCount == 2)
            #expect(found.count == 3 && Set(found) == pushed)
        }
    }

    @Test("end-9: a tag goes alone, a manifest with its tags (Deleting tags, Deleting Manifests)")
    func deleteManifests() async throws {
        try await withRegistry { peer, _ async throws in
            let image = try await peer.pushImage("a", "one")
            for tag in ["two", "three"] { #expect(try await peer.put(image.bytes, "a", tag).status == 201) }
            #expect(try await peer.send(.DELETE, "/v2/a/manifests/one").status == 202)
            #expect(try await peer.send(.GET, "/v2/a/manifests/one").status == 404)
            #expect(try await peer.send(.GET, "/v2/a/manifests/\(image.manifest)").status == 200)
            #expect(try await peer.send(.DELETE, "/v2/a/manifests/\(image.manifest)").status == 202)
            for reference in ["two", "three", "\(image.manifest)"] {
                #expect(try await peer.send(.GET, "/v2/a/manifests/\(reference)").status == 404)
                #expect(try await peer.send(.DELETE, "/v2/a/manifests/\(reference)").status == 404)
            }
            #expect(try await peer.send(.DELETE, "/v2/none/manifests/\(image.manifest)").status == 404)
        }
    }

    @Test("end-10: a blob goes from its repository, and from no other (Deleting Blobs)")
    func deleteBlobs() async throws {
        try await withRegistry { peer, _ async throws in
            let digest = try await peer.push([1, 2], to: "a")
            _ = try await peer.push([1, 2], to: "b")
            #expect(try await peer.send(.DELETE, "/v2/a/blobs/\(digest)").status == 202)
            #expect(try await peer.send(.GET, "/v2/a/blobs/\(digest)").status == 404)
            #expect(try await peer.send(.DELETE, "/v2/a/blobs/\(digest)").status == 404)
            #expect(try await peer.send(.GET, "/v2/b/blobs/\(digest)").bytes == [1, 2])
        }
    }
}
