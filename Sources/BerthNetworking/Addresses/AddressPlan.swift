public import BerthNetlink

/// The subnets of a network, with all addresses that are taken in them.
///
/// A value: whoever keeps it writes down what it decides. What sandboxes have is taken again by ``take(_:)`` when an engine starts.
public struct AddressPlan: Sendable {
    /// One subnet.
    public struct Part: Sendable {
        /// Its addresses.
        public fileprivate(set) var pool: AddressPool
        /// The network's own.
        public let gateway: IPAddress
        /// What others have.
        public let auxiliary: [String: IPAddress]
        /// Whether its creator has said it: only then may a sandbox ask for an address.
        public let isSaid: Bool
    }

    /// At most one for each version.
    public private(set) var parts: [Part] = []

    /// Subnets as they are asked for, and of those versions of which none is said, one that is free.
    ///
    /// - Parameters:
    ///   - requests: what is said.
    ///   - versions: what the network has to have, said or not.
    ///   - choice: where the others are from.
    ///   - networks: the subnets of the other networks: no subnet may overlap with one.
    ///   - routes: where the host's routes lead to: no subnet that nobody has said overlaps with one.
    /// - Throws: `invalid` for what cannot be read, two subnets of a version, and what is in no subnet; `conflict` for what overlaps, and for addresses that
    ///   are taken already.
    public init(
        _ requests: [SubnetRequest], versions: Set<IPAddress.Version>, from choice: SubnetChoice, networks: [Subnet], routes: [Subnet]
    ) throws(NetworkError) {
        let mistakes = requests.flatMap(\.mistakes)
        guard mistakes.isEmpty else { throw .invalid("network config", mistakes) }
        for request in requests {
            guard let subnet = Subnet(request.subnet) else { throw NetworkError(.invalid, "invalid subnet \(request.subnet)") }
            guard !parts.contains(where: { $0.pool.subnet.version == subnet.version }) else {
                throw NetworkError(.invalid, "bridge driver doesn't support multiple subnets")
            }
            if let other = networks.first(where: subnet.overlaps) {
                throw NetworkError(.conflict, "Pool overlaps with other one on this address space: \(subnet) with \(other)")
            }
            parts.append(try Part(subnet, request, isSaid: true))
        }
        for version in [IPAddress.Version.v4, .v6]
        where versions.contains(version) && !parts.contains(where: { $0.pool.subnet.version == version }) {
            let subnet = try choice.subnet(version, avoiding: networks + routes)
            parts.append(try Part(subnet, SubnetRequest(subnet: subnet.description), isSaid: false))
        }
        parts.sort { $0.pool.subnet < $1.pool.subnet }
    }

    /// Subnets as they were chosen before: nothing is looked for, and nothing avoided.
    ///
    /// - Parameter said: which of them their creator has said.
    /// - Throws: `invalid`, `conflict` for what no plan could have been.
    init(restoring requests: [SubnetRequest], said: Set<String>) throws(NetworkError) {
        for request in requests {
            guard let subnet = Subnet(request.subnet), !parts.contains(where: { $0.pool.subnet.version == subnet.version }) else {
                throw NetworkError(.invalid, "invalid subnet \(request.subnet)")
            }
            parts.append(try Part(subnet, request, isSaid: said.contains(request.subnet)))
        }
        parts.sort { $0.pool.subnet < $1.pool.subnet }
    }

    /// Takes an address that a sandbox asks for, in whichever subnet it is.
    ///
    /// - Throws: `invalid` if it is in none, or in one that nobody has said; `conflict` if it is taken.
    public mutating func request(_ address: IPAddress) throws(NetworkError) {
        if let part = parts.first(where: { $0.pool.subnet.contains(address) }), !part.isSaid {
            throw NetworkError(
                .invalid, "user specified IP address is supported only when connecting to networks with user configured subnets")
        }
        try take(address)
    }

    /// Takes an address that a sandbox has had: whoever said the subnet.
    ///
    /// - Throws: `invalid` if it is in none; `conflict` if it is taken.
    public mutating func take(_ address: IPAddress) throws(NetworkError) {
        guard let place = parts.firstIndex(where: { $0.pool.subnet.contains(address) }) else {
            let subnets = parts.map(\.pool.subnet.description).joined(separator: ", ")
            throw NetworkError(
                .invalid, "no configured subnet or ip-range contain the IP address \(address): the network has \(subnets)")
        }
        try parts[place].pool.take(address)
    }

    /// Takes the next address of a version; `nil` if the network has no subnet of it.
    ///
    /// - Throws: `conflict` if none is free.
    public mutating func takeNext(_ version: IPAddress.Version) throws(NetworkError) -> IPAddress? {
        guard let place = parts.firstIndex(where: { $0.pool.subnet.version == version }) else { return nil }
        return try parts[place].pool.takeNext()
    }

    /// Gives an address back; the network's own and the auxiliary ones stay. Repeating is fine.
    public mutating func giveBack(_ address: IPAddress) {
        for place in parts.indices where address != parts[place].gateway && !parts[place].auxiliary.values.contains(address) {
            parts[place].pool.giveBack(address)
        }
    }
}

extension AddressPlan.Part {
    fileprivate init(_ subnet: Subnet, _ request: SubnetRequest, isSaid: Bool) throws(NetworkError) {
        var range: Subnet?
        if let text = request.range {
            range = Subnet(text)
            guard range != nil else { throw NetworkError(.invalid, "no matching subnet for range \(text)") }
        }
        var pool = try AddressPool(subnet, range: range)
        var own: IPAddress?
        if let text = request.gateway { own = try Self.take(gateway: text, from: &pool) }
        var auxiliary: [String: IPAddress] = [:]
        for (name, text) in request.auxiliary.sorted(by: { $0.key < $1.key }) {
            guard let address = IPAddress(text), subnet.contains(address) else {
                throw NetworkError(.invalid, "no matching subnet for aux-address \(text)")
            }
            do throws(NetworkError) { try pool.take(address) } catch {
                throw NetworkError(error.code, "failed to allocate secondary ip address (\(name):\(text)): Address already in use")
            }
            auxiliary[name] = address
        }
        // One that is chosen is none that others have.
        gateway = if let own { own } else { try Self.takeGateway(from: &pool) }
        (self.pool, self.auxiliary, self.isSaid) = (pool, auxiliary, isSaid)
    }

    private static func takeGateway(from pool: inout AddressPool) throws(NetworkError) -> IPAddress {
        do throws(NetworkError) { return try pool.takeNext() } catch {
            throw NetworkError(error.code, "failed to allocate gateway (): No available addresses on this pool")
        }
    }

    private static func take(gateway text: String, from pool: inout AddressPool) throws(NetworkError) -> IPAddress {
        guard let address = IPAddress(text), pool.subnet.contains(address) else {
            throw NetworkError(.invalid, "no matching subnet for gateway \(text)")
        }
        do throws(NetworkError) { try pool.take(address) } catch {
            throw NetworkError(error.code, "failed to allocate gateway (\(text)): Address already in use")
        }
        return address
    }
}
