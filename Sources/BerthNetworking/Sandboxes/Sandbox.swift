public import BerthNetlink

/// Where a sandbox's network namespace comes from.
public enum NetworkNamespace: Hashable, Sendable {
    /// It is made with the container, and holds the loopback interface.
    case new
    /// The host's.
    case host
    /// That of a running process.
    case process(Int32)
    /// One that this path leads to.
    case path(String)
}

/// What a container that is about to start asks for.
public struct SandboxRequest: Hashable, Sendable {
    /// Another container, whose sandbox is to be shared.
    public struct Peer: Hashable, Sendable {
        /// Its id.
        public var id: String
        /// Its first process, or `nil` while it does not run.
        public var processID: Int32?
        /// Its name.
        public var name: String
        /// How its sandbox is called.
        public var naming: SandboxNaming

        /// The peer of these.
        public init(id: String, processID: Int32?, name: String = "", naming: SandboxNaming = SandboxNaming()) {
            (self.id, self.processID, self.name, self.naming) = (id, processID, name, naming)
        }
    }

    /// What it wants.
    public enum Wish: Hashable, Sendable {
        /// Places in networks.
        case endpoints([EndpointConfiguration])
        /// Another's sandbox.
        case shared(Peer)
    }

    /// The sandbox's id: that of the container that makes it.
    public var id: String
    /// That container's name.
    public var name: String
    /// What it wants.
    public var wish: Wish
    /// How it is called, and whom it asks for names.
    public var naming: SandboxNaming
    /// What is to be published on the host.
    public var ports: [PortRequest]
    /// Places that it has had just before: it gets their addresses again where it asks for no others, and nobody else has taken them. Default: none.
    public var former: [Endpoint] = []

    /// A request of these.
    public init(id: String, name: String, _ wish: Wish, naming: SandboxNaming = SandboxNaming(), ports: [PortRequest] = []) {
        (self.id, self.name, self.wish, self.naming, self.ports) = (id, name, wish, naming, ports)
    }
}

/// How a sandbox is called, and whom it asks for names.
public struct SandboxNaming: Hashable, Sendable, Codable {
    /// The name in its UTS namespace.
    public var hostname: String
    /// The domain of that.
    public var domainName: String?
    /// Whom it asks, instead of those whom the host asks.
    public var servers: [IPAddress]
    /// What is put behind names, instead of what the host says; a `.` is nothing.
    public var search: [String]
    /// How names are looked up, instead of how the host does.
    public var options: [String]
    /// Further lines of `/etc/hosts`, as `name:address` or `name:host-gateway`.
    public var extraHosts: [String]

    /// Other containers in the default network, by names of its own.
    public var links: [Link] = []

    /// A container that is linked.
    public struct Link: Hashable, Sendable, Codable {
        /// What it is called here.
        public var alias: String
        /// Its hostname.
        public var hostname: String
        /// Its name.
        public var name: String
        /// Its addresses in the default network.
        public var addresses: [IPAddress]

        /// A link of these.
        public init(alias: String, hostname: String, name: String, addresses: [IPAddress]) {
            (self.alias, self.hostname, self.name, self.addresses) = (alias, hostname, name, addresses)
        }
    }

    /// Nothing said but the hostname.
    public init(
        hostname: String = "", domainName: String? = nil, servers: [IPAddress] = [], search: [String] = [], options: [String] = [],
        extraHosts: [String] = []
    ) {
        (self.hostname, self.domainName, self.servers) = (hostname, domainName, servers)
        (self.search, self.options, self.extraHosts) = (search, options, extraHosts)
    }
}

/// What a sandbox's files of names are to say: `/etc/hosts` and `/etc/resolv.conf`.
public struct SandboxFiles: Hashable, Sendable {
    /// `/etc/hosts`.
    public var hosts: [UInt8]
    /// `/etc/resolv.conf`.
    public var resolver: [UInt8]
}

/// What a sandbox got. Its namespace is there as long as this is held, or a process is in it.
public struct SandboxAttachment: Sendable {
    /// The namespace that its container starts in.
    public let namespace: NetworkNamespace
    /// Its places in networks, in the order of its interfaces.
    public let endpoints: [Endpoint]
    /// What its files are to say; `nil` where they are its container's own business.
    public let files: SandboxFiles?
    /// What its container's monitor is to hold.
    public let sockets: [SandboxSocket]
    private let held: SandboxNamespace?

    init(
        _ namespace: NetworkNamespace, _ endpoints: [Endpoint] = [], files: SandboxFiles? = nil, sockets: [SandboxSocket] = [],
        holding held: SandboxNamespace? = nil
    ) {
        (self.namespace, self.endpoints, self.files, self.sockets, self.held) = (namespace, endpoints, files, sockets, held)
    }
}
