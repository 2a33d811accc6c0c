internal import BerthNetlink

/// What stands in the table's sets for one thing, or for all.
struct FirewallElements: Hashable, Sendable {
    /// The elements, by set. No set stands here without any.
    private(set) var bySet: [FirewallSet: [NfElement]] = [:]

    var isEmpty: Bool { bySet.isEmpty }

    mutating func add(_ element: NfElement, to set: FirewallSet) { bySet[set, default: []].append(element) }

    mutating func add(_ others: FirewallElements) {
        for (set, elements) in others.bySet { bySet[set, default: []] += elements }
    }

    /// Of one network, without its ports.
    init(_ network: FirewallNetwork) {
        let bridge = NfValue.interfaceName(network.bridge)
        add(NfElement(bridge), to: .bridges)
        if network.leavesOwnToSockets { add(NfElement(bridge), to: .relayed) }
        let pair = NfValue.joined([bridge, bridge])
        add(NfElement(pair, data: .verdict(network.allowsInterContainer ? .accept : .goto(FirewallChain.apart.name))), to: .pairs)
        for version in IPAddress.Version.allCases {
            let (reach, gateway) = (network.reach(version), network.gateway(version))
            if reach == .closed { add(NfElement(bridge, data: .verdict(.drop)), to: .of(version, .from4, .from6)) }
            let into: NfVerdict =
                switch reach {
                case .closed, .none: .drop
                case .published: .goto(FirewallChain.natted.name)
                case .routed: .goto(FirewallChain.routed.name)
                case .everything: .accept
                }
            add(NfElement(bridge, data: .verdict(into)), to: .of(version, .to4, .to6))
            if gateway.mode == .isolated { add(NfElement(bridge), to: .of(version, .gatewayless4, .gatewayless6)) }
            for subnet in network.subnets where subnet.version == version {
                if network.isGuarded(version) { add(NfElement(subnet), to: .of(version, .guarded4, .guarded6)) }
                guard reach == .published || reach == .everything else { continue }
                add(NfElement(subnet), to: .of(version, .hairpin4, .hairpin6))
                guard gateway.masquerades else { continue }
                if let source = gateway.source {
                    add(NfElement(subnet, data: .value(NfValue.address(source))), to: .of(version, .leavingAs4, .leavingAs6))
                } else {
                    add(NfElement(subnet), to: .of(version, .leaving4, .leaving6))
                }
            }
        }
    }

    /// Of one port: one element, or none where the rules have nothing to do with it.
    init(_ port: PublishedPort, in network: FirewallNetwork) {
        let version = port.version
        let protocolNumber = NfValue.transportProtocol(port.transport.number)
        switch network.reach(version) {
        case .closed, .none: return
        case .routed:
            // What the host alone is to reach is not opened for others.
            if port.isLoopback { return }
            let key = NfValue.joined([protocolNumber, NfValue.address(port.containerAddress), NfValue.port(port.containerPort)])
            add(NfElement(key), to: .of(version, .routed4, .routed6))
        case .published, .everything:
            let target = NfData.value(NfValue.joined([NfValue.address(port.containerAddress), NfValue.port(port.containerPort)]))
            guard let address = port.hostAddress else {
                let key = NfValue.joined([protocolNumber, NfValue.port(port.hostPort)])
                add(NfElement(key, data: target), to: .of(version, .ports4, .ports6))
                return
            }
            // Between the versions, and from ::1, the socket on the port carries what comes.
            guard address.version == version, !(version == .v6 && address.isLoopback) else { return }
            let key = NfValue.joined([protocolNumber, NfValue.address(address), NfValue.port(port.hostPort)])
            add(NfElement(key, data: target), to: .of(version, .addressed4, .addressed6))
        }
    }

    /// Of an interface of the host's on which forwarding was switched on.
    init(_ opening: ForwardingOpening) {
        add(NfElement(NfValue.interfaceName(opening.interface)), to: .of(opening.version, .opened4, .opened6))
    }

    /// None.
    init() {}
}

extension NfElement {
    /// The range of a block's addresses.
    fileprivate init(_ subnet: Subnet, data: NfData? = nil) {
        self.init(from: subnet.base.bytes, through: subnet.last.bytes, data: data)
    }
}
