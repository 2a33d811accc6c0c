public import DockerAPI

/// What `network create` says of subnets: which range, gateway and reserved addresses belong to which.
public enum SubnetFlags {
    /// The subnets, in the order in which they were said.
    ///
    /// - Parameter reserved: names and addresses.
    /// - Throws: in Docker's words.
    public static func subnets(
        _ texts: [String], ranges: [String], gateways: [String], reserved: [(name: String, address: String)]
    ) throws(ValueMistake) -> [NetworkAddressing.Subnet] {
        guard texts.count >= ranges.count, texts.count >= gateways.count else {
            throw ValueMistake("every ip-range or gateway must have a corresponding subnet")
        }
        var result: [NetworkAddressing.Subnet] = []
        for text in texts {
            for other in result {
                // In this order: the first that is none is named.
                let holds = try contains(text, other.subnet)
                let isHeld = try contains(other.subnet, text)
                guard !holds, !isHeld else { throw ValueMistake("multiple overlapping subnet configuration is not supported") }
            }
            result.append(NetworkAddressing.Subnet(text))
        }
        for range in ranges {
            guard PrefixText(parsing: range) != nil else { throw ValueMistake("invalid CIDR address: \(range)") }
            try each(&result, holding: range, "range") { subnet throws(ValueMistake) in
                guard subnet.range.isEmpty else {
                    throw ValueMistake(
                        "cannot configure multiple ranges (\(range), \(subnet.range)) on the same subnet (\(subnet.subnet))")
                }
                subnet.range = range
            }
        }
        for gateway in gateways {
            try each(&result, holding: gateway, "gateway") { subnet throws(ValueMistake) in
                guard subnet.gateway.isEmpty else {
                    throw ValueMistake(
                        "cannot configure multiple gateways (\(gateway), \(subnet.gateway)) for the same subnet (\(subnet.subnet))")
                }
                subnet.gateway = gateway
            }
        }
        for (name, address) in reserved {
            try each(&result, holding: address, "aux-address") { $0.reserved[name] = address }
        }
        return result
    }

    /// Changes the subnets that hold an address or a range.
    private static func each(
        _ subnets: inout [NetworkAddressing.Subnet], holding text: String, _ what: String,
        _ change: (inout NetworkAddressing.Subnet) throws(ValueMistake) -> Void
    ) throws(ValueMistake) {
        var isHeld = false
        for index in subnets.indices where try contains(subnets[index].subnet, text) {
            isHeld = true
            try change(&subnets[index])
        }
        guard isHeld else { throw ValueMistake("no matching subnet for \(what) \(text)") }
    }

    private static func contains(_ subnet: String, _ text: String) throws(ValueMistake) -> Bool {
        guard let prefix = PrefixText(parsing: subnet) else { throw ValueMistake("invalid subnet: invalid CIDR address: \(subnet)") }
        guard text.contains("/") else { return IPText(parsing: text).map(prefix.contains) ?? false }
        guard let range = PrefixText(parsing: text) else { throw ValueMistake("invalid CIDR address: \(text)") }
        return prefix.contains(range.address)
    }
}
