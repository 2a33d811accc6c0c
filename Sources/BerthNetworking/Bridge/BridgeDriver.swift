internal import BerthLinux
internal import BerthNetlink
internal import BerthReactor
internal import Synchronization

/// Networks of one host: a bridge each, and for each sandbox a pair of interfaces, one end of which is a port of the bridge. What may go where is the
/// firewall's to say: it is told of a network before its bridge passes anything on.
public final class BridgeDriver: NetworkDriver {
    /// `bridge`.
    public let name = "bridge"
    /// They have.
    public let hasNamespaces = true
    /// Both.
    public let addressVersions: AddressVersions = [.v4, .v6]

    private let engineID: String
    let host: HostNetwork
    /// What lets through, and keeps out.
    let firewall: Firewall
    /// Looks at other people's.
    let hostFirewall: HostFirewall
    /// Has rules in other people's, where that was asked for.
    let cooperation: HostCooperation
    let forwarding: Forwarding
    /// What was switched on for containers, beside what the table says; `nil` where nobody says where it is kept.
    private let openingRecord: OpeningRecord?
    private let abandoned: AbandonedLinks
    let log: @Sendable (String) -> Void
    /// Sees interfaces and routes of the host's that come later. It begins with the first network.
    private let watch = Mutex<HostWatch?>(nil)
    /// What has been said of routes already.
    private let reported = Mutex<Set<String>>([])
    /// The bridges' numbers, by network: asked for once.
    private let bridges = Mutex<[String: Int32]>([:])

    /// - Parameters:
    ///   - execRoot: where it is kept on which interfaces forwarding was switched on.
    ///   - log: is told of what is changed on the host for all, and of what the firewall has to say.
    init(
        engineID: String, host: HostNetwork, reactor: Reactor, execRoot: String? = nil, protection: Firewall.Protection = .owned,
        log: @escaping @Sendable (String) -> Void = { _ in }
    ) throws(NetworkError) {
        (self.engineID, self.host, self.log) = (engineID, host, log)
        abandoned = AbandonedLinks(host: host, reactor: reactor, log: log)
        let firewall = try Firewall(engineID: engineID, protection: protection) { event in log(event.description) }
        self.firewall = firewall
        hostFirewall = try HostFirewall(engineID: engineID)
        let record = try execRoot.map { path throws(NetworkError) in try OpeningRecord(execRoot: path) }
        openingRecord = record
        let forwarding = Forwarding { (openings) throws(NetworkError) in
            try record?.add(openings)
        } onChange: { change in
            log("a setting of the kernel was changed, so that containers reach others: \(change)")
        }
        self.forwarding = forwarding
        cooperation = try HostCooperation(engineID: engineID) { () throws(NetworkError) in
            try Self.samples(of: Array(firewall.state.networks.values), forwarding, host)
        } log: { message in
            log(message)
        }
    }

    /// Lets go of the firewall's table, which stays.
    public func close() {
        watch.withLock { $0.take() }?.end()
        cooperation.close()
        firewall.close()
    }

    /// Ports are published, and a pair of interfaces belongs to each sandbox.
    public func traits(of configuration: NetworkConfiguration) -> NetworkTraits {
        var traits = NetworkTraits()
        if configuration.isInternal { traits.defaultRoute = .none }
        (traits.publishesPorts, traits.hasHostInterfaces) = (true, true)
        // They were checked when the network was made.
        if let options = try? BridgeOptions(configuration.options, isInternal: configuration.isInternal) {
            (traits.publishesAt, traits.interfacePrefix) = (options.publishesAt, options.interfacePrefix)
            traits.routedVersions = Set(IPAddress.Version.allCases.filter { options.gatewayMode($0) == .routed })
        }
        return traits
    }

    /// Whether the options can be.
    ///
    /// - Throws: `invalid`, `unsupported`; `conflict` if the bridge's name belongs to an interface that is there already.
    public func check(_ configuration: NetworkConfiguration) throws(NetworkError) {
        let options = try BridgeOptions(configuration.options, isInternal: configuration.isInternal)
        if let name = options.bridgeName, let found = try link(name) {
            if case .network(let id) = InterfaceAlias(found.alias, engineID: engineID) {
                throw NetworkError(
                    .forbidden, "cannot create network (\(name)): conflicts with network \(id) (\(name)): networks have same bridge name")
            }
            throw NetworkError(.conflict, "an interface '\(name)' exists already, and is not this engine's: give the bridge another name")
        }
    }

    // MARK: Networks

    /// Makes the bridge with the network's addresses, or what of it is missing.
    ///
    /// - Throws: `conflict` if an interface of its name is somebody else's.
    public func make(_ network: Network) throws(NetworkError) {
        let options = try BridgeOptions(network.configuration.options, isInternal: network.configuration.isInternal)
        let name = try bridgeName(network, options)
        let alias = InterfaceAlias.network(network.id).text(engineID: engineID)
        let found = try link(name)
        if let found, found.alias != alias {
            throw NetworkError(
                .conflict,
                "the bridge of network \(network.name) cannot be made: an interface '\(name)' exists already, and is not this engine's")
        }
        do throws(NetworkError) {
            let index = if let found { found.index } else { try makeBridge(name, alias, options) }
            if network.part(.v6) == nil { try set("ipv6/conf/\(name)/disable_ipv6", "1") }
            try forwarding.prepare(bridge: name, versions: network.versions)
            let known = FirewallNetwork(network, name, options, meetsRules: try forwarding.bridgesMeetRules())
            try firewall.apply([.addNetwork(known)] + openings(network, besides: name))
            try addAddresses(network, options, to: index)
            bridges.withLock { $0[network.id] = index }
            cooperate()
            try beginWatching()
        } catch {
            if found == nil { try? remove(network) }  // what went wrong first is told
            throw error
        }
    }

    private func beginWatching() throws(NetworkError) {
        try watch.withLock { (watch) throws(NetworkError) in
            guard watch == nil else { return }
            watch = try HostWatch { [weak self] in
                self?.lookAtHost()
            } onFailure: { [log] in
                log($0)
            }
        }
    }

    /// An interface by which the outside comes is opened also when it comes later; a route that leads elsewhere than to a network of ours is told once.
    private func lookAtHost() {
        do throws(NetworkError) {
            let networks = firewall.state.networks.values
            let outer = try forwarding.outerInterfaces(besides: Set(networks.map(\.bridge)))
            for version in IPAddress.Version.allCases {
                guard networks.contains(where: { !$0.isInternal && $0.subnets.contains { $0.version == version } }) else { continue }
                if try forwarding.forwardsEverything(version) {
                    // By somebody else's will: what was opened for containers alone is closed to nobody any more.
                    try firewall.apply(firewall.state.openings.filter { $0.version == version }.map { .close($0) })
                    try openingRecord?.removeAll(version)
                } else {
                    try firewall.apply(forwarding.open(outer, version).map { .open($0) })
                }
            }
            cooperate()
            let ours = Set(bridges.withLock { Array($0.values) })
            let routes = try ask { (socket) throws(NetlinkError) in
                var routes: [Route] = []
                for version in IPAddress.Version.allCases { routes += try socket.routes(version, table: Route.mainTable) }
                return routes
            }
            for route in routes where route.destination.length > 0 && !route.hops.contains(where: { ours.contains($0.interface ?? 0) }) {
                for network in networks where network.subnets.contains(where: { $0.overlaps(Subnet(route.destination)) }) {
                    let message =
                        "the route to \(route.destination) leads to where the network \(network.id.prefix(12)) with the bridge \(network.bridge) has its containers: some of them, or some of the others, cannot be reached"
                    if reported.withLock({ $0.insert(message).inserted }) { log(message) }
                }
            }
        } catch { log("the host's network could not be looked at: \(error)") }
    }

    /// Has the host's interfaces forward what is for sandboxes of the network, and nothing else.
    private func openings(_ network: Network, besides bridge: InterfaceName) throws(NetworkError) -> [FirewallChange] {
        if network.configuration.isInternal { return [] }
        let ours = Set(firewall.state.networks.values.map(\.bridge) + [bridge])
        let outer = try forwarding.outerInterfaces(besides: ours)
        var changes: [FirewallChange] = []
        for version in network.versions { changes += try forwarding.open(outer, version).map { .open($0) } }
        return changes
    }

    /// The name of a network's bridge.
    func bridgeName(_ network: Network, _ options: BridgeOptions) throws(NetworkError) -> InterfaceName {
        if let name = options.bridgeName { return name }
        guard let name = InterfaceName("br-\(network.shortID)") else { throw NetworkError(.invalid, "'\(network.id)' is no network's id") }
        return name
    }

    private func makeBridge(_ name: InterfaceName, _ alias: String, _ options: BridgeOptions) throws(NetworkError) -> Int32 {
        // With an address of its own it keeps that, whoever joins and leaves.
        let end = LinkEnd(name: name, hardwareAddress: .random(), mtu: options.mtu)
        let bridge = NewLink(end, .bridge(NewLink.BridgeOptions()), isUp: true)
        try ask { (socket) throws(NetlinkError) in
            try socket.perform([.makeLink(bridge), .changeLink(.name(name), LinkChange(alias: alias))])
        }
        guard let made = try link(name) else { throw NetworkError(.system, "the bridge '\(name)' was made, and is not there") }
        return made.index
    }

    private func addAddresses(_ network: Network, _ options: BridgeOptions, to index: Int32) throws(NetworkError) {
        try ask { (socket) throws(NetlinkError) in
            let present = Set(try socket.addresses(on: index).map(\.prefix))
            for part in network.parts {
                if part.subnet.version == .v4 && (options.hasNoAddress4 || options.gatewayMode4 == .isolated) { continue }
                if part.subnet.version == .v6 && options.gatewayMode6 == .isolated { continue }
                guard let prefix = IPPrefix(part.gateway, length: part.subnet.prefixLength), !present.contains(prefix) else { continue }
                let broadcast = part.subnet.version == .v4 ? part.subnet.last : nil
                try socket.perform(
                    .addAddress(InterfaceAddress(prefix, on: index, broadcast: broadcast, flags: .withoutDuplicateDetection)))
            }
        }
    }

    /// Takes the bridge away.
    public func remove(_ network: Network) throws(NetworkError) {
        bridges.withLock { $0[network.id] = nil }
        let options = try BridgeOptions(network.configuration.options, isInternal: network.configuration.isInternal)
        let name = try bridgeName(network, options)
        if let link = try link(name), InterfaceAlias(link.alias, engineID: engineID) == .network(network.id) {
            try removeLink(.index(link.index))
        }
        // Last, for until it is gone it passes on.
        try firewall.apply([.removeNetwork(network.id)])
        cooperate()
    }

    // MARK: Sandboxes

    /// Makes the pair, one end in the sandbox with its addresses.
    public func attach(_ endpoint: Endpoint, of network: Network, to namespace: SandboxNamespace) throws(NetworkError) {
        let options = try BridgeOptions(network.configuration.options, isInternal: network.configuration.isInternal)
        guard let outer = InterfaceName(endpoint.hostInterface), let inner = InterfaceName(endpoint.interface) else {
            throw NetworkError(.invalid, "'\(endpoint.hostInterface)' or '\(endpoint.interface)' is no interface's name")
        }
        try abandoned.removeHolders(of: endpoint.addresses)
        do throws(NetworkError) {
            let alias = InterfaceAlias.sandbox(endpoint.sandboxID, endpoint: endpoint.id).text(engineID: engineID)
            let peer = LinkEnd(
                name: inner, hardwareAddress: endpoint.hardwareAddress, mtu: options.mtu, namespace: namespace.handle)
            let pair = NewLink(
                LinkEnd(name: outer, mtu: options.mtu), .veth(peer: peer), isUp: true, master: try bridge(of: network))
            let port = try BridgePortChange(
                // Where what the bridge passes on meets the rules of IP, that from a sandbox to its own published port comes in and goes out at one port.
                isHairpin: forwarding.bridgesMeetRules() ? true : nil, isIsolated: options.allowsInterContainer ? nil : true)
            try ask { (socket) throws(NetlinkError) in
                try socket.perform(
                    [.makeLink(pair), .changeLink(.name(outer), LinkChange(alias: alias))]
                        + (port == BridgePortChange() ? [] : [.changeBridgePort(.name(outer), port)]))
            }
            if endpoint.ipv6 != nil { try namespace.set([("ipv6/conf/\(inner)/disable_ipv6", "0")]) }
            do throws(NetlinkError) {
                try namespace.ask { (socket) throws(NetlinkError) in
                    let index = try socket.index(of: endpoint.interface)
                    var requests = [NetlinkRequest.changeLink(.index(index), LinkChange(isUp: true))]
                    for prefix in [endpoint.ipv4, endpoint.ipv6].compactMap(\.self) {
                        let broadcast = prefix.address.version == .v4 ? prefix.last : nil
                        requests.append(
                            .addAddress(
                                InterfaceAddress(prefix, on: index, broadcast: broadcast, flags: .withoutDuplicateDetection)))
                    }
                    try socket.perform(requests)
                }
            } catch { throw NetworkError(error) }
            let ports = endpoint.redirectedPorts
            if !ports.isEmpty { try firewall.apply(ports.map { .publish($0) }) }
        } catch {
            try? detach(endpoint, of: network)  // what went wrong first is told; what stays is found at the next start
            throw error
        }
    }

    private func bridge(of network: Network) throws(NetworkError) -> Int32 {
        if let index = bridges.withLock({ $0[network.id] }) { return index }
        try make(network)
        guard let index = bridges.withLock({ $0[network.id] }) else { throw NetworkError(.system, "network \(network.name) has no bridge") }
        return index
    }

    /// Takes the pair away.
    public func detach(_ endpoint: Endpoint, of network: Network) throws(NetworkError) {
        try withdraw(endpoint)
        guard let outer = InterfaceName(endpoint.hostInterface) else { return }
        try removeLink(.name(outer))
    }

    /// Leaves the pair to the kernel, which takes it away with the namespace: that takes it some milliseconds.
    public func abandon(_ endpoint: Endpoint, of network: Network) throws(NetworkError) {
        try withdraw(endpoint)
        try abandoned.add(endpoint)
    }

    private func withdraw(_ endpoint: Endpoint) throws(NetworkError) {
        guard !endpoint.ports.isEmpty else { return }
        // What is sent without a connection would go to whoever has the address next.
        let isAskedWithout = endpoint.ports.contains { $0.transport != .tcp }
        let released = isAskedWithout ? endpoint.addresses.map { FirewallChange.releaseAddress($0) } : []
        try firewall.apply(endpoint.redirectedPorts.map { .unpublish($0) } + released)
    }

    /// Has the firewall redirect ports.
    public func publish(_ ports: [PublishedPort], of network: Network) throws(NetworkError) {
        try firewall.apply(ports.map { .publish($0) })
    }

    /// Has it redirect them no more.
    public func unpublish(_ ports: [PublishedPort], of network: Network) throws(NetworkError) {
        try firewall.apply(ports.map { .unpublish($0) })
    }

    /// Removes bridges and interfaces of nobody's, and has the firewall let through what these networks and endpoints have, and nothing else.
    public func recover(_ networks: [Network], endpoints: [Endpoint]) throws(NetworkError) {
        for index in try takeUp(networks, endpoints) { try removeLink(.index(index)) }
    }

    /// Has the firewall let through what these networks and endpoints have, and nothing else.
    public func resume(_ networks: [Network], endpoints: [Endpoint]) throws(NetworkError) { _ = try takeUp(networks, endpoints) }

    /// - Returns: the interfaces of nobody's.
    private func takeUp(_ networks: [Network], _ endpoints: [Endpoint]) throws(NetworkError) -> [Int32] {
        let endpointIDs = Set(endpoints.map(\.id))
        let meetsRules = try forwarding.bridgesMeetRules()
        let known = Dictionary(networks.map { ($0.id, $0) }) { $1 }
        var present: [FirewallNetwork] = []
        var leftovers: [Int32] = []
        for link in try ask({ (socket) throws(NetlinkError) in try socket.links() }) {
            switch InterfaceAlias(link.alias, engineID: engineID) {
            case .network(let id):
                guard let network = known[id], let name = InterfaceName(link.name) else {
                    leftovers.append(link.index)
                    continue
                }
                let options = try BridgeOptions(network.configuration.options, isInternal: network.configuration.isInternal)
                present.append(FirewallNetwork(network, name, options, meetsRules: meetsRules))
            case .sandbox(_, let endpoint): if !endpointIDs.contains(endpoint) { leftovers.append(link.index) }
            case .parent, nil: continue
            }
        }
        let ids = Set(present.map(\.id))
        let ports = endpoints.filter { ids.contains($0.networkID) }.flatMap(\.redirectedPorts)
        try firewall.restore(networks: present, ports: ports, remembered: openingRecord?.openings ?? [])
        cooperate()
        return leftovers
    }

    // MARK: The kernel

    func ask<Value: Sendable>(_ body: (inout NetlinkSocket) throws(NetlinkError) -> Value) throws(NetworkError) -> Value {
        do throws(NetlinkError) { return try host.ask(body) } catch { throw NetworkError(error) }
    }

    private func link(_ name: InterfaceName) throws(NetworkError) -> Link? {
        try ask { (socket) throws(NetlinkError) in try socket.link(.name(name)) }
    }

    private func removeLink(_ link: LinkReference) throws(NetworkError) {
        do throws(NetlinkError) { try host.ask { (socket) throws(NetlinkError) in try socket.perform(.removeLink(link)) } } catch {
            if error.code != .notFound { throw NetworkError(error) }
        }
    }

    private func set(_ path: String, _ value: String) throws(NetworkError) {
        if let failure = KernelSetting.write([(path, value)]) { throw NetworkError(.system, failure) }
    }
}

extension HardwareAddress {
    /// One of those that nobody has been given: locally administered (IEEE 802, clause 8.4).
    static func random() -> HardwareAddress {
        var random = SystemRandomNumberGenerator()
        let bytes: [UInt8] = [0x02, 0x42] + (0..<4).map { _ in random.next() }
        guard let address = HardwareAddress(bytes: bytes) else { preconditionFailure("six bytes are an address") }
        return address
    }

    /// The one of a sandbox that has this address: who comes after it at that address is found where it was (Docker's, until version 27).
    static func following(_ address: IPAddress) -> HardwareAddress {
        guard address.version == .v4, let following = HardwareAddress(bytes: [0x02, 0x42] + address.bytes) else { return random() }
        return following
    }
}
