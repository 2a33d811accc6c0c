public import BerthContent
public import BerthCredentials

/// A client of registries: any number of them, for anybody.
///
/// ```swift
/// let registry = Registry()
/// let nginx = registry.repository(RepositoryName(of: try ImageReference(parsing: "nginx")))
/// let manifest = try await nginx.manifest(.tag("latest"))
/// ```
/// It holds connections and tokens, the latter for each credentials apart, and no credentials of its own. Nothing is opened before something is asked.
/// Connections end when it is closed, or nobody has it or a repository of it any more.
public final class Registry: Sendable {
    let core: RegistryCore

    /// A client.
    public convenience init(_ configuration: RegistryConfiguration = RegistryConfiguration()) { self.init(configuration, Timing()) }

    init(_ configuration: RegistryConfiguration, _ timing: Timing, hostAddresses: [String: String] = [:]) {
        core = RegistryCore(configuration, timing, hostAddresses: hostAddresses)
    }

    /// How registries are reached.
    public var configuration: RegistryConfiguration { core.configuration }

    /// A repository, as whoever has these credentials sees it. Asks nothing yet.
    ///
    /// - Parameter credentials: for the registry that the name has; `nil` for nobody. They are shown to that registry, and to the token server that it names,
    ///   and to nobody else.
    public func repository(_ name: RepositoryName, credentials: RegistryCredentials? = nil) -> RegistryRepository {
        RegistryRepository(name: name, core: core, credentials: credentials)
    }

    /// Closes all connections; what is being asked fails with `cancelled` or `unreachable`. Repeating is fine.
    public func close() { core.transport.close() }
}
