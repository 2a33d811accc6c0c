public import BerthNetlink

/// What `host-gateway` stands for in `--add-host`: where containers reach their host (Docker's `--host-gateway-ip`).
public struct HostGateway: Hashable, Sendable {
    /// At most one address of each version; none: those of the default network's own gateway.
    public let addresses: [IPAddress]

    /// The default network's gateway.
    public static let defaultNetwork = HostGateway(known: [])

    private init(known addresses: [IPAddress]) { self.addresses = addresses }

    /// These addresses.
    ///
    /// - Throws: `invalid` in Docker's words for two of one version.
    public init(_ addresses: [IPAddress]) throws(NetworkError) {
        let addresses = addresses.map(\.unmapped)
        for version in IPAddress.Version.allCases where addresses.count(where: { $0.version == version }) > 1 {
            throw NetworkError(.invalid, "only one IPv\(version.rawValue) host gateway IP address can be specified")
        }
        self.init(known: addresses)
    }
}

extension NetworkStore {
    /// The addresses that `host-gateway` stands for now. The default network's bridge has its own, so it is made for them. Blocks.
    ///
    /// - Throws: as ``prepare(_:)``, where nobody has said addresses and the default network cannot be made.
    func hostAddresses() throws(NetworkError) -> [IPAddress] {
        guard hostGateway.addresses.isEmpty else { return hostGateway.addresses }
        let object = try object(PredefinedNetwork.bridge.rawValue)
        try prepare(object)
        return object.network.parts.map(\.gateway)
    }
}
