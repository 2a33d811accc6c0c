import BerthContent
import BerthLinux
import BerthOCI
import Synchronization
import Testing

@testable import BerthRegistry

@Suite("What has come does not come again")
struct WasteTests {
    /// Hashes what comes, and keeps nothing of it.
    private final class Hashed: Sendable {
        private let state = Mutex((hasher: DigestHasher(.sha256), byteCount: UInt64(0)))
        var result: (digest: Digest, byteCount: UInt64) { state.withLock { ($0.hasher.digest(), $0.byteCount) } }
        var sink: @Sendable (borrowing RawSpan) throws(TransferError) -> Void {
            { [self] bytes in
                unsafe bytes.withUnsafeBytes { bytes in
                    state.withLock { state in
                        unsafe state.hasher.update(bytes)
                        state.byteCount += UInt64(bytes.count)
                    }
                }
            }
        }
    }

    /// As registries are asked by default, in ranges where that works; and by one request at a time.
    @Test(
        "A blob of 500 MB that is cut twenty times comes with less than 5 % of it twice",
        arguments: [RegistryConfiguration().parallelRangesAboveByteCount, nil])
    func cut(parallelRangesAbove: UInt64?) async throws {
        let server = try await CuttingServer.start(byteCount: 500_000_000, cutCount: 20)
        var configuration = RegistryConfiguration()
        configuration.parallelRangesAboveByteCount = parallelRangesAbove
        let name = RepositoryName(of: try ImageReference(parsing: "127.0.0.1:\(server.port)/large"))
        let hashed = Hashed()
        try await Registry(configuration, TestClock().timing).repository(name).fetch(server.blob, from: 0, into: hashed.sink)
        let result = hashed.result
        #expect(result.digest == server.blob.digest && result.byteCount == server.blob.byteCount)
        let state = server.state.withLock { $0 }
        #expect(state.cutCount == 20 && state.cuts.isEmpty)
        #expect(parallelRangesAbove == nil ? state.rangeCount == 20 : state.rangeCount > 20)
        let waste = state.sentByteCount - server.blob.byteCount
        #expect(waste < server.blob.byteCount / 20, "\(waste) bytes came twice")
        try await server.stop()
    }

    @Test("Who is slow to take what comes is not taken for a registry that sends nothing")
    func slowTaker() async throws {
        var sample = SampleRegistry()
        let bytes = SampleRegistry.bytes(3_000_000)
        let blob = sample.add(bytes)
        let peer = try await Peer.start { [sample] in sample.answer($0) }
        let taken = Taken()
        try await peer.repository { $0.idleTimeout = .seconds(2) }.fetch(blob, from: 0) { (piece) throws(TransferError) in
            // A disk that does nothing for a while, longer than a registry has.
            if taken.bytes.isEmpty { HostFile.pause(milliseconds: 4000) }
            try taken.sink(piece)
        }
        #expect(taken.bytes == bytes)
        #expect(peer.requests.filter { $0.path.contains("/blobs/") }.count == 1)
    }
}
