internal import ArgumentParser
internal import Berth

/// What networks are of which nobody says it. The flags are dockerd's, and so are the keys of the configuration file.
struct NetworkFlags: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "What subnets are cut from: base=SUBNET,size=LENGTH. May be given several times. (default: as Docker's)", valueName: "pool"))
    var defaultAddressPool: [String] = []
    @Option(help: ArgumentHelp("The default bridge's own address, with the length of its subnet's prefix.", valueName: "address"))
    var bip: String?
    @Option(help: ArgumentHelp("The same of IPv6.", valueName: "address")) var bip6: String?
    @Option(help: ArgumentHelp("Where in its subnet containers have their addresses. (default: everywhere)", valueName: "range"))
    var fixedCidr: String?
    @Option(name: .customLong("fixed-cidr-v6"), help: ArgumentHelp("The same of IPv6.", valueName: "range")) var fixedCidr6: String?
    @Flag(help: "Give containers in it addresses of IPv6, too.") var ipv6 = false
    @Option(help: ArgumentHelp("The largest packet in it, in bytes. (default: 1500)", valueName: "bytes")) var mtu: Int?
    @Option(help: ArgumentHelp("Whether containers in it reach each other. (default: true)", valueName: "bool")) var icc: Bool?
    @Option(help: ArgumentHelp("Whether their packets to elsewhere get an address of the host's. (default: true)", valueName: "bool"))
    var ipMasq: Bool?
    @Option(
        help: ArgumentHelp("Where their ports are published for which nobody names an address. (default: 0.0.0.0)", valueName: "address"))
    var ip: String?

    private static let options = "com.docker.network."

    /// What is meant, with what the configuration file says. As with dockerd, what both say is a conflict.
    func defaults(_ file: ConfigurationFile) throws -> NetworkDefaults {
        var result = NetworkDefaults()
        let pools = try file.one("default-address-pools", defaultAddressPool.map(Self.pool), file.addressPools?.map(Self.pool)) ?? []
        if !pools.isEmpty { result.addressPools = pools }
        let address = try file.one("bip", bip, file.bridgeAddress)
        let address6 = try file.one("bip6", bip6, file.bridgeAddress6)
        let range = try file.one("fixed-cidr", fixedCidr, file.bridgeRange)
        let range6 = try file.one("fixed-cidr-v6", fixedCidr6, file.bridgeRange6)
        result.bridge.enablesIPv6 = try file.one("ipv6", ipv6 ? true : nil, file.enablesIPv6) ?? false
        guard result.bridge.enablesIPv6 || address6 == nil && range6 == nil else {
            throw Refusal("bip6 and fixed-cidr-v6 say something of IPv6, which the default network has with --ipv6 alone")
        }
        result.bridge.subnets = try [Self.subnet("bip", address, range, .v4), Self.subnet("bip6", address6, range6, .v6)].compactMap(\.self)
        if let mtu = try file.one("mtu", mtu, file.mtu) { result.bridge.options[Self.options + "driver.mtu"] = "\(mtu)" }
        if let icc = try file.one("icc", icc, file.connectsContainers) {
            result.bridge.options[Self.options + "bridge.enable_icc"] = "\(icc)"
        }
        if let masquerades = try file.one("ip-masq", ipMasq, file.masquerades) {
            result.bridge.options[Self.options + "bridge.enable_ip_masquerade"] = "\(masquerades)"
        }
        if let ip = try file.one("ip", ip, file.publishAddress) { result.bridge.options[Self.options + "bridge.host_binding_ipv4"] = ip }
        do throws(NetworkError) { try result.check() } catch { throw Refusal("unable to configure the daemon: \(error.description)") }
        return result
    }

    /// A subnet is where the bridge's own address is, or what the range is.
    private static func subnet(_ key: String, _ address: String?, _ range: String?, _ version: IPAddress.Version) throws -> SubnetRequest? {
        if let range, let prefix = IPPrefix(range), prefix.address.version != version {
            throw Refusal("'\(range)' is no range of IPv\(version.rawValue): fixed-cidr is for IPv4, and fixed-cidr-v6 for IPv6")
        }
        guard let address else { return range.map { SubnetRequest(subnet: $0) } }
        guard let own = IPPrefix(address), own.address.version == version else {
            throw Refusal(
                "invalid \(key) '\(address)': it must be an address of IPv\(version.rawValue) and the length of its subnet's prefix")
        }
        let subnet = Subnet(own)
        guard own.address != subnet.base else {
            throw Refusal("invalid \(key) '\(address)': it must be an address in \(subnet), for the bridge itself")
        }
        return SubnetRequest(subnet: subnet.description, range: range, gateway: own.address.description)
    }

    /// `base=10.10.0.0/16,size=24`.
    private static func pool(_ text: String) throws -> SubnetChoice.Source {
        var fields: [Substring: Substring] = [:]
        for part in text.split(separator: ",") {
            let pair = part.split(separator: "=", maxSplits: 1)
            guard pair.count == 2, ["base", "size"].contains(pair[0]) else { throw wrong(text) }
            fields[pair[0]] = pair[1]
        }
        guard let base = fields["base"], let size = fields["size"].flatMap({ Int($0) }) else { throw wrong(text) }
        return try source(String(base), size, text)
    }

    private static func pool(_ pool: ConfigurationFile.AddressPool) throws -> SubnetChoice.Source {
        try source(pool.base, pool.size, "base=\(pool.base),size=\(pool.size)")
    }

    private static func source(_ base: String, _ size: Int, _ text: String) throws -> SubnetChoice.Source {
        guard let block = Subnet(base), let source = SubnetChoice.Source(block, prefixLength: size) else { throw wrong(text) }
        return source
    }

    private static func wrong(_ text: String) -> Refusal {
        Refusal(
            "invalid default-address-pool '\(text)': it must be base=SUBNET,size=LENGTH, with a length between the subnet's own and 30 (126 of IPv6)"
        )
    }
}
