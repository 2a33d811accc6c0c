internal import BerthNetlink
internal import BerthReactor
internal import Synchronization

// What other people's firewalls, and ours, make of containers' packets.
extension NetworkStore {
    /// Which chains of other people's drop what is forwarded to and from containers: of all networks that are there, or of one.
    ///
    /// - Parameter id: the network; `nil` for all that have a bridge, and for the default one if there is none.
    /// - Throws: `system`, `busy`, `unsupported` if the host's rules cannot be read.
    public func hostFirewallFindings(ofNetwork id: String? = nil) async throws(NetworkError) -> [HostFirewall.Finding] {
        try await firewallLane.run { [self] () throws(NetworkError) in try findings(ofNetwork: id) }
    }

    private func findings(ofNetwork id: String?) throws(NetworkError) -> [HostFirewall.Finding] {
        var wanted = objects().map(\.network).filter { $0.configuration.driver == bridges.name && !$0.configuration.isInternal }
        if let id {
            wanted.removeAll { $0.id != id }
        } else {
            // A network that has been looked at has addresses, and no bridge yet.
            let made = Set(bridges.firewall.state.networks.keys)
            if !made.isEmpty { wanted.removeAll { !made.contains($0.id) } }
        }
        return try bridges.hostFirewallFindings(wanted)
    }

    /// Has the engine get on with other people's firewalls in this way, from now on. Repeating is fine.
    ///
    /// - Throws: `system` if the kernel refuses; it may then be half so, and saying it again is right.
    public func setFirewall(_ setting: FirewallSetting) async throws(NetworkError) {
        try await firewallLane.run { [self] () throws(NetworkError) in try bridges.set(setting) }
    }

    /// The engine's rules that stand in other people's chains, in words.
    ///
    /// - Throws: `system`, `busy`, `unsupported` if the host's rules cannot be read.
    public func rulesInHostFirewall() async throws(NetworkError) -> [String] {
        try await firewallLane.run { [self] () throws(NetworkError) in try bridges.cooperation.rules() }
    }

    /// How the engine's own table is kept, which is ``Firewall/Protection/watched`` also where the kernel cannot do otherwise.
    ///
    /// - Throws: `busy`.
    public func firewallProtection() async throws(NetworkError) -> Firewall.Protection {
        try await firewallLane.run { [self] () throws(NetworkError) in bridges.firewall.protection }
    }

    /// The name of the engine's own table.
    public var firewallTable: String { bridges.firewall.tableName }
}

extension SandboxStore {
    /// Every way into every container from outside, as far as our own rules and sockets decide: ``FirewallState/exposure``.
    ///
    /// - Throws: `busy`.
    public func exposure() async throws(NetworkError) -> [Exposure] {
        // The firewall is asked where nobody minds that it is just being changed.
        try await networks.firewallLane.run { [self] () throws(NetworkError) in
            let ports = sandboxes.withLock { $0.values.flatMap { $0.record.endpoints.flatMap(\.ports) } }
            return networks.bridges.firewall.state.exposure(andRelayed: ports)
        }
    }
}

extension BridgeDriver {
    /// Blocks.
    func hostFirewallFindings(_ networks: [Network]) throws(NetworkError) -> [HostFirewall.Finding] {
        if networks.isEmpty { return [] }
        let known = try networks.map { network throws(NetworkError) in
            let options = try BridgeOptions(network.configuration.options, isInternal: network.configuration.isInternal)
            var known = FirewallNetwork(network, try bridgeName(network, options), options)
            // One that has not been used yet: of its addresses it is known of which versions they will be.
            if known.subnets.isEmpty { known.subnets = network.configuration.versions.map { Subnet(IPPrefix.everything($0)) } }
            return known
        }
        return try hostFirewall.findings(try Self.samples(of: known, forwarding, host))
    }

    /// The packets that networks live by, as they would go now.
    static func samples(
        of networks: [FirewallNetwork], _ forwarding: Forwarding, _ host: HostNetwork
    ) throws(NetworkError) -> [SamplePacket.Way] {
        let outer = try forwarding.outerInterfaces(besides: Set(networks.map(\.bridge)))
        let links: [Link]
        do throws(NetlinkError) { links = try host.ask { (socket) throws(NetlinkError) in try socket.links() } } catch {
            throw NetworkError(error)
        }
        let numbers = links.compactMap { link in InterfaceName(link.name).map { ($0, link.index) } }
        return networks.sorted { $0.id < $1.id }.flatMap { SamplePacket.all(of: $0, outer: outer, numbers: Dictionary(numbers) { $1 }) }
    }

    /// Has the rules in other people's chains follow a change of ours, if there are to be any. What fails is told: containers' own networks are as they should be.
    func cooperate() {
        do throws(NetworkError) { try cooperation.look() } catch {
            log("the host's firewall may drop containers' packets: the engine's rules cannot be put into it: \(error)")
        }
    }

    /// Has the firewalls treated otherwise. Blocks.
    func set(_ setting: FirewallSetting) throws(NetworkError) {
        try firewall.protect(setting.protection)
        switch setting.mode {
        case .explain: try cooperation.end()
        case .cooperate: try cooperation.begin()
        }
    }
}

extension IPPrefix {
    /// All addresses of a version.
    static func everything(_ version: IPAddress.Version) -> IPPrefix {
        guard let prefix = IPPrefix(IPAddress(version, 0), length: 0) else { preconditionFailure("a prefix may have no bits") }
        return prefix
    }
}
