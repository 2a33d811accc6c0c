public import BerthOCI
public import BerthReactor
internal import Synchronization

extension ContentSource {
    /// Brings a blob into a store, going on with what is there of it, unless it is there already. Two that want the same blob fetch it once.
    ///
    /// When this throws, what has come stays for the next (``ContentStore/makeIngest(continuing:for:)``). If the bytes turn out to be others than the
    /// digest says, they are thrown away and fetched anew, once.
    ///
    /// - Parameters:
    ///   - lease: keeps the blob from being collected.
    ///   - lane: where the store's calls run.
    ///   - progress: told how many bytes are there.
    /// - Throws: as ``fetch(_:from:into:)``, and `digestMismatch`, `noSpace`, `storage`.
    public func fetch(
        _ blob: Descriptor, into store: ContentStore, for lease: Lease, in lane: Lane,
        progress: @escaping @Sendable (_ byteCount: UInt64) -> Void = { _ in }
    ) async throws(TransferError) {
        let turn: Turn
        do throws(ContentError) { turn = try await store.turns.take(for: .blob(blob.digest)) } catch { throw TransferError(error) }
        defer { turn.end() }
        let isThere = try await lane.run { () throws(TransferError) in
            do throws(ContentError) { return try store.contains(blob.digest, for: lease) } catch { throw TransferError(error) }
        }
        if isThere { return progress(blob.byteCount) }
        do throws(TransferError) { try await bring(blob, into: store, lease, lane, progress) } catch {
            guard error.code == .digestMismatch else { throw error }
            // What was wrong may have been an earlier part, or a mirror's: it is gone, and this begins at 0.
            try await bring(blob, into: store, lease, lane, progress)
        }
    }

    private func bring(
        _ blob: Descriptor, into store: ContentStore, _ lease: Lease, _ lane: Lane, _ progress: @escaping @Sendable (UInt64) -> Void
    ) async throws(TransferError) {
        let arriving = try await lane.run { () throws(TransferError) in
            do throws(ContentError) { return ArrivingBlob(try store.makeIngest(continuing: blob, for: lease)) } catch {
                throw TransferError(error)
            }
        }
        try await fetch(blob, from: arriving.byteCount) { (bytes) throws(TransferError) in progress(try arriving.write(bytes)) }
        try await lane.run { () throws(TransferError) in try arriving.commit(expecting: blob.digest) }
    }
}

/// An ingest that several threads have, one at a time.
private final class ArrivingBlob: Sendable {
    private let ingest: Mutex<Ingest?>
    /// How many bytes were there at the beginning.
    let byteCount: UInt64

    init(_ ingest: consuming Ingest) {
        byteCount = ingest.byteCount
        self.ingest = Mutex(consume ingest)
    }

    /// - Returns: how many bytes are there now.
    func write(_ bytes: borrowing RawSpan) throws(TransferError) -> UInt64 {
        do throws(ContentError) {
            return try ingest.withLock { (ingest) throws(ContentError) in
                try ingest?.write(bytes)
                return ingest?.byteCount ?? 0
            }
        } catch { throw TransferError(error) }
    }

    func commit(expecting digest: Digest) throws(TransferError) {
        do throws(ContentError) { _ = try ingest.withLock { $0.take() }?.commit(expecting: digest) } catch { throw TransferError(error) }
    }
}
