internal import BerthNetlink

/// What a network is to be, as its creator says it (Docker Engine API, `NetworkCreate`).
public struct NetworkConfiguration: Hashable, Sendable {
    /// Its name.
    public var name: String
    /// Which driver makes it. Default `bridge`.
    public var driver: String
    /// Whether nothing of it leaves the host, and nobody's packets come in from there. Default `false`.
    public var isInternal: Bool
    /// Whether containers that are not a service's may join, which means something to swarms only: it is kept, and told again. Default `false`.
    public var isAttachable: Bool
    /// Whether sandboxes get addresses of version 4. Default `true`.
    public var enablesIPv4: Bool
    /// Whether sandboxes get addresses of version 6. Default `false`.
    public var enablesIPv6: Bool
    /// Its subnets, at most one for each version; what is not said is chosen. Default: none.
    public var subnets: [SubnetRequest]
    /// What only its driver understands, by Docker's names. Default: none.
    public var options: [String: String]
    /// Its labels. Default: none.
    public var labels: [String: String]
    /// What only the address management understands: it is kept, and told again. Default: none.
    public var addressOptions: [String: String]

    /// A network of this name, everything else by default.
    public init(name: String) {
        self.name = name
        (driver, isInternal, isAttachable, enablesIPv4, enablesIPv6) = ("bridge", false, false, true, false)
        (subnets, options, labels, addressOptions) = ([], [:], [:], [:])
    }

    /// The versions of which its sandboxes get addresses.
    var versions: Set<IPAddress.Version> {
        Set((enablesIPv4 ? [IPAddress.Version.v4] : []) + (enablesIPv6 ? [.v6] : []))
    }
}
