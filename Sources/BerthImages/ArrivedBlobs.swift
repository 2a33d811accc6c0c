internal import BerthContent
internal import BerthOCI
internal import Synchronization

/// What fetches have brought whole and not made blobs yet: another that wants the same finds it here, for as long as the one that brought it has it.
///
/// They become blobs with their image. Killed or cancelled before, they stay partial blobs, all of whose bytes are there.
final class ArrivedBlobs: Sendable {
    private struct Entry {
        weak var blob: PendingBlob?
    }
    private let blobs = Mutex<[Digest: Entry]>([:])

    func add(_ blob: PendingBlob) {
        blobs.withLock { blobs in
            blobs = blobs.filter { $0.value.blob != nil }
            blobs[blob.digest] = Entry(blob: blob)
        }
    }

    func find(_ digest: Digest) -> PendingBlob? { blobs.withLock { $0[digest]?.blob } }
}
