import BerthContent
import BerthLinux
import BerthOCI
import BerthReactor
import Foundation
import Synchronization
import Testing

@Suite("What has come of a blob is there for the next who wants it, and is not trusted")
struct PartialBlobTests {
    private let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
    private var blob: Descriptor { Descriptor(mediaType: .layer, digest: Digest(of: bytes), byteCount: UInt64(bytes.count)) }
    private var file: String { "part-sha256-\(blob.digest.hex)" }

    private func withFolder(_ body: (String) async throws -> Void) async throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("berth-partial-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }  // what is left lies in the temporary directory
        try await body(path)
    }

    private func write(_ part: Range<Int>, _ store: ContentStore) throws {
        var ingest = try store.makeIngest(continuing: blob, for: store.leases.begin())
        #expect(ingest.byteCount == UInt64(part.lowerBound))
        try unsafe ingest.write(Array(bytes[part]).span.bytes)
    }

    private func names(_ path: String) throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: path + "/ingest") }

    @Test("It is gone on with in the same process and in the next, and becomes a blob when it is whole")
    func continuing() async throws {
        try await withFolder { path in
            do {
                let store = try ContentStore(directory: path)
                try write(0..<10_000, store)
                try write(10_000..<60_000, store)
                #expect(try store.leftovers().isEmpty)
            }
            let store = try ContentStore(directory: path)
            #expect(try names(path) == [file])
            var ingest = try store.makeIngest(continuing: blob, for: store.leases.begin())
            #expect(ingest.byteCount == 60_000)
            try unsafe ingest.write(Array(bytes[60_000...]).span.bytes)
            #expect(try ingest.commit(expecting: blob.digest).digest == blob.digest)
            #expect(try store.read(blob.digest, limit: 1 << 20) == bytes)
            #expect(try names(path).isEmpty)
        }
    }

    @Test("One whose bytes are others is thrown away when that is seen")
    func damaged() async throws {
        try await withFolder { path in
            let store = try ContentStore(directory: path)
            try write(0..<60_000, store)
            let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: "\(path)/ingest/\(file)"))
            try handle.write(contentsOf: Data([9, 9, 9, 9]))
            try handle.close()
            var ingest = try store.makeIngest(continuing: blob, for: store.leases.begin())
            try unsafe ingest.write(Array(bytes[60_000...]).span.bytes)
            do {
                _ = try ingest.commit(expecting: blob.digest)
                Issue.record("other bytes were taken")
            } catch let error as ContentError { #expect(error.code == .digestMismatch) }
            #expect(try names(path).isEmpty)
            #expect(try store.all().isEmpty)
        }
    }

    @Test("While somebody is at it, another begins with a place of its own; one that is too long is not taken")
    func others() async throws {
        try await withFolder { path in
            let store = try ContentStore(directory: path)
            var first = try store.makeIngest(continuing: blob, for: store.leases.begin())
            try unsafe first.write(([1, 2, 3] as [UInt8]).span.bytes)
            do {
                let second = try store.makeIngest(continuing: blob, for: store.leases.begin())
                #expect(second.byteCount == 0)
                #expect(try names(path).count == 2)
                #expect(try store.removePartialBlobs() == 0)
            }
            #expect(try names(path) == [file])
            first.discard()
            #expect(try names(path).isEmpty)
            try Data(count: 100_001).write(to: URL(fileURLWithPath: "\(path)/ingest/\(file)"))
            #expect(try store.makeIngest(continuing: blob, for: store.leases.begin()).byteCount == 0)
            #expect(try names(path).isEmpty)
        }
    }

    @Test func age() async throws {
        try await withFolder { path in
            try write(0..<10, try ContentStore(directory: path))
            let old = Date(timeIntervalSinceNow: -Double(ContentStore.partialBlobDays + 1) * 86_400)
            try FileManager.default.setAttributes([.modificationDate: old], ofItemAtPath: "\(path)/ingest/\(file)")
            let store = try ContentStore(directory: path)
            #expect(try names(path).isEmpty)
            try write(0..<10, store)
            #expect(try store.removePartialBlobs() == 10)
            #expect(try names(path).isEmpty)
        }
    }

    /// Gives bytes, or what a broken one gives, and counts.
    private struct Source: ContentSource {
        let given: [[UInt8]]
        let offsets = Offsets()
        final class Offsets: Sendable { let all = Mutex<[UInt64]>([]) }
        var repository: RepositoryName? { nil }
        func descriptor(of reference: ManifestReference) throws(TransferError) -> Descriptor { throw TransferError(.notFound, "none") }
        func manifest(_ reference: ManifestReference) throws(TransferError) -> FetchedManifest { throw TransferError(.notFound, "none") }
        func fetch(
            _ blob: Descriptor, from offset: UInt64, into sink: @escaping @Sendable (borrowing RawSpan) throws(TransferError) -> Void
        ) async throws(TransferError) {
            let number = offsets.all.withLock { all in
                all.append(offset)
                return all.count - 1
            }
            let bytes = given[min(number, given.count - 1)]
            try unsafe sink(Array(bytes[Int(offset)...]).span.bytes)
            if bytes.count < blob.byteCount { throw TransferError(.unreachable, "cut") }
        }
    }

    @Test("A blob is fetched into a store from where it stopped, and anew, once, if its bytes are others")
    func fetching() async throws {
        try await withFolder { path in
            let store = try ContentStore(directory: path)
            let lane = Lane(named: "test")
            var wrong = bytes
            wrong[5] ^= 1
            let cut = Source(given: [Array(wrong.prefix(1000)), bytes])
            await #expect(throws: TransferError.self) { try await cut.fetch(blob, into: store, for: store.leases.begin(), in: lane) }
            #expect(try names(path) == [file])
            try await cut.fetch(blob, into: store, for: store.leases.begin(), in: lane)
            #expect(cut.offsets.all.withLock { $0 } == [0, 1000, 0])
            #expect(try store.read(blob.digest, limit: 1 << 20) == bytes)
            // What is there is not asked for.
            try await cut.fetch(blob, into: store, for: store.leases.begin(), in: lane)
            #expect(cut.offsets.all.withLock { $0 }.count == 3)
            let other = Descriptor(mediaType: .layer, digest: Digest(of: [1]), byteCount: UInt64(bytes.count))
            let never = Source(given: [bytes])
            do {
                try await never.fetch(other, into: store, for: store.leases.begin(), in: lane)
                Issue.record("other bytes were taken")
            } catch let error as TransferError { #expect(error.code == .digestMismatch) }
            #expect(never.offsets.all.withLock { $0 } == [0, 0])
            #expect(try names(path).isEmpty)
        }
    }
}
