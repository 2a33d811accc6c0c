internal import BerthNetlink

/// What a network is to be, as its creator says it (Docker Engine API, `NetworkCreate`).
public struct NetworkConfiguration: Hashable, Sendable {
    /// Its name.
    public var name: String
    /// Which driver makes it. Default `bridge`.
    public var driver: String
    /// Whether nothing of it leaves the host, and nobody's packets come in from there. Default `false`.
    public var isInternal: Bool
    /// Whether containers that are not a service's may join, which means something to swarms only: it is kept, and told again. Default `false`.
    public var isAttachable: Bool
    /// Whether sandboxes get addresses of version 4. Default `true`.
    public var enablesIPv4: Bool
    /// Whether sandboxes get addresses of version 6. Default `false`.
    public var enablesIPv6: Bool
    /// Its subnets, at most one for each version; what is not said is chosen. Default: none.
    public var subnets: [SubnetRequest]
    /// What only its driver understands, by Docker's names. Default: none.
    public var options: [String: String]
    /// Its labels. Default: none.
    public var labels: [String: String]
    /// What only the address management understands: it is kept, and told again. Default `nil`: nothing said.
    public var addressOptions: [String: String]?
    /// Whether it is no network, but what others are to be: ``configuredFrom``. Default `false`.
    public var isConfigurationOnly = false
    /// The name of such a one, whose versions, subnets, options and labels it is to have. Default `nil`: what is said here counts.
    public var configuredFrom: String?

    /// A network of this name, everything else by default.
    public init(name: String) {
        self.name = name
        (driver, isInternal, isAttachable, enablesIPv4, enablesIPv6) = ("bridge", false, false, true, false)
        (subnets, options, labels, addressOptions) = ([], [:], [:], nil)
    }

    /// The versions of which its sandboxes get addresses.
    var versions: Set<IPAddress.Version> {
        Set((enablesIPv4 ? [IPAddress.Version.v4] : []) + (enablesIPv6 ? [.v6] : []))
    }

    /// Whether a configuration can be one for others, and have one of others.
    ///
    /// - Throws: `forbidden`, in Docker's words.
    func checkOrigin() throws(NetworkError) {
        if isConfigurationOnly && (isInternal || isAttachable) { throw .operatorFields }
        guard configuredFrom != nil else { return }
        guard !isConfigurationOnly else {
            throw NetworkError(.forbidden, "a configuration network cannot depend on another configuration network")
        }
        guard enablesIPv4, !enablesIPv6, labels.isEmpty, subnets.isEmpty, addressOptions?.isEmpty ?? true else {
            throw NetworkError(
                .forbidden, "user-specified configurations are not supported if the network depends on a configuration network")
        }
        guard options.isEmpty else {
            throw NetworkError(.forbidden, "network driver options are not supported if the network depends on a configuration network")
        }
    }

    /// This, with what the one that it is configured from says.
    func configured(by other: NetworkConfiguration) -> NetworkConfiguration {
        var configuration = self
        (configuration.enablesIPv4, configuration.enablesIPv6) = (other.enablesIPv4, other.enablesIPv6)
        (configuration.subnets, configuration.options, configuration.labels) = (other.subnets, other.options, other.labels)
        if let options = other.addressOptions, !options.isEmpty { configuration.addressOptions = options }
        return configuration
    }
}

extension NetworkError {
    /// Docker's words for a configuration for others that says what only a network can be.
    public static var operatorFields: NetworkError {
        NetworkError(
            .forbidden,
            "configuration network can only contain network specific fields. Network operator fields like [ ingress | internal | attachable | scope ] are not supported."
        )
    }
}
