public import BerthNetlink

/// What is asked of one of a sandbox's places in networks (Docker Engine API, `EndpointSettings`).
public struct EndpointConfiguration: Hashable, Sendable, Codable {
    /// The network, by its name or id.
    public var network: String
    /// Further names that the others of the network know it by.
    public var aliases: [String]
    /// Its address of version 4; `nil` for the next that is free.
    public var ipv4: IPAddress?
    /// Its address of version 6; `nil` for the next that is free.
    public var ipv6: IPAddress?
    /// Further addresses of its own link.
    public var linkLocal: [IPAddress]
    /// Its Ethernet address; `nil` for one that follows from its address.
    public var hardwareAddress: HardwareAddress?
    /// Of several networks, that of the highest number leads to everywhere else. Default 0.
    public var gatewayPriority: Int
    /// What only the network's driver understands.
    public var driverOptions: [String: String]
    /// Other containers by names of its own, `container:name`.
    public var links: [String]

    /// What `container:name` says: whom, and what it is called; without a name of its own, as itself.
    public static func parts(ofLink text: String) -> (target: String, alias: String) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let target = parts[0].hasPrefix("/") ? String(parts[0].dropFirst()) : parts[0]
        return (target, parts.count == 2 ? parts[1].split(separator: "/").last.map(String.init) ?? target : target)
    }

    /// A place in a network, everything else by default.
    public init(network: String) {
        self.network = network
        (aliases, linkLocal, driverOptions, links, gatewayPriority) = ([], [], [:], [], 0)
        (ipv4, ipv6, hardwareAddress) = (nil, nil, nil)
    }
}

extension EndpointConfiguration {
    /// What it cannot be in a network, in Docker's words.
    func mistakes(in network: Network) -> [String] {
        var mistakes: [String] = []
        if network.isPredefined {
            if ipv4 != nil || ipv6 != nil { mistakes.append("user specified IP address is supported on user defined networks only") }
            if !aliases.isEmpty { mistakes.append("network-scoped alias is supported only for containers in user defined networks") }
            return mistakes
        }
        for (address, version) in [(ipv4, IPAddress.Version.v4), (ipv6, .v6)] {
            guard let address else { continue }
            if let part = network.part(version), part.isSaid {
                guard !part.subnet.contains(address) else { continue }
                mistakes.append("no configured subnet or ip-range contain the IP address \(address)")
            } else {
                mistakes.append("user specified IP address is supported only when connecting to networks with user configured subnets")
            }
        }
        return mistakes
    }
}

/// One of a sandbox's places in networks, while it has it.
public struct Endpoint: Hashable, Sendable, Codable {
    /// 64 hexadecimal digits.
    public var id: String
    /// Whose place it is.
    public var sandboxID: String
    /// The name of the container that made the sandbox.
    public var sandboxName: String
    /// In which network.
    public var networkID: String
    /// That network's name.
    public var networkName: String
    /// The interface in the sandbox's namespace: `eth0`.
    public var interface: String
    /// The other end, on the host; empty where there is none.
    public var hostInterface: String
    /// Its Ethernet address.
    public var hardwareAddress: HardwareAddress?
    /// Its address of version 4, with its network's prefix.
    public var ipv4: IPPrefix?
    /// Its address of version 6, with its network's prefix.
    public var ipv6: IPPrefix?
    /// Where packets to everywhere else may go, of version 4; `nil` for nowhere, `0.0.0.0` for the interface's own link.
    public var gateway4: IPAddress?
    /// The same of version 6.
    public var gateway6: IPAddress?
    /// Of several, which one's gateways are used: the highest, of equals the first by the network's name.
    public var gatewayPriority: Int
    /// Its ports that are published.
    public var ports: [PublishedPort] = []
    /// What was asked for.
    public var configuration: EndpointConfiguration

    /// Who uses it while the container that made the sandbox does not run.
    var user: User?
    struct User: Hashable, Sendable, Codable {
        var id: String
        var name: String
    }

    /// The container that uses it: the one that made the sandbox; while that does not run, or is gone, the first of the others that are in it.
    public var userID: String { user?.id ?? sandboxID }
    /// That one's name.
    public var userName: String { user?.name ?? sandboxName }

    /// All names by which the others of its network find it: its own first.
    public var names: [String] = []
    /// Its ports that the kernel redirects. Where the host's address is of another version than the sandbox's, only the sockets lead to it.
    var redirectedPorts: [PublishedPort] { ports.filter { ($0.hostAddress?.version ?? $0.version) == $0.version } }

    /// Its addresses.
    public var addresses: [IPAddress] { [ipv4, ipv6].compactMap { $0?.address } }
}
