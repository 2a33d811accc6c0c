internal import BerthNetlink
internal import BerthOCI

/// What is kept of a network (`networks/<id>.json`): addresses are text there.
struct NetworkDocument: Codable, Sendable {
    struct Part: Codable, Sendable {
        var subnet: String
        var range: String?
        /// `nil` only in what is a configuration for others, and leaves it to them.
        var gateway: String?
        var auxiliary: [String: String]
        var isSaid: Bool
    }
    var name: String
    var createdAt: Timestamp
    var driver: String
    var isInternal: Bool
    var isAttachable: Bool
    var enablesIPv4: Bool
    var enablesIPv6: Bool
    var parts: [Part]
    var options: [String: String]
    var labels: [String: String]
    var addressOptions: [String: String]?
    var isConfigurationOnly: Bool?
    var configuredFrom: String?

    init(_ network: Network) {
        let configuration = network.configuration
        (name, createdAt, driver) = (network.name, network.createdAt, configuration.driver)
        (isInternal, isAttachable) = (configuration.isInternal, configuration.isAttachable)
        (enablesIPv4, enablesIPv6) = (configuration.enablesIPv4, configuration.enablesIPv6)
        parts = network.parts.map { part in
            Part(
                subnet: part.subnet.description, range: part.range?.description, gateway: part.gateway.description,
                auxiliary: part.auxiliary.mapValues(\.description), isSaid: part.isSaid)
        }
        (options, labels, addressOptions) = (configuration.options, configuration.labels, configuration.addressOptions)
        (isConfigurationOnly, configuredFrom) = (configuration.isConfigurationOnly ? true : nil, configuration.configuredFrom)
        guard configuration.isConfigurationOnly else { return }
        parts = configuration.subnets.map { subnet in
            Part(subnet: subnet.subnet, range: subnet.range, gateway: subnet.gateway, auxiliary: subnet.auxiliary, isSaid: true)
        }
    }

    /// The network of this document, and its addresses.
    ///
    /// - Throws: `invalid` for a document that says what cannot be.
    func network(id: String) throws(NetworkError) -> (Network, AddressPlan) {
        var configuration = NetworkConfiguration(name: name)
        configuration.driver = driver
        (configuration.isInternal, configuration.isAttachable) = (isInternal, isAttachable)
        (configuration.enablesIPv4, configuration.enablesIPv6) = (enablesIPv4, enablesIPv6)
        (configuration.options, configuration.labels, configuration.addressOptions) = (options, labels, addressOptions)
        let requests = parts.map { part in
            SubnetRequest(subnet: part.subnet, range: part.range, gateway: part.gateway, auxiliary: part.auxiliary)
        }
        configuration.subnets = zip(requests, parts).filter(\.1.isSaid).map(\.0)
        (configuration.isConfigurationOnly, configuration.configuredFrom) = (isConfigurationOnly ?? false, configuredFrom)
        if configuration.isConfigurationOnly {
            let plan = try AddressPlan(restoring: [], said: [])
            return (Network(id: id, createdAt: createdAt, configuration: configuration, parts: []), plan)
        }
        let plan = try AddressPlan(restoring: requests, said: Set(configuration.subnets.map(\.subnet)))
        return (Network(id: id, createdAt: createdAt, configuration: configuration, parts: plan.networkParts), plan)
    }
}

extension AddressPlan {
    /// What is told of the subnets.
    var networkParts: [Network.Part] {
        parts.map { part in
            Network.Part(
                subnet: part.pool.subnet, range: part.pool.range == part.pool.subnet ? nil : part.pool.range, gateway: part.gateway,
                auxiliary: part.auxiliary, isSaid: part.isSaid)
        }
    }
}
