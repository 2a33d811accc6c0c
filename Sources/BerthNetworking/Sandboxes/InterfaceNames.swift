internal import BerthNetlink

/// Names of interfaces that are free in a namespace.
struct InterfaceNames {
    private var names: Set<String>

    init(_ links: [Link]) { names = Set(links.map(\.name)) }

    /// Those of a namespace that nobody has used.
    static var unused: InterfaceNames { InterfaceNames([]) }

    /// Takes the next: of a prefix the lowest number that is free.
    mutating func take(_ prefix: String) -> String {
        var number = 0
        while names.contains("\(prefix)\(number)") { number += 1 }
        names.insert("\(prefix)\(number)")
        return "\(prefix)\(number)"
    }
}

extension SandboxNamespace {
    /// Has packets to everywhere else go where the endpoints say.
    ///
    /// - Parameter former: the endpoints until now, whose routes are taken away.
    func route(by endpoints: [Endpoint], replacing former: [Endpoint]) throws(NetworkError) {
        let (old, new) = (DefaultRoutes(former), DefaultRoutes(endpoints))
        guard old != new else { return }
        do throws(NetlinkError) {
            try ask { (socket) throws(NetlinkError) in
                for hop in old.hops where !new.hops.contains(hop) {
                    do throws(NetlinkError) { try socket.perform(.removeRoute(try socket.route(by: hop))) } catch {
                        // It has gone with its interface.
                        if error.code != .notFound { throw error }
                    }
                }
                var requests: [NetlinkRequest] = []
                for hop in new.hops where !old.hops.contains(hop) { requests.append(.replaceRoute(try socket.route(by: hop))) }
                try socket.perform(requests)
            }
        } catch { throw NetworkError(error) }
    }
}

/// Which of a sandbox's endpoints lead to everywhere else.
struct DefaultRoutes: Equatable {
    struct Hop: Equatable {
        let interface: String
        let gateway: IPAddress
    }
    private(set) var hops: [Hop] = []

    /// Which of a sandbox's endpoints leads to everywhere else: that of version 4, or else of version 6.
    static func endpoint(of endpoints: [Endpoint]) -> Int? {
        let hops = DefaultRoutes(endpoints).hops
        return hops.first.flatMap { hop in endpoints.firstIndex { $0.interface == hop.interface } }
    }

    /// Of each version that of the highest priority, of equals the first by its network's name.
    init(_ endpoints: [Endpoint]) {
        let ordered = endpoints.sorted { ($1.gatewayPriority, $0.networkName) < ($0.gatewayPriority, $1.networkName) }
        for gateway in [\Endpoint.gateway4, \.gateway6] {
            guard let endpoint = ordered.first(where: { $0[keyPath: gateway] != nil }), let address = endpoint[keyPath: gateway] else {
                continue
            }
            hops.append(Hop(interface: endpoint.interface, gateway: address))
        }
    }
}

extension NetlinkSocket {
    /// The route to everywhere by way of a hop.
    fileprivate mutating func route(by hop: DefaultRoutes.Hop) throws(NetlinkError) -> Route {
        guard let everywhere = IPPrefix(IPAddress(hop.gateway.version, 0), length: 0) else { preconditionFailure("0 is a prefix's length") }
        let gateway = hop.gateway == everywhere.address ? nil : hop.gateway
        return Route(to: everywhere, interface: try index(of: hop.interface), gateway: gateway)
    }

    /// The number of an interface; 0, which is nobody's, if there is none of that name.
    mutating func index(of interface: String) throws(NetlinkError) -> Int32 {
        guard let name = InterfaceName(interface) else { return 0 }
        return try link(.name(name))?.index ?? 0
    }
}
