internal import BerthContent
internal import BerthCredentials
internal import BerthImages
internal import BerthRegistry

/// The engine's images are fed by registries: `engine.images.pull("redis:7")`.
struct RegistryPlaces: ImagePlaces {
    let registry: Registry

    func place(of name: RepositoryName, credentials: RegistryCredentials?) -> any ContentSource & ContentDestination {
        registry.repository(name, credentials: credentials)
    }

    var downloadWidth: Int { registry.configuration.maximumDownloadCount }
    var uploadWidth: Int { registry.configuration.maximumUploadCount }
}
