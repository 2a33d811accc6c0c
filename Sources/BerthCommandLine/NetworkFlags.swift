public import DockerAPI

/// What `--network` says: the network, and the container's place in it.
public struct NetworkAttachment: Sendable, Hashable {
    /// The network's name or id, or `container:NAME`.
    public var target: String
    /// The place.
    public var endpoint = EndpointSettings()

    /// A place without wishes.
    public init(_ target: String) { self.target = target }

    /// Parses a name alone, or `name=…,alias=…,ip=…` and so on.
    ///
    /// - Throws: in Docker's words.
    public init(parsing text: String) throws(ValueMistake) {
        self.init(text)
        guard Self.isLong(text) else { return }
        target = ""
        // As Docker does, everything but addresses' own case is lost.
        for field in try CommaSeparated.values(text.lowercased()) {
            let parts = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map { Self.trimmed($0) }
            guard parts.count == 2, !parts[0].isEmpty else { throw ValueMistake("invalid field \(field)") }
            try set(parts[0], parts[1])
        }
        guard !target.isEmpty else { throw ValueMistake("network name/id is not specified") }
    }

    private mutating func set(_ key: String, _ value: String) throws(ValueMistake) {
        switch key {
        case "name": target = value
        case "alias": endpoint.aliases = (endpoint.aliases ?? []) + [value]
        case "ip": ask { $0.ipv4 = value }
        case "ip6": ask { $0.ipv6 = value }
        case "link-local-ip": ask { $0.linkLocal.append(value) }
        case "mac-address": endpoint.macAddress = value
        case "driver-opt":
            let parts = value.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map { Self.trimmed($0) }
            guard parts.count == 2, !parts[0].isEmpty else { throw ValueMistake("invalid key value pair format in driver options") }
            endpoint.driverOptions = (endpoint.driverOptions ?? [:]).merging([parts[0]: parts[1]]) { $1 }
        case "gw-priority":
            guard let priority = Int64(value) else { throw ValueMistake("invalid gw-priority (\(value)): invalid syntax") }
            endpoint.gatewayPriority = priority
        default: throw ValueMistake("invalid field key \(key)")
        }
    }

    fileprivate mutating func ask(_ change: (inout EndpointSettings.Addresses) -> Void) {
        var asked = endpoint.asked ?? EndpointSettings.Addresses()
        change(&asked)
        endpoint.asked = asked
    }

    /// Whether there is a `=` between two letters, digits or underscores.
    private static func isLong(_ text: String) -> Bool {
        func isWord(_ byte: UInt8) -> Bool {
            (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte) || byte == UInt8(ascii: "_")
        }
        let bytes = Array(text.utf8)
        return bytes.indices.contains { index in
            bytes[index] == UInt8(ascii: "=") && index > 0 && index + 1 < bytes.count && isWord(bytes[index - 1])
                && isWord(bytes[index + 1])
        }
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while text.first?.isWhitespace == true { text = text.dropFirst() }
        while text.last?.isWhitespace == true { text = text.dropLast() }
        return String(text)
    }
}

/// What a container's flags say of networks together.
public struct NetworkFlags: Sendable, Hashable {
    /// One for each `--network`.
    public var networks: [NetworkAttachment] = []
    /// `--network-alias`.
    public var aliases: [String] = []
    /// `--link`.
    public var links: [String] = []
    /// `--ip`.
    public var ipv4: String?
    /// `--ip6`.
    public var ipv6: String?
    /// `--link-local-ip`.
    public var linkLocal: [String] = []
    /// `--mac-address`.
    public var macAddress: String?

    /// Nothing said.
    public init() {}

    /// The network that is the container's own.
    public var mode: String { networks.first?.target ?? "default" }

    /// The container's places, by their networks. A place of the only network is left out where nothing is said of it.
    ///
    /// - Throws: in Docker's words.
    public func endpoints() throws(ValueMistake) -> [(network: String, endpoint: EndpointSettings)] {
        var result: [(network: String, endpoint: EndpointSettings)] = []
        for (index, network) in (networks.isEmpty ? [NetworkAttachment("default")] : networks).enumerated() {
            // What older flags say, they say of the first network.
            let place = index == 0 ? try withContainersFlags(network) : network
            try Self.check(place)
            guard !result.contains(where: { $0.network == place.target }) else {
                throw ValueMistake("network \"\(place.target)\" is specified multiple times")
            }
            result.append((place.target, place.endpoint))
        }
        let ownCount = networks.filter { NetworkName.isUserDefined($0.target) }.count
        guard ownCount == 0 || ownCount == networks.count else {
            throw ValueMistake("conflicting options: cannot attach both user-defined and non-user-defined network-modes")
        }
        return result.count == 1 && result[0].endpoint.asksForNothing ? [] : result
    }

    private func withContainersFlags(_ network: NetworkAttachment) throws(ValueMistake) -> NetworkAttachment {
        var place = network
        let asked = place.endpoint.asked ?? EndpointSettings.Addresses()
        let conflicts: [(isThere: Bool, what: String)] = [
            (!(place.endpoint.aliases ?? []).isEmpty && !aliases.isEmpty, "--network-alias and per-network alias"),
            (!asked.ipv4.isEmpty && !(ipv4 ?? "").isEmpty, "--ip and per-network IPv4 address"),
            (!asked.ipv6.isEmpty && !(ipv6 ?? "").isEmpty, "--ip6 and per-network IPv6 address"),
            (!place.endpoint.macAddress.isEmpty && !(macAddress ?? "").isEmpty, "--mac-address and per-network MAC address"),
            (!asked.linkLocal.isEmpty && !linkLocal.isEmpty, "--link-local-ip and per-network link-local IP addresses"),
        ]
        if let conflict = conflicts.first(where: \.isThere) {
            throw ValueMistake("conflicting options: cannot specify both \(conflict.what)")
        }
        if !aliases.isEmpty { place.endpoint.aliases = aliases }
        // In the default network a link is the host's to set up, and no name of the network's.
        if !links.isEmpty, NetworkName.isUserDefined(place.target) { place.endpoint.links = links }
        if let ipv4, !ipv4.isEmpty { place.ask { $0.ipv4 = ipv4 } }
        if let ipv6, !ipv6.isEmpty { place.ask { $0.ipv6 = ipv6 } }
        if !linkLocal.isEmpty { place.ask { $0.linkLocal = linkLocal } }
        if let macAddress, !macAddress.isEmpty { place.endpoint.macAddress = macAddress }
        return place
    }

    private static func check(_ place: NetworkAttachment) throws(ValueMistake) {
        guard place.target.contains(where: { !$0.isWhitespace }) else { throw ValueMistake("no name set for network") }
        guard NetworkName.isUserDefined(place.target) || (place.endpoint.aliases ?? []).isEmpty else {
            throw ValueMistake("network-scoped aliases are only supported for user-defined networks")
        }
        if !place.endpoint.macAddress.isEmpty { _ = try NameFlags.macAddress(place.endpoint.macAddress) }
    }
}
