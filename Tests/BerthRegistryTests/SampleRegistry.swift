import BerthContent
import BerthCredentials
import BerthOCI
import Synchronization
import Testing

@testable import BerthRegistry

/// What a registry has, and how it answers when nothing is wrong.
struct SampleRegistry: Sendable {
    var blobs: [String: [UInt8]] = [:]
    var manifests: [String: (type: String, bytes: [UInt8])] = [:]

    mutating func add(_ bytes: [UInt8], _ mediaType: MediaType = .layer) -> Descriptor {
        let digest = Digest(of: bytes)
        blobs["\(digest)"] = bytes
        return Descriptor(mediaType: mediaType, digest: digest, byteCount: UInt64(bytes.count))
    }

    mutating func addManifest(_ text: String, _ type: MediaType = .manifest, tag: String) -> Digest {
        let bytes = Array(text.utf8)
        manifests[tag] = (type.rawValue, bytes)
        manifests["\(Digest(of: bytes))"] = (type.rawValue, bytes)
        return Digest(of: bytes)
    }

    func answer(_ request: SeenRequest) -> Reply {
        let parts = request.path.split(separator: "/")
        guard parts.first == "v2" else { return Reply(404) }
        if parts.count == 1 { return Reply(200) }
        let (kind, name) = (parts[parts.count - 2], String(parts[parts.count - 1]))
        if kind == "manifests", let (type, bytes) = manifests[name] {
            return Reply(
                200, ["Content-Type": type, "Docker-Content-Digest": "\(Digest(of: bytes))"], bytes, withoutBody: request.method == "HEAD")
        }
        if kind == "blobs", let bytes = blobs[name] {
            guard let range = request.header("Range"), let first = Int(range.dropFirst(6).prefix { $0 != "-" }) else {
                return Reply(200, [:], bytes, withoutBody: request.method == "HEAD")
            }
            let last = Int(range.drop { $0 != "-" }.dropFirst()).map { min($0, bytes.count - 1) } ?? bytes.count - 1
            guard first <= last else { return Reply(416) }
            return Reply(206, ["Content-Range": "bytes \(first)-\(last)/\(bytes.count)"], Array(bytes[first...last]))
        }
        return Reply(404, json: #"{"errors":[{"code":"\#(kind == "blobs" ? "BLOB" : "MANIFEST")_UNKNOWN","message":"not here"}]}"#)
    }

    static func bytes(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
        var state = seed
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 33)
        }
    }
}

/// A clock that does not wait, and remembers for how long it was asked to.
final class TestClock: Sendable {
    private let state = Mutex<(nanoseconds: Int64, pauses: [Duration])>((0, []))
    var pauses: [Duration] { state.withLock { $0.pauses } }
    func advance(_ duration: Duration) {
        state.withLock { $0.nanoseconds += duration.components.seconds * 1_000_000_000 + duration.components.attoseconds / 1_000_000_000 }
    }
    var timing: Timing {
        Timing(
            monotonic: { self.state.withLock { $0.nanoseconds } }, wall: { 1_000_000 },
            sleep: { pause in
                try Task.checkCancellation()
                self.state.withLock { $0.pauses.append(pause) }
                self.advance(pause)
            }, random: { 0.5 })
    }
}

/// What a call throws; `nil` if nothing.
func failure(_ body: () async throws -> Void) async -> TransferError? {
    do { try await body() } catch let error as TransferError { return error } catch { Issue.record("another error: \(error)") }
    return nil
}

/// Takes what comes.
final class Taken: Sendable {
    private let taken = Mutex<[UInt8]>([])
    var bytes: [UInt8] { taken.withLock { $0 } }
    var sink: @Sendable (borrowing RawSpan) throws(TransferError) -> Void {
        { [self] bytes in unsafe bytes.withUnsafeBytes { bytes in taken.withLock { unsafe $0 += bytes } } }
    }
}

extension Peer {
    func repository(
        _ path: String = "team/app", _ credentials: RegistryCredentials? = nil, clock: TestClock = TestClock(),
        _ change: (inout RegistryConfiguration) -> Void = { _ in }
    ) throws -> RegistryRepository {
        var configuration = RegistryConfiguration()
        configuration.parallelRangesAboveByteCount = nil
        // All tests run at once, on a machine that may be small: nothing but what a test itself makes late is late.
        (configuration.idleTimeout, configuration.connectTimeout) = (.seconds(240), .seconds(240))
        change(&configuration)
        let name = RepositoryName(of: try ImageReference(parsing: "\(authority)/\(path)"))
        return Registry(configuration, clock.timing).repository(name, credentials: credentials)
    }
}
