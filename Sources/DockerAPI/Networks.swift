/// Where a network's addresses come from (`IPAM`).
public struct NetworkAddressing: JSONWritable, Hashable {
    /// One subnet of a network (`IPAMConfig`).
    public struct Subnet: JSONWritable, Hashable {
        /// As `172.20.0.0/16`.
        public var subnet = ""
        /// Out of which part containers get theirs, as `172.20.5.0/24`; empty is all of it.
        public var range = ""
        /// The gateway's address; empty is the engine's choice.
        public var gateway = ""
        /// Addresses that no container gets, by names.
        public var reserved: [String: String] = [:]

        /// Nothing said.
        public init() {}

        /// A subnet of these.
        public init(_ subnet: String, range: String = "", gateway: String = "", reserved: [String: String] = [:]) {
            (self.subnet, self.range, self.gateway, self.reserved) = (subnet, range, gateway, reserved)
        }

        /// Reads a request's.
        init(reading fields: inout RequestFields) throws(RequestError) {
            self.init(
                try fields.string("Subnet"), range: try fields.string("IPRange"), gateway: try fields.string("Gateway"),
                reserved: try fields.stringMap("AuxiliaryAddresses"))
            try fields.refuseUnread()
        }

        /// Writes what is said.
        public func write(to writer: inout JSONWriter) {
            writer.object { writer in
                if !subnet.isEmpty { writer.member("Subnet", subnet) }
                if !range.isEmpty { writer.member("IPRange", range) }
                if !gateway.isEmpty { writer.member("Gateway", gateway) }
                if !reserved.isEmpty { writer.member("AuxiliaryAddresses", reserved) }
            }
        }
    }

    /// The most subnets that a request may have.
    public static var subnetLimit: Int { 1024 }

    /// Who gives addresses out; `default` is the engine.
    public var driver = "default"
    /// What it is told; `nil` is nothing said.
    public var options: [String: String]?
    /// The subnets.
    public var subnets: [Subnet] = []

    /// The engine, with subnets of its own choice.
    public init() {}

    /// Reads a request's.
    init(reading fields: inout RequestFields) throws(RequestError) {
        let name = try fields.string("Driver")
        if !name.isEmpty { driver = name }
        if fields.has("Options") { options = try fields.stringMap("Options") }
        for var subnet in try fields.fieldsList("Config") { subnets.append(try Subnet(reading: &subnet)) }
        try fields.refuseUnread()
        guard subnets.count <= Self.subnetLimit else {
            throw RequestError(.invalid, "invalid IPAM.Config: more than \(Self.subnetLimit) subnets")
        }
    }

    /// Writes it.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("Driver", driver)
            writer.member("Options", options)
            writer.member("Config", list: subnets)
        }
    }
}

/// A container in a network, as an inspection of the network shows it (`NetworkContainer`).
public struct NetworkContainer: JSONWritable, Hashable {
    /// The container's name.
    public var name: String
    /// The id of its place.
    public var endpointID: String
    /// Its interface's hardware address.
    public var macAddress: String
    /// Its IPv4 address with the length of the network's part, as `172.20.0.2/16`; empty for none.
    public var ipv4Address: String
    /// Its IPv6 address, likewise.
    public var ipv6Address: String

    /// A container of these.
    public init(name: String, endpointID: String, macAddress: String = "", ipv4Address: String = "", ipv6Address: String = "") {
        (self.name, self.endpointID, self.macAddress) = (name, endpointID, macAddress)
        (self.ipv4Address, self.ipv6Address) = (ipv4Address, ipv6Address)
    }

    /// Writes it.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("Name", name)
            writer.member("EndpointID", endpointID)
            writer.member("MacAddress", macAddress)
            writer.member("IPv4Address", ipv4Address)
            writer.member("IPv6Address", ipv6Address)
        }
    }
}

/// A network (`GET /networks`, `GET /networks/{id}`).
public struct NetworkResource: JSONWritable, Hashable {
    /// Its name.
    public var name = ""
    /// 64 hexadecimal digits.
    public var id = ""
    /// When it was made, as RFC 3339 text.
    public var created = ""
    /// How far it reaches.
    public var scope = "local"
    /// What makes it.
    public var driver = ""
    /// Whether its containers get IPv4 addresses.
    public var hasIPv4 = true
    /// Whether its containers get IPv6 addresses.
    public var hasIPv6 = false
    /// Where its addresses come from.
    public var addressing = NetworkAddressing()
    /// Whether nothing outside is reached from it.
    public var isInternal = false
    /// Whether containers by hand may be in it, where services are.
    public var isAttachable = false
    /// Whether it leads a swarm's published ports.
    public var isIngress = false
    /// The network whose configuration it has; empty for its own.
    public var configuredFrom = ""
    /// Whether it is only a configuration for others.
    public var isConfigurationOnly = false
    /// Its containers by their ids. Lists have none: ``NetworkResource/withoutContainers``.
    public var containers: [String: NetworkContainer] = [:]
    /// What its driver was told.
    public var options: [String: String] = [:]
    /// Names and values.
    public var labels: [String: String] = [:]

    /// Nothing known.
    public init() {}

    /// As a list has it from version 1.28 on.
    public var withoutContainers: NetworkResource {
        var result = self
        result.containers = [:]
        return result
    }

    /// Writes it.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("Name", name)
            writer.member("Id", id)
            writer.member("Created", created)
            writer.member("Scope", scope)
            writer.member("Driver", driver)
            writer.member("EnableIPv4", hasIPv4)
            writer.member("EnableIPv6", hasIPv6)
            writer.member("IPAM", addressing)
            writer.member("Internal", isInternal)
            writer.member("Attachable", isAttachable)
            writer.member("Ingress", isIngress)
            writer.member("ConfigFrom") { $0.member("Network", configuredFrom) }
            writer.member("ConfigOnly", isConfigurationOnly)
            writer.member("Containers", map: containers)
            writer.member("Options", options)
            writer.member("Labels", labels)
        }
    }
}
