internal import BerthClient
internal import BerthCommandLine
internal import DockerAPI

/// What a container's flags say of networks and names, each checked by itself.
struct NetworkNames {
    let networks: NetworkFlags
    let servers: [String]
    let searchDomains: [String]
    let extraHosts: [String]

    init(_ flags: ContainerFlags) throws(CommandLineError) {
        var networks = NetworkFlags()
        for text in flags.network {
            do throws(ValueMistake) { networks.networks.append(try NetworkAttachment(parsing: text)) } catch {
                throw error.of(text, for: "--network")
            }
        }
        networks.links = try NameFlags.all(flags.link, flag: "--link", NameFlags.link)
        (networks.aliases, networks.linkLocal) = (flags.networkAlias, flags.linkLocalIP)
        (networks.ipv4, networks.ipv6, networks.macAddress) = (flags.ip, flags.ip6, flags.macAddress)
        self.networks = networks
        servers = try NameFlags.all(flags.dns, flag: "--dns", NameFlags.address)
        searchDomains = try NameFlags.all(flags.dnsSearch, flag: "--dns-search", NameFlags.searchDomain)
        extraHosts = try NameFlags.all(flags.addHost, flag: "--add-host", NameFlags.extraHost)
    }
}

/// What a request to make a container says of networks and ports.
struct Networking {
    let exposedPorts: JSONTree
    let portBindings: JSONTree
    let endpoints: JSONTree
    /// The container's hardware address, where the daemon is so old that it knows none of a place in a network.
    let macAddress: JSONTree?

    init(_ flags: ContainerFlags, _ names: NetworkNames, version: String) throws(Failure) {
        do throws(ValueMistake) {
            if let address = flags.macAddress { _ = try NameFlags.macAddress(address) }
            let bindings = try PublishFlags.bindings(flags.publish)
            let exposed = try PublishFlags.exposed(flags.expose).union(bindings.keys)
            exposedPorts = .object(exposed.map(\.description).sorted().map { ($0, .object([JSONTree.Member]())) })
            portBindings = Self.tree(bindings)
            var places = try names.networks.endpoints()
            macAddress = Daemon.isOlder(version, than: "1.44") ? try Self.takeMacAddress(&places, version) : nil
            endpoints = .object(places.sorted { $0.network < $1.network }.map { ($0.network, Self.tree($0.endpoint)) })
        } catch {
            throw Failure(error.description, status: 125)
        }
    }

    /// Takes the hardware address out of the place in the first network.
    private static func takeMacAddress(
        _ places: inout [(network: String, endpoint: EndpointSettings)], _ version: String
    ) throws(ValueMistake) -> JSONTree? {
        guard places.dropFirst().allSatisfy(\.endpoint.macAddress.isEmpty) else {
            throw ValueMistake(
                "\"specify mac-address per network\" requires API version 1.44, but the Docker daemon API version is \(version)")
        }
        guard let address = places.first?.endpoint.macAddress, !address.isEmpty else { return nil }
        places[0].endpoint.macAddress = ""
        if places.count == 1, places[0].endpoint.asksForNothing { places = [] }
        return .string(address)
    }

    private static func tree(_ bindings: PortMap) -> JSONTree {
        let named = bindings.map { (name: $0.key.description, places: $0.value) }.sorted { $0.name < $1.name }
        return .object(
            named.map { name, places -> (String, JSONTree?) in
                let trees = places.map { place -> JSONTree in
                    .object([("HostIp", .string(place.hostAddress)), ("HostPort", .string(place.hostPort))] as [(String, JSONTree?)])
                }
                return (name, .array(trees))
            })
    }

    private static func tree(_ endpoint: EndpointSettings) -> JSONTree {
        func said(_ texts: [String]?) -> JSONTree { texts.map(JSONTree.texts) ?? .null }
        var addresses: JSONTree?
        if let asked = endpoint.asked {
            addresses = .object(
                [
                    ("IPv4Address", asked.ipv4.isEmpty ? nil : .string(asked.ipv4)),
                    ("IPv6Address", asked.ipv6.isEmpty ? nil : .string(asked.ipv6)),
                    ("LinkLocalIPs", asked.linkLocal.isEmpty ? nil : .texts(asked.linkLocal)),
                ] as [(String, JSONTree?)])
        }
        let options = endpoint.driverOptions.map { options in
            JSONTree.object(options.sorted { $0.key < $1.key }.map { ($0.key, JSONTree.string($0.value)) as (String, JSONTree?) })
        }
        let members: [(String, JSONTree?)] = [
            ("IPAMConfig", addresses ?? .null), ("Links", said(endpoint.links)), ("Aliases", said(endpoint.aliases)),
            ("MacAddress", .string(endpoint.macAddress)), ("DriverOpts", options ?? .null),
            ("GwPriority", .integer(endpoint.gatewayPriority)),
        ]
        return .object(members)
    }
}
