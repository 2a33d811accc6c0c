/// A container's place in a network: what a request asks for and what it was given (`EndpointSettings`).
public struct EndpointSettings: JSONWritable, Hashable {
    /// Addresses that were asked for (`EndpointIPAMConfig`).
    public struct Addresses: JSONWritable, Hashable {
        /// An IPv4 address; empty is any.
        public var ipv4 = ""
        /// An IPv6 address; empty is any.
        public var ipv6 = ""
        /// Addresses of the link beside those.
        public var linkLocal: [String] = []

        /// These.
        public init(ipv4: String = "", ipv6: String = "", linkLocal: [String] = []) {
            (self.ipv4, self.ipv6, self.linkLocal) = (ipv4, ipv6, linkLocal)
        }

        /// Writes what is asked for.
        public func write(to writer: inout JSONWriter) {
            writer.object { writer in
                if !ipv4.isEmpty { writer.member("IPv4Address", ipv4) }
                if !ipv6.isEmpty { writer.member("IPv6Address", ipv6) }
                if !linkLocal.isEmpty { writer.member("LinkLocalIPs", linkLocal) }
            }
        }
    }

    /// The addresses that were asked for; `nil` is nothing said.
    public var asked: Addresses?
    /// Other containers by the names they have here, as `name:alias`.
    public var links: [String]?
    /// Further names of the container in this network.
    public var aliases: [String]?
    /// The interface's hardware address; in a request, the one to have, or empty for any.
    public var macAddress = ""
    /// What the network's driver is told.
    public var driverOptions: [String: String]?
    /// Of a container's networks the one with the most has the default route.
    public var gatewayPriority: Int64 = 0
    /// The network's id.
    public var networkID = ""
    /// The id of the place; empty while the container does not run.
    public var endpointID = ""
    /// The IPv4 gateway.
    public var gateway = ""
    /// The IPv4 address.
    public var address = ""
    /// How many bits of it are the network's.
    public var prefixLength = 0
    /// The IPv6 gateway.
    public var ipv6Gateway = ""
    /// The IPv6 address.
    public var ipv6Address = ""
    /// How many bits of it are the network's.
    public var ipv6PrefixLength = 0
    /// All names of the container in this network; `nil` where the network has none.
    public var names: [String]?

    /// Nothing asked for, and nothing given.
    public init() {}

    /// A place without addresses.
    public init(networkID: String, endpointID: String) { (self.networkID, self.endpointID) = (networkID, endpointID) }

    /// What a request asks for. What it says was given is passed over: it is what an inspection said, and not for clients to say.
    init(reading fields: inout RequestFields) throws(RequestError) {
        if fields.has("IPAMConfig") {
            var addresses = try fields.fields("IPAMConfig")
            asked = Addresses(
                ipv4: try addresses.string("IPv4Address"), ipv6: try addresses.string("IPv6Address"),
                linkLocal: try addresses.strings("LinkLocalIPs") ?? [])
            try addresses.refuseUnread()
        }
        (links, aliases) = (try fields.strings("Links"), try fields.strings("Aliases"))
        macAddress = try fields.string("MacAddress")
        if fields.has("DriverOpts") { driverOptions = try fields.stringMap("DriverOpts") }
        gatewayPriority = try fields.integer("GwPriority")
        for given in [
            "NetworkID", "EndpointID", "Gateway", "IPAddress", "IPPrefixLen", "IPv6Gateway", "GlobalIPv6Address", "GlobalIPv6PrefixLen",
            "DNSNames",
        ] {
            _ = fields.value(given)
        }
        try fields.refuseUnread()
    }

    /// Whether nothing is asked for.
    public var asksForNothing: Bool {
        (asked ?? Addresses()) == Addresses() && (links ?? []).isEmpty && (aliases ?? []).isEmpty && macAddress.isEmpty
            && (driverOptions ?? [:]).isEmpty && gatewayPriority == 0
    }

    /// As lists of containers tell it: without names, links, options and addresses of the link.
    public var summary: EndpointSettings {
        var result = self
        (result.links, result.aliases, result.driverOptions, result.names) = (nil, nil, nil, nil)
        result.asked?.linkLocal = []
        return result
    }

    /// Writes it.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            if let asked { writer.member("IPAMConfig", asked) } else { writer.nullMember("IPAMConfig") }
            writer.member("Links", links)
            writer.member("Aliases", aliases)
            writer.member("MacAddress", macAddress)
            writer.member("DriverOpts", driverOptions)
            writer.member("GwPriority", gatewayPriority)
            writer.member("NetworkID", networkID)
            writer.member("EndpointID", endpointID)
            writer.member("Gateway", gateway)
            writer.member("IPAddress", address)
            writer.member("IPPrefixLen", prefixLength)
            writer.member("IPv6Gateway", ipv6Gateway)
            writer.member("GlobalIPv6Address", ipv6Address)
            writer.member("GlobalIPv6PrefixLen", ipv6PrefixLength)
            writer.member("DNSNames", names)
        }
    }
}

/// What a container has of networks (`NetworkSettings`).
public struct NetworkSettings: JSONWritable, Hashable {
    /// The id of its sandbox; empty while it does not run.
    public var sandboxID = ""
    /// Its network namespace, as a path; empty while it does not run.
    public var sandboxKey = ""
    /// Its ports and where they are published; those that are only exposed have no place.
    public var ports: PortMap = [:]
    /// Its places in networks.
    public var networks: [String: EndpointSettings] = [:]

    /// Nothing known.
    public init() {}

    /// Writes it. What the default network has given is told a second time at its top, as the API does before 1.52.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("Bridge", "")
            writer.member("SandboxID", sandboxID)
            writer.member("SandboxKey", sandboxKey)
            writer.member("Ports", ports: ports, unpublished: .null)
            writer.member("HairpinMode", false)
            writer.member("LinkLocalIPv6Address", "")
            writer.member("LinkLocalIPv6PrefixLen", 0)
            writer.nullMember("SecondaryIPAddresses")
            writer.nullMember("SecondaryIPv6Addresses")
            let bridge = networks["bridge"] ?? EndpointSettings()
            writer.member("EndpointID", bridge.endpointID)
            writer.member("Gateway", bridge.gateway)
            writer.member("GlobalIPv6Address", bridge.ipv6Address)
            writer.member("GlobalIPv6PrefixLen", bridge.ipv6PrefixLength)
            writer.member("IPAddress", bridge.address)
            writer.member("IPPrefixLen", bridge.prefixLength)
            writer.member("IPv6Gateway", bridge.ipv6Gateway)
            writer.member("MacAddress", bridge.macAddress)
            writer.member("Networks", map: networks)
        }
    }
}

/// What a container's network may be called.
public enum NetworkName {
    /// Whether it is a network of one's own, and not one of Docker's, or another container's.
    public static func isUserDefined(_ name: String) -> Bool {
        !["", "default", "bridge", "host", "none"].contains(name) && !name.hasPrefix("container:")
    }
}

extension JSONWriter {
    /// A member with an object of such values, in the order of the names.
    public mutating func member(_ name: String, map values: [String: some JSONWritable]) {
        member(name) { writer in
            for name in values.keys.sorted() { if let value = values[name] { writer.member(name, value) } }
        }
    }
}
