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

    /// - Parameter daemon: whose version of the API is asked for only where it matters, after everything else was found to be right.
    init(_ flags: ContainerFlags, _ names: NetworkNames, _ daemon: Daemon) throws {
        var places: [(network: String, endpoint: EndpointSettings)]
        do throws(ValueMistake) {
            if let address = flags.macAddress { _ = try NameFlags.macAddress(address) }
            let bindings = try PublishFlags.bindings(flags.publish)
            let exposed = try PublishFlags.exposed(flags.expose).union(bindings.keys)
            exposedPorts = .object(exposed.map(\.description).sorted().map { ($0, .object([JSONTree.Member]())) })
            portBindings = Self.tree(bindings)
            places = try names.networks.endpoints()
        } catch {
            throw Failure(error.description, status: 125)
        }
        if places.contains(where: { $0.endpoint.gatewayPriority != 0 }) {
            try OlderDaemon.refuses("gw-priority", before: "1.48", daemon)
        }
        macAddress = try Self.containersMacAddress(&places, daemon)
        endpoints = .object(places.sorted { $0.network < $1.network }.map { ($0.network, Self.tree($0.endpoint)) })
    }

    /// Takes the hardware address out of the place in the first network, for a daemon that knows only one of the container.
    private static func containersMacAddress(
        _ places: inout [(network: String, endpoint: EndpointSettings)], _ daemon: Daemon
    ) throws -> JSONTree? {
        guard places.contains(where: { !$0.endpoint.macAddress.isEmpty }), Daemon.isOlder(try daemon.version(), than: "1.44") else {
            return nil
        }
        if !places.dropFirst().allSatisfy(\.endpoint.macAddress.isEmpty) {
            try OlderDaemon.refuses("specify mac-address per network", before: "1.44", daemon)
        }
        let address = places[0].endpoint.macAddress
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

/// What a daemon would not know of, and pass over.
enum OlderDaemon {
    /// Throws if the daemon speaks a version of the API that has not yet what is asked for.
    static func refuses(_ what: String, before version: String, _ daemon: Daemon) throws {
        let spoken = try daemon.version()
        guard Daemon.isOlder(spoken, than: version) else { return }
        throw Failure("\"\(what)\" requires API version \(version), but the Docker daemon API version is \(spoken)", status: 125)
    }
}
