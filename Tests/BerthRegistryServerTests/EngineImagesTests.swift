import BerthContent
import BerthImages
import BerthLayers
import BerthOCI
import BerthRegistryServer
import BerthSnapshots
import BerthState
import Foundation
import NIOHTTP1
import Testing

@Suite("An engine's images are served as they are")
struct EngineImagesTests {
    @Test("By their names, read only, and each repository what is its own")
    func served() async throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("registry-engine-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let content = try ContentStore(directory: path + "/content")
        let snapshots = try Vfs(directory: path + "/vfs")
        let layers = LayerStore(content: content, snapshots: snapshots)
        let images = try ImageStore(
            .init(root: path, content: content, layers: layers, snapshots: snapshots, events: EventHub(), jobs: JobRegistry()))
        func make(_ name: String, _ text: String) async throws -> ImageRecord {
            // A tar of one file: its header, its bytes, the end.
            let tar = path + "/image.tar"
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/bin/bash")
            process.arguments = [
                "-euc", "mkdir '\(path)/t'; printf %s '\(text)' >'\(path)/t/file'; tar -C '\(path)/t' -cf '\(tar)' .; rm -r '\(path)/t'",
            ]
            try process.run()
            process.waitUntilExit()
            try #require(process.terminationStatus == 0)
            return try await images.importRootFileSystem(fromFile: tar, as: try ImageReference(parsing: name)).value
        }
        let debian = try await make("debian:12", "debian")
        let other = try await make("quay.io/a/b", "other")
        _ = try await make("localhost:5000/c", "unseen")
        let rules = ["anyone:library/*:pull", "anyone:quay.io/*:*"]
        let registry = try await RegistryServer(
            images: images, content: content, .init(authentication: .none(rules: try rules.map { try RegistryRule(parsing: $0) }))
        ).serve()
        let peer = Peer(port: registry.port)

        #expect(try await peer.send(.GET, "/v2/_catalog").text == "{\"repositories\":[\"library/debian\",\"quay.io/a/b\"]}")
        #expect(try await peer.send(.GET, "/v2/library/debian/tags/list").text == "{\"name\":\"library/debian\",\"tags\":[\"12\"]}")
        let manifest = try await peer.send(.GET, "/v2/library/debian/manifests/12")
        #expect(manifest.status == 200 && manifest["Docker-Content-Digest"] == "\(debian.manifest.digest)")
        #expect(Digest(of: manifest.bytes) == debian.manifest.digest)
        for blob in [debian.id] + debian.layers.map(\.digest) {
            let answer = try await peer.send(.GET, "/v2/library/debian/blobs/\(blob)")
            #expect(answer.status == 200 && Digest(of: answer.bytes) == blob)
            #expect(try await peer.send(.GET, "/v2/quay.io/a/b/blobs/\(blob)").status == 404)
        }
        for (method, target) in [
            (.POST, "blobs/uploads/"), (.PUT, "manifests/t"), (.DELETE, "manifests/latest"), (.DELETE, "blobs/\(other.id)"),
        ] as [(HTTPMethod, String)] {
            let refused = try await peer.send(method, "/v2/quay.io/a/b/\(target)")
            #expect(refused.status == 405 && refused.code == "UNSUPPORTED")
        }
        // What the engine changes is seen at once.
        _ = try await images.remove("quay.io/a/b", force: false, uses: { _ in [] })
        #expect(try await peer.send(.GET, "/v2/quay.io/a/b/tags/list").status == 404)
        await registry.close()
    }
}
