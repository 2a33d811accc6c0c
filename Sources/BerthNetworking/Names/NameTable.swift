public import BerthNetlink

/// What the names of a sandbox's networks mean to it.
public struct NameTable: Sendable {
    /// Somebody on a network.
    public struct Host: Hashable, Sendable {
        /// What its address is called.
        public var name: String
        /// What else it is found by: its id, its hostname, its aliases. Several may have the same.
        public var aliases: [String]
        /// Its addresses on this network.
        public var addresses: [IPAddress]

        /// Somebody of these names.
        public init(name: String, aliases: [String] = [], addresses: [IPAddress]) {
            (self.name, self.aliases, self.addresses) = (name, aliases, addresses)
        }
    }

    /// A network that the sandbox is on.
    public struct Network: Hashable, Sendable {
        /// Its name, by which `host.network` is found, and addresses are called so.
        public var name: String
        /// Its subnets: what no host has in them, nobody has.
        public var subnets: [Subnet]
        /// Those who are on it.
        public var hosts: [Host]

        /// A network of these.
        public init(name: String, subnets: [Subnet], hosts: [Host]) { (self.name, self.subnets, self.hosts) = (name, subnets, hosts) }
    }

    private let subnets: [Subnet]
    private let addresses: [DomainName: [IPAddress]]
    private let names: [IPAddress: DomainName]

    /// What these networks have, and what only this sandbox calls somebody (`--link`).
    ///
    /// Of a name that is on several networks the addresses of the first count, as Docker has it; a link goes before all. What cannot be a name is not found.
    public init(_ networks: [Network], links: [String: [IPAddress]] = [:]) {
        var addresses: [DomainName: [IPAddress]] = [:]
        var names: [IPAddress: DomainName] = [:]
        for (alias, targets) in links {
            if let name = DomainName(alias) { addresses[name] = targets }
        }
        for network in networks {
            var own: [DomainName: [IPAddress]] = [:]
            for host in network.hosts {
                var seen: Set<DomainName> = []
                for text in [host.name] + host.aliases {
                    for name in [text, "\(text).\(network.name)"].compactMap(DomainName.init) where seen.insert(name).inserted {
                        own[name, default: []] += host.addresses
                    }
                }
                guard let full = DomainName("\(host.name).\(network.name)") ?? DomainName(host.name) else { continue }
                for address in host.addresses where names[address] == nil { names[address] = full }
            }
            addresses.merge(own) { first, _ in first }
        }
        (self.addresses, self.names, subnets) = (addresses, names, networks.flatMap(\.subnets))
    }

    /// The answer to a question.
    ///
    /// - Parameter turn: which of several equals comes first: whoever asks counts on.
    /// - Returns: `nil` for what is none of these networks' business, and others are to be asked.
    public func answer(to query: NameQuery, turn: Int) -> NameAnswer? {
        guard query.isOfInternet else { return nil }
        if let address = query.name.reverseAddress {
            if let name = names[address] { return NameAnswer(.success, [.ptr, .any].contains(query.kind) ? [.pointer(name)] : []) }
            // Nobody outside knows these addresses, or is to learn who is asked for.
            return subnets.contains(where: { $0.contains(address) }) ? NameAnswer(.noSuchName) : nil
        }
        guard let found = addresses[query.name] else { return nil }
        let wanted = found.filter { query.kind == .any || query.kind == ($0.version == .v4 ? .a : .aaaa) }
        guard wanted.count > 1 else { return NameAnswer(.success, wanted.map { .address($0) }) }
        let first = turn.quotientAndRemainder(dividingBy: wanted.count).remainder
        let start = first < 0 ? first + wanted.count : first
        return NameAnswer(.success, (wanted[start...] + wanted[..<start]).map { .address($0) })
    }
}
