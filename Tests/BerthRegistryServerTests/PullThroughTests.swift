import BerthContent
import BerthLinux
import BerthOCI
import BerthRegistryServer
import Foundation
import Synchronization
import NIOHTTP1
import Testing

/// A registry of one repository, in memory, which counts what it is asked.
private final class Upstream: ContentSource {
    struct State {
        var manifests: [String: [UInt8]] = [:]
        var blobs: [Digest: [UInt8]] = [:]
        var failure: TransferError?
        var asked: [String] = []
    }
    let state = Mutex(State())
    var repository: RepositoryName? { nil }

    private func answer(_ question: String) throws(TransferError) -> State {
        let state = state.withLock { state in
            state.asked.append(question)
            return state
        }
        if let failure = state.failure { throw failure }
        return state
    }

    func descriptor(of reference: ManifestReference) async throws(TransferError) -> Descriptor {
        guard let bytes = try answer("descriptor").manifests[reference.description] else { throw TransferError(.notFound, "none") }
        return Descriptor(mediaType: .manifest, digest: Digest(of: bytes), byteCount: UInt64(bytes.count))
    }
    func manifest(_ reference: ManifestReference) async throws(TransferError) -> FetchedManifest {
        guard let bytes = try answer("manifest").manifests[reference.description] else { throw TransferError(.notFound, "none") }
        return FetchedManifest(
            descriptor: Descriptor(mediaType: .manifest, digest: Digest(of: bytes), byteCount: UInt64(bytes.count)), bytes: bytes)
    }
    func fetch(
        _ blob: Descriptor, from offset: UInt64, into sink: @escaping @Sendable (_ bytes: borrowing RawSpan) throws(TransferError) -> Void
    ) async throws(TransferError) {
        guard let bytes = try answer("blob").blobs[blob.digest] else { throw TransferError(.notFound, "none") }
        let rest = Array(bytes[Int(offset)...])
        try unsafe sink(rest.span.bytes)
    }

    func asked() -> [String] {
        state.withLock { state in
            defer { state.asked = [] }
            return state.asked
        }
    }
}

@Suite("A registry that keeps what it fetches from another")
struct PullThroughTests {
    @Test("A thing is fetched once; a tag is always asked, and what was kept is given where nobody answers")
    func cache() async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("registry-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let upstream = Upstream()
        let (configuration, layer) = (Array("{}".utf8), (0..<100_000).map { UInt8(truncatingIfNeeded: $0) })
        let bytes = Peer.manifest(configuration: (Digest(of: configuration), 2), layer: (Digest(of: layer), layer.count))
        upstream.state.withLock { state in
            state.manifests = ["t": bytes, "\(Digest(of: bytes))": bytes]
            state.blobs = [Digest(of: configuration): configuration, Digest(of: layer): layer, Digest(of: [1]): [1]]
        }
        let store = try await RegistryStore.open(directory: directory)
        let registry = try await RegistryServer(
            caching: { path throws(TransferError) in
                guard path.description == "a/b" else { throw TransferError(.denied, "secret words") }
                return upstream
            }, in: store
        ).serve()
        let peer = Peer(port: registry.port)

        #expect(try await peer.send(.GET, "/v2/a/b/manifests/t").bytes == bytes)
        #expect(try await peer.send(.HEAD, "/v2/a/b/blobs/\(Digest(of: layer))")["Content-Length"] == "\(layer.count)")
        #expect(upstream.asked() == ["manifest"])
        for _ in 0..<2 { #expect(try await peer.send(.GET, "/v2/a/b/blobs/\(Digest(of: layer))").bytes == layer) }
        #expect(upstream.asked() == ["blob"])
        #expect(try await peer.send(.GET, "/v2/a/b/manifests/t").bytes == bytes)
        #expect(try await peer.send(.GET, "/v2/a/b/manifests/\(Digest(of: bytes))").bytes == bytes)
        #expect(upstream.asked() == ["descriptor"])
        // What no manifest names is not fetched, and nothing is pushed here.
        #expect(try await peer.send(.GET, "/v2/a/b/blobs/\(Digest(of: [1]))").status == 404)
        #expect(try await peer.send(.POST, "/v2/a/b/blobs/uploads/").status == 405)
        #expect(upstream.asked() == [])
        let other = try await peer.send(.GET, "/v2/x/manifests/t")
        #expect(other.status == 404 && !other.text.contains("secret"))

        // A tag that has moved is noticed.
        let moved = Array(String(decoding: bytes, as: UTF8.self).dropLast().utf8) + Array(",\"annotations\":{}}".utf8)
        upstream.state.withLock { $0.manifests["t"] = moved }
        #expect(try await peer.send(.GET, "/v2/a/b/manifests/t").bytes == moved)
        upstream.state.withLock { $0.failure = TransferError(.unreachable, "nobody") }
        #expect(try await peer.send(.GET, "/v2/a/b/manifests/t").bytes == moved)
        #expect(try await peer.send(.GET, "/v2/a/b/manifests/u").status == 502)
        #expect(try await peer.send(.GET, "/v2/a/b/blobs/\(Digest(of: layer))").bytes == layer)
        upstream.state.withLock { $0.failure = TransferError(.notFound, "gone") }
        let gone = try await peer.send(.GET, "/v2/a/b/manifests/t")
        #expect(gone.status == 404 && gone.code == "MANIFEST_UNKNOWN")
        await registry.close()
    }

    @Test("Other bytes than a digest says are not handed on")
    func wrongBytes() async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("registry-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let upstream = Upstream()
        let bytes = Peer.manifest(configuration: (Digest(of: [1]), 1), layer: (Digest(of: [2]), 1))
        upstream.state.withLock { $0 = .init(manifests: ["t": bytes], blobs: [Digest(of: [2]): [3]]) }
        let store = try await RegistryStore.open(directory: directory)
        let registry = try await RegistryServer(caching: { _ in upstream }, in: store).serve()
        let peer = Peer(port: registry.port)
        #expect(try await peer.send(.GET, "/v2/a/manifests/t").status == 200)
        #expect(try await peer.send(.GET, "/v2/a/blobs/\(Digest(of: [2]))").status == 502)
        #expect(try await store.collect() == CollectedContent())
        await registry.close()
    }
}
