public import BerthLinux
public import BerthOCI

/// Where an image goes to: one repository of a registry, a layout, an archive, another store.
///
/// Blobs go first, the manifests that name them after them, an index last; so at no time does the destination name what it does not have. It is asked
/// by many tasks at once. Every call can be cancelled by cancelling its task, and then throws `cancelled`: what was brought in part stays invisible.
/// A destination tries again by itself where that may help. All calls may be repeated: what is there already is there, byte for byte.
public protocol ContentDestination: Sendable {
    /// The repository; `nil` for what has none, such as a file.
    var repository: RepositoryName? { get }

    /// Whether the repository has a blob already.
    ///
    /// - Throws: `unauthorized`, `denied`: who may not look may not push either.
    func contains(_ blob: Descriptor) async throws(TransferError) -> Bool

    /// Asks the destination to take a blob from another of its repositories, without any bytes being sent (OCI distribution specification, *Mounting a blob
    /// from another repository*).
    ///
    /// - Returns: whether the blob is in this repository now. `false` where the destination does not do that, has no such blob there, or it is of another
    ///   registry: then it has to be uploaded.
    func mount(_ blob: Descriptor, from repository: RepositoryName) async throws(TransferError) -> Bool

    /// Brings a blob. It is in the repository, compared with its digest by the destination, when this returns.
    ///
    /// - Parameters:
    ///   - blob: what the file's bytes are.
    ///   - file: an opened regular file, read from its beginning as often as is needed.
    ///   - progress: told how many bytes have gone; a smaller number than before where something has to go again.
    /// - Throws: `sizeMismatch` if the file has another size; `digestMismatch` if the destination says so.
    func upload(
        _ blob: Descriptor, from file: consuming OwnedDescriptor, progress: @escaping @Sendable (_ byteCount: UInt64) -> Void
    ) async throws(TransferError)

    /// Puts a manifest or an index, whose blobs and manifests are there already, byte for byte as it is.
    ///
    /// - Parameter tags: names that it has from now on, whatever they named before. It is always there by its digest. When this throws, it may have
    ///   some of them.
    func put(_ manifest: FetchedManifest, tags: [String]) async throws(TransferError)
}
