internal import BerthNetlink

/// What the creator of a bridge network says to its driver, by Docker's names.
struct BridgeOptions: Hashable, Sendable {
    /// The bridge's own name; `nil` for one that follows from the network's id.
    var bridgeName: InterfaceName?
    /// Whether packets to elsewhere get an address of the host's.
    var masquerades = true
    /// Whether sandboxes reach each other.
    var allowsInterContainer = true
    /// Where ports are published whose publisher says no address; `nil` for everywhere.
    var publishesAt: IPAddress?
    /// The address that packets to elsewhere get; `nil` for that of the interface by which they leave.
    var source4: IPAddress?
    /// The same of version 6.
    var source6: IPAddress?
    /// The largest packet, in bytes.
    var mtu: UInt32?
    /// What the sandboxes' interfaces are called, without their number.
    var interfacePrefix = "eth"
    /// Whether the bridge gets no address of version 4.
    var hasNoAddress4 = false
    /// How sandboxes are reached, and reach others, by version 4.
    var gatewayMode4 = GatewayMode.nat
    /// The same by version 6.
    var gatewayMode6 = GatewayMode.nat

    /// How sandboxes are reached, and reach others, by a version.
    func gatewayMode(_ version: IPAddress.Version) -> GatewayMode { version == .v4 ? gatewayMode4 : gatewayMode6 }

    private static let bridge = "com.docker.network.bridge."

    /// Reads them.
    ///
    /// - Throws: `invalid` for values that cannot be; `unsupported` for an option of this driver that does not exist here. What is no driver's of Docker's is
    ///   nobody's business but its creator's.
    init(_ options: [String: String], isInternal: Bool = false) throws(NetworkError) {
        for (key, value) in options.sorted(by: { $0.key < $1.key }) {
            switch key {
            case Self.bridge + "name": bridgeName = try Self.name(key, value)
            case Self.bridge + "enable_ip_masquerade": masquerades = try Self.flag(key, value)
            case Self.bridge + "enable_icc": allowsInterContainer = try Self.flag(key, value)
            case Self.bridge + "host_binding_ipv4":
                let address = try Self.address(key, value, .v4)
                // Docker's word for "everywhere": of both versions.
                publishesAt = address == IPAddress(.v4, 0) ? nil : address
            case "com.docker.network.host_ipv4": source4 = try Self.address(key, value, .v4)
            case "com.docker.network.host_ipv6": source6 = try Self.address(key, value, .v6)
            case "com.docker.network.driver.mtu", "mtu": mtu = try Self.size(key, value)
            case "com.docker.network.container_iface_prefix":
                guard InterfaceName(value + "99") != nil else {
                    throw Self.refusal(key, value, "it must be at most 13 characters of a name")
                }
                interfacePrefix = value
            case Self.bridge + "inhibit_ipv4": hasNoAddress4 = try Self.flag(key, value)
            case Self.bridge + "gateway_mode_ipv4": gatewayMode4 = try Self.mode(key, value, isInternal: isInternal)
            case Self.bridge + "gateway_mode_ipv6": gatewayMode6 = try Self.mode(key, value, isInternal: isInternal)
            case Self.bridge + "default_bridge": _ = try Self.flag(key, value)
            default:
                guard !key.hasPrefix("com.docker.network.") else {
                    throw NetworkError(.unsupported, "not supported here: the option '\(key)' of a bridge network")
                }
            }
        }
    }

    private static func refusal(_ key: String, _ value: String, _ why: String) -> NetworkError {
        NetworkError(.invalid, "failed to parse \(key) value: \(value) (\(why))")
    }

    /// As Go reads one.
    private static func flag(_ key: String, _ value: String) throws(NetworkError) -> Bool {
        switch value {
        case "1", "t", "T", "TRUE", "true", "True": true
        case "0", "f", "F", "FALSE", "false", "False": false
        default: throw refusal(key, value, "it must be true or false")
        }
    }

    private static func name(_ key: String, _ value: String) throws(NetworkError) -> InterfaceName {
        guard let name = InterfaceName(value) else {
            throw refusal(key, value, "it must be 1 to 15 characters without spaces, slashes and colons")
        }
        return name
    }

    private static func address(_ key: String, _ value: String, _ version: IPAddress.Version) throws(NetworkError) -> IPAddress {
        guard let address = IPAddress(value), address.version == version else {
            throw refusal(key, value, "it must be an address of version \(version.rawValue)")
        }
        return address
    }

    private static func size(_ key: String, _ value: String) throws(NetworkError) -> UInt32 {
        // The smallest packet that everybody must take is 68 bytes (RFC 791).
        guard let size = UInt32(value), (68...65_535).contains(size) else { throw refusal(key, value, "it must be 68 to 65535") }
        return size
    }

    private static func mode(_ key: String, _ value: String, isInternal: Bool) throws(NetworkError) -> GatewayMode {
        guard let mode = GatewayMode(rawValue: value) else {
            throw refusal(key, value, "it must be nat, nat-unprotected, routed or isolated")
        }
        guard mode != .isolated || isInternal else { throw refusal(key, value, "only an internal network can be isolated") }
        return mode
    }
}

extension FirewallNetwork {
    /// What the firewall has to know of a bridge network.
    ///
    /// - Parameter meetsRules: whether the rules see what the bridge carries.
    init(_ network: Network, _ bridge: InterfaceName, _ options: BridgeOptions, meetsRules: Bool = false) {
        self.init(
            id: network.id, bridge: bridge, subnets: network.parts.map(\.subnet), isInternal: network.configuration.isInternal,
            allowsInterContainer: options.allowsInterContainer,
            v4: Gateway(options.gatewayMode4, masquerades: options.masquerades, source: options.source4),
            v6: Gateway(options.gatewayMode6, masquerades: options.masquerades, source: options.source6))
        leavesOwnToSockets = meetsRules && !options.allowsInterContainer
    }
}
