public import BerthNetlink

/// A container's `/etc/hosts` (hosts(5)): the loopback interface's names, what the user adds, the container's own.
public struct HostsFile: Hashable, Sendable {
    /// A line: an address and what it is called.
    public struct Line: Hashable, Sendable {
        /// The address.
        public var address: IPAddress
        /// What it is called, the first being what its name is.
        public var names: [String]

        /// A line of these.
        public init(_ address: IPAddress, _ names: [String]) { (self.address, self.names) = (address, names) }
    }

    /// What the user adds (`--add-host`), in that order, and what the container's links add behind it.
    public var added: [Line]
    /// What the container itself is called.
    public var ownNames: [String]
    /// The addresses that the container has, network by network.
    public var ownAddresses: [IPAddress]
    /// Whether the sandbox has version 6 at all: without it, nothing of it is in the file.
    public var hasIPv6: Bool

    /// A file of these.
    public init(added: [Line] = [], ownNames: [String] = [], ownAddresses: [IPAddress] = [], hasIPv6: Bool = true) {
        (self.added, self.ownNames, self.ownAddresses, self.hasIPv6) = (added, ownNames, ownAddresses, hasIPv6)
    }

    /// What a container is called: its whole name, and what is before its first dot.
    public static func names(hostname: String, domainName: String?) -> [String] {
        let whole = [hostname, domainName ?? ""].filter { !$0.isEmpty }.joined(separator: ".")
        guard let dot = whole.firstIndex(of: ".") else { return whole.isEmpty ? [] : [whole] }
        return [whole, String(whole[..<dot])].filter { !$0.isEmpty }
    }

    /// The lines of a linked container: it is called as the link says, by its hostname, and by its own name.
    public static func link(alias: String, hostname: String, name: String, addresses: [IPAddress]) -> [Line] {
        addresses.map { Line($0, [alias, hostname] + (alias == name ? [] : [name])) }
    }

    /// The word that stands for the addresses by which a container reaches its host.
    public static let gatewayWord = "host-gateway"

    /// Whether what `--add-host` says is by that word.
    static func namesGateway(_ text: String) -> Bool { text.hasSuffix(":\(gatewayWord)") }

    /// Where every host has its own.
    static let usualPath = "/etc/hosts"

    /// Reads what `--add-host` says: `name:address`, or `name:host-gateway`.
    ///
    /// - Parameter gateway: the addresses by which a container reaches its host.
    /// - Throws: `invalid` in Docker's words for what is no such thing, or for a name that would break the line.
    public static func added(_ text: String, gateway: [IPAddress]) throws(NetworkError) -> [Line] {
        guard let colon = text.firstIndex(of: ":"), colon != text.startIndex else {
            throw NetworkError(.invalid, "bad format for add-host: \"\(text)\"")
        }
        let (name, target) = (String(text[..<colon]), String(text[text.index(after: colon)...]))
        guard name.unicodeScalars.allSatisfy({ !$0.properties.isWhitespace && $0.value > 32 && $0 != "#" }) else {
            throw NetworkError(.invalid, "bad format for add-host: \"\(text)\": a name has no spaces")
        }
        if target == gatewayWord {
            guard !gateway.isEmpty else { throw NetworkError(.invalid, "unable to derive the IP value for host-gateway") }
            return gateway.map { Line($0.unmapped, [name]) }
        }
        guard let address = IPAddress(target) else {
            throw NetworkError(.invalid, "invalid IP address in add-host: \"\(target)\"")
        }
        return [Line(address.unmapped, [name])]
    }

    private static let loopback: [(address: IPAddress, names: String)] = [
        (IPAddress(.v4, 0x7F00_0001), "localhost"),
        (IPAddress(.v6, 1), "localhost ip6-localhost ip6-loopback"),
        (IPAddress(.v6, 0xFE00 << 112), "ip6-localnet"),
        (IPAddress(.v6, 0xFF00 << 112), "ip6-mcastprefix"),
        (IPAddress(.v6, 0xFF02 << 112 | 1), "ip6-allnodes"),
        (IPAddress(.v6, 0xFF02 << 112 | 2), "ip6-allrouters"),
    ]

    /// The file, as Docker orders it.
    public var contents: [UInt8] {
        let own = ownNames.isEmpty ? [] : ownAddresses.map { Line($0, ownNames) }
        let lines = Self.loopback.map { Line($0.address, [$0.names]) } + added + own
        return lines.filter { hasIPv6 || $0.address.version == .v4 }.flatMap { line in
            Array("\(line.address)\t\(line.names.joined(separator: " "))\n".utf8)
        }
    }
}
