internal import BerthContent
internal import BerthLinux
public import BerthOCI
internal import BerthReactor
public import BerthState

extension ImageStore {
    /// Copies an image, or an index with all that it names, from one place to another as it is there, byte for byte. Nothing is unpacked, and no image is made here but where this
    /// store is the destination: what has to come through is kept as blobs for as long as the copy lasts.
    ///
    /// Blobs that are there already are not sent, and of one registry they are mounted where it lets that be. When the job fails or is cancelled, the name is as it was. Copying again is
    /// fine, from an archive if it can be read again.
    /// - Parameters:
    ///   - source: what is copied.
    ///   - destination: where to, and as what.
    /// - Returns: the job, whose value is what the name names there now.
    /// - Throws: at once what a source says of the name, and `notFound` for what is not in this store. By the job ``TransferError``, and ``ImageError``: `notFound`, `invalid`,
    ///   `unsupported`, `tooLarge`, `noSpace`, `storage`, `cancelled`.
    public func copy(
        from source: consuming CopySource, to destination: consuming CopyDestination, _ options: CopyOptions = CopyOptions(),
        _ lifetime: JobRegistry.Lifetime = .detached
    ) async throws -> JobStake<Descriptor> {
        let origin = try await CopyOrigin(source, self, options)
        let target = CopyTarget(destination)
        // Who may write is for the destination to say, for each copy: nobody joins another's.
        var random = SystemRandomNumberGenerator()
        return services.jobs.share("\(origin.title) \(random.next())", kind: "copy", title: origin.title, lifetime) { [self] context in
            do {
                return try await withLease { (lease) throws(any Error) in
                    let found = try await origin.open(self, options, context, lease)
                    return try await target.take(found, self, options, context, lease)
                }
            } catch { throw context.isCancelled ? ImageError(.cancelled, "the copy was cancelled") : error }
        }
    }
}
