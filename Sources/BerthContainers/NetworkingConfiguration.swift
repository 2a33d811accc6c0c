public import BerthNetlink
public import BerthNetworking

/// What a container's maker says of its ports and names.
public struct NetworkingConfiguration: Sendable, Hashable {
    /// Ports at which it can be spoken to, beside those that its image says. Default: none.
    public var exposedPorts: Set<Port> = []
    /// Ports that are published on the host. Default: none.
    public var publishedPorts: [PortRequest] = []
    /// Whether every port that it or its image exposes is published, at ports of the host's that are free. Default `false`.
    public var publishesAllPorts = false
    /// Whom it asks for names, instead of those whom the host asks. Default: nobody else.
    public var nameServers: [IPAddress] = []
    /// The domains in which it looks names up, instead of the host's; `.` alone is none. Default: the host's.
    public var nameSearch: [String] = []
    /// How it looks them up, instead of the host's way. Default: the host's.
    public var nameOptions: [String] = []
    /// Further lines of `/etc/hosts`: `name:address`, of which the address may be `host-gateway`. Default: none.
    public var extraHosts: [String] = []
    /// Other containers in the default network by names of its own, as `container:name`: they run when it is started. Default: none.
    public var links: [String] = []

    /// Nothing said.
    public init() {}
}

extension NetworkingConfiguration: Codable {
    private enum CodingKeys: String, CodingKey {
        case exposedPorts, publishedPorts, publishesAllPorts, nameServers, nameSearch, nameOptions, extraHosts, links
    }

    /// Decodes; what is absent has its default.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        exposedPorts = try values.decodeIfPresent(Set<Port>.self, forKey: .exposedPorts) ?? []
        publishedPorts = try values.decodeIfPresent([PortRequest].self, forKey: .publishedPorts) ?? []
        publishesAllPorts = try values.decodeIfPresent(Bool.self, forKey: .publishesAllPorts) ?? false
        nameServers = try values.decodeIfPresent([IPAddress].self, forKey: .nameServers) ?? []
        nameSearch = try values.decodeIfPresent([String].self, forKey: .nameSearch) ?? []
        nameOptions = try values.decodeIfPresent([String].self, forKey: .nameOptions) ?? []
        extraHosts = try values.decodeIfPresent([String].self, forKey: .extraHosts) ?? []
        links = try values.decodeIfPresent([String].self, forKey: .links) ?? []
    }
}
