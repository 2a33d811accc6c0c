public import BerthNetlink

/// A change of what the firewall is to let through.
public enum FirewallChange: Hashable, Sendable {
    /// A network is there, or is otherwise than before; its ports stay.
    case addNetwork(FirewallNetwork)
    /// The network of this id has gone, and its ports.
    case removeNetwork(String)
    /// A port is published. What is known of datagrams to a port of UDP is forgotten.
    case publish(PublishedPort)
    /// A port is no longer published. What is known of datagrams to a port of UDP is forgotten; connections go on while their container does.
    case unpublish(PublishedPort)
    /// The address is no longer a container's: what is known of its connections is forgotten. The kernel looks through all there is room for, which takes
    /// milliseconds: nobody has to wait for it.
    case releaseAddress(IPAddress)
    /// Forwarding was switched on for an interface of the host's: between all of these, nothing is forwarded.
    case open(ForwardingOpening)
    /// Somebody else wants forwarding there, or it was switched off.
    case close(ForwardingOpening)
}

/// An interface of the host's on which forwarding was switched on so that containers are reached.
public struct ForwardingOpening: Hashable, Sendable {
    /// The interface.
    public var interface: InterfaceName
    /// Of which version's packets.
    public var version: IPAddress.Version

    /// An opening of these.
    public init(_ interface: InterfaceName, _ version: IPAddress.Version) { (self.interface, self.version) = (interface, version) }
}

/// What the firewall lets through: networks and ports. Everything that stands in the kernel follows from it.
public struct FirewallState: Sendable {
    /// The networks, by id.
    public private(set) var networks: [String: FirewallNetwork] = [:]
    /// The ports.
    public private(set) var ports: Set<PublishedPort> = []
    /// The interfaces on which forwarding was switched on.
    public private(set) var openings: Set<ForwardingOpening> = []

    /// An element's place.
    private struct Place: Hashable {
        var set: FirewallSet
        var key: [UInt8]
    }
    /// An element, and how many things have it: several of the host's ports may be one of a container's, where no address is changed.
    private struct Entry {
        var element: NfElement
        var count: Int
        var port: PublishedPort?
    }
    private var entries: [Place: Entry] = [:]

    /// Nothing.
    public init() {}

    /// Networks and their ports.
    ///
    /// - Throws: `conflict` where two want the same; `notFound` for a port of no network.
    public init(networks: [FirewallNetwork], ports: [PublishedPort], openings: [ForwardingOpening] = []) throws(NetworkError) {
        for network in networks { _ = try apply(.addNetwork(network)) }
        for port in ports { _ = try apply(.publish(port)) }
        for opening in openings { _ = try apply(.open(opening)) }
    }

    /// Whether there is no network, and no interface on which forwarding was switched on: as long as it is, something has to keep strangers from using it.
    public var isEmpty: Bool { networks.isEmpty && openings.isEmpty }

    /// What a change is in the table, and of what is known of connections.
    struct Difference: Sendable {
        /// Elements that go.
        var removed = FirewallElements()
        /// Elements that come.
        var added = FirewallElements()
        /// Connections that are to be forgotten.
        var flows: [StaleFlows] = []
        /// The changes that bring back what was before, in order.
        var inverse: [FirewallChange] = []
    }

    /// All elements, in an order that depends on nothing but them.
    var elements: FirewallElements {
        var result = FirewallElements()
        for (place, entry) in entries.sorted(by: { $0.key.key.lexicographicallyPrecedes($1.key.key) }) {
            result.add(entry.element, to: place.set)
        }
        return result
    }

    /// Makes a change, and tells what it is in the table. What is so already is no difference.
    ///
    /// The cost is that of what changes: of one port, whatever others there are. Changing a network looks at all ports.
    /// - Throws: `conflict`, `notFound`, `invalid`; then nothing has changed.
    mutating func apply(_ change: FirewallChange) throws(NetworkError) -> Difference {
        var difference = Difference()
        switch change {
        case .addNetwork(let network):
            if networks[network.id] == network { break }
            try check(network)
            let own = ports.filter { $0.networkID == network.id }
            for port in own { take(FirewallElements(port, in: networks[port.networkID] ?? network), &difference) }
            if let old = networks[network.id] { take(FirewallElements(old), &difference) }
            difference.inverse = [networks[network.id].map { .addNetwork($0) } ?? .removeNetwork(network.id)]
            networks[network.id] = network
            put(FirewallElements(network), &difference)
            for port in own { put(FirewallElements(port, in: network), of: port, &difference) }
        case .removeNetwork(let id):
            guard let network = networks[id] else { break }
            difference.inverse = [.addNetwork(network)]
            for port in ports where port.networkID == id { remove(port, of: network, &difference) }
            take(FirewallElements(network), &difference)
            networks[id] = nil
        case .publish(let port):
            if ports.contains(port) { break }
            guard let network = networks[port.networkID] else {
                throw NetworkError(.notFound, "cannot publish \(port): the network \(port.networkID) has no rules")
            }
            let elements = FirewallElements(port, in: network)
            try check(port, elements)
            ports.insert(port)
            difference.inverse = [.unpublish(port)]
            put(elements, of: port, &difference)
            if port.transport == .udp, !elements.isEmpty { difference.flows.append(.published(port)) }
        case .unpublish(let port):
            guard ports.contains(port), let network = networks[port.networkID] else { break }
            remove(port, of: network, &difference)
        case .releaseAddress(let address): difference.flows.append(.address(address))
        case .open(let opening):
            guard openings.insert(opening).inserted else { break }
            difference.inverse = [.close(opening)]
            put(FirewallElements(opening), &difference)
        case .close(let opening):
            guard openings.remove(opening) != nil else { break }
            difference.inverse = [.open(opening)]
            take(FirewallElements(opening), &difference)
        }
        return difference
    }

    /// Takes changes back, by what their differences call the inverse.
    mutating func undo(_ inverse: [FirewallChange]) {
        for change in inverse {
            // What was so before can be so again.
            do throws(NetworkError) { _ = try apply(change) } catch { preconditionFailure("\(error)") }
        }
    }

    private mutating func remove(_ port: PublishedPort, of network: FirewallNetwork, _ difference: inout Difference) {
        let elements = FirewallElements(port, in: network)
        take(elements, &difference)
        ports.remove(port)
        difference.inverse.append(.publish(port))
        if port.transport == .udp, !elements.isEmpty { difference.flows.append(.unpublished(port)) }
    }

    private mutating func put(_ elements: FirewallElements, of port: PublishedPort? = nil, _ difference: inout Difference) {
        for (set, elements) in elements.bySet {
            for element in elements {
                let place = Place(set: set, key: element.key)
                if entries[place] == nil { difference.added.add(element, to: set) }
                entries[place, default: Entry(element: element, count: 0, port: port)].count += 1
            }
        }
    }

    private mutating func take(_ elements: FirewallElements, _ difference: inout Difference) {
        for (set, elements) in elements.bySet {
            for element in elements {
                let place = Place(set: set, key: element.key)
                entries[place]?.count -= 1
                guard entries[place]?.count == 0 else { continue }
                entries[place] = nil
                difference.removed.add(element, to: set)
            }
        }
    }
}

// MARK: What is refused

extension FirewallState {
    private func check(_ network: FirewallNetwork) throws(NetworkError) {
        for other in networks.values where other.id != network.id {
            if other.bridge == network.bridge {
                throw NetworkError(.conflict, "the bridge \(network.bridge) is that of the network \(other.id) already")
            }
            for subnet in network.subnets {
                if let overlapped = other.subnets.first(where: subnet.overlaps) {
                    throw NetworkError(.conflict, "the subnet \(subnet) overlaps with \(overlapped) of the network \(other.id)")
                }
            }
        }
        for (index, subnet) in network.subnets.enumerated() {
            if let overlapped = network.subnets[..<index].first(where: subnet.overlaps) {
                throw NetworkError(.invalid, "the subnet \(subnet) overlaps with \(overlapped) of the same network")
            }
        }
        for version in IPAddress.Version.allCases {
            if let source = network.gateway(version).source, source.version != version {
                throw NetworkError(.invalid, "\(source) cannot be the address that packets of the other version leave with")
            }
        }
    }

    private func check(_ port: PublishedPort, _ elements: FirewallElements) throws(NetworkError) {
        if port.containerPort == 0 || port.hostPort == 0 && networks[port.networkID]?.reach(port.version) != .routed {
            throw NetworkError(.invalid, "cannot publish \(port): there is no port 0")
        }
        for (set, elements) in elements.bySet {
            for element in elements {
                guard let entry = entries[Place(set: set, key: element.key)], entry.element != element else { continue }
                let owner = entry.port.map { " by the sandbox \($0.sandboxID)" } ?? ""
                throw NetworkError(.conflict, "cannot publish \(port): the port is published already\(owner)")
            }
        }
    }
}
