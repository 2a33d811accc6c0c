public import BerthContent
public import BerthCredentials
public import BerthImages
public import BerthOCI
internal import BerthRegistry
public import BerthState

// Images come from registries, and go to them.
extension Engine {
    /// Pulls an image: ``ImageStore/fetch(_:from:_:_:)`` from the registry, or the mirror, that its name leads to.
    ///
    /// - Parameters:
    ///   - reference: the name.
    ///   - platform: of an index the image for this. Default `nil`: the best for this machine.
    ///   - credentials: for the registry of the name; `nil` for nobody. The registry is asked with these before anything else, also where the same pull runs already for somebody
    ///     else, or all of it is here.
    ///   - lifetime: whether the job ends when nobody waits for it any more. Default: it goes on.
    /// - Throws: at once what the registry says of the name; by the job as ``ImageStore/fetch(_:from:_:_:)``.
    public func pull(
        _ reference: ImageReference, platform: Platform? = nil, credentials: RegistryCredentials? = nil,
        _ lifetime: JobRegistry.Lifetime = .detached
    ) async throws(TransferError) -> JobStake<FetchedImage> {
        var options = FetchOptions(platform: platform)
        options.downloadWidth = registry.configuration.maximumDownloadCount
        let repository = registry.repository(RepositoryName(of: reference), credentials: credentials)
        return try await images.fetch(reference, from: repository, options, lifetime)
    }

    /// Pulls an image by its name as people write it: `redis:7`.
    ///
    /// - Throws: as the other; `invalid` for what is no name.
    public func pull(
        _ name: String, platform: Platform? = nil, credentials: RegistryCredentials? = nil,
        _ lifetime: JobRegistry.Lifetime = .detached
    ) async throws(TransferError) -> JobStake<FetchedImage> {
        let reference: ImageReference
        do throws(ImageReference.ParseError) { reference = try ImageReference(parsing: name) } catch {
            throw TransferError(.invalid, error.description)
        }
        return try await pull(reference, platform: platform, credentials: credentials, lifetime)
    }

    /// Pushes an image: ``ImageStore/push(_:to:_:_:)`` to the registry that its name leads to.
    ///
    /// - Throws: as ``ImageStore/push(_:to:_:_:)``.
    public func push(
        _ reference: ImageReference, platform: Platform? = nil, credentials: RegistryCredentials? = nil,
        _ lifetime: JobRegistry.Lifetime = .detached
    ) throws(ImageError) -> JobStake<PushedImage> {
        var options = PushOptions(platform: platform)
        options.uploadWidth = registry.configuration.maximumUploadCount
        let repository = registry.repository(RepositoryName(of: reference), credentials: credentials)
        return try images.push(reference, to: repository, options, lifetime)
    }

    /// What a name names in the registry that it leads to, for ``ImageStore/copy(from:to:_:_:)``.
    public func source(_ reference: ImageReference, credentials: RegistryCredentials? = nil) -> CopySource {
        .content(registry.repository(RepositoryName(of: reference), credentials: credentials), ManifestReference(of: reference))
    }

    /// The registry that a name leads to, for ``ImageStore/copy(from:to:_:_:)``.
    ///
    /// - Throws: `invalid` for a name with a digest.
    public func destination(
        _ reference: ImageReference, credentials: RegistryCredentials? = nil
    ) throws(TransferError) -> CopyDestination {
        guard reference.digest == nil else {
            throw TransferError(.invalid, "cannot copy to '\(reference.familiar)': it is the bytes that give an image its digest")
        }
        return .content(
            registry.repository(RepositoryName(of: reference), credentials: credentials), tag: reference.tag ?? "latest")
    }
}
