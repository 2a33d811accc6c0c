import BerthContent
import BerthLinux
import BerthOCI
import Synchronization

/// A repository in memory, which refuses what a registry refuses: manifests that name what is not there.
final class FakeDestination: ContentDestination {
    struct State {
        var blobs: [Digest: [UInt8]] = [:]
        var manifests: [Digest: [UInt8]] = [:]
        var tags: [String: Digest] = [:]
        var mountable: [String: Set<Digest>] = [:]
        var uploaded: [Digest] = []
        var failing: Digest?
    }
    let state = Mutex(State())
    let repository: RepositoryName?

    init(_ name: String = "registry.test/sample") {
        repository = (try? ImageReference(parsing: name)).map { RepositoryName(of: $0) }
    }

    func contains(_ blob: Descriptor) async throws(TransferError) -> Bool { state.withLock { $0.blobs[blob.digest] != nil } }

    func mount(_ blob: Descriptor, from repository: RepositoryName) async throws(TransferError) -> Bool {
        state.withLock { state in
            guard state.mountable[repository.path]?.contains(blob.digest) == true else { return false }
            state.blobs[blob.digest] = []
            return true
        }
    }

    func upload(
        _ blob: Descriptor, from file: consuming OwnedDescriptor, progress: @escaping @Sendable (_ byteCount: UInt64) -> Void
    ) async throws(TransferError) {
        if state.withLock({ $0.failing == blob.digest }) { throw TransferError(.unavailable, "it is down") }
        let bytes: [UInt8]
        do throws(Errno) { bytes = try file.readToEnd(limit: 64 << 20) } catch { throw TransferError(.storage, "\(error)") }
        guard Digest(of: bytes) == blob.digest, bytes.count == Int(blob.byteCount) else {
            throw TransferError(.digestMismatch, "other bytes")
        }
        progress(blob.byteCount)
        state.withLock { state in
            state.blobs[blob.digest] = bytes
            state.uploaded.append(blob.digest)
        }
    }

    func put(_ manifest: FetchedManifest, tags: [String]) async throws(TransferError) {
        try state.withLock { (state) throws(TransferError) in
            let text = String(decoding: manifest.bytes, as: UTF8.self)
            for digest in text.matches(of: /"digest":"([^"]*)"/).compactMap({ try? Digest(parsing: $0.1) }) {
                guard state.blobs[digest] != nil || state.manifests[digest] != nil else {
                    throw TransferError(.refused, "manifest blob unknown: \(digest)")
                }
            }
            guard Digest(of: manifest.bytes) == manifest.descriptor.digest else { throw TransferError(.digestMismatch, "other bytes") }
            state.manifests[manifest.descriptor.digest] = manifest.bytes
            for tag in tags { state.tags[tag] = manifest.descriptor.digest }
        }
    }
}
