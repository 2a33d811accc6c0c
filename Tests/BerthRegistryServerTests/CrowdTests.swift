import BerthContent
import BerthLinux
import BerthOCI
import BerthRegistry
@testable import BerthRegistryServer
import Foundation
import Synchronization
import Testing

/// The time of a registry, which passes only when nobody is in the middle of something: so that the grace is never too short for a client that a busy
/// machine holds up, and still nearly everything that nobody needs is collected while clients go on.
private final class PatientClock: Sendable {
    private struct State {
        var now = ContinuousClock.now
        var period: UInt64 = 0
        /// How many are in the middle of something that began in each period.
        var running: [UInt64: Int] = [:]
    }
    private let state = Mutex(State())
    var now: ContinuousClock.Instant { state.withLock { $0.now } }

    func during<Result>(_ body: () async throws -> Result) async rethrows -> Result {
        let period = state.withLock { state in
            state.running[state.period, default: 0] += 1
            return state.period
        }
        defer {
            state.withLock { state in
                state.running[period, default: 0] -= 1
                if state.running[period] == 0 { state.running[period] = nil }
            }
        }
        return try await body()
    }

    /// Lets time pass if everything that began before the last time has ended.
    func pass(_ duration: Duration) {
        state.withLock { state in
            guard state.running.keys.allSatisfy({ $0 == state.period }) else { return }
            state.period += 1
            state.now += duration
        }
    }
}

/// A sequence of numbers from a seed.
private struct Numbers: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

@Suite("A crowd of clients loses nothing")
struct CrowdTests {
    /// What is under the tags of all clients.
    private final class Board: Sendable {
        struct Shown {
            var tags: [String: Digest] = [:]
            var layers: [Digest: [[UInt8]]] = [:]
        }
        let shown = Mutex(Shown())
        let isOver = Atomic<Bool>(false)
        let stepCount = Atomic<Int>(0)
    }
    private static let clientCount = 200, repositoryCount = 20

    /// Somebody who pushes images, changes and takes away tags, and pulls what others have pushed.
    private struct Client {
        let number: Int
        let registry: Registry
        let authority: String
        let clock: PatientClock
        let board: Board
        var numbers: Numbers

        private func repository(of number: Int) throws -> RegistryRepository {
            registry.repository(
                RepositoryName(of: try ImageReference(parsing: "\(authority)/crowd/r\(number % CrowdTests.repositoryCount)")))
        }
        private var tag: String { "client-\(number)" }

        /// One in three is a layer that many have, and one in eight is larger than what is sent at once.
        private mutating func layer() -> [UInt8] {
            if Int.random(in: 0..<3, using: &numbers) == 0 {
                return [UInt8](repeating: UInt8(Int.random(in: 0..<16, using: &numbers)), count: 5000)
            }
            let count = Int.random(in: 0..<8, using: &numbers) == 0 ? 300_000 : Int.random(in: 1..<8000, using: &numbers)
            var bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: numbers.next()), count: count)
            unsafe withUnsafeBytes(of: numbers.next()) { unsafe bytes.replaceSubrange(0..<min(8, count), with: $0.prefix(count)) }
            return bytes
        }

        mutating func push() async throws {
            let layers = (0..<Int.random(in: 1...3, using: &numbers)).map { _ in layer() }
            let repository = try repository(of: number)
            try await clock.during { [numbers] in
                var numbers = numbers
                let configuration = Array("{\"by\":\(number)}".utf8)
                for bytes in layers + [configuration] {
                    let blob = Descriptor(mediaType: .layer, digest: Digest(of: bytes), byteCount: UInt64(bytes.count))
                    if try await !repository.contains(blob) { try await repository.upload(blob, from: try file(of: bytes)) { _ in } }
                }
                func text(_ bytes: [UInt8], _ type: MediaType) -> String {
                    "{\"mediaType\":\"\(type)\",\"digest\":\"\(Digest(of: bytes))\",\"size\":\(bytes.count)}"
                }
                let list = layers.map { text($0, .layer) }.joined(separator: ",")
                let bytes = Array(
                    "{\"schemaVersion\":2,\"mediaType\":\"\(MediaType.manifest)\",\"config\":\(text(configuration, .configuration)),\"layers\":[\(list)],\"annotations\":{\"number\":\"\(numbers.next())\"}}"
                        .utf8)
                let digest = Digest(of: bytes)
                try await repository.put(
                    FetchedManifest(
                        descriptor: Descriptor(mediaType: .manifest, digest: digest, byteCount: UInt64(bytes.count)), bytes: bytes),
                    tags: [tag])
                board.shown.withLock { shown in
                    if let old = shown.tags[tag] { shown.layers[old] = nil }
                    shown.tags[tag] = digest
                    shown.layers[digest] = layers
                }
            }
            _ = numbers.next()
        }

        /// Pulls what another has pushed: all of it is there, or nothing was under the tag.
        mutating func pull(_ other: Int) async throws {
            let repository = try repository(of: other)
            try await clock.during {
                let manifest: FetchedManifest
                do { manifest = try await repository.manifest(.tag("client-\(other)")) } catch let error as TransferError {
                    guard error.code == .notFound else { throw error }
                    return
                }
                struct Parts: Decodable { let layers: [Descriptor], config: Descriptor }
                let parts = try JSONDecoder().decode(Parts.self, from: Data(manifest.bytes))
                for blob in parts.layers + [parts.config] {
                    let taken = Mutex<[UInt8]>([])
                    try await repository.fetch(blob, from: 0) { bytes in
                        unsafe bytes.withUnsafeBytes { bytes in taken.withLock { unsafe $0 += bytes } }
                    }
                    let bytes = taken.withLock { $0 }
                    try #require(Digest(of: bytes) == blob.digest && bytes.count == Int(blob.byteCount))
                }
            }
        }

        mutating func takeAway() async throws {
            let repository = try repository(of: number)
            try await clock.during {
                guard board.shown.withLock({ $0.tags.removeValue(forKey: tag) }) != nil else { return }
                try await repository.delete(.tag(tag))
            }
        }

        private func file(of bytes: [UInt8]) throws -> OwnedDescriptor {
            let path = FileManager.default.temporaryDirectory.appendingPathComponent("crowd-\(UUID().uuidString)")
            try Data(bytes).write(to: path)
            defer { try? FileManager.default.removeItem(at: path) }
            return try HostFile.open(path.path)
        }

        mutating func step() async throws {
            switch Int.random(in: 0..<10, using: &numbers) {
            case 0..<4: try await push()
            case 4..<9: try await pull(Int.random(in: 0..<CrowdTests.clientCount, using: &numbers))
            default: try await takeAway()
            }
        }
    }

    @Test("Two hundred clients push, pull and take away while garbage is collected: no error, no lost blob")
    func crowd() async throws {
        let duration: Duration = ProcessInfo.processInfo.environment["BERTH_LONG"] == nil ? .seconds(15) : .seconds(120)
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("registry-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let (clock, grace) = (PatientClock(), Duration.seconds(100))
        let store = try await RegistryStore.open(directory: directory, .init(grace: grace), now: { clock.now })
        let running = try await RegistryServer(store: store).serve()
        let board = Board()
        var configuration = RegistryConfiguration()
        // What fails is not tried again: it is to be seen.
        configuration.retries.maximumTryCount = 1
        configuration.idleTimeout = .seconds(300)
        @Sendable func isEnough(_ sum: CollectedContent) -> Bool { sum.blobCount > 20 && sum.manifestCount > 20 }
        let collected = try await withThrowingTaskGroup(of: CollectedContent.self) { group in
            for number in 0..<Self.clientCount {
                let registry = Registry(configuration)
                group.addTask {
                    var client = Client(
                        number: number, registry: registry, authority: "127.0.0.1:\(running.port)", clock: clock, board: board,
                        numbers: Numbers(state: UInt64(number)))
                    while !board.isOver.load(ordering: .relaxed) {
                        try await client.step()
                        board.stepCount.wrappingAdd(1, ordering: .relaxed)
                    }
                    registry.close()
                    return CollectedContent()
                }
            }
            group.addTask {
                var sum = CollectedContent()
                // A busy machine needs longer until something could be collected: the clock waits for whoever is in the middle of something.
                let (end, latest) = (ContinuousClock.now + duration, ContinuousClock.now + duration + .seconds(240))
                while ContinuousClock.now < end || !isEnough(sum) && ContinuousClock.now < latest {
                    clock.pass(grace)
                    let one = try await store.collect(untagged: true)
                    sum.blobCount += one.blobCount
                    sum.manifestCount += one.manifestCount
                    sum.byteCount += one.byteCount
                }
                board.isOver.store(true, ordering: .relaxed)
                return sum
            }
            var sum = CollectedContent()
            for try await one in group where one != CollectedContent() { sum = one }
            return sum
        }
        // Nobody is in the middle of anything: what is collected now is all that nobody needs.
        for _ in 0..<3 {
            clock.pass(grace * 2)
            _ = try await store.collect(untagged: true)
        }
        let registry = Registry(configuration)
        let tags = board.shown.withLock { $0.tags }
        for (tag, digest) in tags {
            let number = try #require(Int(tag.dropFirst(7)))
            let name = try ImageReference(parsing: "127.0.0.1:\(running.port)/crowd/r\(number % Self.repositoryCount)")
            let repository = registry.repository(RepositoryName(of: name))
            #expect(try await repository.manifest(.tag(tag)).descriptor.digest == digest)
            for layer in board.shown.withLock({ $0.layers[digest] }) ?? [] {
                let blob = Descriptor(mediaType: .layer, digest: Digest(of: layer), byteCount: UInt64(layer.count))
                let count = Mutex(0)
                try await repository.fetch(blob, from: 0) { bytes in count.withLock { $0 += bytes.byteCount } }
                #expect(count.withLock { $0 } == layer.count)
                #expect(try store.content.read(blob.digest, limit: 1 << 20) == layer)
            }
        }
        #expect(tags.count > Self.clientCount / 4)
        #expect(isEnough(collected), "\(collected)")
        let steps = board.stepCount.load(ordering: .relaxed)
        #expect(steps > Self.clientCount * 2, "\(steps) steps")
        // Every blob that is there is named.
        let named = Set(store.paths.compactMap { store.record(of: $0) }.flatMap(\.contents))
        #expect(Set(try store.content.all()) == named)
        registry.close()
        await running.close()
    }
}
