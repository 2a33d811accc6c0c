import BerthContent
import BerthOCI
import Synchronization
import Testing

@testable import BerthRegistry

@Suite("Manifests and blobs come from a registry as they are")
struct PullTests {
    private let manifest = #"{"schemaVersion":2,"config":{},"layers":[]}"#

    @Test func manifestByTagAndDigest() async throws {
        var sample = SampleRegistry()
        let digest = sample.addManifest(manifest, tag: "v1")
        let peer = try await Peer.start { [sample] in sample.answer($0) }
        let repository = try peer.repository()
        for reference in [ManifestReference.tag("v1"), .digest(digest)] {
            let found = try await repository.manifest(reference)
            #expect(found.bytes == Array(manifest.utf8))
            #expect(found.descriptor == Descriptor(mediaType: .manifest, digest: digest, byteCount: UInt64(manifest.utf8.count)))
            #expect(try await repository.descriptor(of: reference) == found.descriptor)
        }
        #expect(peer.requests.last?.method == "HEAD")
        let accept = peer.requests.last?.header("Accept") ?? ""
        for type in ManifestLook.accepted { #expect(accept.contains(type.rawValue)) }
    }

    @Test func blobInOnePiece() async throws {
        var sample = SampleRegistry()
        let bytes = SampleRegistry.bytes(3_000_000)
        let blob = sample.add(bytes)
        let peer = try await Peer.start { [sample] in sample.answer($0) }
        let taken = Taken()
        try await peer.repository().fetch(blob, from: 0, into: taken.sink)
        #expect(taken.bytes == bytes)
    }

    @Test("What is cut goes on where it stopped, and nothing comes twice", arguments: [1, 7, 1000, 70_000])
    func cut(every step: Int) async throws {
        var sample = SampleRegistry()
        let bytes = SampleRegistry.bytes(step * 20 + 3)
        let blob = sample.add(bytes)
        let peer = try await Peer.start { [sample] request in
            if request.path == "/v2/" { return Reply(200) }
            let whole = sample.answer(request)
            let head = whole.bytes.firstRange(of: Array("\r\n\r\n".utf8))!.upperBound
            return Reply(Array(whole.bytes.prefix(head + step)), .close)
        }
        let taken = Taken()
        try await peer.repository().fetch(blob, from: 0, into: taken.sink)
        #expect(taken.bytes == bytes)
        let ranges = peer.requests.filter { $0.path.contains("/blobs/") }.map { $0.header("Range") }
        #expect(ranges.count == (bytes.count + step - 1) / step)
        #expect(ranges[1] == "bytes=\(step)-")
    }

    @Test("A large blob comes in several ranges at once, and by one request where that does not work", arguments: [0, 1, 3])
    func parallel(failingRequest: Int) async throws {
        var sample = SampleRegistry()
        let bytes = SampleRegistry.bytes(9_000_000)
        let blob = sample.add(bytes)
        let count = Atomic<Int>(0)
        let peer = try await Peer.start { [sample] request in
            if request.path == "/v2/" { return Reply(200) }
            let number = count.wrappingAdd(1, ordering: .relaxed).newValue
            return number == failingRequest ? Reply(500) : sample.answer(request)
        }
        let taken = Taken()
        try await peer.repository { $0.parallelRangesAboveByteCount = 1 }.fetch(blob, from: 10, into: taken.sink)
        #expect(taken.bytes == Array(bytes[10...]))
        let ranges = peer.requests.compactMap { $0.header("Range") }
        #expect(ranges.first == "bytes=10-2097161")
        #expect(failingRequest != 0 || ranges.count == 5)
        // Those that were given up with the failed one may be seen later than the one that brings the rest.
        #expect(ranges.filter { $0.hasSuffix("-") }.count == (failingRequest == 0 ? 0 : 1))
    }

    @Test func rangeIgnored() async throws {
        var sample = SampleRegistry()
        let bytes = SampleRegistry.bytes(100_000)
        let blob = sample.add(bytes)
        let peer = try await Peer.start { request in request.path == "/v2/" ? Reply(200) : Reply(200, [:], bytes) }
        let taken = Taken()
        try await peer.repository().fetch(blob, from: 40_000, into: taken.sink)
        #expect(taken.bytes == Array(bytes[40_000...]))
    }

    @Test func nothingMissing() async throws {
        let peer = try await Peer.start { _ in Reply(500) }
        let blob = Descriptor(mediaType: .layer, digest: Digest(of: []), byteCount: 5)
        try await peer.repository().fetch(blob, from: 5) { (_) throws(TransferError) in }
        #expect(peer.requests.isEmpty)
        let repository = try peer.repository()
        #expect(await failure { try await repository.fetch(blob, from: 6) { (_) throws(TransferError) in } }?.code == .sizeMismatch)
    }

    @Test func layersThatMayNotBeDistributed() async throws {
        let peer = try await Peer.start { _ in Reply(500) }
        let repository = try peer.repository()
        for kind in [
            "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        ] {
            let blob = Descriptor(mediaType: MediaType(rawValue: kind), digest: Digest(of: []), byteCount: 5)
            let error = await failure { try await repository.fetch(blob, from: 0) { (_) throws(TransferError) in } }
            #expect(error?.code == .unsupported)
            #expect(error?.description.contains(kind) == true)
        }
    }
}
