internal import Berth
internal import DockerAPI

extension NetworkConfiguration {
    /// What a client's request to make a network means here.
    ///
    /// - Throws: for what makes no sense, and for what does not exist here.
    init(_ request: NetworkCreateRequest) throws(APIFailure) {
        self.init(name: request.name)
        guard !request.name.isEmpty else { throw .invalid("invalid name: name is empty") }
        guard request.scope.isEmpty || request.scope == "local" else {
            throw .invalid("not supported here: networks of the scope '\(request.scope)': engines of this kind are for one machine")
        }
        guard !request.isIngress else { throw .invalid("not supported here: ingress networks, which are a swarm's") }
        (isConfigurationOnly, configuredFrom) = (request.isConfigurationOnly, request.configuredFrom.isEmpty ? nil : request.configuredFrom)
        guard !isConfigurationOnly || request.scope.isEmpty else { throw APIFailure(NetworkError.operatorFields) }
        if !request.driver.isEmpty && request.driver != "default" { driver = request.driver }
        (isInternal, isAttachable) = (request.isInternal, request.isAttachable)
        (enablesIPv4, enablesIPv6) = (request.enablesIPv4 ?? true, request.enablesIPv6 ?? false)
        (options, labels) = (request.options, request.labels)
        guard let addressing = request.addressing else { return }
        guard ["", "default", "null"].contains(addressing.driver) else {
            throw .notFound("could not find plugin \(addressing.driver): addresses are given by the driver 'default' alone")
        }
        addressOptions = addressing.options
        subnets = try addressing.subnets.map { subnet throws(APIFailure) in
            guard !subnet.subnet.isEmpty else {
                throw .invalid(
                    "invalid network config:\ninvalid subnet \(subnet.subnet): a gateway, range or reserved address needs its --subnet")
            }
            return SubnetRequest(
                subnet: subnet.subnet, range: subnet.range.isEmpty ? nil : subnet.range,
                gateway: subnet.gateway.isEmpty ? nil : subnet.gateway, auxiliary: subnet.reserved)
        }
    }
}

extension NetworkResource {
    /// A network, with those who are in it.
    init(_ network: Network, _ endpoints: [Endpoint]) {
        self.init()
        let configuration = network.configuration
        (name, id, created, driver) = (network.name, network.id, network.createdAt.rfc3339, configuration.driver)
        (hasIPv4, hasIPv6) = (configuration.enablesIPv4, configuration.enablesIPv6)
        addressing.options = configuration.addressOptions
        addressing.subnets = network.parts.map { part in
            NetworkAddressing.Subnet(
                part.subnet.description, range: part.range?.description ?? "", gateway: part.gateway.description,
                reserved: part.auxiliary.mapValues(\.description))
        }
        if configuration.isConfigurationOnly {
            addressing.subnets = configuration.subnets.map { subnet in
                NetworkAddressing.Subnet(
                    subnet.subnet, range: subnet.range ?? "", gateway: subnet.gateway ?? "", reserved: subnet.auxiliary)
            }
        }
        (isConfigurationOnly, configuredFrom) = (configuration.isConfigurationOnly, configuration.configuredFrom ?? "")
        (isInternal, isAttachable) = (configuration.isInternal, configuration.isAttachable)
        (options, labels) = (configuration.options, configuration.labels)
        for endpoint in endpoints {
            containers[endpoint.userID] = NetworkContainer(
                name: endpoint.userName, endpointID: endpoint.id, macAddress: endpoint.hardwareAddress?.description ?? "",
                ipv4Address: endpoint.ipv4?.description ?? "", ipv6Address: endpoint.ipv6?.description ?? "")
        }
    }
}

extension EndpointConfiguration {
    /// What a client asks for of a place in a network.
    init(_ settings: EndpointSettings, network: String) throws(APIFailure) {
        self.init(network: network)
        (aliases, links) = (settings.aliases ?? [], settings.links ?? [])
        (driverOptions, gatewayPriority) = (settings.driverOptions ?? [:], Int(clamping: settings.gatewayPriority))
        if !settings.macAddress.isEmpty {
            guard let address = HardwareAddress(settings.macAddress), address.isUnicast else {
                throw .invalid(
                    "invalid MAC address \(settings.macAddress): it must be six bytes as 02:42:ac:11:00:02, of one interface only")
            }
            hardwareAddress = address
        }
        guard let asked = settings.asked else { return }
        ipv4 = try Self.address(asked.ipv4, .v4)
        ipv6 = try Self.address(asked.ipv6, .v6)
        linkLocal = try asked.linkLocal.map { text throws(APIFailure) in
            guard let address = IPAddress(text) else {
                throw .invalid("invalid endpoint settings:\ninvalid link-local IP address: \(text)")
            }
            return address
        }
    }

    private static func address(_ text: String, _ version: IPAddress.Version) throws(APIFailure) -> IPAddress? {
        if text.isEmpty { return nil }
        guard let address = IPAddress(text), address.version == version else {
            throw .invalid("invalid endpoint settings:\ninvalid IPv\(version.rawValue) address: \(text)")
        }
        return address
    }
}

extension EndpointSettings {
    /// A place that a container has, or that it is to have when it runs.
    init(_ wanted: EndpointConfiguration, _ endpoint: Endpoint?, networkID: String, names: [String]?) {
        self.init()
        let addresses = Addresses(
            ipv4: wanted.ipv4?.description ?? "", ipv6: wanted.ipv6?.description ?? "", linkLocal: wanted.linkLocal.map(\.description))
        asked = addresses == Addresses() ? nil : addresses
        links = wanted.links.isEmpty ? nil : wanted.links
        aliases = wanted.aliases.isEmpty ? nil : wanted.aliases
        driverOptions = wanted.driverOptions.isEmpty ? nil : wanted.driverOptions
        gatewayPriority = Int64(wanted.gatewayPriority)
        (self.networkID, self.names) = (networkID, names)
        macAddress = wanted.hardwareAddress?.description ?? ""
        guard let endpoint else { return }
        (endpointID, macAddress) = (endpoint.id, endpoint.hardwareAddress?.description ?? "")
        // Of one that leads by its own link, Docker tells none.
        func text(_ gateway: IPAddress?) -> String { gateway.flatMap { $0.value == 0 ? nil : $0.description } ?? "" }
        (gateway, ipv6Gateway) = (text(endpoint.gateway4), text(endpoint.gateway6))
        if let prefix = endpoint.ipv4 { (address, prefixLength) = (prefix.address.description, prefix.length) }
        if let prefix = endpoint.ipv6 { (ipv6Address, ipv6PrefixLength) = (prefix.address.description, prefix.length) }
    }
}

/// Docker's filters of `network ls`.
struct NetworkFilter: Sendable {
    private let filters: [String: [String]]

    init(_ filters: [String: [String]]) throws(APIFailure) {
        self.filters = filters
        for (key, values) in filters {
            switch key {
            case "id", "name", "driver", "label": break
            case "scope":
                for value in values where !["local", "global", "swarm"].contains(value) {
                    throw .invalid("invalid filter 'scope=\(value)'")
                }
            case "type":
                for value in values where !["custom", "builtin"].contains(value) { throw .invalid("invalid filter: 'type'='\(value)'") }
            case "dangling":
                guard values.count == 1, ["true", "1", "false", "0"].contains(values[0]) else {
                    throw .invalid("invalid filter 'dangling=[\(values.joined(separator: " "))]'")
                }
            default: throw .invalid("invalid filter '\(key)'")
            }
        }
    }

    /// - Parameter isUsed: whether a container is in the network.
    func matches(_ network: Network, isUsed: () -> Bool) -> Bool {
        filters.allSatisfy { key, values in
            switch key {
            case "id": values.contains { network.id.hasPrefix($0) }
            case "name": values.contains { network.name.contains($0) }
            case "driver": values.contains(network.configuration.driver)
            case "label": network.configuration.labels.match(values)
            case "scope": values.contains("local")
            case "type": values.contains(network.isPredefined ? "builtin" : "custom")
            case "dangling": (["true", "1"].contains(values[0])) == (!network.isPredefined && !isUsed())
            default: false
            }
        }
    }
}

/// Which networks a request to prune means.
struct NetworkPruning: Sendable {
    private var (until, labels, excluded): (Timestamp?, [String], [String]) = (nil, [], [])

    init(_ filters: [String: [String]]) throws(APIFailure) {
        for (key, values) in filters {
            switch key {
            case "until":
                guard values.count == 1 else { throw .invalid("more than one until filter specified") }
                guard let time = TimeText.parse(values[0]) else {
                    throw .invalid("invalid filter 'until=\(values[0])': it must be a date, a duration as 10m, or seconds since 1970")
                }
                until = time
            case "label": labels = values
            case "label!": excluded = values
            default: throw .invalid("invalid filter '\(key)'")
            }
        }
    }

    func matches(_ network: Network) -> Bool {
        if let until, network.createdAt >= until { return false }
        let own = network.configuration.labels
        return own.match(labels) && (excluded.isEmpty || !own.match(excluded))
    }
}

extension [String: String] {
    /// Whether all of these are among the labels: `name`, or `name=value`.
    func match(_ wanted: [String]) -> Bool {
        wanted.allSatisfy { text in
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let value = self[String(parts[0])] else { return false }
            return parts.count == 1 || value == parts[1]
        }
    }
}
