public import BerthContent
public import BerthCredentials
public import BerthOCI
public import BerthState

/// Where images come from and go to by their names: an engine's client of registries.
public protocol ImagePlaces: Sendable {
    /// The repository that a name leads to, as whoever has these credentials sees it. Asks nothing yet.
    func place(
        of name: RepositoryName, credentials: RegistryCredentials?
    ) -> any ContentSource & ContentDestination
    /// How many layers come at once.
    var downloadWidth: Int { get }
    /// How many blobs go at once.
    var uploadWidth: Int { get }
}

// Images come from where their names lead to, and go there.
extension ImageStore {
    /// Pulls an image: ``fetch(_:from:_:_:)`` from the registry, or the mirror, that its name leads to.
    ///
    /// - Parameters:
    ///   - reference: the name.
    ///   - platform: of an index the image for this. Default `nil`: the best for this machine.
    ///   - credentials: for the registry of the name; `nil` for nobody. The registry is asked with these before anything else, also where the same pull runs already for somebody
    ///     else, or all of it is here.
    ///   - lifetime: whether the job ends when nobody waits for it any more. Default: it goes on.
    /// - Throws: at once what the registry says of the name, and `unsupported` from a store that was opened without places; by the job as ``fetch(_:from:_:_:)``.
    public func pull(
        _ reference: ImageReference, platform: Platform? = nil, credentials: RegistryCredentials? = nil,
        _ lifetime: JobRegistry.Lifetime = .detached
    ) async throws(TransferError) -> JobStake<FetchedImage> {
        let places = try places()
        var options = FetchOptions(platform: platform)
        options.downloadWidth = places.downloadWidth
        return try await fetch(
            reference, from: places.place(of: RepositoryName(of: reference), credentials: credentials), options, lifetime)
    }

    /// Pulls an image by its name as people write it: `redis:7`.
    ///
    /// - Throws: as the other; `invalid` for what is no name.
    public func pull(
        _ name: String, platform: Platform? = nil, credentials: RegistryCredentials? = nil,
        _ lifetime: JobRegistry.Lifetime = .detached
    ) async throws(TransferError) -> JobStake<FetchedImage> {
        try await pull(try Self.reference(name), platform: platform, credentials: credentials, lifetime)
    }

    /// Pushes an image: ``push(_:to:_:_:)`` to the registry that its name leads to.
    ///
    /// - Throws: as ``push(_:to:_:_:)``; `unsupported` from a store that was opened without places.
    public func push(
        _ reference: ImageReference, platform: Platform? = nil, credentials: RegistryCredentials? = nil,
        _ lifetime: JobRegistry.Lifetime = .detached
    ) throws(ImageError) -> JobStake<PushedImage> {
        let places: any ImagePlaces
        do throws(TransferError) { places = try self.places() } catch { throw ImageError(.unsupported, error.description) }
        var options = PushOptions(platform: platform)
        options.uploadWidth = places.uploadWidth
        return try push(
            reference, to: places.place(of: RepositoryName(of: reference), credentials: credentials), options, lifetime)
    }

    /// What a name names in the registry that it leads to, for ``copy(from:to:_:_:)``.
    ///
    /// - Throws: `unsupported` from a store that was opened without places.
    public func source(_ reference: ImageReference, credentials: RegistryCredentials? = nil) throws(TransferError) -> CopySource {
        .content(try places().place(of: RepositoryName(of: reference), credentials: credentials), ManifestReference(of: reference))
    }

    /// The registry that a name leads to, for ``copy(from:to:_:_:)``.
    ///
    /// - Throws: `invalid` for a name with a digest; `unsupported` from a store that was opened without places.
    public func destination(
        _ reference: ImageReference, credentials: RegistryCredentials? = nil
    ) throws(TransferError) -> CopyDestination {
        guard reference.digest == nil else {
            throw TransferError(.invalid, "cannot copy to '\(reference.familiar)': it is the bytes that give an image its digest")
        }
        let place = try places().place(of: RepositoryName(of: reference), credentials: credentials)
        return .content(place, tag: reference.tag ?? "latest")
    }

    private func places() throws(TransferError) -> any ImagePlaces {
        guard let places = services.places else {
            throw TransferError(.unsupported, "these images were opened without a way to registries")
        }
        return places
    }

    private static func reference(_ name: String) throws(TransferError) -> ImageReference {
        do throws(ImageReference.ParseError) { return try ImageReference(parsing: name) } catch {
            throw TransferError(.invalid, error.description)
        }
    }
}
