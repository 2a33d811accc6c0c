internal import BerthNetlink

/// What networks are of which nobody says it.
public struct NetworkDefaults: Hashable, Sendable {
    /// What subnets are cut from, in this order. Behind them come unique local addresses of the engine's own. Default ``SubnetChoice/standard``.
    public var addressPools = SubnetChoice.standard
    /// The default network. Default ``NetworkConfiguration/defaultBridge``.
    ///
    /// A change takes effect at an opening of the engine where nobody is in that network; until then it stays as it is, and an event tells so.
    public var bridge = NetworkConfiguration.defaultBridge

    /// Docker's.
    public init() {}

    /// Whether they can be.
    ///
    /// - Throws: `invalid`, `unsupported`.
    public func check() throws(NetworkError) {
        let mistakes = bridge.subnets.flatMap(\.mistakes)
        guard mistakes.isEmpty else { throw NetworkError(.invalid, mistakes.joined(separator: "\n")) }
        let versions = bridge.subnets.compactMap { IPPrefix($0.subnet)?.address.version }
        guard Set(versions).count == versions.count else {
            throw NetworkError(.invalid, "the default network can have one subnet of each version of addresses")
        }
        guard bridge.versions.isSuperset(of: versions) else {
            throw NetworkError(.invalid, "the default network has a subnet of a version of addresses that it is not to have")
        }
        guard bridge.name == PredefinedNetwork.bridge.rawValue, bridge.driver == PredefinedNetwork.bridge.driver else {
            throw NetworkError(.invalid, "the default network is called 'bridge', and is a bridge")
        }
        _ = try BridgeOptions(bridge.options, isInternal: bridge.isInternal)
    }
}

extension NetworkConfiguration {
    /// Docker's default network.
    public static var defaultBridge: NetworkConfiguration {
        var configuration = NetworkConfiguration(name: PredefinedNetwork.bridge.rawValue)
        configuration.driver = PredefinedNetwork.bridge.driver
        configuration.options = [
            "com.docker.network.bridge.default_bridge": "true", "com.docker.network.bridge.enable_icc": "true",
            "com.docker.network.bridge.enable_ip_masquerade": "true", "com.docker.network.bridge.host_binding_ipv4": "0.0.0.0",
            "com.docker.network.driver.mtu": "1500",
        ]
        return configuration
    }
}
