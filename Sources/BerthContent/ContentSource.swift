public import BerthOCI

/// Where an image comes from: one repository of a registry, a layout, an archive, another store.
///
/// A source gives bytes and their names, and does not know what is done with them. It is asked by many tasks at once. Every call can be cancelled by
/// cancelling its task, and then throws `cancelled`. A source tries again by itself where that may help: an error that it throws is final for this try.
/// Nothing that it gives is trusted more than its digest: manifests are compared with it by the source, blobs by whoever takes them in.
public protocol ContentSource: Sendable {
    /// The repository; `nil` for what has none, such as a file.
    var repository: RepositoryName? { get }

    /// Says what a tag or a digest names now, without its bytes: to see whether anything is new, and whether the caller may read it. Changes nothing, and
    /// may be asked again.
    ///
    /// - Throws: `notFound`; `unauthorized`, `denied`; `unsupported` for a manifest of a kind that nobody can run any more.
    func descriptor(of reference: ManifestReference) async throws(TransferError) -> Descriptor

    /// Gives the manifest or index that a tag or a digest names now. What a tag names may be another the next time.
    ///
    /// - Returns: the bytes, compared with the digest that was asked for or that the source said.
    /// - Throws: as ``descriptor(of:)``; `digestMismatch`; `tooLarge` for more than ``TransferLimits/manifestByteCount`` bytes.
    func manifest(_ reference: ManifestReference) async throws(TransferError) -> FetchedManifest

    /// Gives the bytes of a blob, from an offset to the end that the descriptor says, in order and each once.
    ///
    /// A connection that breaks is taken up again where it broke: the taker sees nothing of that. When this throws, the taker has a beginning of the
    /// bytes, and asking again from the offset that it has come to goes on there. Whether the bytes are the right ones is for the taker to compare,
    /// who has seen them all. Whoever finds others than the digest says begins again at 0, once: ``fetch(_:into:for:progress:)`` does.
    ///
    /// - Parameters:
    ///   - blob: what is wanted. Exactly so many bytes come.
    ///   - offset: how many of them are there already. At the end of the blob, nothing is asked and nothing comes.
    ///   - sink: takes the next bytes, which are lent for the length of the call. It is called by one thread at a time, one that may block, and no more bytes
    ///     are read from the source than it keeps up with. What it throws ends the fetch and is thrown.
    /// - Throws: `notFound`; `sizeMismatch` where the source has more or fewer bytes; what `sink` throws; as above.
    func fetch(
        _ blob: Descriptor, from offset: UInt64, into sink: @escaping @Sendable (_ bytes: borrowing RawSpan) throws(TransferError) -> Void
    ) async throws(TransferError)
}

/// Bounds of what comes from outside.
public enum TransferLimits {
    /// The most bytes of a manifest or an index (OCI distribution specification, *Pushing Manifests*, asks for at least this).
    public static let manifestByteCount = 4 << 20
}
