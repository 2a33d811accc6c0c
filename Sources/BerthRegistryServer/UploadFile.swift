internal import BerthContent
internal import BerthLinux
internal import BerthOCI
internal import NIOCore
internal import Synchronization

/// What is kept of an upload (`uploads/<id>/upload.json`), beside its bytes (`uploads/<id>/data`).
struct UploadRecord: Sendable, Codable {
    var repository: String
    /// That of the digest which the client has announced.
    var algorithm: String
}

/// An upload in progress: it outlives its connections, and the process.
final class Upload: Sendable {
    let id: String
    let repository: RepositoryPath
    let file: UploadFile
    /// One request at a time is at it.
    private let turns = Turns()

    init(id: String, repository: RepositoryPath, file: UploadFile) { (self.id, self.repository, self.file) = (id, repository, file) }

    /// Waits until no other request is at it: one whose connection broke may not know that yet, and will after the server's patience at the latest.
    func take() async throws(RegistryFailure) -> Turn {
        // Everything there is of it is one thing.
        do throws(ContentError) { return try await turns.take(for: .everyBlob) } catch {
            throw RegistryFailure(400, .blobUploadInvalid, "the request was cancelled")
        }
    }
}

/// The bytes of an upload. All calls but ``byteCount`` block: they belong in a lane.
///
/// Nothing is synced before it is a blob: after a loss of power the bytes may be others, which the digest shows at the end.
final class UploadFile: Sendable {
    static let name: PathBytes = "data"

    let directory: Directory
    private let count: Atomic<UInt64>
    private struct Progress {
        /// `nil` where the bytes have to be hashed anew.
        var hasher: DigestHasher?
        var algorithm: Digest.Algorithm
        var writtenBackByteCount: UInt64
    }
    private let progress: Mutex<Progress>
    private static let writebackByteCount: UInt64 = 8 << 20

    /// A new one, or one that was begun before the process was started.
    init(in directory: consuming Directory, _ algorithm: Digest.Algorithm, isNew: Bool) throws(Errno) {
        if isNew { _ = try directory.createFile(Self.name, permissions: 0o644) }
        let byteCount = UInt64(max(0, try directory.status(Self.name).byteCount))
        self.directory = directory
        count = Atomic(byteCount)
        progress = Mutex(Progress(hasher: isNew ? DigestHasher(algorithm) : nil, algorithm: algorithm, writtenBackByteCount: byteCount))
    }

    /// How many bytes have come. Waits for nothing.
    var byteCount: UInt64 { count.load(ordering: .acquiring) }

    /// Adds bytes, all or none.
    func append(_ pieces: [ByteBuffer]) throws(RegistryFailure) {
        try progress.withLock { progress throws(RegistryFailure) in
            let before = byteCount
            do throws(Errno) {
                if progress.hasher == nil { progress.hasher = try hash(progress.algorithm) }
                let file = try directory.openForAppending(Self.name)
                do throws(Errno) {
                    for piece in pieces { try unsafe piece.readableBytesUInt8Span.bytes.write(to: file, &progress.hasher) }
                } catch {
                    // What came of it is not counted, and the next is to come behind what is.
                    progress.hasher = nil
                    try file.truncate(to: Int64(before))
                    throw error
                }
                let after = pieces.reduce(before) { $0 + UInt64($1.readableBytes) }
                if after - progress.writtenBackByteCount >= Self.writebackByteCount {
                    file.beginWriteback(from: progress.writtenBackByteCount, byteCount: after - progress.writtenBackByteCount)
                    progress.writtenBackByteCount = after
                }
                count.store(after, ordering: .releasing)
            } catch { throw RegistryFailure(.init(.storage, "cannot write what comes: \(error)", underlying: error)) }
        }
    }

    /// What all of the bytes have gone through.
    func hasher(_ algorithm: Digest.Algorithm) throws(RegistryFailure) -> DigestHasher {
        try progress.withLock { progress throws(RegistryFailure) in
            if let hasher = progress.hasher, progress.algorithm == algorithm { return hasher }
            do throws(Errno) {
                let hasher = try hash(algorithm)
                (progress.hasher, progress.algorithm) = (hasher, algorithm)
                return hasher
            } catch { throw RegistryFailure(.init(.storage, "cannot read what has come: \(error)", underlying: error)) }
        }
    }

    private func hash(_ algorithm: Digest.Algorithm) throws(Errno) -> DigestHasher {
        let file = try directory.openForReading(Self.name)
        var hasher = DigestHasher(algorithm)
        var chunk = [UInt8](repeating: 0, count: 256 << 10)
        while true {
            let count = try file.read(intoArray: &chunk)
            guard count > 0 else { return hasher }
            unsafe chunk.span.extracting(..<count).bytes.withUnsafeBytes { unsafe hasher.update($0) }
        }
    }
}

extension RawSpan {
    fileprivate func write(to file: borrowing OwnedDescriptor, _ hasher: inout DigestHasher?) throws(Errno) {
        unsafe withUnsafeBytes { unsafe hasher?.update($0) }
        try file.writeAll(self)
    }
}
