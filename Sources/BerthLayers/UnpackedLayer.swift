internal import BerthArchive
internal import BerthContent
public import BerthOCI
internal import BerthSnapshots
internal import Synchronization

/// A layer whose bytes are here, and that lies on nothing yet.
///
/// It goes with the last reference to this value: nothing of it is seen before it is committed.
public final class UnpackedLayer: Sendable {
    /// Where its bytes are.
    enum Bytes: Sendable {
        /// They have come, and are no blob yet.
        case pending(PendingBlob)
        /// They are a blob that was here before.
        case kept(Digest, byteCount: UInt64)
    }

    /// A directory with its files.
    struct Files: Sendable {
        var prepared: PreparedLayer
        var compression: Compression
        /// `nil` where it is the digest of the bytes as they arrived.
        var diffID: Digest?
        var byteCount: UInt64
    }

    let bytes: Bytes
    private let files: Mutex<Files?>
    private let snapshots: any Snapshotter
    /// How its bytes are compressed; `nil` where nobody has looked.
    let compression: Compression?

    /// What names in it may be.
    let absoluteNames: LayerRules.AbsoluteNames

    init(_ bytes: Bytes, _ files: Files?, _ snapshots: any Snapshotter, _ absoluteNames: LayerRules.AbsoluteNames = .beneathRoot) {
        self.bytes = bytes
        self.absoluteNames = absoluteNames
        self.files = Mutex(files)
        self.snapshots = snapshots
        compression = files?.compression
    }

    deinit { discardFiles() }

    /// Removes now what was not committed of it. Repeating is fine.
    public func discard() {
        discardFiles()
        if case .pending(let blob) = bytes { blob.discard() }
    }

    /// Removes now what was unpacked of it and not committed. Its bytes stay. Repeating is fine.
    public func discardFiles() {
        if let files = takeFiles() { snapshots.discard(files.prepared) }
    }

    /// The digest of the layer as it arrived.
    public var digest: Digest {
        switch bytes {
        case .pending(let blob): blob.digest
        case .kept(let digest, _): digest
        }
    }
    /// How many bytes arrived.
    public var byteCount: UInt64 {
        switch bytes {
        case .pending(let blob): blob.byteCount
        case .kept(_, let count): count
        }
    }

    /// The digest of its tar, where that is known.
    var knownDiffID: Digest? { files.withLock { $0.map { $0.diffID ?? digest } } }

    /// The directory with its files, which now has another owner; `nil` where there is none, or it was taken.
    func takeFiles() -> Files? { files.withLock { $0.take() } }
}
